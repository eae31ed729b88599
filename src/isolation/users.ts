/**
 * Who a container's program runs as: `--user` and an image's USER, by the accounts of the image: passwd(5), group(5). The
 * accounts are foreign text in files that may be anything (a link to the host's, a pipe, a device, endless), and no code of the
 * image's (NSS) is asked.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { AT_FDCWD, type Handle, O_NONBLOCK } from "../linux/fd.ts";
import { readAllText } from "../linux/io.ts";
import { O_DIRECTORY, O_PATH, openInRoot, openInRootIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";

/** The texts of /etc/passwd and /etc/group in a container's root; empty where there is none. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** With `gid` as the first, so that it is no use to give it up (CVE-2022-36109). */
  readonly additionalGids: readonly number[];
  /** The home directory, `/` where none is known. */
  readonly home: string;
}

/** 4294967295 means "leave it as it is" to setresuid(2): with it, the program would stay root. */
const LAST_ID = 0xfffffffe;
const LINE_LIMIT = 100_000;
const LINE_LIMIT_CHARACTERS = 1024 * 1024;
/** NGROUPS_MAX: setgroups(2). */
const GROUPS_LIMIT = 65536;
const ACCOUNTS_LIMIT_BYTES = 16 * 1024 * 1024;
const O_RDONLY = 0;
const O_NOCTTY = 0o400;

/**
 * Resolves `USER[:GROUP]`. Digits are always ids, and need not be in the files; all else is a name, and must be. Nothing at all
 * is root. Without a group, the user has those of the files: the primary one, and all that name it as a member.
 * @param groupAdd of `--group-add`: names or gids, added to what the user has
 */
export function resolveUser(spec: string, groupAdd: readonly string[], accounts: Accounts): ResolvedUser {
  const [userPart = "", groupPart, ...rest] = spec.split(":");
  const malformed = rest.length > 0 || (groupPart !== undefined && (userPart === "" || groupPart === ""));
  if (malformed) {
    throw new Failure(`user '${spec}' is not of the form USER[:GROUP]`, { hint: "as in '--user 1000:1000'" });
  }
  const user = findUser(userPart === "" ? "0" : userPart, accounts.passwd);
  const gid = groupPart === undefined ? user.gid : findGroup(groupPart, accounts.group);
  const memberOf = groupPart === undefined && user.name !== undefined ? groupsOf(user.name, accounts.group) : [];
  const added = groupAdd.map((group) => findGroup(group, accounts.group));
  const additionalGids = [...new Set([gid, ...memberOf, ...added])];
  if (additionalGids.length > GROUPS_LIMIT) {
    throw new Failure(`user '${spec}' has more groups than the kernel's limit of ${GROUPS_LIMIT}`);
  }
  return { uid: user.uid, gid, additionalGids, home: user.home };
}

interface User {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly name: string | undefined;
}

/** Whether it is an id, and not a name: also a name that is all digits is an id. */
function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

/** The id that digits mean; undefined if they are none, or out of range. */
function parseId(text: string): number | undefined {
  const id = isNumber(text) ? Number(text) : Number.NaN;
  return id <= LAST_ID ? id : undefined;
}

function idOf(text: string, what: string): number {
  const id = parseId(text);
  if (id === undefined) throw new Failure(`${what} ${text} is out of range`, { hint: `the last id is ${LAST_ID}` });
  return id;
}

function findUser(user: string, passwd: string): User {
  const uid = isNumber(user) ? idOf(user, "uid") : undefined;
  for (const [name, , entryUid = "", entryGid = "", , home = ""] of entriesOf(passwd, "/etc/passwd")) {
    const id = parseId(entryUid);
    if (uid === undefined ? name !== user : id !== uid) continue;
    const gid = parseId(entryGid);
    // Taking what is not a number for 0 would make a root of a user that is none.
    if (id === undefined || gid === undefined) {
      throw new Failure(`the entry of user '${user}' in the image's /etc/passwd has no valid ids`, {
        hint: "give both as numbers, as in '--user 1000:1000'",
      });
    }
    return { uid: id, gid, name, home: home.startsWith("/") && !home.includes("\0") ? home : "/" };
  }
  if (uid !== undefined) return { uid, gid: 0, home: "/", name: undefined };
  throw new Failure(`there is no user '${user}' in the image's /etc/passwd`, {
    hint: "a user that is not in the file can be given by number, as in '--user 1000:1000'",
  });
}

function findGroup(group: string, text: string): number {
  if (isNumber(group)) return idOf(group, "gid");
  for (const [name, , entryGid = ""] of entriesOf(text, "/etc/group")) {
    if (name !== group) continue;
    const gid = parseId(entryGid);
    if (gid !== undefined) return gid;
    throw new Failure(`the entry of group '${group}' in the image's /etc/group has no valid id`);
  }
  throw new Failure(`there is no group '${group}' in the image's /etc/group`, {
    hint: "a group that is not in the file can be given by number",
  });
}

/** The groups that have the user as a member; entries without a valid gid give nothing. */
function groupsOf(user: string, text: string): number[] {
  const gids: number[] = [];
  for (const [, , entryGid = "", members = ""] of entriesOf(text, "/etc/group")) {
    if (!`,${members},`.includes(`,${user},`)) continue;
    const gid = parseId(entryGid);
    if (gid !== undefined) gids.push(gid);
  }
  return gids;
}

/** The fields of each entry; empty lines, comments and those of NIS (`+...`, `-...`) are none. */
function* entriesOf(text: string, path: string): Generator<string[]> {
  let lines = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    if (++lines > LINE_LIMIT || end - start > LINE_LIMIT_CHARACTERS) {
      throw new Failure(`the image's ${path} is too large: more than ${LINE_LIMIT} lines, or a line of over 1 MiB`);
    }
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line !== "" && !"#+-".includes(line.charAt(0))) yield line.split(":", 7);
  }
}

/**
 * Reads the accounts of a root, or of the layers of one, the topmost first. What is missing is empty. Throws a Failure for what
 * is not a regular file, or too large.
 */
export function readAccounts(rootFds: readonly number[]): Accounts {
  const first = (path: string) => {
    for (const rootFd of rootFds) {
      const text = readAccountFile(rootFd, path);
      if (text !== undefined) return text;
    }
    return "";
  };
  return { passwd: first("/etc/passwd"), group: first("/etc/group") };
}

/**
 * The home directory of a user by the accounts of our own root, which is a container's: `/` if they do not know it. To be
 * called with all privileges. Accounts that make no sense are no reason not to run.
 */
export function homeInRoot(uid: number): string {
  try {
    using root = openInRoot(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    return findUser(String(uid), readAccounts([root.fd]).passwd).home;
  } catch (error) {
    if (error instanceof Failure || isErrno(error)) return "/";
    throw error;
  }
}

function readAccountFile(rootFd: number, path: string): string | undefined {
  try {
    // By O_PATH nothing is opened: a pipe does not block, and a device does not start.
    using found = openInRootIfThere(rootFd, path, O_PATH);
    if (found === undefined) return undefined;
    const status = statusOfFd(found.fd, path);
    if (isWhiteout(status)) return "";
    checkAccountFile(status, path);
    using file = reopen(rootFd, path, status);
    return readAllText(file.fd, path, ACCOUNTS_LIMIT_BYTES);
  } catch (error) {
    if (isErrno(error, "ELOOP")) {
      throw new Failure(`the image's ${path} is a link that leads nowhere`, { cause: error });
    }
    if (error instanceof RangeError) throw tooLarge(path);
    throw error;
  }
}

/** What overlayfs has in a layer for a file that is removed there. */
function isWhiteout({ type, device }: FileStatus): boolean {
  return type === "character" && device.major === 0 && device.minor === 0;
}

function checkAccountFile({ type, sizeBytes }: FileStatus, path: string): void {
  if (type !== "file") throw new Failure(`the image's ${path} is not a regular file but a ${type}`);
  if (sizeBytes > ACCOUNTS_LIMIT_BYTES) throw tooLarge(path);
}

/** Opens for reading what was looked at; fails if it is another file by now. */
function reopen(rootFd: number, path: string, seen: FileStatus): Handle {
  const file = openInRoot(rootFd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  const status = statusOfFd(file.fd, path);
  if (status.type === "file" && status.inode === seen.inode && status.mountId === seen.mountId) return file;
  file.close();
  throw new Failure(`the image's ${path} was replaced while it was read`);
}

function tooLarge(path: string): Failure {
  return new Failure(`the image's ${path} is larger than ${ACCOUNTS_LIMIT_BYTES / 1024 / 1024} MiB`);
}
