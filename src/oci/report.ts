/**
 * Errors and warnings, told as engines expect of an OCI runtime: a line on standard error and, with `--log`, a record in the
 * file, of which podman, containerd and Docker show the message to their users.
 */

import { Failure, shortened } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { errnoText } from "../linux/errno.ts";
import { isErrno } from "../linux/error.ts";
import { O_APPEND, O_CREAT, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { note } from "../term/output.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";

export type Level = "debug" | "warning" | "error";

/** A failed command's exit status. */
export const EXIT_FAILED = 1;

/** One record, in the form of logrus: that is what engines parse. Pure. */
export function formatRecord(format: "text" | "json", level: Level, message: string, timeMs: number): string {
  const time = `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
  return format === "json"
    ? JSON.stringify({ level, msg: message, time })
    : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
}

type LogTarget = Pick<Globals, "log" | "logFormat">;

/** Tells of something: in the log if there is one, else on standard error, there in plain words; steps as records. */
export function tellLog({ log, logFormat }: LogTarget, level: Level, message: string): void {
  if (log === undefined && logFormat === "text" && level !== "debug") {
    note(`${programName()}: ${level === "error" ? "" : `${level}: `}${message}`);
    return;
  }
  const record = formatRecord(logFormat, level, message, wallClockMs());
  if (log === undefined) return note(record);
  try {
    using file = openHost(log, O_WRONLY | O_CREAT | O_APPEND, 0o644);
    writeAll(file.fd, `${record}\n`, log);
  } catch (error) {
    if (!isErrno(error)) throw error;
    note(record);
  }
}

/** Engines know by runc's words why a program did not run, and give it the exit status 126 or 127. */
function notExecuted({ name, code, found }: NonNullable<Failure["program"]>): string {
  const isMissing = code === "ENOENT" && !name.includes("/") && found !== true;
  const reason = isMissing ? "executable file not found in $PATH" : errnoText(code).toLowerCase();
  return `unable to start container process: exec: ${JSON.stringify(name)}: ${reason}`;
}

/** What an error says to whoever called the command. */
export function messageOf(error: unknown): string {
  if (error instanceof Failure && error.program !== undefined) return notExecuted(error.program);
  if (error instanceof Failure) return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  return error instanceof Error ? error.message : String(error);
}

/** For who typed the command. A program that is there and does not run is told of as a shell does it. */
function plainly(prefix: string, error: unknown): string {
  const program = error instanceof Failure ? error.program : undefined;
  if (program?.found === true) return `exec ${program.name}: ${errnoText(program.code).toLowerCase()}`;
  return `${programName()}${prefix === "" ? ":" : ""} ${shortened(`${prefix}${messageOf(error)}`)}`;
}

/** Tells why a command failed: once, or with a log file there and on standard error. */
export function reportError(target: LogTarget & Pick<Globals, "debug">, prefix: string, error: unknown): void {
  const message = shortened(`${prefix}${messageOf(error)}`);
  if (target.log === undefined && target.logFormat === "text") note(plainly(prefix, error));
  else tellLog(target, "error", message);
  if (target.log !== undefined) note(message);
  if (target.debug && error instanceof Error && error.stack !== undefined) note(error.stack.trimEnd());
}
