// The logic of the builder's panel, pure: `reducePanel(panel, event)` gives the next state.
// (inspect_select.js reads a state for the views, inspect_wire.js what the platform tells,
// inspect_steps.js writes tests.) No clock, socket, storage or document may be used here.

import { newest } from "./inspect_select.js";
import { readCodes, readControl, readNews, readOutcome, readTapes } from "./inspect_wire.js";

const KEPT_FRAMES = 500;
const KEPT_LINK_FRAMES = 100; // so that receipts and heartbeats do not displace the rest

export function initialPanel() {
  return {
    link: "closed", // closed | up | lost
    frames: [], // oldest first
    clearedTo: 0, // number of the last frame that was cleared away
    frozen: null, // while paused: the frames as they were then
    missed: 0, // frames that the platform left out, as this page was too slow for them
    everyone: false,
    linkFrames: false,
    filter: "",
    opened: null, // number of the frame that is shown whole
    raw: null, // the raw box: { text, fresh, state, requestId, reason }
    control: null, // what GET /local/control said; null: not asked yet
    controlReason: "", // why it could not be asked
    tapes: null, // what GET /local/tapes said; null likewise
    codes: null, // what GET /local/codes said; null likewise
    busy: false, // something is being done
    news: null, // { text, bad }: what became of the last thing done
    outcome: null, // of the last tape: inspect_wire.js readOutcome
  };
}

// ---- events ------------------------------------------------------------------------------------


/** These without the oldest that are too many. */
function kept(frames) {
  const ofLink = frames.filter(({ isLink }) => isLink).length;
  let tooManyOfLink = ofLink - KEPT_LINK_FRAMES;
  let tooMany = frames.length - ofLink - KEPT_FRAMES;
  if (tooMany <= 0 && tooManyOfLink <= 0) return frames;
  return frames.filter(({ isLink }) => (isLink ? tooManyOfLink-- <= 0 : tooMany-- <= 0));
}

const told = {
  // After a reconnect the platform tells again what it kept; one that was restarted counts anew.
  hello(panel, { frames }) {
    const restarted = newest(frames) < Math.max(panel.clearedTo, newest(panel.frames));
    const clearedTo = restarted ? 0 : panel.clearedTo;
    const rest = kept(frames.filter(({ n }) => n > clearedTo));
    return { ...panel, link: "up", clearedTo, frames: rest };
  },

  frame: (panel, { frame }) => ({ ...panel, frames: kept([...panel.frames, frame]) }),

  handled(panel, { n, handled }) {
    const at = panel.frames.findLastIndex((frame) => frame.n === n);
    if (at < 0) return panel;
    return { ...panel, frames: panel.frames.with(at, { ...panel.frames[at], ...handled }) };
  },

  missed: (panel, { count }) => ({ ...panel, missed: panel.missed + count }),

  cleared: (panel) => ({ ...panel, frames: [], frozen: panel.frozen && [], opened: null }),

  other: (panel) => panel,
};

const handlers = {
  told(panel, { news }) {
    const read = readNews(news);
    return told[read.kind](panel, read);
  },

  link_lost: (panel) => ({ ...panel, link: "lost" }),
  link_closed: (panel) => ({ ...panel, link: "closed" }),

  clear_pressed: (panel) => ({
    ...panel,
    frames: [],
    frozen: panel.frozen && [],
    clearedTo: newest(panel.frames),
    missed: 0,
    opened: null,
  }),

  pause_pressed: (panel) => ({ ...panel, frozen: panel.frozen ? null : panel.frames }),
  everyone_chosen: (panel, { everyone }) => ({ ...panel, everyone }),
  link_frames_chosen: (panel, { linkFrames }) => ({ ...panel, linkFrames }),
  filter_typed: (panel, { text }) => ({ ...panel, filter: text }),

  opened: (panel, { n }) => ({ ...panel, opened: panel.opened === n ? null : n }),
  closed: (panel) => ({ ...panel, opened: null }),

  raw_opened: (panel, { text }) => ({
    ...panel,
    raw: { text, fresh: panel.raw?.fresh ?? true, state: "editing", requestId: "", reason: "" },
  }),
  raw_closed: (panel) => ({ ...panel, raw: null }),
  raw_typed: (panel, { text }) => withRaw(panel, { text, state: "editing", reason: "" }),
  raw_fresh_chosen: (panel, { fresh }) => withRaw(panel, { fresh }),
  raw_sent: (panel, { requestId }) => withRaw(panel, { state: "sent", requestId, reason: "" }),
  raw_failed: (panel, { reason }) => withRaw(panel, { state: "refused", reason }),

  // A receipt of this tab's own socket; one of a frame that could not be read names no request.
  receipt(panel, { requestId, good, reason }) {
    if (panel.raw?.state !== "sent" || requestId !== panel.raw.requestId) return panel;
    return withRaw(panel, { state: good ? "taken" : "refused", reason });
  },

  control: (panel, { data }) => ({ ...panel, control: readControl(data), controlReason: "" }),
  control_failed: (panel, { reason }) => ({
    ...panel,
    control: null,
    tapes: null,
    codes: null,
    controlReason: reason,
  }),
  tapes: (panel, { data }) => ({ ...panel, tapes: readTapes(data), controlReason: "" }),
  codes: (panel, { data }) => ({ ...panel, codes: readCodes(data), controlReason: "" }),
  begun: (panel) => ({ ...panel, busy: true, news: null }),
  done: (panel, { text }) => ({ ...panel, busy: false, news: { text, bad: false } }),
  failed: (panel, { text }) => ({ ...panel, busy: false, news: { text, bad: true } }),
  news_seen: (panel) => ({ ...panel, news: null }),
  tape_begun: (panel) => ({ ...panel, outcome: null }),
  tape_outcome: (panel, { name, result }) => ({ ...panel, outcome: readOutcome(name, result) }),
};

function withRaw(panel, change) {
  return panel.raw ? { ...panel, raw: { ...panel.raw, ...change } } : panel;
}

/** The state after one event; an event is an object with the `kind` of one handler above. */
export const reducePanel = (panel, event) => handlers[event.kind](panel, event);
