/**
 * Terminals: ioctl_tty(2), termios(3), pts(4).
 */
import { attempt, call } from "./error.ts";
import { callForHandle, type Handle } from "./fd.ts";
import { struct } from "./struct.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSCTTY = 0x540e;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const O_RDWR_NOCTTY_CLOEXEC = 0o2 | 0o400 | 0o2000000;

/** `struct termios` of the kernel (include/uapi/asm-generic/termbits.h): four words of flags, line, 19 characters. */
const TERMIOS_BYTES = 60;
const INPUT_FLAGS = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100 | 0x400; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
const OUTPUT_OPOST = 0x1;
const OUTPUT_ONLCR = 0x4;
const LOCAL_FLAGS = 0x1 | 0x2 | 0x8 | 0x40 | 0x8000; // ISIG ICANON ECHO ECHONL IEXTEN
const LOCAL_ECHO = 0x8;
const CONTROL_CSIZE_PARENB = 0x30 | 0x100;
const CONTROL_CS8 = 0x30;
const VTIME = 5;
const VMIN = 6;

/** `struct winsize`. */
const winsize = struct({ rows: "u16", columns: "u16", xPixels: "u16", yPixels: "u16" });

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

export type Termios = Uint8Array;

export function isTerminal(fd: number): boolean {
  return attempt("ioctl", fd, TCGETS, new Uint8Array(TERMIOS_BYTES)) === 0;
}

export function getTermios(fd: number): Termios {
  const termios = new Uint8Array(TERMIOS_BYTES);
  call("ioctl", "TCGETS", fd, TCGETS, termios);
  return termios;
}

export function setTermios(fd: number, termios: Termios): void {
  call("ioctl", "TCSETS", fd, TCSETS, termios);
}

/** The same settings with every byte passed on as it is: cfmakeraw(3). */
export function rawTermios(from: Termios): Termios {
  const raw = from.slice();
  const view = new DataView(raw.buffer);
  view.setUint32(0, view.getUint32(0, true) & ~INPUT_FLAGS, true);
  view.setUint32(4, view.getUint32(4, true) & ~OUTPUT_OPOST, true);
  view.setUint32(8, (view.getUint32(8, true) & ~CONTROL_CSIZE_PARENB) | CONTROL_CS8, true);
  view.setUint32(12, view.getUint32(12, true) & ~LOCAL_FLAGS, true);
  raw[17 + VMIN] = 1;
  raw[17 + VTIME] = 0;
  return raw;
}

/** The same settings without showing what is typed, but for the newline at its end: getpass(3). */
export function silentTermios(from: Termios): Termios {
  const silent = from.slice();
  const view = new DataView(silent.buffer);
  view.setUint32(12, view.getUint32(12, true) & ~LOCAL_ECHO, true);
  return silent;
}

/** Has a terminal pass newlines on as they are: for output that does not go to another terminal (ONLCR of termios(3)). */
export function keepNewlines(fd: number): void {
  const termios = getTermios(fd);
  const view = new DataView(termios.buffer);
  view.setUint32(4, view.getUint32(4, true) & ~OUTPUT_ONLCR, true);
  setTermios(fd, termios);
}

/** A terminal's size; undefined if it is none. */
export function getWindowSize(fd: number): WindowSize | undefined {
  const buffer = new Uint8Array(winsize.size);
  return attempt("ioctl", fd, TIOCGWINSZ, buffer) === 0 ? winsize.decode(buffer) : undefined;
}

export function setWindowSize(fd: number, size: WindowSize): void {
  attempt("ioctl", fd, TIOCSWINSZ, winsize.encode(size));
}

/** Makes the terminal the controlling one of this session. */
export function takeControl(fd: number): void {
  call("ioctl", "TIOCSCTTY", fd, TIOCSCTTY, 0);
}

export interface Pty {
  readonly master: Handle;
  /** Opened through the master (TIOCGPTPEER): no path that could have been swapped is used. */
  readonly slave: Handle;
  /** N of /dev/pts/N. */
  readonly number: number;
}

/** A new pseudoterminal of the devpts that `ptsFd`, a descriptor of its root directory, is. */
export function openPty(ptsFd: number): Pty {
  const master = callForHandle("openat", "ptmx", ptsFd, "ptmx", O_RDWR_NOCTTY_CLOEXEC, 0);
  call("ioctl", "TIOCSPTLCK", master.fd, TIOCSPTLCK, new Int32Array([0]));
  const number = new Int32Array(1);
  call("ioctl", "TIOCGPTN", master.fd, TIOCGPTN, number);
  const slave = callForHandle("ioctl", "TIOCGPTPEER", master.fd, TIOCGPTPEER, O_RDWR_NOCTTY_CLOEXEC);
  return { master, slave, number: number[0] ?? 0 };
}
