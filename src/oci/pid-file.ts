/**
 * The file that an engine asks to be told a process's id in (`--pid-file`).
 */
import { replaceFile } from "../linux/hostpath.ts";

/** Whole or not at all: engines wait for it to be there. */
export function writePidFile(path: string, pid: number): void {
  replaceFile(path, String(pid), { durable: false, mode: 0o666 });
}
