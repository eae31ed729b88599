/**
 * `-v`, `--mount`, `--tmpfs`, `--device`: what is put into a container's root.
 */
import type { DeviceRequest, MountRequest } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { parseSize, parseWhole } from "./values.ts";

const PROPAGATIONS = new Set(["shared", "rshared", "slave", "rslave", "private", "rprivate"]);
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const VOLUME_HINT = "use HOST-PATH:PATH, NAME:PATH or PATH, with :ro at the end for read-only";

function absoluteTarget(target: string, whole: string): string {
  if (target.startsWith("/") && !target.split("/").includes("..") && target.split("/").some((part) => part !== ""))
    return target;
  throw new Failure(`bad volume '${whole}': '${target}' is not an absolute path in the container`, {
    hint: VOLUME_HINT,
  });
}

/** `-v [SOURCE:]TARGET[:OPTIONS]`; a source with a slash is a path of the host, relative to `cwd` if it begins with a dot. */
export function parseVolume(input: string, cwd: string): MountRequest {
  const parts = input.split(":");
  if (parts.length > 3 || parts.some((part) => part === ""))
    throw new Failure(`bad volume '${input}'`, { hint: VOLUME_HINT });
  if (parts.length === 1)
    return { kind: "volume", name: undefined, target: absoluteTarget(input, input), readonly: false };
  const [source = "", target = "", options = ""] = parts;
  absoluteTarget(target, input);
  let readonly = false;
  let propagation = "rprivate";
  for (const option of options.split(",").filter((part) => part !== "")) {
    if (option === "ro") readonly = true;
    else if (PROPAGATIONS.has(option)) propagation = option;
    // Nothing is to be done for these: relabelling where there is no SELinux, and what other systems cache.
    else if (!["rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"].includes(option)) {
      throw new Failure(`bad volume '${input}': unknown option '${option}'`, { hint: VOLUME_HINT });
    }
  }
  if (source.startsWith("/") || source.startsWith(".")) {
    const path = source.startsWith("/") ? source : `${cwd}/${source}`;
    return { kind: "bind", source: path, target, readonly, propagation, recursive: true, createSource: true };
  }
  if (!VOLUME_NAME.test(source)) {
    throw new Failure(`bad volume '${input}': '${source}' is neither a path nor a name of a volume`, {
      hint: VOLUME_HINT,
    });
  }
  return { kind: "volume", name: source, target, readonly };
}

const MOUNT_HINT =
  "use type=bind,source=PATH,target=PATH or type=volume,source=NAME,target=PATH or type=tmpfs,target=PATH";

/** `--mount type=bind,source=...,target=...[,readonly]`. */
export function parseMount(input: string): MountRequest {
  const values = new Map<string, string>();
  for (const field of input.split(",")) {
    const equals = field.indexOf("=");
    values.set(equals < 0 ? field : field.slice(0, equals), equals < 0 ? "true" : field.slice(equals + 1));
  }
  const take = (...names: string[]): string | undefined => {
    const name = names.find((candidate) => values.has(candidate));
    const value = name === undefined ? undefined : values.get(name);
    if (name !== undefined) values.delete(name);
    return value;
  };
  const type = take("type") ?? "volume";
  const source = take("source", "src");
  const target = absoluteTarget(take("target", "destination", "dst") ?? "", input);
  const readonly = (take("readonly", "ro") ?? "false") === "true";
  const request = mountOf(type, source, target, readonly, take, input);
  const [left] = values.keys();
  if (left !== undefined) throw new Failure(`bad mount '${input}': unknown field '${left}'`, { hint: MOUNT_HINT });
  return request;
}

function mountOf(
  type: string,
  source: string | undefined,
  target: string,
  readonly: boolean,
  take: (...names: string[]) => string | undefined,
  input: string,
): MountRequest {
  switch (type) {
    case "bind": {
      const propagation = take("bind-propagation") ?? "rprivate";
      const recursive = take("bind-recursive") !== "disabled";
      if (source === undefined || !source.startsWith("/") || !PROPAGATIONS.has(propagation)) {
        throw new Failure(`bad mount '${input}'`, { hint: MOUNT_HINT });
      }
      return { kind: "bind", source, target, readonly, propagation, recursive, createSource: false };
    }
    case "volume":
      if (source !== undefined && !VOLUME_NAME.test(source))
        throw new Failure(`bad mount '${input}'`, { hint: MOUNT_HINT });
      return { kind: "volume", name: source, target, readonly };
    case "tmpfs": {
      const size = take("tmpfs-size");
      const mode = take("tmpfs-mode");
      const options = ["nosuid", "nodev", "noexec"];
      if (size !== undefined) options.push(`size=${parseSize(size, "tmpfs size")}`);
      options.push(`mode=${mode ?? "1777"}`);
      if (readonly) options.push("ro");
      return { kind: "tmpfs", target, options };
    }
    default:
      throw new Failure(`bad mount '${input}': there is no type '${type}'`, { hint: MOUNT_HINT });
  }
}

const TMPFS_FLAGS = new Set(["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "sync"]);
const TMPFS_VALUES = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge"]);

/** `--tmpfs PATH[:OPTIONS]`. */
export function parseTmpfs(input: string): MountRequest {
  const colon = input.indexOf(":");
  const target = absoluteTarget(colon < 0 ? input : input.slice(0, colon), input);
  if (colon < 0) return { kind: "tmpfs", target, options: [] };
  const options = input.slice(colon + 1).split(",");
  for (const option of options) {
    if (TMPFS_FLAGS.has(option) || TMPFS_VALUES.has(option.slice(0, Math.max(option.indexOf("="), 0)))) continue;
    throw new Failure(`bad tmpfs '${input}': unknown option '${option}'`, {
      hint: "use options as in /run:size=64m,mode=755,noexec",
    });
  }
  const names = new Set(options);
  const safe = ["nosuid", "nodev", "noexec"].filter((option) => !names.has(option) && !names.has(option.slice(2)));
  return { kind: "tmpfs", target, options: [...safe, ...options] };
}

/** `--device SOURCE[:TARGET[:ACCESS]]`. */
export function parseDevice(input: string): DeviceRequest {
  const parts = input.split(":");
  const [source = "", second = "", third = ""] = parts;
  const isAccess = (text: string) => /^[rwm]{1,3}$/.test(text);
  const target = second === "" || isAccess(second) ? source : second;
  const access = isAccess(third) ? third : isAccess(second) ? second : "rwm";
  const good =
    source.startsWith("/") && target.startsWith("/") && parts.length <= 3 && (third === "" || isAccess(third));
  if (good) return { source, target, access };
  throw new Failure(`bad device '${input}'`, {
    hint: "use /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:/dev/OTHER:rw",
  });
}

/** `--oom-score-adj`. */
export function parseOomScore(input: string): number {
  return parseWhole(input, "OOM score", -1000, 1000);
}
