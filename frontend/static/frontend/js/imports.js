// The list of imports: rows that move while files are read.

import { LiveConnection } from "./connection.js";
import { showConnection } from "./indicator.js";
import { Rows, setTime } from "./rows.js";

const page = document.querySelector("[data-imports]");
const live = new LiveConnection(page.dataset.socket, "imports", { project: page.dataset.project });
const rows = new Rows("imports", (row) => row.id);

for (const time of document.querySelectorAll("time[datetime]")) setTime(time, time.dateTime);
showConnection(live);
live.addEventListener("data", ({ detail: { data } }) => {
  rows.show(data.imports, 1);
  for (const row of page.querySelectorAll("tr[data-key]")) row.querySelector("[data-link]").href = `${row.dataset.key}/`;
});
live.start();
