/**
 * `features`: tells what this runtime can do (features.md).
 */

import { supportedFlags } from "../isolation/seccomp/supported-flags.ts";
import { line } from "../term/output.ts";
import { COMMIT, VERSION } from "../term/version.ts";
import { CRIU_CONFIG_ANNOTATION } from "./criu-options.ts";
import { features } from "./features.ts";

export const help = { usage: "", flags: {} };

export function run(): number {
  const told = features({
    version: VERSION,
    ...(COMMIT === undefined ? {} : { commit: COMMIT }),
    seccompFlags: supportedFlags(),
    unsafeAnnotations: [CRIU_CONFIG_ANNOTATION],
    has: {
      hooks: true,
      systemd: true,
      systemdUser: true,
      intelRdt: true,
      idmap: true,
      netDevices: true,
      memoryPolicy: true,
    },
  });
  line(JSON.stringify(told, undefined, 2));
  return 0;
}
