/**
 * `mycontainer run`.
 */

import { capabilitiesOf } from "../container/compose.ts";
import type { ContainerEvent, Emit } from "../container/events.ts";
import { stateRoot } from "../container/paths.ts";
import { prepare } from "../container/prepare.ts";
import { runDetached, runForeground } from "../container/run.ts";
import { chooseSeccomp } from "../container/seccomp-choice.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { monotonicMs } from "../linux/clock.ts";
import { environ } from "../linux/door.ts";
import { workingDirectory } from "../linux/hostpath.ts";
import { closeFrom } from "../linux/process.ts";
import { isTerminal } from "../linux/tty.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp } from "../term/help.ts";
import { line, note } from "../term/output.ts";
import { withFullName } from "./aliases.ts";
import { readDefaults } from "./defaults.ts";
import { readFlagFile } from "./flag-file.ts";
import { COLOURED, PLAIN, progressLines } from "./progress.ts";
import { provideImage } from "./provide-image.ts";
import { requireRoot } from "./root.ts";
import { RUN_ALIASES, RUN_FLAGS } from "./run-flags.ts";
import { runOptionsOf } from "./run-options.ts";

const STDERR = 2;
const FIRST_OTHER_FD = 3;
export const PARSING = { stopAtFirstWord: true, aliases: RUN_ALIASES } as const;

export async function run(argv: readonly string[]): Promise<number> {
  const startMs = monotonicMs();
  if (isHelp(argv, RUN_FLAGS, PARSING)) {
    const { printRunHelp } = await import("./run-help.ts");
    return printRunHelp();
  }
  const { flags, rest } = parseFlags("run", RUN_FLAGS, argv, PARSING);
  const words = flags.rootfs === true ? rest : await withFullName(rest);
  const options = runOptionsOf(flags, words, { cwd: workingDirectory(), environ, readFile: readFlagFile });
  const defaults = await readDefaults();
  const seccomp = await chooseSeccomp(options);
  const root = stateRoot();
  if (flags["dry-run"] === true) {
    const { printPlan } = await import("./dry-run.ts");
    return printPlan({ root, options, defaults, seccomp }, flags.format ?? "tree");
  }
  requireRoot();
  // What our caller has left open beside the standard streams is neither the container's nor a monitor's.
  closeFrom(FIRST_OTHER_FD);
  if (flags.trace === true) {
    const { startTrace } = await import("../linux/trace.ts");
    startTrace(STDERR);
  }
  if (!options.rootfs) await provideImage(root.images, options.image, flags);
  const emit = emitter(flags.quiet === true || options.detach);
  const filter = filterOf(seccomp, capabilitiesOf(options));
  const made = { root, options, defaults, seccomp };
  const request = { root, options, prepare: (emit: Emit) => prepare(made, emit), filter, emit, startMs };
  if (!options.detach) return runForeground(request);
  line(runDetached(request));
  return 0;
}

/** Prints events as they come; with `quiet` only warnings. */
export function emitter(quiet: boolean): Emit {
  const style = isTerminal(STDERR) && !environ.some((entry) => entry.startsWith("NO_COLOR=")) ? COLOURED : PLAIN;
  return (event: ContainerEvent) => {
    if (quiet && event.kind !== "warning") return;
    const lines = progressLines(event, style);
    if (lines.length > 0) note(lines.join("\n"));
  };
}
