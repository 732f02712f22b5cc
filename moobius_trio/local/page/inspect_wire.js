// What the platform tells a builder, as plain values: frames from /local/inspect, the tools from
// /local/control, the outcome of a tape. Pure, like wire.js; nothing here knows the panel's state.

const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
const text = (value) =>
  typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

const LINK_TYPES = new Set([
  "user_login",
  "service_login",
  "ping",
  "heartbeat",
  "copy",
  "copy_client",
]);

/** What becomes known of a frame later: its cause, whose work it was, time, records, what went wrong. */
const readHandled = (value) => ({
  cause: number(value.cause),
  handler: text(value.handler),
  milliseconds: number(value.milliseconds),
  records: number(value.records),
  error: text(value.error),
});

const PREVIEW_LENGTH = 120;

function bodyOf(frame) {
  try {
    return object(object(JSON.parse(frame)).body);
  } catch {
    return {};
  }
}

/** What a person wrote or filled in, in a line; "" for frames that are about something else. */
function previewOf(body) {
  const content = object(body.content);
  const filled = list(body.arguments).map(object);
  const words = filled.map(({ name, value }) => `${text(name)}: ${text(value)}`).join(", ");
  const chosen = [text(body.menu_item_id), words].filter(Boolean).join(", ");
  const said = text(content.text) || text(content.path) || chosen;
  return said.replace(/\s+/g, " ").trim().slice(0, PREVIEW_LENGTH);
}

function readInspected(value) {
  const record = object(value);
  const plain = text(record.plain) || text(record.frame);
  const body = bodyOf(plain);
  const names = Object.entries(object(record.names)).map(([id, name]) => [id, text(name)]);
  return {
    n: Number(record.n) || 0,
    at: Number(record.at) || 0,
    direction: record.direction === "up" ? "up" : "down",
    type: text(record.type),
    subtype: text(record.subtype) || text(body.feature_id), // a call has none of its own
    band: text(record.band),
    from: text(record.from),
    to: list(record.to).map(text),
    names: Object.fromEntries(names),
    ...readHandled(record),
    refused: text(record.refused),
    bytes: Number(record.bytes) || 0,
    frame: text(record.frame),
    plain, // the same in the words that this page speaks, where the service speaks others
    preview: previewOf(body),
    isLink: LINK_TYPES.has(record.type),
  };
}

/**
 * One text of /local/inspect, as one value with a `kind`: hello, frame, handled, missed (the page was
 * too slow for so many), cleared, other.
 */
export function readNews(value) {
  const news = object(value);
  switch (news.kind) {
    case "hello":
      return { kind: "hello", frames: list(news.kept).map(readInspected) };
    case "frame":
      return { kind: "frame", frame: readInspected(news) };
    case "handled":
      return { kind: "handled", n: Number(news.n) || 0, handled: readHandled(news) };
    case "missed":
      return { kind: "missed", count: Number(news.count) || 0 };
    case "cleared":
      return { kind: "cleared" };
    default:
      return { kind: "other" };
  }
}

function readJob(value) {
  const job = object(value);
  return {
    name: text(job.name),
    nextAt: text(job.next_at),
    runs: Number(job.runs) || 0,
    running: job.running === true,
  };
}

/** The reply of GET /local/control. */
export function readControl(value) {
  const control = object(value);
  return {
    can: list(control.can).map(text),
    jobs: list(control.jobs).map(readJob),
    offsetSeconds: Number(control.offset_seconds) || 0,
    slowSeconds: Number(control.slow_seconds) || 0,
  };
}

/** The reply of GET /local/tapes. */
export const readTapes = (value) => ({ recording: object(value).recording === true });

/** The first difference between a tape and what the service does now. */
function readDifference(value) {
  const found = object(value);
  return {
    step: Number(found.step) || 0,
    did: list(found.did).map(text),
    who: text(found.who),
    band: text(found.band),
    expected: found.expected ?? null, // a frame; null: nothing more was to come
    got: found.got ?? null,
    text: text(found.text), // all of it in words
  };
}

/** The reply of GET /local/codes: what a platform with mail would have mailed. */
export function readCodes(value) {
  return list(value).map((entry) => {
    const letter = object(entry);
    return { email: text(letter.email), purpose: text(letter.purpose), code: text(letter.code) };
  });
}

/** What became of a tape that was played or checked; `same` is null where nothing was compared. */
export function readOutcome(name, value) {
  const result = object(value);
  return {
    name,
    same: typeof result.same === "boolean" ? result.same : null,
    difference: result.difference ? readDifference(result.difference) : null,
  };
}
