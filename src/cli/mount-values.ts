/**
 * `-v`, `--mount`, `--tmpfs`: what is mounted into a container's root. Targets are made canonical here, so that the same place
 * has one name.
 */
import type { MountRequest } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { parseBoolean } from "../term/flags.ts";
import { parseSize } from "./values.ts";

const PROPAGATIONS = new Set(["shared", "rshared", "slave", "rslave", "private", "rprivate"]);
export const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const VOLUME_HINT = "use HOST-PATH:PATH, NAME:PATH or PATH, with :ro at the end for read-only";

/** Files of procfs that are about the machine and not about processes: others may be put in their place (as runc has it). */
const REPLACEABLE_IN_PROC = new Set(
  ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev"].map(
    (name) => `/proc/${name}`,
  ),
);

/** `/a//b/./` -> `/a/b`; with `..` taken back. */
function canonical(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** `flag` names it in the error: "volume". */
function targetOf(target: string, flag: string, whole: string, hint: string): string {
  const bad = (reason: string) => new Failure(`bad ${flag} '${whole}': ${reason}`, { hint });
  if (!target.startsWith("/") || target.split("/").includes(".."))
    throw bad(`'${target}' is not an absolute path in the container`);
  const path = canonical(target);
  if (path === "/") throw bad("the root itself cannot be mounted over");
  if ((path === "/proc" || path.startsWith("/proc/")) && !REPLACEABLE_IN_PROC.has(path))
    throw bad("/proc is the container's own, and nothing is mounted over it");
  return path;
}

/** Refuses two mounts on one place: only the last of them would be seen. */
export function refuseSharedTargets(mounts: readonly MountRequest[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) throw new Failure(`two mounts on '${target}'`, { hint: "leave one of them out" });
    seen.add(target);
  }
}

/** `-v [SOURCE:]TARGET[:OPTIONS]`; a source with a dot or slash in front is a path of the host, if need be from `cwd` on. */
export function parseVolume(input: string, cwd: string): MountRequest {
  const bad = (reason: string) => new Failure(`bad volume '${input}'${reason}`, { hint: VOLUME_HINT });
  const parts = input.split(":");
  if (parts.length > 3 || parts.some((part) => part === "")) throw bad("");
  const [first = "", second, options = ""] = parts;
  const target = targetOf(second ?? first, "volume", input, VOLUME_HINT);
  if (second === undefined) return { kind: "volume", name: undefined, target, readonly: false };
  const { readonly, propagation } = volumeOptions(options, bad);
  if (first.startsWith("/") || first.startsWith(".")) {
    const source = canonical(first.startsWith("/") ? first : `${cwd}/${first}`);
    const spread = propagation ?? "rprivate";
    return { kind: "bind", source, target, readonly, propagation: spread, recursive: true, createSource: true };
  }
  if (!VOLUME_NAME.test(first)) throw bad(`: '${first}' is neither a path nor a name of a volume`);
  if (propagation !== undefined) throw bad(`: '${propagation}' is for directories of the host`);
  return { kind: "volume", name: first, target, readonly };
}

function volumeOptions(options: string, bad: (reason: string) => Failure) {
  let access: string | undefined;
  let propagation: string | undefined;
  for (const option of options === "" ? [] : options.split(",")) {
    if (option === "ro" || option === "rw") {
      if (access !== undefined && access !== option) throw bad(": 'ro' and 'rw' contradict each other");
      access = option;
    } else if (PROPAGATIONS.has(option)) {
      if (propagation !== undefined) throw bad(`: '${propagation}' and '${option}' contradict each other`);
      propagation = option;
    }
    // Nothing is to be done for these: relabelling where there is no SELinux, and what other systems cache.
    else if (!["z", "Z", "cached", "delegated", "consistent"].includes(option)) {
      throw bad(`: unknown option '${option}'`);
    }
  }
  return { readonly: access === "ro", propagation };
}

const MOUNT_HINT =
  "use type=bind,source=PATH,target=PATH or type=volume,source=NAME,target=PATH or type=tmpfs,target=PATH";

/** Fields between commas; one in quotes may hold commas, and quotes twice (RFC 4180). */
function fieldsOf(input: string): string[] {
  const fields: string[] = [];
  let at = 0;
  while (at <= input.length) {
    let field = "";
    if (input[at] === '"') {
      for (at++; input[at] !== '"' || input[at + 1] === '"'; at++) {
        if (at >= input.length) throw new Failure(`bad mount '${input}': a quote is not closed`, { hint: MOUNT_HINT });
        if (input[at] === '"') at++;
        field += input[at];
      }
      at++;
      if (at < input.length && input[at] !== ",")
        throw new Failure(`bad mount '${input}': quotes are around whole fields`, { hint: MOUNT_HINT });
    } else {
      const comma = input.indexOf(",", at);
      field = input.slice(at, comma < 0 ? input.length : comma);
      at += field.length;
    }
    fields.push(field);
    at++;
  }
  return fields;
}

/** The fields of a `--mount`, to be taken one by one. */
class Fields {
  readonly #input: string;
  readonly #values = new Map<string, string>();

  constructor(input: string) {
    this.#input = input;
    for (const field of fieldsOf(input)) {
      const equals = field.indexOf("=");
      const name = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
      if (this.#values.has(name)) throw this.bad(`'${name}' is there twice`);
      this.#values.set(name, equals < 0 ? "true" : field.slice(equals + 1));
    }
  }

  bad(reason: string): Failure {
    return new Failure(`bad mount '${this.#input}': ${reason}`, { hint: MOUNT_HINT });
  }

  /** The value of the first of these names that is there. */
  take(...names: string[]): string | undefined {
    const name = names.find((candidate) => this.#values.has(candidate));
    const value = name === undefined ? undefined : this.#values.get(name);
    if (name !== undefined) this.#values.delete(name);
    return value;
  }

  refuseOthers(): void {
    const [left] = this.#values.keys();
    if (left !== undefined) throw this.bad(`unknown field '${left}'`);
  }
}

/** `--mount type=bind,source=...,target=...[,readonly]`. */
export function parseMount(input: string): MountRequest {
  const fields = new Fields(input);
  const type = fields.take("type") ?? "volume";
  const target = targetOf(fields.take("target", "destination", "dst") ?? "", "mount", input, MOUNT_HINT);
  const readonly = parseBoolean(fields.take("readonly", "ro") ?? "false", `'readonly' of mount '${input}'`);
  const request = mountOf(type, fields, target, readonly);
  fields.refuseOthers();
  return request;
}

function mountOf(type: string, fields: Fields, target: string, readonly: boolean): MountRequest {
  switch (type) {
    case "bind": {
      const source = fields.take("source", "src") ?? "";
      const propagation = fields.take("bind-propagation") ?? "rprivate";
      const recursion = fields.take("bind-recursive") ?? "enabled";
      fields.take("consistency");
      if (!source.startsWith("/")) throw fields.bad(`'${source}' is not an absolute path of the host`);
      if (!PROPAGATIONS.has(propagation)) throw fields.bad(`there is no propagation '${propagation}'`);
      if (!["enabled", "readonly", "disabled"].includes(recursion))
        throw fields.bad(`bind-recursive is enabled, readonly or disabled, not '${recursion}'`);
      const recursive = recursion !== "disabled";
      return { kind: "bind", source: canonical(source), target, readonly, propagation, recursive, createSource: false };
    }
    case "volume": {
      const name = fields.take("source", "src") || undefined;
      if (name !== undefined && !VOLUME_NAME.test(name)) throw fields.bad(`'${name}' is no name of a volume`);
      return { kind: "volume", name, target, readonly };
    }
    case "tmpfs": {
      const size = fields.take("tmpfs-size");
      const mode = fields.take("tmpfs-mode") ?? "1777";
      if (!/^[0-7]{1,5}$/.test(mode)) throw fields.bad(`'${mode}' is no mode in octal digits`);
      const sized = size === undefined ? [] : [`size=${parseSize(size, "tmpfs size")}`];
      const options = ["nosuid", "nodev", "noexec", ...sized, `mode=${mode}`, ...(readonly ? ["ro"] : [])];
      return { kind: "tmpfs", target, options };
    }
    default:
      throw fields.bad(`there is no type '${type}'`);
  }
}

const TMPFS_HINT = "use options as in /run:size=64m,mode=755,noexec";
const TMPFS_FLAGS = new Set(
  "ro rw nosuid suid nodev dev noexec exec noatime atime nodiratime diratime relatime strictatime sync".split(" "),
);
const TMPFS_VALUES = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"]);

/** `--tmpfs PATH[:OPTIONS]`. */
export function parseTmpfs(input: string): MountRequest {
  const colon = input.indexOf(":");
  const target = targetOf(colon < 0 ? input : input.slice(0, colon), "tmpfs", input, TMPFS_HINT);
  const options = colon < 0 ? [] : input.slice(colon + 1).split(",");
  for (const option of options) {
    if (TMPFS_FLAGS.has(option) || TMPFS_VALUES.has(option.slice(0, Math.max(option.indexOf("="), 0)))) continue;
    throw new Failure(`bad tmpfs '${input}': unknown option '${option}'`, { hint: TMPFS_HINT });
  }
  const names = new Set(options.map((option) => option.split("=", 1)[0] ?? ""));
  const safe = ["nosuid", "nodev", "noexec"].filter((option) => !names.has(option) && !names.has(option.slice(2)));
  const mode = names.has("mode") ? [] : ["mode=1777"];
  return { kind: "tmpfs", target, options: [...safe, ...mode, ...options] };
}
