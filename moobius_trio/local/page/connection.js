// The two sockets of a tab and their reconnects: signing in, the protocol, the list of bands. What
// happens becomes an event of reduce.js; no state of the screen may live here.

import { Refused } from "./calls.js";
import { isRefusedLogin } from "./wire.js";
import { loginFrame } from "./wire_up.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const STEADY_MS = 5_000; // a link that lasted this long starts the waits anew
const TOO_LARGE = 1009;

export function newId() {
  // Not crypto.randomUUID: that is missing where the page is neither on loopback nor on TLS.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export class Connection {
  attempt = 0; // sockets and replies of an earlier attempt have no say any more
  #calls;
  #dispatch;
  #claim;
  #who = null; // { name, me }: whom to sign in, and whether they have been in before
  #socket = null;
  #watch = null;
  #wait = FIRST_WAIT_MS;
  #timer = 0;

  /** `claim(frame)` says whether somebody else takes a frame that came. */
  constructor(calls, dispatch, { claim }) {
    this.#calls = calls;
    this.#dispatch = dispatch;
    this.#claim = claim;
  }

  /** Sign in as `name` and open both sockets, in place of those there are; try until they are. */
  async open({ name, me }) {
    clearTimeout(this.#timer);
    this.#who = { name, me };
    const attempt = this.#next();
    try {
      const found = await this.#calls.signIn(name);
      if (attempt !== this.attempt) return;
      this.#who.me = found;
      this.#dispatch({ kind: "signed_in", ...found });
      this.#openSockets(attempt);
    } catch (error) {
      if (attempt !== this.attempt) return;
      // Who has been in before is not sent back to the door by one bad answer.
      if (!(error instanceof Refused) || me) this.lose(attempt, error.message);
      else this.#dispatch({ kind: "refused", reason: error.message });
    }
  }

  /** Gives whether the text went. */
  send(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** This attempt has come to an end; the next one begins after a while. */
  lose(attempt, reason, tooLarge = false) {
    if (attempt !== this.attempt) return;
    this.#next();
    this.#dispatch({ kind: "link_lost", reason, tooLarge });
    const wait = this.#wait * (0.5 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => this.open(this.#who), wait);
  }

  #next() {
    this.#socket?.close();
    this.#watch?.close();
    return ++this.attempt;
  }

  #openSockets(attempt) {
    const address = (path) => new URL(path, location.href.replace(/^http/, "ws")).href;
    const current = (handle) => (event) => attempt === this.attempt && handle(event);
    const opened = performance.now();
    const lost = current(({ code, reason }) => {
      if (performance.now() - opened > STEADY_MS) this.#wait = FIRST_WAIT_MS;
      this.lose(attempt, reason || `The connection ended (${code}).`, code === TOO_LARGE);
    });
    this.#socket = new WebSocket(address("/"));
    this.#watch = new WebSocket(address("/local/watch"));
    this.#socket.onopen = current(() => {
      this.send(JSON.stringify(loginFrame(newId(), this.#calls.token)));
      this.#dispatch({ kind: "link_up" });
    });
    this.#socket.onmessage = current(({ data }) => {
      const frame = JSON.parse(data);
      if (this.#claim(frame)) return;
      if (isRefusedLogin(frame)) this.lose(attempt, "The platform refused the login.");
      else this.#dispatch({ kind: "frame", frame });
    });
    this.#watch.onmessage = current(({ data }) => {
      this.#dispatch({ kind: "bands", ...JSON.parse(data) });
    });
    this.#socket.onclose = lost;
    this.#watch.onclose = lost;
  }
}
