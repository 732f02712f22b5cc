// What a builder of services looks at, beside the chat: what `Crash` shows stands above it, `Panel`
// beside it. Their parts are modules of their own.

/** Why the service does not run, or why its new code was not taken. */
export function Crash() {
  return null;
}

/** The inspector, time and faults. */
export function Panel() {
  return null;
}
