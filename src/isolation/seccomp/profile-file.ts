/**
 * Seccomp profiles in files: the specification's form (config-linux.md#seccomp), and docker's, which has conditions on
 * capabilities, architectures and the kernel's version besides. Foreign text: every field is checked before it is used.
 */
import { Failure } from "../../failure.ts";
import type { Seccomp, SeccompAction, SeccompOperator, SeccompRule } from "../../spec/config.ts";
import type { MachineArch } from "./architectures.ts";

/** What conditions are about. */
export interface ProfileFacts {
  /** Of the container's bounding set: `CAP_SYS_ADMIN`. */
  readonly capabilities: readonly string[];
  readonly machine: MachineArch;
  /** `uname -r`: `6.1.0-18-amd64`. */
  readonly kernelRelease: string;
}

const FILE_LIMIT_CHARACTERS = 4 * 1024 * 1024;

/** docker's names of architectures (Go's), and the specification's of what programs a kernel of ours runs. */
const GO_ARCH: Readonly<Record<MachineArch, string>> = { x86_64: "amd64", aarch64: "arm64" };
const NATIVE: Readonly<Record<MachineArch, string>> = { x86_64: "SCMP_ARCH_X86_64", aarch64: "SCMP_ARCH_AARCH64" };

/** @param path for messages */
export function parseProfile(text: string, path: string, facts: ProfileFacts): Seccomp {
  const bad = (what: string): Failure =>
    new Failure(`seccomp profile '${path}': ${what}`, { hint: "see runtime-spec config-linux.md#seccomp" });
  if (text.length > FILE_LIMIT_CHARACTERS) throw bad("is larger than 4 MiB");
  const reader = new Reader(bad);
  const profile = reader.object(reader.json(text), "the profile");
  const { architectures, archMap } = profile;
  if (architectures !== undefined && archMap !== undefined) throw bad("has both 'architectures' and 'archMap'");
  return {
    defaultAction: reader.string(profile["defaultAction"], "defaultAction") as SeccompAction,
    ...optional("defaultErrnoRet", reader.optionalNumber(profile["defaultErrnoRet"], "defaultErrnoRet")),
    architectures:
      archMap === undefined
        ? reader.strings(architectures ?? [], "architectures")
        : mapped(reader, archMap, NATIVE[facts.machine]),
    ...optional("flags", profile["flags"] === undefined ? undefined : reader.strings(profile["flags"], "flags")),
    syscalls: reader.list(profile["syscalls"] ?? [], "syscalls").flatMap((rule) => parseRule(reader, rule, facts)),
  };
}

/** `{ [name]: value }`, or nothing where there is no value. */
function optional<const Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [N in Name]: T });
}

function mapped(reader: Reader, archMap: unknown, native: string): string[] {
  return reader.list(archMap, "archMap").flatMap((entry) => {
    const { architecture, subArchitectures } = reader.object(entry, "archMap[]");
    if (architecture !== native) return [];
    return [native, ...reader.strings(subArchitectures ?? [], "archMap[].subArchitectures")];
  });
}

/** The rule, or none if its conditions are not met. */
function parseRule(reader: Reader, value: unknown, facts: ProfileFacts): SeccompRule[] {
  const rule = reader.object(value, "syscalls[]");
  const isIncluded = rule["includes"] == null || meets(reader, rule["includes"], facts, "all");
  const isExcluded = rule["excludes"] != null && meets(reader, rule["excludes"], facts, "any");
  if (!isIncluded || isExcluded) return [];
  const names = reader.strings(rule["names"] ?? [], "syscalls[].names");
  const name = rule["name"] === undefined ? [] : [reader.string(rule["name"], "syscalls[].name")];
  const args = reader.list(rule["args"] ?? [], "syscalls[].args").map((arg) => parseArgument(reader, arg));
  return [
    {
      names: [...names, ...name],
      action: reader.string(rule["action"], "syscalls[].action") as SeccompAction,
      ...optional("errnoRet", reader.optionalNumber(rule["errnoRet"], "syscalls[].errnoRet")),
      ...(args.length === 0 ? {} : { args }),
    },
  ];
}

function parseArgument(reader: Reader, value: unknown): NonNullable<SeccompRule["args"]>[number] {
  const argument = reader.object(value, "syscalls[].args[]");
  return {
    index: reader.number(argument["index"] ?? 0, "syscalls[].args[].index"),
    value: reader.number(argument["value"] ?? 0, "syscalls[].args[].value"),
    valueTwo: reader.number(argument["valueTwo"] ?? 0, "syscalls[].args[].valueTwo"),
    op: reader.string(argument["op"], "syscalls[].args[].op") as SeccompOperator,
  };
}

/**
 * docker's filters: to be included, a rule's architecture, kernel and each capability must fit; to be excluded, any one of
 * them is enough.
 */
function meets(reader: Reader, value: unknown, facts: ProfileFacts, quantity: "all" | "any"): boolean {
  const filter = reader.object(value, "syscalls[].includes or excludes");
  const caps = reader.strings(filter["caps"] ?? [], "caps").map((name) => facts.capabilities.includes(name));
  const arches = reader.strings(filter["arches"] ?? [], "arches");
  const { minKernel } = filter;
  const results = [
    ...caps,
    ...(arches.length === 0 ? [] : [arches.includes(GO_ARCH[facts.machine])]),
    ...(minKernel == null || minKernel === ""
      ? []
      : [isAtLeast(facts.kernelRelease, reader.string(minKernel, "minKernel"))]),
  ];
  return quantity === "all" ? results.every((result) => result) : results.some((result) => result);
}

/** Versions of two parts: `"4.8"`. */
function isAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Values of JSON as what they are to be. */
class Reader {
  readonly #bad: (what: string) => Failure;

  constructor(bad: (what: string) => Failure) {
    this.#bad = bad;
  }

  json(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#bad(`is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  object(value: unknown, name: string): Readonly<Record<string, unknown>> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.#bad(`${name} is no object`);
  }

  list(value: unknown, name: string): readonly unknown[] {
    if (value === null) return [];
    if (Array.isArray(value)) return value;
    throw this.#bad(`${name} is no list`);
  }

  string(value: unknown, name: string): string {
    if (typeof value === "string") return value;
    throw this.#bad(`${name} is ${value === undefined ? "missing" : "no string"}`);
  }

  strings(value: unknown, name: string): string[] {
    return this.list(value, name).map((item) => this.string(item, `${name}[]`));
  }

  /** A whole number that JSON's reader has not rounded. */
  number(value: unknown, name: string): number {
    if (Number.isSafeInteger(value) && typeof value === "number") return value;
    throw this.#bad(`${name} is no whole number below 2^53`);
  }

  optionalNumber(value: unknown, name: string): number | undefined {
    return value == null ? undefined : this.number(value, name);
  }
}
