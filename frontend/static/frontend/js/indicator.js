// The connection's state in the page's head.

import { setTime } from "./rows.js";

/** Keeps [data-connection] saying what `live` is. */
export const showConnection = (live) => {
  const indicator = document.querySelector("[data-connection]");
  live.addEventListener("state", () => {
    indicator.dataset.state = live.state;
    for (const element of indicator.querySelectorAll("[data-when]")) element.hidden = element.dataset.when !== live.state;
    const since = indicator.querySelector("[data-since]");
    since.hidden = live.state === "live" || !live.asOf;
    if (live.asOf) setTime(since.querySelector("time"), live.asOf);
  });
};
