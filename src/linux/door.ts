/**
 * The door to the kernel: what the native host gives to TypeScript (native/src/door.rs). Everything else about the kernel,
 * its numbers, flags, structs and errors, is TypeScript's own.
 */

/** What a system call takes: integers, strings (as NUL-terminated bytes), buffers (as pointers), nothing (0). */
export type Argument = number | bigint | string | boolean | ArrayBuffer | ArrayBufferView | null | undefined;

export interface Host {
  /** The kernel's result, or `-errno`. */
  syscall(number: number, ...args: Argument[]): number;
  /** Where the first byte of a buffer lies; valid as long as the buffer lives. */
  addressOf(buffer: ArrayBuffer | ArrayBufferView): number;
  /** A string's bytes. Lone surrogates U+DC80..U+DCFF are the bytes 0x80..0xFF. */
  encode(text: string): ArrayBuffer;
  /** The string of some bytes; bytes that are not UTF-8 become lone surrogates. */
  decode(buffer: ArrayBuffer | ArrayBufferView, start?: number, end?: number): string;
  readonly args: readonly string[];
  readonly environ: readonly string[];
  readonly arch: "x86_64" | "aarch64";
}

declare const host: Host | undefined;

/** The host; where there is none (unit tests under Node), every use of it is an error that says so. */
const door: Host =
  typeof host === "undefined"
    ? {
        syscall: () => {
          throw new Error("there is no door to the kernel here");
        },
        addressOf: () => 0,
        encode: (text) => new TextEncoder().encode(text).buffer as ArrayBuffer,
        decode: (buffer, start = 0, end = buffer.byteLength) => {
          const view = ArrayBuffer.isView(buffer)
            ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
            : new Uint8Array(buffer);
          return new TextDecoder().decode(view.subarray(start, end));
        },
        args: [],
        environ: [],
        arch: "x86_64",
      }
    : host;

declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}

export type Syscall = Host["syscall"];

/** Makes a system call. A live binding: `--trace` puts itself in between by `setSyscall`. */
export let syscall: Syscall = door.syscall;

export function setSyscall(replacement: Syscall): void {
  syscall = replacement;
}

export const { addressOf, encode, decode, arch } = door;

/** The process's arguments, the program's name first. Nothing at the top level of modules. */
export let args: readonly string[] = [];
/** The process's environment, as `NAME=value`. Nothing at the top level of modules. */
export let environ: readonly string[] = [];

/** Takes from the host what differs from process to process: modules are evaluated when the program is built. */
export function enterProcess(): void {
  ({ args, environ } = door);
}

/** A string's bytes as a view. */
export function utf8(text: string): Uint8Array {
  return new Uint8Array(encode(text));
}

/** The bytes up to the first NUL (or all of them) as a string. */
export function cString(bytes: Uint8Array, start = 0): string {
  const end = bytes.indexOf(0, start);
  return decode(bytes, start, end < 0 ? bytes.length : end);
}
