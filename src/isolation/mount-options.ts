/**
 * Mount options as the OCI runtime specification (config.md#linux-mount-options) and mount(8) name them.
 */
import { Failure } from "../failure.ts";
import { ATTR, MS } from "../linux/mount.ts";

export interface MountOptions {
  /** Attributes (ATTR) to set and to clear on the mount itself. */
  readonly set: number;
  readonly clear: number;
  /** Whether one of these is named, and whether one that is about access times, other than to take it back. */
  readonly namesAttributes: boolean;
  readonly namesAtime: boolean;
  /** The same, on all mounts below it as well. */
  readonly recursiveSet: number;
  readonly recursiveClear: number;
  /** One of MS.private and so on; undefined: as its parent has it. */
  readonly propagation: number | undefined;
  readonly propagationRecursive: boolean;
  readonly bind: "none" | "single" | "recursive";
  /** What every file system understands, as fsconfig(2) names it: `sync`, `lazytime`. */
  readonly superblock: readonly string[];
  /** What the file system itself understands: `mode=755`. */
  readonly data: readonly string[];
  /** Whether a tmpfs begins with what the directory below it has. */
  readonly copyUp: boolean;
  readonly idmap: "none" | "single" | "recursive";
  /** What is done where the source is a symbolic link. */
  readonly sourceLink: "follow" | "mount" | "copy";
  readonly targetLink: "follow" | "mount";
}

/** name -> [attribute, whether it is set or cleared]. The three of `atimeMask` are one field: relatime is its zero. */
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
  relatime: [ATTR.atimeMask, false],
  norelatime: [0, false],
  nodiratime: [ATTR.nodiratime, true],
  diratime: [ATTR.nodiratime, false],
  nosymfollow: [ATTR.nosymfollow, true],
  symfollow: [ATTR.nosymfollow, false],
};

/** Those that choose an access time: the kernel takes what is only taken back for no choice. */
const ATIME_CHOICES = ["noatime", "strictatime", "relatime", "nodiratime"];

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.private,
  shared: MS.shared,
  slave: MS.slave,
  unbindable: MS.unbindable,
};

/** Flags of a file system, and not of its mount; each with what takes it back. */
const SUPERBLOCK: Readonly<Record<string, string>> = {
  sync: "async",
  async: "sync",
  dirsync: "",
  mand: "nomand",
  nomand: "mand",
  lazytime: "nolazytime",
  nolazytime: "lazytime",
};

/**
 * Without effect on kernels that have fsopen(2): `acl` and `iversion` are what each file system has anyway, the kernel's log is
 * not written to for a context of that call, and a bind mount is changed without being mounted again.
 */
const WITHOUT_EFFECT = ["", "defaults", "acl", "noacl", "iversion", "noiversion", "silent", "loud"];

type Draft = { -readonly [Name in keyof MountOptions]: MountOptions[Name] };

/** Options that are not attributes, propagation or data: what each says. */
const SWITCHES: Readonly<Record<string, Partial<MountOptions>>> = {
  bind: { bind: "single" },
  rbind: { bind: "recursive" },
  tmpcopyup: { copyUp: true },
  idmap: { idmap: "single" },
  ridmap: { idmap: "recursive" },
  "src-nofollow": { sourceLink: "mount" },
  "copy-symlink": { sourceLink: "copy" },
  "dest-nofollow": { targetLink: "mount" },
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
  const found: Draft = {
    set: 0,
    clear: 0,
    namesAttributes: false,
    namesAtime: false,
    recursiveSet: 0,
    recursiveClear: 0,
    propagation: undefined,
    propagationRecursive: false,
    bind: "none",
    superblock: [],
    data: [],
    copyUp: false,
    idmap: "none",
    sourceLink: "follow",
    targetLink: "follow",
  };
  for (const option of options) take(found, option);
  if (options.includes("remount") && found.bind === "none") {
    throw new Failure(`mount of ${about}: option 'remount' is not possible here`, {
      hint: "mounts are made new for each container; name it with 'bind', or give the mount its options at once",
    });
  }
  return found;
}

type Meaning = (found: Draft) => void;

/** What each option does, by its name. An attribute's own name goes before one with the `r` of another: `ro`, `relatime`. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ...["remount", ...WITHOUT_EFFECT].map((name) => [name, () => {}] as const),
  ...Object.entries(SWITCHES).map(([name, said]) => [name, (found: Draft) => void Object.assign(found, said)] as const),
  ...Object.entries(SUPERBLOCK).map(([name, opposite]) => [name, inPlaceOf(opposite, name)] as const),
  ...Object.entries(PROPAGATION).flatMap(([name, propagation]) => [
    [`r${name}`, (found: Draft) => void Object.assign(found, { propagation, propagationRecursive: true })] as const,
    [name, (found: Draft) => void Object.assign(found, { propagation, propagationRecursive: false })] as const,
  ]),
  ...Object.entries(ATTRIBUTES).map(([name, attribute]) => [`r${name}`, recursively(attribute)] as const),
  ...Object.entries(ATTRIBUTES).map(
    ([name, attribute]) => [name, onItself(attribute, ATIME_CHOICES.includes(name))] as const,
  ),
]);

function inPlaceOf(opposite: string, name: string): Meaning {
  return (found) => {
    found.superblock = [...found.superblock.filter((other) => other !== opposite && other !== name), name];
  };
}

function onItself(attribute: readonly [number, boolean], isAtime: boolean): Meaning {
  return (found) => {
    [found.set, found.clear] = merge(found.set, found.clear, attribute);
    found.namesAttributes = true;
    found.namesAtime ||= isAtime;
  };
}

function recursively(attribute: readonly [number, boolean]): Meaning {
  return (found) => {
    [found.recursiveSet, found.recursiveClear] = merge(found.recursiveSet, found.recursiveClear, attribute);
  };
}

function take(found: Draft, option: string): void {
  const meaning = MEANINGS.get(option);
  if (meaning !== undefined) meaning(found);
  else found.data = [...found.data, ...splitData(option)];
}

function merge(set: number, clear: number, [attribute, on]: readonly [number, boolean]): [number, number] {
  // mount_setattr(2): a new access time is set only where the whole field is cleared.
  const isAtime = (attribute & ATTR.atimeMask) !== 0;
  const cleared = isAtime ? clear | ATTR.atimeMask : clear;
  if (isAtime) return [on ? (set & ~ATTR.atimeMask) | attribute : set & ~(attribute & ATTR.atimeMask), cleared];
  return on ? [set | attribute, clear & ~attribute] : [set & ~attribute, clear | attribute];
}

/** `size=64m,mode=1777` is two options; a comma in quotes (of an SELinux context) or after a backslash parts nothing. */
export function splitData(text: string): string[] {
  // As nearly all are.
  if (!/[,"\\]/.test(text)) return text === "" ? [] : [text];
  const parts: string[] = [];
  let part = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') quoted = !quoted;
    if (character === "," && !quoted) {
      parts.push(part);
      part = "";
    } else if (character === "\\") {
      part += text.slice(at, at + 2);
      at++;
    } else part += character;
  }
  parts.push(part);
  return parts.filter((option) => option !== "");
}

/** The names of attributes, for people: `ro,nosuid,nodev`. */
export function attributeNames(attributes: number): string[] {
  return Object.keys(ATTRIBUTES).filter((name) => {
    const [attribute, set] = ATTRIBUTES[name] ?? [0, false];
    return set && attribute !== 0 && (attributes & attribute) === attribute;
  });
}
