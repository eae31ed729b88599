/**
 * Lengths of time as Go writes them, and with it docker: `1m30s`, `500ms`, `0`.
 */
const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds; undefined for what is no such time, or longer than 104 days, which is where whole numbers end to be exact. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  let [sum, rest] = [0, text];
  while (rest !== "") {
    const [whole = "", number, unit = ""] = /^(\d{1,9}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)/.exec(rest) ?? [];
    if (whole === "") return undefined;
    sum += Number(number) * (NANOSECONDS[unit] ?? 0);
    rest = rest.slice(whole.length);
  }
  const nanoseconds = Math.round(sum);
  return text !== "" && Number.isSafeInteger(nanoseconds) ? nanoseconds : undefined;
}
