/**
 * `--trace`: every kernel call as it is made, with decoded arguments, the result and the microseconds that it took.
 * The tracer sits in the live binding of the door (door.ts), so a fork goes on tracing on its side. Loaded on demand.
 */
import { type Argument, decode, encode, setSyscall, syscall } from "./door.ts";
import { errnoName } from "./errno.ts";
import { ATTR } from "./mount.ts";
import { CLONE } from "./process.ts";
import { signalName } from "./signal.ts";
import { type CallName, NR } from "./syscalls.ts";

type Decoder = (value: Argument) => string;

/** A string longer than this is cut in the print. */
const STRING_LIMIT = 96;
const CLOCK_MONOTONIC = 1;

function flags(names: Readonly<Record<string, number>>): Decoder {
  return (value) => {
    let rest = Number(value ?? 0);
    const parts: string[] = [];
    for (const name in names) {
      const bit = names[name] ?? 0;
      // Beyond 32 bits the bitwise operators do not reach.
      const isSet = bit > 0xffffffff ? Math.floor(rest / bit) % 2 === 1 : bit !== 0 && (rest & bit) >>> 0 === bit >>> 0;
      if (!isSet) continue;
      parts.push(name);
      rest -= bit;
    }
    if (rest !== 0 || parts.length === 0) parts.push(rest === 0 ? "0" : `0x${rest.toString(16)}`);
    return parts.join("|");
  };
}

function oneOf(names: Readonly<Record<number, string>>): Decoder {
  return (value) => names[Number(value)] ?? String(value);
}

/** The 64-bit words of a buffer, each by its decoder. */
function words(...fields: [name: string, decoder: Decoder][]): Decoder {
  return (value) => {
    if (!ArrayBuffer.isView(value)) return plain(value);
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const parts = fields.flatMap(([name, decoder], index) => {
      if ((index + 1) * 8 > value.byteLength) return [];
      const word = Number(view.getBigUint64(index * 8, true));
      return word === 0 ? [] : [`${name}=${decoder(word)}`];
    });
    return `{${parts.join(", ")}}`;
  };
}

/** An argument as it is: strings quoted, buffers by their size, or as text if they hold some. */
const plain: Decoder = (value) => {
  if (typeof value === "string") return quoted(value);
  if (value === null || value === undefined) return "NULL";
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  if (value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`;
  return String(value);
};

function quoted(text: string): string {
  return JSON.stringify(text.length > STRING_LIMIT ? `${text.slice(0, STRING_LIMIT)}...` : text);
}

const text: Decoder = (value) => {
  if (!ArrayBuffer.isView(value)) return plain(value);
  const bytes = new Uint8Array(value.buffer, value.byteOffset, Math.min(value.byteLength, STRING_LIMIT));
  return bytes.every((byte) => byte === 9 || byte === 10 || (byte >= 32 && byte < 127))
    ? quoted(decode(bytes))
    : plain(value);
};

const fd: Decoder = (value) => (Number(value) === -100 ? "AT_FDCWD" : String(value));
const octal: Decoder = (value) => `0${Number(value).toString(8)}`;
const hex: Decoder = (value) => `0x${Number(value ?? 0).toString(16)}`;
const signal: Decoder = (value) => signalName(Number(value));
const openFlags = flags({
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DIRECTORY: 0o200000,
  O_NOFOLLOW: 0o400000,
  O_CLOEXEC: 0o2000000,
  O_PATH: 0o10000000,
});
const atFlags = flags({
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_REMOVEDIR: 0x200,
  AT_EMPTY_PATH: 0x1000,
  AT_RECURSIVE: 0x8000,
});
const openTreeFlags = flags({
  OPEN_TREE_CLONE: 1,
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_EMPTY_PATH: 0x1000,
  AT_RECURSIVE: 0x8000,
  OPEN_TREE_CLOEXEC: 0o2000000,
});
const moveFlags = flags({ MOVE_MOUNT_F_EMPTY_PATH: 0x4, MOVE_MOUNT_T_EMPTY_PATH: 0x40 });
const resolveFlags = flags({
  RESOLVE_NO_XDEV: 1,
  RESOLVE_NO_MAGICLINKS: 2,
  RESOLVE_NO_SYMLINKS: 4,
  RESOLVE_BENEATH: 8,
  RESOLVE_IN_ROOT: 16,
});
const mountFlags = flags({
  MS_RDONLY: 1,
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOEXEC: 8,
  MS_REMOUNT: 0x20,
  MS_BIND: 0x1000,
  MS_MOVE: 0x2000,
  MS_REC: 0x4000,
  MS_UNBINDABLE: 1 << 17,
  MS_PRIVATE: 1 << 18,
  MS_SLAVE: 1 << 19,
  MS_SHARED: 1 << 20,
});
const attributes = flags({
  MOUNT_ATTR_RDONLY: ATTR.rdonly,
  MOUNT_ATTR_NOSUID: ATTR.nosuid,
  MOUNT_ATTR_NODEV: ATTR.nodev,
  MOUNT_ATTR_NOEXEC: ATTR.noexec,
  MOUNT_ATTR_NOATIME: ATTR.noatime,
  MOUNT_ATTR_STRICTATIME: ATTR.strictatime,
  MOUNT_ATTR_NODIRATIME: ATTR.nodiratime,
  MOUNT_ATTR_IDMAP: ATTR.idmap,
  MOUNT_ATTR_NOSYMFOLLOW: ATTR.nosymfollow,
});
const cloneFlags = flags({
  CLONE_NEWTIME: CLONE.newTime,
  CLONE_VM: CLONE.vm,
  CLONE_FILES: CLONE.files,
  CLONE_PIDFD: CLONE.pidfd,
  CLONE_PARENT: CLONE.parent,
  CLONE_NEWNS: CLONE.newMount,
  CLONE_NEWCGROUP: CLONE.newCgroup,
  CLONE_NEWUTS: CLONE.newUts,
  CLONE_NEWIPC: CLONE.newIpc,
  CLONE_NEWUSER: CLONE.newUser,
  CLONE_NEWPID: CLONE.newPid,
  CLONE_NEWNET: CLONE.newNet,
  CLONE_INTO_CGROUP: CLONE.intoCgroup,
});
const configCommand = oneOf({
  0: "FSCONFIG_SET_FLAG",
  1: "FSCONFIG_SET_STRING",
  5: "FSCONFIG_SET_FD",
  6: "FSCONFIG_CMD_CREATE",
  7: "FSCONFIG_CMD_RECONFIGURE",
});
const prctlOption = oneOf({
  1: "PR_SET_PDEATHSIG",
  4: "PR_SET_DUMPABLE",
  8: "PR_SET_KEEPCAPS",
  15: "PR_SET_NAME",
  23: "PR_CAPBSET_READ",
  24: "PR_CAPBSET_DROP",
  28: "PR_SET_SECUREBITS",
  36: "PR_SET_CHILD_SUBREAPER",
  38: "PR_SET_NO_NEW_PRIVS",
  47: "PR_CAP_AMBIENT",
});

/** How the arguments of a call are shown; those that are not named here are shown as they are. */
const SIGNATURES: Partial<Record<CallName, Decoder[]>> = {
  openat: [fd, plain, openFlags, octal],
  openat2: [fd, plain, words(["flags", openFlags], ["mode", octal], ["resolve", resolveFlags])],
  write: [fd, text],
  mkdirat: [fd, plain, octal],
  mknodat: [fd, plain, octal, hex],
  symlinkat: [plain, fd, plain],
  readlinkat: [fd, plain],
  unlinkat: [fd, plain, atFlags],
  renameat2: [fd, plain, fd, plain],
  faccessat: [fd, plain],
  faccessat2: [fd, plain, plain, atFlags],
  statx: [fd, plain, atFlags, hex],
  fchownat: [fd, plain, plain, plain, atFlags],
  mount: [plain, plain, plain, mountFlags, plain],
  umount2: [plain, flags({ MNT_FORCE: 1, MNT_DETACH: 2 })],
  open_tree: [fd, plain, openTreeFlags],
  move_mount: [fd, plain, fd, plain, moveFlags],
  fsopen: [plain, flags({ FSOPEN_CLOEXEC: 1 })],
  fsconfig: [fd, configCommand, plain, plain, plain],
  fsmount: [fd, flags({ FSMOUNT_CLOEXEC: 1 }), attributes],
  mount_setattr: [
    fd,
    plain,
    atFlags,
    words(["attr_set", attributes], ["attr_clr", attributes], ["propagation", mountFlags], ["userns_fd", plain]),
  ],
  clone3: [
    words(["flags", cloneFlags], ["pidfd", hex], ["child_tid", hex], ["parent_tid", hex], ["exit_signal", signal]),
  ],
  unshare: [cloneFlags],
  setns: [fd, cloneFlags],
  prctl: [prctlOption],
  pidfd_send_signal: [fd, signal],
  kill: [plain, signal],
  execve: [plain, () => "argv", () => "envp"],
  execveat: [fd, plain, () => "argv", () => "envp", atFlags],
  umask: [octal],
  fchmod: [fd, octal],
  ioctl: [fd, hex, plain],
  sethostname: [plain, plain],
  sendmsg: [fd, plain],
  close_range: [fd, hex, flags({ CLOSE_RANGE_CLOEXEC: 4 })],
};

/** Traces all calls from here on, of this process and of those that it forks, to a descriptor. */
export function startTrace(traceFd: number): void {
  const raw = syscall;
  const names = new Map<number, CallName>();
  for (const name in NR) names.set(NR[name as CallName], name as CallName);
  const time = new BigInt64Array(2);
  const nowNs = (): bigint => {
    raw(NR.clock_gettime, CLOCK_MONOTONIC, time);
    return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
  };
  const print = (line: string): void => {
    const bytes = encode(`${line}\n`);
    raw(NR.write, traceFd, bytes, bytes.byteLength);
  };
  const show = (number: number, args: Argument[]): string => {
    const name = names.get(number);
    const decoders = name === undefined ? [] : (SIGNATURES[name] ?? []);
    return `${name ?? `syscall ${number}`}(${args.map((arg, index) => (decoders[index] ?? plain)(arg)).join(", ")})`;
  };
  const hostPid = raw(NR.getpid);
  const side = (): string => (raw(NR.getpid) === hostPid ? "host" : "container");
  setSyscall((number, ...all) => {
    const args = all.slice(0, all.findLastIndex((arg) => arg !== undefined) + 1);
    if (number === NR.clock_gettime) return raw(number, ...args);
    // These two are told before: there is no after.
    if (number === NR.execve || number === NR.execveat || number === NR.exit_group)
      print(`[${side()}] ${show(number, args)}`);
    const start = nowNs();
    const result = raw(number, ...args);
    const microseconds = (Number(nowNs() - start) / 1000).toFixed(1).padStart(8);
    const told = result < 0 && result > -4096 ? errnoName(-result) : String(result);
    print(`[${side()}] ${microseconds} µs  ${show(number, args)} = ${told}`);
    return result;
  });
}
