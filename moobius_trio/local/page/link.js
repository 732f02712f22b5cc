// The page's hands: what a person does, and the doing of what effects.js asks for. It holds the one
// state; no logic about what the screen shows may live here. (HTTP is in calls.js, what is asked by it
// in asking.js, the sockets are connection.js's.)

import { Asking } from "./asking.js";
import { Calls } from "./calls.js";
import { Connection, newId } from "./connection.js";
import { effects } from "./effects.js";
import { initialState, reduce } from "./reduce.js";
import {
  addressOf,
  closedReason,
  currentBand,
  currentRoom,
  needsForm,
  noListReason,
  recipients,
} from "./select.js";
import { Uploader } from "./uploader.js";
import { FETCHES, actionFrame, callFrame, menuFrame, messageFrame } from "./wire_up.js";

const TOLD_MS = 4_000;

export { newId };

export class Link {
  #calls = new Calls();
  #asking = new Asking(this.#calls, (event) => this.dispatch(event));
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
    this.#ask(feature, null);
  }

  /** An item was chosen from the menu of this message. */
  choose(item, message) {
    this.#ask(item, message);
  }

  #ask(asked, message) {
    if (needsForm(asked)) this.dispatch({ kind: "form_opened", asked, message });
    else this.answer({ channelId: this.state.bandId, asked, message }, []);
  }

  /** `values`: one text per argument; `buttonId`: the button of the form's own that was pressed. */
  answer({ channelId, asked, message }, values, buttonId) {
    const [id, userId] = [newId(), this.state.me.userId];
    const frame = message
      ? menuFrame(id, userId, { channelId, item: asked, message }, values, buttonId)
      : callFrame(id, userId, channelId, asked, values, buttonId);
    if (!this.#send(frame)) this.#problem(`“${asked.label}” was not sent: not connected.`);
  }

  /** The messages that the platform kept before the oldest one here. */
  older() {
    const { messages, older } = currentRoom(this.state);
    return older === "there" ? this.#asking.older(this.state.bandId, messages[0]) : undefined;
  }

  /** Keep these recipients of this band under a name, and pick them. */
  async makeGroup(name, members) {
    const channelId = this.state.bandId;
    const groupId = await this.#asking.makeGroup(channelId, name, members);
    if (groupId && channelId === this.state.bandId) this.dispatch({ kind: "group_picked", groupId });
  }

  /** Show the characters that the band's service has made. */
  agents() {
    return this.#asking.agents(this.state.bandId);
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
        return this.#asking.kinds(userIds);
      default:
        return userIds.forEach((userId) => this.#asking.profile(userId));
    }
  }

  async #open(channelId) {
    const { attempt } = this.#connection;
    const query = new URLSearchParams({ channel_id: channelId });
    try {
      const [{ member }, { frames, more }] = await Promise.all([
        this.#calls.call("GET", `/local/membership?${query}`),
        this.#asking.history(channelId),
        this.#asking.groups(channelId),
      ]);
      if (attempt !== this.#connection.attempt) return;
      const hasLeft = sessionStorage.getItem(this.#leftMark(channelId)) !== null;
      this.dispatch({ kind: "opened", channelId, member, hasLeft, history: frames, more });
    } catch (error) {
      this.#connection.lose(attempt, `The band could not be opened: ${error.message}`);
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
