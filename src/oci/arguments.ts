/**
 * What commands of the OCI face take beside flags.
 */
import { Failure } from "../failure.ts";
import { isOpen } from "../linux/fd.ts";

/** The one argument that is an id. Throws a Failure if there are others, or none. */
export function oneId(command: string, rest: readonly string[]): string {
  const [id] = rest;
  if (rest.length !== 1 || id === undefined) {
    throw new Failure(`"${command}" requires exactly 1 argument`, {
      hint: `mycontainer-runtime ${command} [FLAGS] CONTAINER`,
    });
  }
  return id;
}

const NUMBER_LIMIT = 1_000_000;

const FIRST_OTHER_FD = 3;

/** `--preserve-fds`: what is not open would be given to the program as something that we open. */
export function preservedFds(text: string | undefined): number {
  const count = nonNegative("--preserve-fds", text ?? "0");
  for (let index = 0; index < count; index++) {
    if (isOpen(FIRST_OTHER_FD + index)) continue;
    throw new Failure(
      `unable to stat preserved-fd ${index} (of ${count}): descriptor ${FIRST_OTHER_FD + index} is not open`,
    );
  }
  return count;
}

/** A whole number from 0 on. */
export function nonNegative(flag: string, text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= NUMBER_LIMIT)) throw new Failure(`${flag} is a whole number from 0 on, not '${text}'`);
  return value;
}
