// Node 18, which Debian 12 has, knows CustomEvent but does not make it global; the socket server needs it so.
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, options = {}) {
    super(type, options);
    this.detail = options.detail ?? null;
  }
};
