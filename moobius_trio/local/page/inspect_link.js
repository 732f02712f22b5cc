// The hands of the builder's panel: the socket that tells of frames, the calls of the tools, the raw
// frame. It holds the panel's one state; no logic about what the panel shows may live here.

import { newId } from "./link.js";
import { initialPanel, reducePanel } from "./inspect_reduce.js";
import { frameToSend, recordedOf } from "./inspect_select.js";
import { readFrame } from "./wire.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const TAPE_MS = 300_000; // a tape is played at the speed of the service

export class Inspection {
  #link;
  #socket = null;
  #wait = FIRST_WAIT_MS;
  #timer = 0;
  #drawing = 0;

  /** `onChange()` is called at most once per picture that the browser draws. */
  constructor(link, onChange) {
    this.#link = link;
    this.panel = initialPanel();
    this.onChange = onChange;
    link.claim = (frame) => this.#claim(readFrame(frame));
  }

  dispatch(event) {
    this.panel = reducePanel(this.panel, event);
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.onChange();
    });
  }

  // ---- frames ----------------------------------------------------------------------------------

  /** Listen until `close`; a socket that ends is opened again. */
  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(new URL("/local/inspect", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#wait = FIRST_WAIT_MS;
      this.dispatch({ kind: "told", news: JSON.parse(data) });
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.dispatch({ kind: "link_lost" });
      this.#timer = setTimeout(() => this.open(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    };
  }

  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.dispatch({ kind: "link_closed" });
  }

  // ---- the raw box -----------------------------------------------------------------------------

  sendRaw() {
    const { text, fresh } = this.panel.raw;
    const frame = frameToSend(text, fresh ? newId() : "");
    this.dispatch({ kind: "raw_sent", requestId: frame.requestId });
    if (!this.#link.sendText(frame.text))
      this.dispatch({ kind: "raw_failed", reason: "not connected." });
  }

  /** Whether this frame answers the raw box, and so is nobody else's business. */
  #claim({ kind, requestId, good, reason }) {
    const { raw } = this.panel;
    if (kind !== "copy" || raw?.state !== "sent" || requestId !== raw.requestId) return false;
    this.dispatch({ kind: "receipt", requestId, good, reason });
    return true;
  }

  // ---- the tools -------------------------------------------------------------------------------

  /** Ask how things stand; `what`: "control" (time and faults), "codes" or "tapes". */
  async refresh(what) {
    try {
      const data = await this.#link.ask("GET", `/local/${what}`);
      this.dispatch({ kind: what, data });
    } catch (error) {
      this.dispatch({ kind: "control_failed", reason: error.message });
    }
  }

  /** Have the platform do something; `said` tells of it when it is done. */
  act(request, said) {
    return this.#doing("control", async () => {
      await this.#link.ask("POST", "/local/control", request);
      return said;
    });
  }

  startTape() {
    return this.#doing("tapes", async () => {
      await this.#tape({ do: "start" });
      return "Recording…";
    });
  }

  stopTape() {
    return this.#doing("tapes", async () => {
      const recorded = await this.#tape({ do: "stop" });
      download(recorded.name, recorded.tape);
      return `Saved as ${recorded.name}: ${recordedOf(recorded)}.`;
    });
  }

  /** `doing`: "play" or "check". */
  useTape(doing, file) {
    this.dispatch({ kind: "tape_begun" });
    return this.#doing("tapes", async () => {
      const result = await this.#tape({ do: doing, tape: await file.text() });
      this.dispatch({ kind: "tape_outcome", name: file.name, result });
      return `${file.name} has been ${doing === "play" ? "played" : "checked"}.`;
    });
  }

  #tape(request) {
    return this.#link.ask("POST", "/local/tapes", request, TAPE_MS);
  }

  /** `work` gives what is to be told; `what` is asked for anew afterwards. */
  async #doing(what, work) {
    this.dispatch({ kind: "begun" });
    try {
      const text = await work();
      await this.refresh(what);
      this.dispatch({ kind: "done", text });
    } catch (error) {
      this.dispatch({ kind: "failed", text: error.message });
    }
  }

  async copy(text, said) {
    const copied = await toClipboard(text);
    const failure = "The browser does not let this page copy.";
    this.dispatch(copied ? { kind: "done", text: said } : { kind: "failed", text: failure });
  }
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const anchor = document.createElement("a");
  Object.assign(anchor, { href: address, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address)); // once the browser has followed it
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not there where the page is neither on loopback nor on TLS; the old way is there everywhere.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
