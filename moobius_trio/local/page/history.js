// What the platform kept of a band, put together with what a tab has already. Pure.

import { readFrame } from "./wire.js";

const SAME_MESSAGE_MS = 10_000;

/** The history, then what this tab has and the history has not: each message once. */
export function mergedHistory(frames, shown) {
  const history = frames
    .map(readFrame)
    .filter((frame) => frame.kind === "message")
    .map(({ message }) => (message.direction === "up" ? { ...message, status: "sent" } : message));
  const rest = [...history];
  const missing = shown.filter((message) => {
    if (!message.early && (message.direction === "down" || message.status === "sent")) return false;
    const at = rest.findIndex((known) => isSame(known, message));
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [...history, ...missing.map((message) => ({ ...message, early: false }))];
}

const fingerprint = ({ direction, subtype, content, recipients }) =>
  JSON.stringify([direction, subtype, content.text, content.path, recipients]);

const isSame = (one, other) =>
  fingerprint(one) === fingerprint(other) &&
  Math.abs(one.timestamp - other.timestamp) < SAME_MESSAGE_MS;
