// One import: its figures move until it ends; then the page is read again, with what was refused.

import { LiveConnection } from "./connection.js";
import { format } from "./format.js";
import { showConnection } from "./indicator.js";
import { setText } from "./rows.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
const page = document.querySelector("[data-import]");
const live = new LiveConnection(page.dataset.socket, "imports", { project: page.dataset.project });

showConnection(live);
live.addEventListener("data", ({ detail: { data } }) => {
  const job = data.imports.find((each) => each.id === page.dataset.import);
  if (job === undefined) return;
  for (const element of page.querySelectorAll("[data-show]")) {
    setText(element, format(job[element.dataset.show], element.dataset.format));
  }
  page.querySelector("[data-progress]").value = job.progress ?? 0;
  if (ENDED.has(job.state)) location.reload();
});
live.start();
