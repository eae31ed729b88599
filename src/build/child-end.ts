/**
 * Children of a build: other stages go on while one is waited for, and all are killed when the build is stopped.
 */
import { type Child, type Ending, reapIfEnded, waitFor } from "../linux/process.ts";
import type { Site } from "./site.ts";

/** Waits for a child's end, and reaps it. Its pidfd stays open. */
export async function endOf({ running, turns }: Pick<Site, "running" | "turns">, child: Child): Promise<Ending> {
  running.add(child.pidfd);
  try {
    await turns.readable(child.pidfd.fd);
    return reapIfEnded(child) ?? waitFor(child);
  } finally {
    running.delete(child.pidfd);
  }
}
