/**
 * Steps in words: for errors, `--dry-run` and `--trace`.
 */
import { unreachable } from "../failure.ts";
import { attributeNames } from "../isolation/mount-options.ts";
import type { RootStep } from "../isolation/root-steps.ts";

function listed(parts: readonly string[]): string {
  return parts.length === 0 ? "" : ` (${parts.join(",")})`;
}

/** One step of making the root, as a phrase: "mounting proc on /proc (nosuid,nodev,noexec)". */
export function describeStep(step: RootStep): string {
  switch (step.do) {
    case "mount":
      return `mounting ${step.type} on ${step.target}${listed([...attributeNames(step.attributes), ...step.data])}`;
    case "bind": {
      const all = attributeNames(step.set | step.recursiveSet);
      return `binding ${step.source} to ${step.target}${listed([step.recursive ? "rbind" : "bind", ...all])}`;
    }
    case "node":
      return `making the ${step.type} device ${step.path} (${step.major}:${step.minor}, mode ${step.mode.toString(8)})`;
    case "link":
      return `linking ${step.path} -> ${step.to}`;
    case "mask":
      return `masking ${step.path}`;
    case "read-only":
      return `making ${step.path} read-only`;
    case "directory":
      return `making the directory ${step.path}`;
    case "console":
      return "making the terminal /dev/console";
    default:
      return unreachable(step);
  }
}
