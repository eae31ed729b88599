/**
 * `RUN --mount=type=…,…`: its options. Pure.
 *
 * Source: Dockerfile reference, "RUN --mount".
 */
import { Failure, nearestOf } from "../failure.ts";
import { fieldsOf } from "./csv.ts";
import type { RunMount } from "./instruction.ts";

type Type = RunMount["type"];

/** What each type takes, by the first of an option's names. */
const OPTIONS: Readonly<Record<Type, readonly Option[]>> = {
  bind: ["target", "source", "from", "readonly", "readwrite"],
  cache: ["target", "id", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"],
  tmpfs: ["target", "size", "readwrite"],
  secret: ["id", "target", "env", "required", "mode", "uid", "gid", "readonly"],
  ssh: ["id", "target", "required", "mode", "uid", "gid", "readonly"],
};
const TYPES = Object.keys(OPTIONS) as Type[];
const ALIASES = {
  type: "type",
  target: "target",
  dst: "target",
  destination: "target",
  source: "source",
  src: "source",
  from: "from",
  id: "id",
  readonly: "readonly",
  ro: "readonly",
  readwrite: "readwrite",
  rw: "readwrite",
  required: "required",
  sharing: "sharing",
  size: "size",
  mode: "mode",
  uid: "uid",
  gid: "gid",
  env: "env",
} as const;
type Option = Exclude<(typeof ALIASES)[keyof typeof ALIASES], "type">;
const ALONE: readonly string[] = ["readonly", "readwrite", "required"];
const SHARING = ["shared", "private", "locked"] as const;

const MOST_ID = 2 ** 32 - 1;
const MOST_MODE = 0o7777;

/** What `from=` says, for it must be known before all else. */
export function fromOfMount(text: string): string | undefined {
  const field = fieldsOf(text).find((one) => one.toLowerCase().startsWith("from="));
  return field?.slice("from=".length);
}

function bad(reason: string, hint?: string): Failure {
  return new Failure(`RUN --mount: ${reason}`, { hint });
}

/** @throws Failure for what the type does not take */
export function parseRunMount(text: string): RunMount {
  const fields = fieldsOf(text).map((field): [string, string | undefined] => {
    const equals = field.indexOf("=");
    return equals < 0
      ? [field.toLowerCase(), undefined]
      : [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
  });
  const type = typeOf(fields);
  const values = new Map<Option, string>();
  for (const [key, value] of fields) {
    const option = optionOf(key, type);
    if (option === "type") continue;
    if (value === undefined && !ALONE.includes(option)) throw bad(`'${key}' needs a value`, `as in ${key}=...`);
    if (type === "secret" && option === "id" && values.has(option)) throw bad("a secret has one id, or one source");
    values.set(option, value ?? "true");
  }
  return mountOf(type, values);
}

function typeOf(fields: readonly (readonly [string, string | undefined])[]): Type {
  const given = fields.findLast(([key]) => key === "type")?.[1] ?? "bind";
  const type = TYPES.find((one) => one === given.toLowerCase());
  if (type !== undefined) return type;
  const nearest = nearestOf(given, TYPES);
  throw bad(
    `there is no type '${given}'`,
    nearest === undefined ? `use ${TYPES.join(", ")}` : `did you mean ${nearest}?`,
  );
}

function optionOf(key: string, type: Type): Option | "type" {
  const option = Object.hasOwn(ALIASES, key) ? ALIASES[key as keyof typeof ALIASES] : undefined;
  if (option === "type") return option;
  // What a secret's id is was called its source once.
  if (option === "source" && type === "secret") return "id";
  if (option !== undefined && OPTIONS[type].includes(option)) return option;
  const known = Object.entries(ALIASES).flatMap(([name, meant]) =>
    meant !== "type" && OPTIONS[type].includes(meant) ? [name] : [],
  );
  const nearest = option === undefined ? nearestOf(key, known) : undefined;
  throw bad(
    `the type ${type} has no option '${key}'`,
    nearest === undefined ? `it takes ${OPTIONS[type].join(", ")}` : `did you mean ${nearest}?`,
  );
}

type Values = ReadonlyMap<Option, string>;

function mountOf(type: Type, values: Values): RunMount {
  const owner = {
    mode: numberOf(values, "mode", 8, MOST_MODE),
    uid: numberOf(values, "uid", 10, MOST_ID),
    gid: numberOf(values, "gid", 10, MOST_ID),
  };
  const required = booleanOf(values, "required") ?? false;
  const from = nonEmpty(values.get("from"));
  const source = values.get("source") ?? "";
  checkAlways(type, values);
  switch (type) {
    case "bind":
      return { type, target: targetOf(type, values), from, source, readWrite: !(readOnlyOf(values) ?? true) };
    case "cache": {
      const sharing = sharingOf(values.get("sharing"));
      const readOnly = readOnlyOf(values) ?? false;
      return {
        type,
        target: targetOf(type, values),
        id: nonEmpty(values.get("id")),
        from,
        source,
        readOnly,
        sharing,
        ...owner,
      };
    }
    case "tmpfs":
      return { type, target: targetOf(type, values), sizeBytes: sizeOf(values.get("size")) };
    case "secret":
      return { type, ...secretOf(values), required, ...owner };
    case "ssh":
      return {
        type,
        id: nonEmpty(values.get("id")) ?? "default",
        target: nonEmpty(values.get("target")),
        required,
        ...owner,
      };
  }
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

function targetOf(type: Type, values: Values): string {
  const target = nonEmpty(values.get("target"));
  if (target !== undefined) return target;
  throw bad(`the type ${type} needs a target`, `as in --mount=type=${type},target=/path`);
}

/** A secret is known by its id; one without is known by the last part of its target. */
function secretOf(values: Values): { id: string; target: string | undefined; env: string | undefined } {
  const target = nonEmpty(values.get("target"));
  const env = nonEmpty(values.get("env"));
  const id = nonEmpty(values.get("id")) ?? target?.slice(target.lastIndexOf("/") + 1);
  if (id === undefined || id === "") throw bad("a secret needs an id", "as in --mount=type=secret,id=token");
  if (!/^[^/\0]{1,255}$/.test(id) || id === "." || id === "..") throw bad(`'${id}' cannot be the id of a secret`);
  return { id, target, env };
}

function booleanOf(values: Values, option: Option): boolean | undefined {
  const text = values.get(option);
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  if (["1", "t", "true"].includes(lower)) return true;
  if (["0", "f", "false"].includes(lower)) return false;
  throw bad(`'${option}' is true or false, not '${text}'`);
}

/** Of `readonly` and `readwrite`, the one that is given last would count; two that contradict each other are refused. */
function readOnlyOf(values: Values): boolean | undefined {
  const readOnly = booleanOf(values, "readonly");
  const readWrite = booleanOf(values, "readwrite");
  if (readOnly !== undefined && readOnly === readWrite) throw bad("'readonly' and 'readwrite' contradict each other");
  return readOnly ?? (readWrite === undefined ? undefined : !readWrite);
}

/** These may say what they are, but are nothing else. */
function checkAlways(type: Type, values: Values): void {
  const readOnly = readOnlyOf(values);
  if (type === "tmpfs" && readOnly === true) throw bad("a tmpfs is always writable");
  if ((type === "secret" || type === "ssh") && readOnly === false) throw bad(`the type ${type} is always read-only`);
}

function sharingOf(text: string | undefined): (typeof SHARING)[number] {
  const lower = (text ?? "shared").toLowerCase();
  const found = SHARING.find((one) => one === lower);
  if (found !== undefined) return found;
  const nearest = nearestOf(lower, SHARING);
  throw bad(
    `there is no sharing '${text}'`,
    nearest === undefined ? `use ${SHARING.join(", ")}` : `did you mean ${nearest}?`,
  );
}

function numberOf(values: Values, option: Option, base: 8 | 10, most: number): number | undefined {
  const text = values.get(option);
  if (text === undefined) return undefined;
  const form = base === 8 ? /^[0-7]{1,12}$/ : /^[0-9]{1,12}$/;
  const number = form.test(text) ? Number.parseInt(text, base) : Number.NaN;
  if (number <= most) return number;
  throw bad(`'${text}' cannot be the ${option}`, base === 8 ? "use octal digits, as in mode=0400" : "use a number");
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };
const SIZE = /^([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmgtp]?)i?b?$/;

function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit] = SIZE.exec(text.toLowerCase()) ?? [];
  const bytes = Math.floor(Number(number ?? Number.NaN) * (UNITS[unit ?? ""] ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes === 0 ? undefined : bytes;
  throw bad(`'${text}' is no size`, "use a number with k, m or g, as in size=64m");
}
