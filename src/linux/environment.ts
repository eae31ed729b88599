/**
 * Variables of an environment: environ(7).
 */
import { environ } from "./door.ts";

/** The value of a variable in a list of `NAME=value`; undefined if it is not there. Pure. */
export function variableIn(environment: readonly string[], name: string): string | undefined {
  const prefix = `${name}=`;
  return environment.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
}

/** The value of a variable of this process. */
export function variable(name: string): string | undefined {
  return variableIn(environ, name);
}
