// The page's hands: the two sockets, and the doing of what reduce.js asks for. It holds the one
// state; no logic about what the screen shows may live here. (HTTP is in calls.js.)

import { Calls, Refused } from "./calls.js";
import { effects, initialState, reduce } from "./reduce.js";
import { addressOf, currentBand, needsForm, recipients, sizeText } from "./select.js";
import {
  FETCHES,
  actionFrame,
  callFrame,
  isRefusedLogin,
  loginFrame,
  messageFrame,
} from "./wire.js";

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

export class Link {
  #calls = new Calls();
  #socket = null;
  #watch = null;
  #attempt = 0; // sockets and replies of an earlier attempt have no say any more
  #wait = FIRST_WAIT_MS;
  #timer = 0;

  /** `onChange(state)` is called after every event. */
  constructor(who, onChange) {
    this.state = initialState(who);
    this.onChange = onChange;
  }

  start() {
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.tryNow();
    });
    this.onChange(this.state);
    if (this.state.name) this.#connect();
  }

  dispatch(event) {
    const before = this.state;
    this.state = reduce(before, event);
    this.onChange(this.state);
    for (const effect of effects(before, this.state)) this.#do(effect);
  }

  // ---- what a person does ----------------------------------------------------------------------

  enter(name) {
    history.replaceState(null, "", addressOf(name, this.state.wantedBand));
    this.dispatch({ kind: "named", name });
    this.#connect();
  }

  tryNow() {
    if (this.state.link === "lost") this.#connect();
  }

  chooseBand(channelId) {
    this.dispatch({ kind: "band_chosen", channelId });
    const band = currentBand(this.state);
    if (band) history.replaceState(null, "", addressOf(this.state.name, band.name));
  }

  async addBand(name) {
    try {
      const { channel_id: channelId } = await this.#calls.call("POST", "/local/bands", { name });
      this.chooseBand(channelId);
    } catch (error) {
      this.#problem(`The band “${name}” was not made: ${error.message}`);
    }
  }

  /** Gives whether it went up. */
  say(text) {
    const { ids } = recipients(this.state);
    return ids !== null && this.#say(this.state.bandId, "text", { text, path: "" }, ids);
  }

  async sendPicture(file) {
    const { ids } = recipients(this.state);
    const channelId = this.state.bandId;
    if (ids === null) return;
    this.dispatch({ kind: "uploading", name: file.name });
    try {
      const path = await this.#calls.upload(file);
      // To the band and the people it was chosen for, also if another band is looked at by now.
      const sent = this.#say(channelId, "image", { text: "", path }, ids);
      if (!sent) throw new Error("the connection has ended meanwhile.");
    } catch (error) {
      const size = sizeText(file.size);
      this.#problem(`“${file.name}” (${size}) could not be sent: ${error.message}`);
    } finally {
      this.dispatch({ kind: "uploading", name: "" });
    }
  }

  press(feature) {
    if (needsForm(feature)) this.dispatch({ kind: "form_opened", feature });
    else this.call(this.state.bandId, feature, []);
  }

  /** `values`: one text per argument of the key. */
  call(channelId, feature, values) {
    const frame = callFrame(newId(), this.state.me.userId, channelId, feature, values);
    if (!this.#send(frame)) this.#problem(`“${feature.buttonText}” was not sent: not connected.`);
  }

  leave() {
    const channelId = this.state.bandId;
    if (!this.#act(channelId, "leave_channel")) return;
    sessionStorage.setItem(this.#leftMark(channelId), "yes"); // so that a reload does not rejoin
    this.dispatch({ kind: "left", channelId });
  }

  // ---- what a builder does (inspect_link.js) ---------------------------------------------------

  /** Asked of every frame that comes: whether the builder's panel takes it alone. */
  claim = () => false;

  /** The `data` of a call of this guest. */
  ask(method, path, body, milliseconds) {
    return this.#calls.call(method, path, body, milliseconds);
  }

  /** Send any text over this tab's socket; gives whether it went. */
  sendText(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  // ---- what the state asks for -----------------------------------------------------------------

  #do({ kind, channelId, userIds }) {
    switch (kind) {
      case "open":
        return this.#open(channelId);
      case "join":
        if (this.#act(channelId, "join_channel")) {
          sessionStorage.removeItem(this.#leftMark(channelId));
          this.dispatch({ kind: "joined", channelId });
        }
        return undefined;
      case "fetch":
        return FETCHES.forEach((subtype) => this.#act(channelId, subtype));
      default:
        return userIds.forEach((userId) => this.#profile(userId));
    }
  }

  async #open(channelId) {
    const attempt = this.#attempt;
    const query = new URLSearchParams({ channel_id: channelId });
    try {
      const [{ member }, kept] = await Promise.all([
        this.#calls.call("GET", `/local/membership?${query}`),
        this.#calls.call("GET", `/local/history?${query}`),
      ]);
      if (attempt !== this.#attempt) return;
      const hasLeft = sessionStorage.getItem(this.#leftMark(channelId)) !== null;
      this.dispatch({ kind: "opened", channelId, member, hasLeft, history: kept });
    } catch (error) {
      this.#lose(attempt, `The band could not be opened: ${error.message}`);
    }
  }

  async #profile(userId) {
    try {
      const data = await this.#calls.call("POST", "/user/fetch_profile", { userlist: [userId] });
      this.dispatch({ kind: "profiles", data });
    } catch {
      // Nobody knows them: their id stays on the screen.
    }
  }

  #leftMark(channelId) {
    return `left ${this.state.me.userId} ${channelId}`;
  }

  // ---- the link --------------------------------------------------------------------------------

  async #connect() {
    clearTimeout(this.#timer);
    const attempt = this.#next();
    try {
      const me = await this.#calls.signIn(this.state.name);
      if (attempt !== this.#attempt) return;
      this.dispatch({ kind: "signed_in", ...me });
      this.#openSockets(attempt);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      // Who has been in before is not sent back to the door by one bad answer.
      if (!(error instanceof Refused) || this.state.me) this.#lose(attempt, error.message);
      else this.dispatch({ kind: "refused", reason: error.message });
    }
  }

  #next() {
    this.#socket?.close();
    this.#watch?.close();
    return ++this.#attempt;
  }

  #openSockets(attempt) {
    const address = (path) => new URL(path, location.href.replace(/^http/, "ws")).href;
    const current = (handle) => (event) => attempt === this.#attempt && handle(event);
    const opened = performance.now();
    const lost = current(({ code, reason }) => {
      if (performance.now() - opened > STEADY_MS) this.#wait = FIRST_WAIT_MS;
      this.#lose(attempt, reason || `The connection ended (${code}).`, code === TOO_LARGE);
    });
    this.#socket = new WebSocket(address("/"));
    this.#watch = new WebSocket(address("/local/watch"));
    this.#socket.onopen = current(() => {
      this.#send(loginFrame(newId(), this.#calls.token));
      this.dispatch({ kind: "link_up" });
    });
    this.#socket.onmessage = current(({ data }) => {
      const frame = JSON.parse(data);
      if (this.claim(frame)) return;
      if (isRefusedLogin(frame)) this.#lose(attempt, "The platform refused the login.");
      else this.dispatch({ kind: "frame", frame });
    });
    this.#watch.onmessage = current(({ data }) => {
      const { bands, service } = JSON.parse(data);
      this.dispatch({ kind: "bands", bands, service });
    });
    this.#socket.onclose = lost;
    this.#watch.onclose = lost;
  }

  #lose(attempt, reason, tooLarge = false) {
    if (attempt !== this.#attempt) return;
    this.#next();
    this.dispatch({ kind: "link_lost", reason, tooLarge });
    const wait = this.#wait * (0.5 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => this.tryNow(), wait);
  }

  #send(frame) {
    return this.sendText(JSON.stringify(frame));
  }

  #act(channelId, subtype) {
    return this.#send(actionFrame(newId(), this.state.me.userId, channelId, subtype));
  }

  #say(channelId, subtype, content, ids) {
    const requestId = newId();
    const timestamp = Date.now();
    const message = { requestId, channelId, subtype, content, recipients: ids, timestamp };
    const sent = this.#send(messageFrame(requestId, this.state.me.userId, message));
    if (sent) this.dispatch({ kind: "said", message });
    return sent;
  }

  #problem(text) {
    this.dispatch({ kind: "problem", text });
  }
}
