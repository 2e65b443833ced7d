// The overview: puts what the live connection says onto the page.

import { RateChart } from "./chart.js";
import { LiveConnection } from "./connection.js";
import { clockTime, format, zoneName } from "./format.js";
import { Rows, setText, setTime } from "./rows.js";

const page = document.querySelector("[data-overview]");
const indicator = document.querySelector("[data-connection]");
const firstEvent = document.querySelector("[data-first-event]");
const pauseButton = document.querySelector("[data-pause]");

const live = new LiveConnection(page.dataset.socket, "overview", { project: page.dataset.project });
const chart = new RateChart(document.querySelector("[data-chart]"), showPoint);
const lists = {
  types: new Rows("types", (row) => row.type),
  newest: new Rows("newest", (row) => row.uid),
  rejections: new Rows("rejections", (row) => row.id),
  windows: new Rows("windows", (row) => row.id),
};

let paused = false;
const missed = new Set();

function showPoint(second, accepted, rejected) {
  const readout = document.querySelector("[data-readout]");
  readout.hidden = second === null;
  document.querySelector("[data-readout-summary]").hidden = second !== null;
  if (second === null) return;
  setText(readout.querySelector("time"), clockTime(new Date(second * 1000)));
  setText(readout.querySelector("[data-readout-accepted]"), format(accepted, "integer"));
  setText(readout.querySelector("[data-readout-rejected]"), format(rejected, "integer"));
}

const pick = (data, path) => path.split(".").reduce((part, name) => part?.[name], data);

function showFigures(data) {
  for (const element of page.querySelectorAll("[data-show]")) {
    setText(element, format(pick(data, element.dataset.show), element.dataset.format));
  }
  for (const element of page.querySelectorAll("[data-alarm]")) {
    element.classList.toggle("figure--bad", pick(data, element.dataset.alarm) > 0);
  }
}

function show(data, changed) {
  showFigures(data);
  for (const [name, rows] of Object.entries(lists)) {
    if (changed.has(name)) rows.show(data[name], data.totals.accepted);
  }
  if (changed.has("series")) chart.update(data.series);
  if (data.totals.accepted > 0 || data.newest.length > 0) firstEvent.hidden = true;
}

function showState() {
  const state = paused && live.state === "live" ? "paused" : live.state;
  indicator.dataset.state = state;
  page.classList.toggle("overview--old", state !== "live" && state !== "connecting" && state !== "paused");
  for (const element of indicator.querySelectorAll("[data-when]")) element.hidden = element.dataset.when !== state;
  const since = indicator.querySelector("[data-since]");
  since.hidden = state === "live" || state === "paused" || !live.asOf;
  if (live.asOf) setTime(since.querySelector("time"), live.asOf);
}

function togglePause() {
  paused = !paused;
  pauseButton.setAttribute("aria-pressed", String(paused));
  if (!paused && live.data) show(live.data, missed);
  missed.clear();
  showState();
}

function offerCopy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.querySelector("[data-copy-label]").hidden = true;
    button.querySelector("[data-copy-done]").hidden = false;
  });
}

for (const time of document.querySelectorAll("time[datetime]")) setTime(time, time.dateTime);
setText(document.querySelector("[data-zone]"), document.querySelector("#zone-text").content.textContent.replace("{zone}", zoneName()));
document.querySelectorAll("[data-copy]").forEach(offerCopy);
pauseButton.hidden = false;
pauseButton.addEventListener("click", togglePause);

live.addEventListener("state", showState);
live.addEventListener("data", ({ detail: { data, changed } }) => {
  if (!paused) show(data, new Set(changed));
  else changed.forEach((name) => missed.add(name));
});
live.start();
