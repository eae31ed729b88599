/**
 * `spec`: writes a config.json to begin with.
 */

import { detectLayout } from "../cgroup/layout.ts";
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { O_CREAT, O_EXCL, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { geteuid, getgid } from "../linux/process.ts";
import { stringifyExact } from "../spec/json.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { absolute } from "./bundle.ts";
import { defaultSpec, rootlessSpec } from "./default-spec.ts";
import { programName } from "./name.ts";

const FLAGS = {
  bundle: text("b", "DIR", "The bundle; without it the current directory"),
  rootless: toggle("", "For a user who is not root"),
} as const;

export const help = { usage: "[FLAGS]", flags: FLAGS };

export function run(argv: readonly string[]): number {
  const { flags } = parseFlags("spec", FLAGS, argv, { program: programName() });
  const whole = defaultSpec(detectLayout().kind === "v2");
  const spec = flags.rootless === true ? rootlessSpec(whole, { uid: geteuid(), gid: getgid() }) : whole;
  const path = `${absolute(flags.bundle ?? ".")}/config.json`;
  try {
    using file = openHost(path, O_WRONLY | O_CREAT | O_EXCL, 0o666);
    writeAll(file.fd, `${stringifyExact(spec, 2)}\n`, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new Failure(`File ${path} exists. Remove it first`);
  }
  return 0;
}
