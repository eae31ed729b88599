/**
 * `mycontainer logout`.
 */
import { Failure } from "../failure.ts";
import { environ } from "../linux/door.ts";
import { forgetCredentials } from "../registry/credentials.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { serverOf } from "./login.ts";

const FLAGS = {} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("logout", "[SERVER]", "Forgets who you are for a registry.", FLAGS);
  const { rest } = parseFlags("logout", FLAGS, argv);
  if (rest.length > 1) throw new Failure("'logout' takes one server");
  const server = serverOf(rest[0]);
  line(forgetCredentials(server, environ) ? `Removing login credentials for ${server}` : `Not logged in to ${server}`);
  return 0;
}
