// Lists that keep their elements: a row that stays is the same element, and only what differs is written.

import { clockTime, format, fullTime, minuteTime } from "./format.js";

const MOST_MARKED = 3; // when more arrive at once, a mark on each would only flicker

export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** Shows an RFC 3339 time in the reader's zone. */
export const setTime = (element, value) => {
  if (element.dateTime === value && element.title) return;
  const date = new Date(value);
  element.dateTime = value;
  element.title = fullTime(date);
  setText(element, element.dataset.style === "minute" ? minuteTime(date) : clockTime(date));
};

const fillCell = (cell, value) => {
  const time = cell.querySelector("time");
  if (time) setTime(time, value);
  else setText(cell, format(value, cell.dataset.format));
};

const fill = (element, row, most) => {
  for (const cell of element.querySelectorAll("[data-cell]")) fillCell(cell, row[cell.dataset.cell]);
  for (const bar of element.querySelectorAll("[data-share]")) {
    bar.max = most || 1;
    bar.value = row[bar.dataset.share];
  }
};

/** A list under [data-rows=name], made from <template id="row-name">; `keyOf(row)` says which row is which. */
export class Rows {
  #body;
  #table;
  #nothing;
  #template;
  #keyOf;

  constructor(name, keyOf) {
    this.#body = document.querySelector(`[data-rows="${name}"]`);
    this.#table = document.querySelector(`[data-table="${name}"]`);
    this.#nothing = document.querySelector(`[data-nothing="${name}"]`);
    this.#template = document.querySelector(`#row-${name}`);
    this.#keyOf = keyOf;
  }

  show(rows, most) {
    const known = new Map([...this.#body.children].map((element) => [element.dataset.key, element]));
    const arrived = rows.filter((row) => !known.has(this.#keyOf(row))).length;
    const wanted = rows.map((row) => {
      const element = known.get(this.#keyOf(row)) ?? this.#make(this.#keyOf(row), arrived <= MOST_MARKED);
      fill(element, row, most);
      return element;
    });
    const same = wanted.length === this.#body.children.length && wanted.every((each, at) => this.#body.children[at] === each);
    if (!same) this.#body.replaceChildren(...wanted);
    this.#table.hidden = rows.length === 0;
    this.#nothing.hidden = rows.length > 0;
  }

  #make(key, marked) {
    const element = this.#template.content.firstElementChild.cloneNode(true);
    element.dataset.key = key;
    element.classList.toggle("is-new", marked);
    return element;
  }
}
