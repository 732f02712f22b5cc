// What the reading of wire words stands on: whatever arrives becomes texts, lists and booleans. Pure.

export const list = (value) => (Array.isArray(value) ? value : []);
export const object = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};

/** A text as it is, nothing as "", anything else as its JSON. */
export const text = (value) =>
  typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);

export const texts = (value) => list(value).map(text);

const LAST_MOMENT = 8.64e15; // of a Date; beyond it one cannot be written, and nothing be drawn

/** Milliseconds since 1970, 0 for what is no time. */
export function moment(value) {
  const milliseconds = Number(value) || 0;
  return Math.abs(milliseconds) <= LAST_MOMENT ? milliseconds : 0;
}
