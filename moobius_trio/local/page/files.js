// What a file that somebody wants to send is: its subtype, whether it fits, its name and size for
// people. Pure, and nothing of it is believed by the platform, which looks at the bytes.

/** The platform's own limit (moobius_trio/local/rules_http.py). */
export const MAX_FILE_BYTES = 20 * 1024 * 1024;

// The kinds that the platform knows by their bytes and gives back to be shown or played.
const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const SOUNDS = new Set(
  "mpeg ogg wav x-wav wave flac x-flac mp4 x-m4a aac webm".split(" ").map((kind) => `audio/${kind}`),
);
const LONGEST_NAME = 200;

/** `image`, `audio`, or `file` for all that cannot be shown in place. */
export function subtypeOf({ type }) {
  if (IMAGES.has(type)) return "image";
  return SOUNDS.has(type) ? "audio" : "file";
}

/** Why a file cannot be sent, as a sentence; "" when it can. */
export function tooLargeReason({ name, size }) {
  if (size <= MAX_FILE_BYTES) return "";
  const limit = sizeText(MAX_FILE_BYTES);
  return `“${name}” (${sizeText(size)}) is too large: a file may have ${limit} at most.`;
}

/** The ending that the platform keeps: the name's, else one made of the type. */
export const extensionOf = ({ name, type }) =>
  (/\.([A-Za-z0-9]+)$/.exec(name)?.[1] ?? type.split("/")[1] ?? "").toLowerCase();

/** What a message says of its file, in the words of generation 1. */
export const describe = ({ name, size }) => ({ filename: name.slice(-LONGEST_NAME), size });

/** The name to show for a file and to save it under: what the sender calls it, else its address's. */
export const fileName = ({ filename, path }) => filename || path.split("/").at(-1) || path;

/** A file's size for people. */
export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const kilobytes = bytes / 1024;
  return kilobytes < 1024 ? `${kilobytes.toFixed(0)} KB` : `${(kilobytes / 1024).toFixed(1)} MB`;
}
