/**
 * What commands of the OCI face take beside flags.
 */
import { Failure } from "../failure.ts";
import { programName } from "./name.ts";

/** The one argument that is an id. Throws a Failure if there are others, or none. */
export function oneId(command: string, rest: readonly string[]): string {
  const [id] = rest;
  if (rest.length !== 1 || id === undefined) {
    throw new Failure(`"${command}" requires exactly 1 argument`, {
      hint: `${programName()} ${command} [FLAGS] CONTAINER`,
    });
  }
  return id;
}

const NUMBER_LIMIT = 1_000_000;

/** A whole number from 0 on. */
export function nonNegative(flag: string, text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= NUMBER_LIMIT)) throw new Failure(`${flag} is a whole number from 0 on, not '${text}'`);
  return value;
}
