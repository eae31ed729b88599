/**
 * `mycontainer create`.
 */
import { createContainer } from "../container/again.ts";
import { stateRoot } from "../container/paths.ts";
import { chooseSeccomp } from "../container/seccomp-choice.ts";
import { Failure } from "../failure.ts";
import { environ } from "../linux/door.ts";
import { workingDirectory } from "../linux/hostpath.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { withFullName } from "./aliases.ts";
import { readDefaults } from "./defaults.ts";
import { readFlagFile } from "./flag-file.ts";
import { provideImage } from "./provide-image.ts";
import { requireRoot } from "./root.ts";
import { emitter, PARSING } from "./run.ts";
import { RUN_FLAGS } from "./run-flags.ts";
import { runOptionsOf } from "./run-options.ts";

/** Flags of `run` that are about what is done in front of somebody. */
const FLAGS_OF_RUN_ALONE = ["detach", "dry-run", "format", "sig-proxy", "trace"] as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, RUN_FLAGS, PARSING)) {
    const { printRunHelp } = await import("./run-help.ts");
    return printRunHelp("create", "Makes a container, to be run by 'start'.", FLAGS_OF_RUN_ALONE);
  }
  const { flags, rest } = parseFlags("create", RUN_FLAGS, argv, PARSING);
  for (const name of FLAGS_OF_RUN_ALONE) {
    if (flags[name] !== undefined) {
      throw new Failure(`'create' has no flag --${name}`, { hint: "it is one of 'run': leave it out" });
    }
  }
  if (rest.length === 0) {
    throw new Failure("'create' needs an image", { hint: "as in: mycontainer create --name web busybox httpd -f" });
  }
  const words = flags.rootfs === true ? rest : await withFullName(rest);
  const context = { cwd: workingDirectory(), environ, readFile: readFlagFile };
  const options = { ...runOptionsOf(flags, words, context), detach: true };
  const defaults = await readDefaults();
  const seccomp = await chooseSeccomp(options);
  requireRoot();
  const root = stateRoot();
  if (!options.rootfs) await provideImage(root.images, options.image, flags);
  line(createContainer({ root, options, defaults, seccomp }, emitter(true)));
  return 0;
}
