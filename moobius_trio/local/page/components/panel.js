// What a builder of services looks at, beside the chat: what `Crash` shows stands above it, `Panel`
// beside it. Their parts are modules of their own.

export { Crash } from "./crash.js";

/** The inspector, time and faults. */
export function Panel() {
  return null;
}
