// The hands of the builder's panel: the socket that tells of frames, the calls of the tools, the raw
// frame. It holds the panel's one state; no logic about what the panel shows may live here.

import { newId } from "./link.js";
import { initialPanel, reducePanel } from "./inspect_reduce.js";
import { frameToSend } from "./inspect_select.js";
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

  /** Ask what can be done, and how things stand. */
  async refresh() {
    try {
      const data = await this.#link.ask("GET", "/local/control");
      this.dispatch({ kind: "control", data });
    } catch (error) {
      this.dispatch({ kind: "control_failed", reason: error.message });
    }
  }

  /** Have the platform do something; `said` tells of it when it is done. */
  act(request, said) {
    return this.#doing(request.name ?? request.do, said, () =>
      this.#link.ask("POST", "/local/control", request),
    );
  }

  startTape() {
    return this.#doing("start", "Recording…", () => this.#tape({ do: "start" }));
  }

  stopTape() {
    return this.#doing("stop", "The tape has been saved as a file.", async () => {
      const { tape, name } = await this.#tape({ do: "stop" });
      download(name || "tape.jsonl", tape);
    });
  }

  /** `doing`: "play" or "check". */
  useTape(doing, file) {
    const said = doing === "play" ? `${file.name} has been played.` : `${file.name} has been checked.`;
    this.dispatch({ kind: "tape_begun" });
    return this.#doing(doing, said, async () => {
      const result = await this.#tape({ do: doing, tape: await file.text() });
      this.dispatch({ kind: "tape_outcome", name: file.name, result });
    });
  }

  #tape(request) {
    return this.#link.ask("POST", "/local/tapes", request, TAPE_MS);
  }

  async #doing(what, said, work) {
    this.dispatch({ kind: "begun", what });
    try {
      await work();
      await this.refresh();
      this.dispatch({ kind: "done", text: said });
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
