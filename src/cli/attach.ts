/**
 * `mycontainer attach`.
 */
import { attachTo } from "../container/attach.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../container/detach-keys.ts";
import { stateRoot } from "../container/paths.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { note } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  "detach-keys": text("", "KEYS", `Keys by which one leaves it (${DEFAULT_DETACH_KEYS})`),
  "no-stdin": toggle("", "Do not pass standard input on"),
  "sig-proxy": toggle("", "Pass signals on to it (the default)"),
} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Stays in front of a container that runs in the background, and ends with its exit code.";
    return printHelp("attach", "[FLAGS] CONTAINER", about, FLAGS);
  }
  const { flags, rest } = parseFlags("attach", FLAGS, argv);
  const [name, another] = rest;
  if (name === undefined || another !== undefined) {
    throw new Failure("'attach' needs one container", { hint: "as in: mycontainer attach NAME" });
  }
  const detachKeys = parseDetachKeys(flags["detach-keys"] ?? DEFAULT_DETACH_KEYS);
  requireRoot();
  const root = stateRoot();
  const options = { stdin: flags["no-stdin"] !== true, sigProxy: flags["sig-proxy"] !== false, detachKeys };
  const attached = attachTo(root, findContainer(root, name), options);
  if (attached.kind === "ended") return attached.code;
  note(`\nleft; '${name}' goes on`);
  return 0;
}
