/**
 * Mount options as the OCI runtime specification (config.md#linux-mount-options) and mount(8) name them.
 */
import { Failure } from "../failure.ts";
import { ATTR, MS } from "../linux/mount.ts";

export interface MountOptions {
  /** Attributes (ATTR) to set and to clear on the mount itself. */
  readonly set: number;
  readonly clear: number;
  /** The same, on all mounts below it as well. */
  readonly recursiveSet: number;
  readonly recursiveClear: number;
  /** One of MS.private and so on; undefined: as its parent has it. */
  readonly propagation: number | undefined;
  readonly propagationRecursive: boolean;
  readonly bind: "none" | "single" | "recursive";
  /** What the file system itself understands: `mode=755`, `ro`. */
  readonly data: readonly string[];
}

/** name -> [attribute, whether it is set or cleared]. */
const ATTRIBUTES: Readonly<Record<string, readonly [attribute: number, set: boolean]>> = {
  ro: [ATTR.rdonly, true],
  rw: [ATTR.rdonly, false],
  nosuid: [ATTR.nosuid, true],
  suid: [ATTR.nosuid, false],
  nodev: [ATTR.nodev, true],
  dev: [ATTR.nodev, false],
  noexec: [ATTR.noexec, true],
  exec: [ATTR.noexec, false],
  noatime: [ATTR.noatime, true],
  atime: [ATTR.noatime, false],
  strictatime: [ATTR.strictatime, true],
  nostrictatime: [ATTR.strictatime, false],
  nodiratime: [ATTR.nodiratime, true],
  diratime: [ATTR.nodiratime, false],
  nosymfollow: [ATTR.nosymfollow, true],
  symfollow: [ATTR.nosymfollow, false],
};

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.private,
  shared: MS.shared,
  slave: MS.slave,
  unbindable: MS.unbindable,
};

/** Options that ask for what this engine does not do; naming them is an error and never silently passed over. */
const REFUSED: Readonly<Record<string, string>> = {
  remount: "mounts are made new for each container",
  idmap: "use --userns to map ids",
  ridmap: "use --userns to map ids",
  tmpcopyup: "populate the directory in the image instead",
};

/** The names of all options that are understood here; others are the file system's. */
export const MOUNT_OPTION_NAMES: readonly string[] = [
  ...Object.keys(ATTRIBUTES).flatMap((name) => [name, `r${name}`]),
  ...Object.keys(PROPAGATION).flatMap((name) => [name, `r${name}`]),
  "bind",
  "rbind",
  "defaults",
  "relatime",
  "norelatime",
];

/** Sorts options into what mount_setattr(2), propagation, binding and the file system take. Later ones win. */
export function parseMountOptions(options: readonly string[], about: string): MountOptions {
  let set = 0;
  let clear = 0;
  let recursiveSet = 0;
  let recursiveClear = 0;
  let propagation: number | undefined;
  let propagationRecursive = false;
  let bind: MountOptions["bind"] = "none";
  const data: string[] = [];
  for (const option of options) {
    const attribute = ATTRIBUTES[option];
    const recursive = option.startsWith("r") ? ATTRIBUTES[option.slice(1)] : undefined;
    const spread = PROPAGATION[option] ?? (option.startsWith("r") ? PROPAGATION[option.slice(1)] : undefined);
    const refused = REFUSED[option];
    if (attribute !== undefined) {
      [set, clear] = merge(set, clear, attribute);
    } else if (recursive !== undefined) {
      [recursiveSet, recursiveClear] = merge(recursiveSet, recursiveClear, recursive);
    } else if (spread !== undefined) {
      propagation = spread;
      propagationRecursive = PROPAGATION[option] === undefined;
    } else if (option === "bind") bind = "single";
    else if (option === "rbind") bind = "recursive";
    else if (option === "defaults" || option === "" || option === "relatime" || option === "norelatime") continue;
    else if (refused !== undefined)
      throw new Failure(`mount of ${about}: option '${option}' is not possible here`, { hint: refused });
    else data.push(option);
  }
  return { set, clear, recursiveSet, recursiveClear, propagation, propagationRecursive, bind, data };
}

function merge(set: number, clear: number, [attribute, on]: readonly [number, boolean]): [number, number] {
  return on ? [set | attribute, clear & ~attribute] : [set & ~attribute, clear | attribute];
}

/** The names of attributes, for people: `ro,nosuid,nodev`. */
export function attributeNames(attributes: number): string[] {
  return Object.keys(ATTRIBUTES).filter((name) => {
    const [attribute, set] = ATTRIBUTES[name] ?? [0, false];
    return set && attribute !== 0 && (attributes & attribute) === attribute;
  });
}
