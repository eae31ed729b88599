/**
 * `mycontainer port`.
 */
import { currentState } from "../container/control.ts";
import { stateRoot } from "../container/paths.ts";
import { publishedPorts } from "../container/published.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const HINT = { hint: "as in: mycontainer port web 80/tcp" } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv)) {
    return printHelp("port", "CONTAINER [PORT[/PROTOCOL]]", "Shows where a container's ports are on the host.", {});
  }
  const { rest } = parseFlags("port", {}, argv);
  const [name, wanted, more] = rest;
  if (name === undefined || more !== undefined)
    throw new Failure("'port' needs a container, and one port at most", HINT);
  const asked = wanted === undefined ? undefined : parsePort(wanted);
  requireRoot();
  const root = stateRoot();
  const { id } = currentState(root, findContainer(root, name));
  const ports = publishedPorts(root, id).map(({ hostAddress, hostPort, containerPort, protocol }) => {
    return { inside: `${containerPort}/${protocol}`, outside: `${hostAddress}:${hostPort}` };
  });
  if (asked === undefined) {
    for (const { inside, outside } of ports) line(`${inside} -> ${outside}`);
    return 0;
  }
  const found = ports.filter(({ inside }) => inside === asked);
  if (found.length === 0) throw new Failure(`the port ${asked} of container '${name}' is not published`);
  for (const { outside } of found) line(outside);
  return 0;
}

/** `80` or `80/udp`, as `80/tcp` and `80/udp`. */
function parsePort(text: string): string {
  const [, port, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (port === undefined) throw new Failure(`'${text}' is no port`, HINT);
  return `${Number(port)}/${protocol}`;
}
