/**
 * What comes before the command: `mycontainer-runtime --root DIR --log FILE create ...`.
 */

import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { geteuid } from "../linux/process.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { programName } from "./name.ts";

export interface Globals {
  /** Where the state of containers lies: one directory a container. */
  readonly root: string;
  /** Whether that was said, and is not what it is without a word. */
  readonly rootIsNamed: boolean;
  /** The file that errors and warnings are added to. */
  readonly log: string | undefined;
  readonly logFormat: "text" | "json";
  readonly debug: boolean;
  readonly cgroups: "files" | "systemd" | "none";
  /** Whether what needs root is done without: by flag, or since we are not root. */
  readonly rootless: boolean;
}

export const GLOBAL_FLAGS = {
  root: text("", "DIR", "Where the state of containers lies"),
  log: text("", "FILE", "Add errors and warnings to this file"),
  "log-format": text("", "FORMAT", "Of the log: text or json"),
  debug: toggle("", "Tell of errors all that is known"),
  "systemd-cgroup": toggle("", "Have systemd make cgroups; cgroupsPath is then slice:prefix:name"),
  "cgroup-manager": text("", "MANAGER", "cgroupfs, systemd or disabled, as with crun"),
  rootless: text("", "WHETHER", "true, false or auto: do without what needs root"),
  version: toggle("v", "Print the version"),
  help: toggle("h", "Print this"),
  criu: text("", "PATH", "Taken for the sake of older engines; criu is looked for in PATH"),
} as const;

const DEFAULT_ROOT = "/run/mycontainer-runtime";
const MANAGERS = { cgroupfs: "files", systemd: "systemd", disabled: "none" } as const;

function defaultRoot(isRoot: boolean): string {
  if (isRoot) return DEFAULT_ROOT;
  const runtimeDirectory = variable("XDG_RUNTIME_DIR");
  return runtimeDirectory === undefined || runtimeDirectory === ""
    ? `${DEFAULT_ROOT}-${geteuid()}`
    : `${runtimeDirectory}/mycontainer-runtime`;
}

/** Takes the global flags off the front. `rest` begins with the command. */
export function parseGlobals(argv: readonly string[]): {
  globals: Globals;
  rest: readonly string[];
  /** What is to be told in place of a command. */
  tell: "version" | "help" | undefined;
} {
  const { flags, rest } = parseFlags("", GLOBAL_FLAGS, argv, { stopAtFirstWord: true, program: programName() });
  const logFormat = flags["log-format"] ?? "text";
  if (logFormat !== "text" && logFormat !== "json") throw new Failure(`invalid log-format: ${logFormat}`);
  const manager = flags["cgroup-manager"] ?? "cgroupfs";
  if (!isManager(manager)) {
    throw new Failure(`unknown cgroup manager '${manager}'`, { hint: "cgroupfs, systemd or disabled" });
  }
  const rootless = flags.rootless ?? "auto";
  if (!["auto", "true", "false"].includes(rootless)) {
    throw new Failure(`--rootless is true, false or auto, not '${rootless}'`);
  }
  const isRoot = geteuid() === 0;
  return {
    globals: {
      root: flags.root || defaultRoot(isRoot),
      rootIsNamed: Boolean(flags.root),
      log: flags.log === "" ? undefined : flags.log,
      logFormat,
      debug: flags.debug === true,
      cgroups: flags["systemd-cgroup"] === true ? "systemd" : MANAGERS[manager],
      rootless: rootless === "auto" ? !isRoot : rootless === "true",
    },
    rest,
    tell: whatToTell(flags, rest),
  };
}

function whatToTell(
  { version, help }: { version: boolean | undefined; help: boolean | undefined },
  [command]: readonly string[],
): "version" | "help" | undefined {
  if (version === true || command === "version") return "version";
  return help === true || command === undefined || command === "help" ? "help" : undefined;
}

function isManager(name: string): name is keyof typeof MANAGERS {
  return Object.hasOwn(MANAGERS, name);
}
