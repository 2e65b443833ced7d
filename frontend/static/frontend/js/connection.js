// One subscription on /ws/v1/live that outlives its sockets: reconnects, resubscribes, resyncs. docs/live.md is the protocol.

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 15_000;
const QUIET_MS = 5_000; // hubs speak every two seconds: this long without a frame is worth a ping
const DEAD_MS = 10_000;
const CLOSE_POLICY = 1008;
const CLOSE_SIGN_IN = 4401;

/**
 * Events: "state" (detail: connecting | live | reconnecting | stale | signed-out | refused) and
 * "data" (detail: { data, changed }), where `changed` holds the names of the parts that differ.
 */
export class LiveConnection extends EventTarget {
  #url;
  #topic;
  #params;
  #socket = null;
  #attempt = 0;
  #retry = 0;
  #heardAt = 0;
  #epoch = null;
  #seq = 0;

  state = "connecting";
  data = null;
  asOf = null;
  gaps = 0;

  constructor(path, topic, params) {
    super();
    this.#url = new URL(path, location.href);
    this.#url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#topic = topic;
    this.#params = params;
  }

  start() {
    setInterval(() => this.#watch(), 1_000);
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("online", () => this.#wake());
    addEventListener("pageshow", () => this.#wake());
    addEventListener("pagehide", () => this.#socket?.close());
    this.#connect();
  }

  get #ended() {
    return this.state === "signed-out" || this.state === "refused";
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#heardAt = performance.now();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const current = (handle) => (event) => this.#socket === socket && handle(event);
    socket.addEventListener("message", current((event) => this.#receive(JSON.parse(event.data))));
    socket.addEventListener("close", current((event) => this.#closed(event.code)));
  }

  #closed(code) {
    this.#socket = null;
    if (code === CLOSE_SIGN_IN) this.#become("signed-out");
    else if (code === CLOSE_POLICY) this.#become("refused");
    else this.#later();
  }

  #later() {
    if (this.#ended) return;
    this.#become("reconnecting");
    const longest = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    // Jitter: after a restart, all pages would otherwise come back in the same moment.
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #wake() {
    if (document.visibilityState === "hidden" || this.#ended) return;
    if (this.#socket === null) this.#connect();
    else this.#ping();
  }

  #watch() {
    if (this.#socket === null) return;
    const quiet = performance.now() - this.#heardAt;
    if (quiet > DEAD_MS) this.#abandon();
    else if (quiet > QUIET_MS) this.#ping();
  }

  #abandon() {
    const socket = this.#socket;
    this.#socket = null; // its close event, perhaps a minute away, is no longer ours
    socket.close();
    this.#later();
  }

  #ping() {
    this.#send({ ping: Math.round(performance.now()) });
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #subscribe(since) {
    this.#send({ subscribe: this.#topic, params: this.#params, ...(since && { since }) });
  }

  #receive(frame) {
    this.#heardAt = performance.now();
    if (frame.kind === "ready") this.#subscribe(this.#epoch && { epoch: this.#epoch, seq: this.#seq });
    else if (frame.kind === "snapshot") this.#replace(frame);
    else if (frame.kind === "delta") this.#merge(frame);
    else if (frame.kind === "error") this.#refused(frame);
  }

  #refused(frame) {
    if (frame.code === "authentication_required") this.#become("signed-out");
    else if (frame.code === "forbidden") this.#become("refused");
    else return;
    this.#socket?.close();
  }

  #replace(frame) {
    if (frame.reason !== "start") this.gaps += 1;
    this.#epoch = frame.epoch;
    this.data = frame.data;
    this.#applied(frame, frame.data ? Object.keys(frame.data) : []);
  }

  #merge(frame) {
    if (frame.epoch !== this.#epoch || frame.after !== this.#seq) {
      this.#subscribe(null); // a gap: the answer is a snapshot
      return;
    }
    const { series, ...parts } = frame.data;
    Object.assign(this.data, parts);
    if (series) this.data.series = splice(this.data.series, series);
    this.#applied(frame, Object.keys(frame.data));
  }

  #applied(frame, changed) {
    this.#seq = frame.seq;
    this.#attempt = 0;
    this.asOf = frame.as_of;
    this.#send({ ack: frame.seq });
    this.#become(frame.stale ? "stale" : "live");
    if (this.data) this.dispatchEvent(new CustomEvent("data", { detail: { data: this.data, changed } }));
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

/** `series` with the seconds of `tail` put in their places, and as many seconds off its start as were added. */
export const splice = (series, tail) => {
  const kept = tail.start - series.start;
  if (kept < 0 || kept > series.accepted.length) return tail;
  const added = Math.max(0, kept + tail.accepted.length - series.accepted.length);
  const join = (name) => [...series[name].slice(0, kept), ...tail[name]].slice(added);
  return { start: series.start + added, accepted: join("accepted"), rejected: join("rejected") };
};
