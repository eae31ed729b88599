/**
 * JSON whose integers survive: JSON.parse rounds what is beyond 2^53, and limits of 2^64-1 are common in config.json.
 * Integers that are not safe become BigInts, and BigInts are written as integers.
 */

/** A text that is nowhere in `json`: it marks what is to be changed, and nothing that a user has written. */
function markerFor(json: string): string {
  let marker = "@integer:";
  while (json.includes(marker)) marker = `@${marker}`;
  return marker;
}

/** Strings, which are passed over, and integers of 16 digits or more; no fractions and exponents. */
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/gs;

/** Parses JSON. Throws a SyntaxError as JSON.parse does. */
export function parseExact(json: string): unknown {
  const marker = markerFor(json);
  const marked = json.replaceAll(STRING_OR_LONG_INTEGER, (token) =>
    token.startsWith('"') ? token : `"${marker}${token}"`,
  );
  if (marked === json) return JSON.parse(json);
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith(marker)) return value;
    const integer = BigInt(value.slice(marker.length));
    return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
  });
}

/** Writes data with BigInts as JSON. */
export function stringifyExact(data: unknown, indent?: number): string {
  let found = false;
  const plain = JSON.stringify(
    data,
    (_key, value: unknown) => {
      if (typeof value !== "bigint") return value;
      found = true;
      return 0;
    },
    indent,
  );
  if (!found) return plain;
  const marker = markerFor(plain);
  const marked = JSON.stringify(
    data,
    (_key, value: unknown) => (typeof value === "bigint" ? `${marker}${value}` : value),
    indent,
  );
  return marked.replaceAll(new RegExp(`"${marker}(-?\\d+)"`, "g"), "$1");
}

/** Whether parsed JSON is an object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
