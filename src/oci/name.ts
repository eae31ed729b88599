/**
 * What the runtime calls itself: the name that it was called by. One that is linked as `runc`, where an engine looks for that,
 * speaks of itself as `runc`.
 */
import { args } from "../linux/door.ts";

/** Without the directories; of this process, so not known when the heap is made. */
export function programName(): string {
  const name = args[0] ?? "";
  return name.slice(name.lastIndexOf("/") + 1) || "mycontainer-runtime";
}
