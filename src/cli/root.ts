/**
 * Who may do this.
 */
import { Failure } from "../failure.ts";
import { geteuid } from "../linux/process.ts";

export function requireRoot(): void {
  if (geteuid() === 0) return;
  throw new Failure("this needs root", { hint: "run it as root: sudo mycontainer ..." });
}
