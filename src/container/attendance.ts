/**
 * Whether a supervisor may have died half way, without a look at each container: two counts that the kernel keeps for a state
 * root (docs/decisions/0017-shorter-starts.md). Each supervisor adds one to both when it begins, and takes one from both when
 * all is in order at its end. If it ends in another way, the kernel takes its one from the second count, and from that alone.
 * Counts that differ, or are not there, mean that somebody has to look at all containers, and nothing more: who has looked and
 * found all others alive sets the first count right.
 */

import { exists, makeDirectories, statusOf } from "../linux/hostpath.ts";
import { geteuid } from "../linux/process.ts";
import { type Change, change, countsOf, removeSemaphores, semaphores } from "../linux/semaphore.ts";
import type { StateRoot } from "./paths.ts";

/** The third is 1 when the set is about to be removed: nobody counts there any more. */
const [EXPECTED, ALIVE, CLOSED] = [0, 1, 2];
const COUNTS = 3;
/** How often a set is found to be removed in the same moment, until counts are done without. */
const TRIES = 8;
const KEY_LIMIT = 0x7fffffff;

/** Of one supervisor. */
export interface Attendance {
  /** The kernel's number of the counts; undefined where there are none, and all containers are looked at. */
  readonly set: number | undefined;
  /** Whether nothing is known of what was before: they were made now. */
  readonly isNew: boolean;
}

/** The key of a root's counts. Two roots may have the same: then there is more to look at, and nothing is missed. */
function keyOf(root: StateRoot): number | undefined {
  // The first container of all is to be counted, too.
  if (!exists(root.path)) makeDirectories(root.path);
  const status = statusOf(root.path);
  if (status === undefined) return undefined;
  const { inode, on } = status;
  return ((inode * 257 + on.major * 65_537 + on.minor) % KEY_LIMIT) + 1;
}

const IS_OPEN: Change = { number: CLOSED, by: 0, undone: false };
const both = (by: number): Change[] => [
  { number: EXPECTED, by, undone: false },
  { number: ALIVE, by, undone: true },
];
const CLOSE_IF_EMPTY: readonly Change[] = [...both(0), IS_OPEN, { number: CLOSED, by: 1, undone: false }];

/** Tells the kernel that this process supervises a container from now on: before it does anything else. */
export function attend(root: StateRoot): Attendance {
  const key = keyOf(root);
  for (let tries = 0; key !== undefined && tries < TRIES; tries++) {
    const found = semaphores(key, COUNTS, geteuid());
    if (found === undefined) break;
    if (change(found.set, [IS_OPEN, ...both(1)])) return found;
    // Whoever closed it may have died before it removed it.
    if (countsOf(found.set, COUNTS)?.[CLOSED] === 1) removeSemaphores(found.set);
  }
  return { set: undefined, isNew: true };
}

/** Tells the kernel that all is in order with this process's container. The last one removes the counts. */
export function leave({ set }: Attendance): void {
  if (set === undefined) return;
  change(set, both(-1));
  if (change(set, CLOSE_IF_EMPTY)) removeSemaphores(set);
}

/**
 * Has all containers looked at, if somebody may have died half way.
 * @param look finishes what the dead have left; how many supervisors it found alive, this one among them
 */
export function lookIfNeeded({ set, isNew }: Attendance, look: () => number): void {
  const before = set === undefined ? undefined : countsOf(set, COUNTS);
  const [expected = 0, alive = 0] = before ?? [];
  if (before !== undefined && !isNew && expected === alive) return;
  const found = look();
  if (set === undefined || found !== alive) return;
  if (countsOf(set, COUNTS)?.[ALIVE] === alive)
    change(set, [{ number: EXPECTED, by: alive - expected, undone: false }]);
}
