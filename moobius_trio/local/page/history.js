// What the platform kept of a band, put together with what a tab has already. Pure.

import { readFrame } from "./wire.js";

const SAME_MESSAGE_MS = 10_000;

const messagesOf = (frames) =>
  frames
    .map(readFrame)
    .filter((frame) => frame.kind === "message")
    .map(({ message }) => (message.direction === "up" ? { ...message, status: "sent" } : message));

/** Those of an older page that are not among what is shown already. */
export function olderHistory(frames, shown) {
  const known = new Set(shown.map(({ messageId }) => messageId));
  return messagesOf(frames).filter(({ messageId }) => !messageId || !known.has(messageId));
}

/** The history, then what this tab has and the history has not: each message once. */
export function mergedHistory(frames, shown) {
  const history = messagesOf(frames);
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

function isSame(one, other) {
  if (one.messageId && other.messageId) return one.messageId === other.messageId;
  const apart = Math.abs(one.timestamp - other.timestamp);
  return fingerprint(one) === fingerprint(other) && apart < SAME_MESSAGE_MS;
}
