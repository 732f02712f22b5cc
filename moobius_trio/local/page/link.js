// The page's hands: what a person does, and the doing of what effects.js asks for. It holds the one
// state; no logic about what the screen shows may live here. (HTTP is in calls.js, the sockets are
// connection.js's.)

import { Calls } from "./calls.js";
import { Connection, newId } from "./connection.js";
import { effects } from "./effects.js";
import { initialState, reduce } from "./reduce.js";
import { addressOf, closedReason, currentBand, needsForm, noListReason, recipients } from "./select.js";
import { Uploader } from "./uploader.js";
import { FETCHES, actionFrame, callFrame, messageFrame } from "./wire.js";

const TOLD_MS = 4_000;

export { newId };

export class Link {
  #calls = new Calls();
  #uploader = new Uploader(
    this.#calls,
    (event) => this.dispatch(event),
    (...message) => this.#say(...message),
  );
  #connection = new Connection(this.#calls, (event) => this.dispatch(event), {
    claim: (frame) => this.claim(frame),
  });
  #tellTimer = 0;

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
    if (this.state.name) this.#connection.open(this.state);
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
    this.#connection.open(this.state);
  }

  tryNow() {
    if (this.state.link === "lost") this.#connection.open(this.state);
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

  /** Gives when all have ended; each of them becomes a message to whom is picked now. */
  async sendFiles(files) {
    const { ids, reason } = recipients(this.state);
    const closed = closedReason(this.state) || (ids === null && (reason || noListReason(this.state)));
    if (closed) this.#problem(`Nothing was sent. ${closed}`);
    else await this.#uploader.send(files, this.state.bandId, ids);
  }

  cancelUpload(id) {
    this.#uploader.cancel(id);
  }

  async copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this.tell(`${what} copied`);
    } catch {
      // Away from loopback and TLS there is no clipboard, and a browser may refuse it.
      this.#problem(`${what} could not be copied: the browser does not let this page.`);
    }
  }

  /** A short word about what was just done; it goes by itself. */
  tell(text) {
    clearTimeout(this.#tellTimer);
    this.dispatch({ kind: "told", text });
    this.#tellTimer = setTimeout(() => this.dispatch({ kind: "told", text: "" }), TOLD_MS);
  }

  async rename(nickname) {
    try {
      await this.#calls.call("POST", "/local/control", { do: "rename", name: nickname });
      this.dispatch({ kind: "renamed", nickname });
      this.tell(`You are called ${nickname} now. Services hear of it when you join their band.`);
    } catch (error) {
      this.#problem(`You could not be renamed: ${error.message}`);
    }
  }

  /** Open a user of this name in a tab of their own. */
  openUser(name) {
    open(addressOf(name, currentBand(this.state)?.name ?? ""), "_blank", "noreferrer");
    this.dispatch({ kind: "another_opened", name: name.toLowerCase() });
  }

  /** What was written to a band and not sent: it outlives a look at another band, and a reload. */
  draft(channelId) {
    return sessionStorage.getItem(`draft ${this.state.name} ${channelId}`) ?? "";
  }

  keepDraft(channelId, text) {
    sessionStorage.setItem(`draft ${this.state.name} ${channelId}`, text);
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
    return this.#connection.send(text);
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
      case "kinds":
        return this.#kinds(userIds);
      default:
        return userIds.forEach((userId) => this.#profile(userId));
    }
  }

  async #open(channelId) {
    const { attempt } = this.#connection;
    const query = new URLSearchParams({ channel_id: channelId });
    try {
      const [{ member }, kept] = await Promise.all([
        this.#calls.call("GET", `/local/membership?${query}`),
        this.#calls.call("GET", `/local/history?${query}`),
      ]);
      if (attempt !== this.#connection.attempt) return;
      const hasLeft = sessionStorage.getItem(this.#leftMark(channelId)) !== null;
      this.dispatch({ kind: "opened", channelId, member, hasLeft, history: kept });
    } catch (error) {
      this.#connection.lose(attempt, `The band could not be opened: ${error.message}`);
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

  async #kinds(userIds) {
    try {
      const body = { user_ids: userIds };
      const { puppets } = await this.#calls.call("POST", "/local/puppets", body);
      this.dispatch({ kind: "kinds", userIds, puppets });
    } catch {
      this.dispatch({ kind: "kinds_unknown", userIds });
    }
  }

  #leftMark(channelId) {
    return `left ${this.state.me.userId} ${channelId}`;
  }

  // ---- upwards ---------------------------------------------------------------------------------

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
    const frame = messageFrame(requestId, this.state.me.userId, message);
    const sent = this.#send(frame);
    if (sent) this.dispatch({ kind: "said", message: { ...message, frame } });
    return sent;
  }

  #problem(text) {
    this.dispatch({ kind: "problem", text });
  }
}
