/**
 * Runs the host's ps(1).
 */
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { placeAt } from "../linux/fd.ts";
import { pipe, readAllText } from "../linux/io.ts";
import { type Ending, execve, exit, fork, waitFor } from "../linux/process.ts";

const STANDARD_PATH = "/usr/local/bin:/usr/bin:/bin";
const NOT_FOUND_STATUS = 127;
const [STDOUT, STDERR] = [1, 2];

/**
 * What ps(1), looked up in PATH, prints with these arguments.
 * @throws Failure with what it says, if it is not there or does not end well
 */
export function runPs(args: readonly string[]): string {
  const [readable, writable] = pipe();
  using output = readable;
  const child = fork();
  if (child === undefined) becomePs(args, writable.fd);
  writable.close();
  using _ = child.pidfd;
  const text = readAllText(output.fd, "output of ps");
  const ending = waitFor(child);
  if (ending.kind === "exited" && ending.status === 0) return text;
  if (ending.kind === "exited" && ending.status === NOT_FOUND_STATUS && text === "")
    throw new Failure('exec: "ps": executable file not found in $PATH', {
      hint: "install procps, or use --format json",
    });
  throw new Failure(`${describe(ending)}: ${text.trim()}`);
}

function describe(ending: Ending): string {
  return ending.kind === "exited" ? `exit status ${ending.status}` : `ps was killed by signal ${ending.signal}`;
}

/** The child's end: everything that ps writes goes into the pipe. */
function becomePs(args: readonly string[], to: number): never {
  try {
    placeAt(to, STDOUT);
    placeAt(to, STDERR);
    const path = variable("PATH") ?? STANDARD_PATH;
    // What is found by way of the working directory is not the host's.
    for (const directory of path.split(":")) if (directory.startsWith("/")) execve(`${directory}/ps`, ["ps", ...args]);
  } finally {
    // Whatever has happened: what follows on the stack is the parent's.
    exit(NOT_FOUND_STATUS);
  }
}
