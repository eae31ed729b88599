/**
 * Lines of resctrl's `schemata` files: `L3:0=7f0;1=1f`, `MB:0=20;1=70` (Documentation/filesystems/resctrl.rst). Pure.
 */

/** How the kernel rounds what it is given as memory bandwidth: info/MB/min_bandwidth and bandwidth_gran. */
export interface BandwidthSteps {
  readonly least: number;
  readonly step: number;
}

/** Cache id to value, in the one form that is the same for what is written and what is read. */
type Values = Map<number, number>;

/** The resource that a line is about: `L3`, `MB`, `L3CODE`. */
export function resourceOf(line: string): string {
  const colon = line.indexOf(":");
  return line.slice(0, Math.max(colon, 0)).trim();
}

function parseValue(resource: string, text: string, steps: BandwidthSteps | undefined): number {
  if (resource !== "MB") return /^(0x)?[0-9a-f]{1,13}$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (steps === undefined || steps.step < 1) return value;
  return Math.ceil(Math.max(value, steps.least) / steps.step) * steps.step;
}

function parseLine(line: string, steps: BandwidthSteps | undefined): Values {
  const resource = resourceOf(line);
  const values: Values = new Map();
  for (const entry of line.slice(line.indexOf(":") + 1).split(";")) {
    const [id = "", value = ""] = entry.split("=", 2);
    values.set(/^\s*[0-9]{1,9}\s*$/.test(id) ? Number(id) : Number.NaN, parseValue(resource, value.trim(), steps));
  }
  return values;
}

/**
 * The first of the lines that a group's `schemata` does not agree with; undefined if it agrees with all. Caches that a line
 * does not name may have any value.
 */
export function firstMismatch(
  lines: readonly string[],
  schemata: string,
  steps: BandwidthSteps | undefined,
): string | undefined {
  const present = new Map<string, Values>();
  for (const line of schemata.split("\n")) {
    if (line.trim() !== "") present.set(resourceOf(line), parseLine(line, steps));
  }
  return lines.find((line) => {
    const there = present.get(resourceOf(line));
    return ![...parseLine(line, steps)].every(([id, value]) => there?.get(id) === value);
  });
}
