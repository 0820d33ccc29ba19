// Formats numbers, sizes and times; all times are UTC, as everywhere in the package.

const whole = new Intl.NumberFormat("en");
const MISSING = "–";

export const number = (n) => (n === null || n === undefined ? MISSING : whole.format(n));

export const signed = (n) => (n > 0 ? `+${number(n)}` : n < 0 ? `−${number(-n)}` : "±0");

export function compact(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(n) >= size) return `${trim(n / size)} ${unit}`;
  }
  return whole.format(n);
}

const trim = (n) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1).replace(/\.0$/, ""));

export function bytes(n) {
  if (n === null || n === undefined) return MISSING;
  for (const [size, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (n >= size) return `${(n / size).toFixed(1)} ${unit}`;
  }
  return `${n} B`;
}

export const share = (part, total) => (total ? Math.min(1, part / total) : 0);

export const percent = (part, total) => `${(100 * share(part, total)).toFixed(total && part / total < 0.1 ? 1 : 0)} %`;

/** Seconds as "0.8 s", "4 min 05 s", "3 h 04 min", "2 d 3 h". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return MISSING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const since = (time, now) => Math.max(0, (new Date(now) - new Date(time)) / 1000);

/** "2026-04-02 05:14 UTC"; the date is left out when it is today's. */
export function time(iso, now) {
  if (!iso) return MISSING;
  const text = new Date(iso).toISOString();
  const day = text.slice(0, 10);
  const clock = `${text.slice(11, 16)} UTC`;
  return now && day === new Date(now).toISOString().slice(0, 10) ? clock : `${day} ${clock}`;
}

/** Bytes for an axis, without ".0". */
export const bytesShort = (n) => bytes(n).replace(".0 ", " ");

/** "in 17 min" for a time in the future, "now" for a time in the past. */
export const ahead = (time, now) => (new Date(time) <= new Date(now) ? "now" : `in ${duration(Math.round((new Date(time) - new Date(now)) / 1000))}`);

export const words = (text) => text.replaceAll("_", " ");
