/**
 * A new time namespace and its clocks: time_namespaces(7), `linux.timeOffsets` of the specification.
 *
 * unshare(2) of a time namespace leaves the process where it is: the namespace is for its children, and its offsets can be
 * written until the first process is in it. A process of one thread may then enter it itself.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { O_WRONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { CLONE, getpid, setns, unshare } from "../linux/process.ts";
import type { Linux } from "../spec/config.ts";
import { writeOwn } from "./procfs.ts";

export type TimeOffsets = NonNullable<Linux["timeOffsets"]>;

/** Where the offsets of this process are written. */
export interface OffsetsPlace {
  /** Of the process's own PID namespace (`openProcfs`). */
  readonly procfs: Handle;
  /** Of `openOffsetsOf`, if the host has opened the file. */
  readonly opened?: Handle | undefined;
}

const CLOCKS: readonly string[] = ["monotonic", "boottime"];
const NANOSECONDS_LIMIT = 1_000_000_000;
const SIGNED_LIMIT = 1n << 63n;
const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;

/**
 * The text of `/proc/PID/timens_offsets`: a line of clock, seconds and nanoseconds for each clock; empty if there is none.
 * @throws Failure on unknown clocks and on values that are out of range
 */
export function formatTimeOffsets(offsets: TimeOffsets): string {
  let text = "";
  for (const [clock, offset] of Object.entries(offsets)) {
    if (!CLOCKS.includes(clock)) {
      throw new Failure(`linux.timeOffsets: unknown clock '${clock}'`, { hint: `known are ${CLOCKS.join(", ")}` });
    }
    const seconds = BigInt(offset.secs ?? 0);
    const nanoseconds = offset.nanosecs ?? 0;
    if (seconds < -SIGNED_LIMIT || seconds >= SIGNED_LIMIT) {
      throw new Failure(`linux.timeOffsets.${clock}.secs: ${seconds} is out of range`);
    }
    if (!Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds >= NANOSECONDS_LIMIT) {
      throw new Failure(
        `linux.timeOffsets.${clock}.nanosecs: ${nanoseconds} is not from 0 to ${NANOSECONDS_LIMIT - 1}`,
      );
    }
    text += `${clock} ${seconds} ${nanoseconds}\n`;
  }
  return text;
}

/**
 * The offsets of a child that is in a new user namespace: there it may write to the file, but not open it, which is the host's
 * root's. That there is another time namespace by then does not matter to the kernel: the child's is looked up at the write.
 */
export function openOffsetsOf(pid: number): Handle {
  return openHost(`/proc/${pid}/timens_offsets`, O_WRONLY);
}

function writeOffsets(place: OffsetsPlace, text: string): void {
  try {
    if (place.opened === undefined) writeOwn(place.procfs, "timens_offsets", text);
    else writeAll(place.opened.fd, text, "timens_offsets");
  } catch (error) {
    if (isErrno(error, "ERANGE")) {
      throw new Failure("linux.timeOffsets: a clock would be below 0 or too far in the future", { cause: error });
    }
    if (isErrno(error, "EPERM", "EACCES")) {
      throw new Failure("linux.timeOffsets: the clocks may not be set here", {
        hint: "it needs CAP_SYS_TIME over the container's user namespace",
        cause: error,
      });
    }
    throw error;
  }
}

/**
 * Puts this process, which has one thread, into a new time namespace. The monotonic and the boot-time clock of it and of its
 * children jump by the offsets then: what holds times of before must not be compared with times of after.
 * @param offsetsText of `formatTimeOffsets`; the clocks go on as they are without it
 * @throws Failure if the kernel does not take the offsets or has no time namespaces; KernelError
 */
export function enterNewTimeNamespace(place: OffsetsPlace, offsetsText: string | undefined): void {
  try {
    unshare(CLONE.newTime);
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    throw new Failure("this kernel has no time namespaces", { cause: error });
  }
  if (offsetsText !== undefined && offsetsText !== "") writeOffsets(place, offsetsText);
  // The link leads out of the procfs, as all of ns/ do: it is opened as it is, which is safe in a procfs of our own.
  const link = `${getpid()}/ns/time_for_children`;
  using namespace = callForHandle("openat", `/proc/${link}`, place.procfs.fd, link, O_RDONLY | O_CLOEXEC);
  setns(namespace.fd, CLONE.newTime);
}
