// How times are written on the page, in the reader's own language. A formatter is made once and used
// for every message and frame: making one takes a hundred times as long as using it.

const written = (options) => new Intl.DateTimeFormat([], options);

const toMinute = written({ hour: "2-digit", minute: "2-digit" });
const toSecond = written({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const toMillisecond = written({
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const whole = written({ dateStyle: "medium", timeStyle: "medium" });
const shortDay = written({ day: "numeric", month: "short" });

export const clockToMinute = (time) => toMinute.format(time);
export const clockToSecond = (time) => toSecond.format(time);
export const clockToMillisecond = (time) => toMillisecond.format(time);
export const dayAndClock = (time) => whole.format(time);
export const dayOfYear = (time) => shortDay.format(time);
