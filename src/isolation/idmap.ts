/**
 * Id maps of user namespaces: user_namespaces(7), subuid(5).
 */
import { Failure } from "../failure.ts";
import { isErrno, KernelError } from "../linux/error.ts";
import { O_WRONLY, openHost, readTextIfThere } from "../linux/hostpath.ts";
import { writeOnce } from "../linux/io.ts";
import type { IdMapping } from "../spec/config.ts";

/** Of uids and of gids. */
export interface IdMapPair {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** UID_GID_MAP_MAX_EXTENTS of the kernel, since 4.15. */
const LINE_LIMIT = 340;
/** The kernel takes less than a page; pages are 4 KiB at least. */
const MAP_LIMIT_BYTES = 4095;
/** 4294967295 is "no id" for the kernel. */
const ID_LIMIT = 0xffffffff;

/** As many ids as a container is given: all that fit into 16 bits, with `nobody`. */
export const ID_RANGE_SIZE = 65536;
const DEFAULT_FIRST_ID = 100000;
/** Whose ranges of /etc/subuid and /etc/subgid containers use, the first one that has both. */
const RANGE_OWNERS: readonly (readonly string[])[] = [["mycontainer"], ["root", "0"]];

/**
 * The text of a uid_map or gid_map. Throws a Failure if the kernel would refuse it: nothing mapped, too many lines, ids out of
 * range, overlaps.
 * @param name what the map is called in messages: `"uidMappings"`
 */
export function formatIdMap(mappings: readonly IdMapping[], name: string): string {
  if (mappings.length === 0) throw new Failure(`${name}: no ids are mapped`);
  if (mappings.length > LINE_LIMIT) {
    throw new Failure(`${name}: ${mappings.length} ranges are more than the kernel's limit of ${LINE_LIMIT}`);
  }
  for (const { containerID, hostID, size } of mappings) {
    if (![containerID, hostID].every(isId) || !Number.isInteger(size) || size < 1 || size > ID_LIMIT) {
      throw new Failure(`${name}: '${containerID} ${hostID} ${size}' is not a range of ids`);
    }
    if (containerID + size > ID_LIMIT || hostID + size > ID_LIMIT) {
      throw new Failure(`${name}: the range '${containerID} ${hostID} ${size}' goes past the last id, ${ID_LIMIT - 1}`);
    }
  }
  refuseOverlap(mappings, "containerID", name);
  refuseOverlap(mappings, "hostID", name);
  const text = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
  if (text.length > MAP_LIMIT_BYTES) throw new Failure(`${name}: longer than the kernel's limit of a page`);
  return text;
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < ID_LIMIT;
}

function refuseOverlap(mappings: readonly IdMapping[], side: "containerID" | "hostID", name: string): void {
  const sorted = [...mappings].sort((a, b) => a[side] - b[side]);
  sorted.reduce((end, mapping) => {
    if (mapping[side] < end) throw new Failure(`${name}: ${side} ${mapping[side]} is mapped twice`);
    return mapping[side] + mapping.size;
  }, 0);
}

/**
 * Gives the user namespace of a process its maps. The writer has CAP_SETUID and CAP_SETGID in the parent namespace, so
 * setgroups(2) stays allowed inside.
 */
export function writeIdMaps(pid: number, { uids, gids }: IdMapPair): void {
  const maps = { uid_map: formatIdMap(uids, "uidMappings"), gid_map: formatIdMap(gids, "gidMappings") };
  writeMap(`/proc/${pid}/gid_map`, maps.gid_map);
  writeMap(`/proc/${pid}/uid_map`, maps.uid_map);
}

function writeMap(path: string, text: string): void {
  using file = openHost(path, O_WRONLY);
  const result = writeOnce(file.fd, text);
  if (result === 0) return;
  const error = new KernelError("write", -result, path);
  if (!isErrno(error, "EPERM")) throw error;
  throw new Failure("the kernel refuses the id map of the container's user namespace", {
    hint: "map only ids that this process has itself: see /proc/self/uid_map and /proc/self/gid_map",
    cause: error,
  });
}

/** What an id of a container is on the host; undefined if the host has none for it. Pure. */
export function hostIdOf(id: number, maps: readonly IdMapping[]): number | undefined {
  const range = maps.find(({ containerID, size }) => id >= containerID && id - containerID < size);
  return range === undefined ? undefined : range.hostID + id - range.containerID;
}

/** The ids of the user namespace that a process is in, as ours has them: its uid_map. */
export function uidsOf(pid: number): IdMapping[] {
  const lines = (readTextIfThere(`/proc/${pid}/uid_map`) ?? "").trim().split("\n");
  return lines.map((line) => {
    const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/ +/, 3).map(Number);
    return { containerID, hostID, size };
  });
}

/** In the first user namespace every id is mapped to itself: user_namespaces(7). */
const WHOLE_MAP = /^\s*0\s+0\s+4294967295\s*$/;

/** Whether this process is in a user namespace other than the first. */
export function runsInUserNamespace(): boolean {
  return !WHOLE_MAP.test(readTextIfThere("/proc/self/uid_map") ?? "");
}

export interface IdRange {
  readonly owner: string;
  readonly first: number;
  readonly size: number;
}

/** The ranges of an /etc/subuid or /etc/subgid, in its order; lines that are none are left out, as shadow does. */
export function parseSubordinateIds(text: string): IdRange[] {
  return text.split("\n").flatMap((line) => {
    const [owner = "", first = "", size = "", ...rest] = line.trim().split(":");
    if (owner === "" || owner.startsWith("#") || rest.length > 0) return [];
    const range = { owner, first: decimal(first), size: decimal(size) };
    return range.size > 0 && range.first + range.size <= ID_LIMIT ? [range] : [];
  });
}

function decimal(text: string): number {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
}

/** A range of ids of the host that a container's ids from 0 on are mapped to. */
export interface HostRange {
  readonly hostID: number;
  readonly size: number;
}

/** The range of this host, by its /etc/subuid and /etc/subgid: see `pickIdRange`. */
export function chooseIdRange(): HostRange {
  return pickIdRange(readTextIfThere("/etc/subuid") ?? "", readTextIfThere("/etc/subgid") ?? "");
}

/**
 * The ids for containers with a user namespace, the same for uids and gids: the first 65536 that the texts of /etc/subuid and
 * /etc/subgid both give to `mycontainer`, else to root; else the first ones from 100000 on that they give to nobody.
 */
export function pickIdRange(subuid: string, subgid: string): HostRange {
  const uids = parseSubordinateIds(subuid);
  const gids = parseSubordinateIds(subgid);
  for (const owners of RANGE_OWNERS) {
    const own = ({ owner }: IdRange) => owners.includes(owner);
    const hostID = firstInBoth(uids.filter(own), gids.filter(own));
    if (hostID !== undefined) return { hostID, size: ID_RANGE_SIZE };
  }
  return { hostID: firstFree([...uids, ...gids]), size: ID_RANGE_SIZE };
}

function firstInBoth(uids: readonly IdRange[], gids: readonly IdRange[]): number | undefined {
  for (const uid of uids) {
    for (const gid of gids) {
      const first = Math.max(uid.first, gid.first);
      if (first + ID_RANGE_SIZE <= Math.min(uid.first + uid.size, gid.first + gid.size)) return first;
    }
  }
  return undefined;
}

function firstFree(taken: readonly IdRange[]): number {
  let first = DEFAULT_FIRST_ID;
  for (const range of [...taken].sort((a, b) => a.first - b.first)) {
    if (range.first < first + ID_RANGE_SIZE) first = Math.max(first, range.first + range.size);
  }
  if (first + ID_RANGE_SIZE <= ID_LIMIT) return first;
  throw new Failure("no ids are free for containers with a user namespace", {
    hint: "give user 'mycontainer' 65536 ids in /etc/subuid and /etc/subgid",
  });
}
