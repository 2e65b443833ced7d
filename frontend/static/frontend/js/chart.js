// The streaming chart: uPlot in the page's colours, redrawn when the theme or the width changes.

import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { format, minuteTime } from "./format.js";

const HEIGHT = 248;
const MINUTE_STEPS = [60, 120, 180, 300];
const COUNT_STEPS = [1, 2, 5].flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power)).sort((a, b) => a - b);
const BARS = uPlot.paths.bars({ size: [1, 3, 2] });

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const axis = (options) => ({
  stroke: token("--sg-text-muted"),
  font: `12px ${token("--sg-font")}`,
  grid: { stroke: token("--sg-grid"), width: 1 },
  ticks: { show: false },
  ...options,
});

const minutes = (_chart, splits) => splits.map((second) => minuteTime(second * 1000));
const counts = (_chart, splits) => splits.map((value) => format(value, "integer"));
const upTo = (_chart, _least, most) => [0, most > 0 ? uPlot.rangeNum(0, most, 0.12, true)[1] : 1];

/** Draws { start, accepted, rejected } and calls `onPoint(second, accepted, rejected)`, or `onPoint(null)`, for the cursor. */
export class RateChart {
  #host;
  #onPoint;
  #chart = null;
  #columns = [[], [], []];

  constructor(host, onPoint) {
    this.#host = host;
    this.#onPoint = onPoint;
    new ResizeObserver(() => this.#resize()).observe(host);
    document.addEventListener("streamgauge:theme", () => this.#rebuild());
  }

  update({ start, accepted, rejected }) {
    const bars = rejected.map((count) => count || null); // bars of nothing would cover the axis
    this.#columns = [accepted.map((_, index) => start + index), accepted, bars];
    if (this.#chart) this.#chart.setData(this.#columns);
    else this.#rebuild();
  }

  #rebuild() {
    this.#chart?.destroy();
    this.#chart = new uPlot(this.#options(), this.#columns, this.#host);
  }

  #resize() {
    const width = this.#host.clientWidth;
    if (this.#chart && width && width !== this.#chart.width) this.#chart.setSize({ width, height: HEIGHT });
  }

  #options() {
    return {
      width: this.#host.clientWidth,
      height: HEIGHT,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { y: { range: upTo } },
      axes: [
        axis({ values: minutes, incrs: MINUTE_STEPS, space: 72, size: 30 }),
        axis({ values: counts, incrs: COUNT_STEPS, size: 52 }),
      ],
      series: [
        {},
        { stroke: token("--sg-series-1"), fill: `${token("--sg-series-1")}26`, width: 1.5, points: { show: false } },
        { stroke: token("--sg-bad"), fill: token("--sg-bad"), width: 1, paths: BARS, points: { show: false } },
      ],
      hooks: { setCursor: [(chart) => this.#point(chart.cursor.idx)] },
    };
  }

  #point(index) {
    const [seconds, accepted, rejected] = this.#columns;
    if (index === null || index === undefined || seconds[index] === undefined) this.#onPoint(null);
    else this.#onPoint(seconds[index], accepted[index], rejected[index] ?? 0);
  }
}
