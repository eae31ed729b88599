/**
 * Which flags of filters this kernel takes.
 */
import { attempt } from "../../linux/error.ts";
import { FLAGS } from "./from-profile.ts";
import { FLAG } from "./install.ts";

const SET_MODE_FILTER = 1;
const EFAULT = 14;

/**
 * The names of flags that the kernel knows; none if it has no filters. Nothing is installed: a filter at NULL is refused
 * with EFAULT, but only after the flags have been looked at (seccomp(2)).
 */
export function supportedFlags(): string[] {
  return Object.keys(FLAGS).filter((name) => {
    const flag = FLAGS[name] ?? 0;
    // Of a listener, so only together with one.
    const flags = flag === FLAG.waitKillableReceive ? flag | FLAG.newListener : flag;
    return attempt("seccomp", SET_MODE_FILTER, flags, null) === -EFAULT;
  });
}
