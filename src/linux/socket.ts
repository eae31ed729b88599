/**
 * Sockets: pairs and unix sockets that carry messages and descriptors, inet sockets that reserve ports, netlink sockets.
 * Sources: socket(2), unix(7), cmsg(3), ip(7), netlink(7). A peer that has gone is EPIPE, never a signal.
 */
import { addressOf, encode } from "./door.ts";
import { attempt, call, isErrno } from "./error.ts";
import { AT_FDCWD, callForHandle, Handle } from "./fd.ts";
import { struct } from "./struct.ts";

/** Address families. */
export const AF = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
/** Types of sockets. */
export const SOCK = { stream: 1, datagram: 2, raw: 3, seqpacket: 5 } as const;
/** Netlink's protocols. */
export const NETLINK = { route: 0, netfilter: 12 } as const;

const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** More descriptors than this do not travel in one message here (the kernel's own limit is 253). */
export const DESCRIPTORS_LIMIT = 16;
const BACKLOG_CONNECTIONS = 64;
/** `sun_path` holds this many bytes, of which one is for the NUL. */
const UNIX_PATH_BYTES = 108;

function newSocket(family: number, type: number, protocol: number, about: string): Handle {
  return callForHandle("socket", about, family, type | SOCK_CLOEXEC, protocol);
}

/** Two connected unix sockets; by default every message is one packet. */
export function socketPair(type: number = SOCK.seqpacket): [Handle, Handle] {
  const pair = new Int32Array(2);
  call("socketpair", "", AF.unix, type | SOCK_CLOEXEC, 0, pair);
  const [one = -1, other = -1] = pair;
  return [new Handle(one), new Handle(other)];
}

/** `struct msghdr` and, right behind it, its one `struct iovec`; the control message follows (sendmsg(2), cmsg(3)). */
const envelope = struct({
  name: "u64",
  nameLength: "u32",
  iov: "u64",
  iovLength: "u64",
  control: "u64",
  controlLength: "u64",
  flags: "i32",
  base: "u64",
  length: "u64",
});
const IOV_AT = 56;
const CONTROL_AT = envelope.size;
const CMSG_HEADER_BYTES = 16;

/** `CMSG_SPACE` of so many descriptors. */
const controlSpace = (descriptors: number) => CMSG_HEADER_BYTES + Math.ceil((descriptors * 4) / 8) * 8;

/** An envelope around `payload`, in one buffer, so that what its pointers lead to lives as long as it does. */
function enclose(payload: Uint8Array, controlBytes: number): Uint8Array {
  const message = new Uint8Array(CONTROL_AT + controlBytes);
  const at = addressOf(message);
  return envelope.encode(
    {
      iov: at + IOV_AT,
      iovLength: 1,
      control: controlBytes === 0 ? 0 : at + CONTROL_AT,
      controlLength: controlBytes,
      base: addressOf(payload),
      length: payload.length,
    },
    message,
  );
}

/**
 * Sends one message, and with it descriptors, of which the receiver gets duplicates.
 * @returns how many bytes went; on packet sockets, all of them
 * @throws KernelError EPIPE if the other side is gone
 */
export function sendMessage(fd: number, bytes: Uint8Array, fds: readonly number[] = []): number {
  if (bytes.length === 0) throw new RangeError("an empty message cannot be told from the end");
  if (fds.length > DESCRIPTORS_LIMIT) throw new RangeError(`more than ${DESCRIPTORS_LIMIT} descriptors in a message`);
  if (fds.length === 0) return call("sendto", `socket ${fd}`, fd, bytes, bytes.length, MSG_NOSIGNAL, null, 0);
  const message = enclose(bytes, controlSpace(fds.length));
  const view = new DataView(message.buffer, CONTROL_AT);
  view.setUint32(0, CMSG_HEADER_BYTES + fds.length * 4, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  fds.forEach((descriptor, index) => {
    view.setInt32(CMSG_HEADER_BYTES + index * 4, descriptor, true);
  });
  return call("sendmsg", `socket ${fd}`, fd, message, MSG_NOSIGNAL);
}

const MSG_DONTWAIT = 0x40;

/** Sends one packet if there is room for it at once; false if not, or if the other side is gone. */
export function trySend(fd: number, bytes: Uint8Array): boolean {
  return attempt("sendto", fd, bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT, null, 0) === bytes.length;
}

export interface Message {
  readonly bytes: Uint8Array;
  /** What came with it; the receiver owns and closes them. */
  readonly fds: readonly Handle[];
}

/** The descriptors of received control messages (all `SCM_RIGHTS` ones). */
function descriptorsOf(control: Uint8Array): Handle[] {
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  const handles: Handle[] = [];
  for (let at = 0; at + CMSG_HEADER_BYTES <= control.length; ) {
    const length = view.getUint32(at, true);
    if (length < CMSG_HEADER_BYTES || at + length > control.length) break;
    if (view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS) {
      for (let data = CMSG_HEADER_BYTES; data + 4 <= length; data += 4) {
        handles.push(new Handle(view.getInt32(at + data, true)));
      }
    }
    at += Math.ceil(length / 8) * 8;
  }
  return handles;
}

/**
 * Receives one message of at most so many bytes, with its descriptors (CLOEXEC). Undefined at the end.
 * @param buffer what the bytes are a part of: one may be used again when they are done with
 * @throws RangeError if a packet or its descriptors were more than that: nothing of it is kept
 */
export function receiveMessage(
  fd: number,
  limitBytes: number,
  buffer: Uint8Array = new Uint8Array(limitBytes),
): Message | undefined {
  const message = enclose(buffer, controlSpace(DESCRIPTORS_LIMIT));
  const length = call("recvmsg", `socket ${fd}`, fd, message, MSG_CMSG_CLOEXEC);
  const { controlLength, flags } = envelope.decode(message);
  const fds = descriptorsOf(message.subarray(CONTROL_AT, CONTROL_AT + controlLength));
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
    for (const handle of fds) handle.close();
    throw new RangeError(`a message is larger than ${limitBytes} bytes or ${DESCRIPTORS_LIMIT} descriptors`);
  }
  return length === 0 && fds.length === 0 ? undefined : { bytes: buffer.subarray(0, length), fds };
}

/** `struct sockaddr_un`; undefined if the path does not fit. */
function unixAddress(path: string): Uint8Array | undefined {
  const bytes = new Uint8Array(encode(path));
  if (bytes.includes(0) || bytes.length === 0) throw new TypeError("a socket's path is empty or has a NUL byte");
  if (bytes.length >= UNIX_PATH_BYTES) return undefined;
  const address = new Uint8Array(2 + bytes.length + 1);
  address[0] = AF.unix;
  address.set(bytes, 2);
  return address;
}

const O_PATH_DIRECTORY_CLOEXEC = 0o10000000 | 0o2000000;

/** Runs `use` with the address of a path of any length: long ones are reached through their directory's descriptor. */
function withUnixAddress(path: string, use: (address: Uint8Array) => void): void {
  const address = unixAddress(path);
  if (address !== undefined) {
    use(address);
    return;
  }
  const slash = path.lastIndexOf("/");
  using directory = callForHandle("openat", path, AT_FDCWD, path.slice(0, slash + 1), O_PATH_DIRECTORY_CLOEXEC, 0);
  const short = unixAddress(`/proc/self/fd/${directory.fd}/${path.slice(slash + 1)}`);
  if (short === undefined) throw new RangeError(`the name of the socket ${path} is too long`);
  use(short);
}

/** A unix socket of the host by this path, which must not be there yet (EADDRINUSE). */
export function bindAt(path: string, type: number = SOCK.datagram): Handle {
  const socket = newSocket(AF.unix, type, 0, path);
  try {
    withUnixAddress(path, (address) => call("bind", path, socket.fd, address, address.length));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Listens on a unix socket of the host by this path, which must not be there yet (EADDRINUSE). */
export function listenAt(path: string, type: number = SOCK.stream): Handle {
  const socket = bindAt(path, type);
  try {
    call("listen", path, socket.fd, BACKLOG_CONNECTIONS);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Connects to a unix socket of the host. @throws KernelError ENOENT, ECONNREFUSED if nobody listens */
export function connectTo(path: string, type: number = SOCK.stream): Handle {
  const socket = newSocket(AF.unix, type, 0, path);
  try {
    withUnixAddress(path, (address) => call("connect", path, socket.fd, address, address.length));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** The next connection of a listening socket; undefined if there is none (nonblocking) or it has gone again. */
export function acceptFrom(fd: number): Handle | undefined {
  try {
    return callForHandle("accept4", `socket ${fd}`, fd, null, null, SOCK_CLOEXEC);
  } catch (error) {
    if (isErrno(error, "EAGAIN", "ECONNABORTED")) return undefined;
    throw error;
  }
}

/** An inet address in network order: 4 or 16 bytes. */
export type InetBytes = Uint8Array;

function inetAddress(address: InetBytes, port: number): Uint8Array {
  const v6 = address.length === 16;
  const bytes = new Uint8Array(v6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, v6 ? AF.inet6 : AF.inet, true);
  view.setUint16(2, port);
  bytes.set(address, v6 ? 8 : 4);
  return bytes;
}

const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SO_REUSEADDR = 2;

/**
 * A socket bound to an address and port, which nobody else can take as long as it is open; stream sockets listen.
 * @param port 0: the kernel picks a free one (see `portOf`)
 * @throws KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES
 */
export function bindInet(address: InetBytes, port: number, type: number, protocol = 0): Handle {
  const about = `port ${port}`;
  const v6 = address.length === 16;
  const socket = newSocket(v6 ? AF.inet6 : AF.inet, type, protocol, about);
  try {
    const yes = new Int32Array([1]);
    if (v6) call("setsockopt", about, socket.fd, IPPROTO_IPV6, IPV6_V6ONLY, yes, 4);
    if (type === SOCK.stream) call("setsockopt", about, socket.fd, SOL_SOCKET, SO_REUSEADDR, yes, 4);
    const name = inetAddress(address, port);
    call("bind", about, socket.fd, name, name.length);
    if (type === SOCK.stream) call("listen", about, socket.fd, 1);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** The port that an inet socket is bound to. */
export function portOf(fd: number): number {
  const name = new Uint8Array(28);
  call("getsockname", `socket ${fd}`, fd, name, new Uint32Array([name.length]));
  return new DataView(name.buffer).getUint16(2);
}

/** A netlink socket in the network namespace that this process is in. */
export function openNetlink(protocol: number): Handle {
  return newSocket(AF.netlink, SOCK.raw, protocol, "netlink");
}
