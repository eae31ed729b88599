/**
 * Ports that a container listens on, by what its image and `--expose` say, and those of them that are published. Pure.
 */
import { Failure } from "../failure.ts";
import { PORTS_LIMIT, type PublishedPort, parsePublish } from "../network/ports.ts";
import type { ImageConfig } from "../spec/image.ts";
import type { RunOptions } from "./options.ts";

/** `80`, `80/udp` or `8000-8010/tcp` as ports of `N/PROTOCOL`; undefined for what is none. */
function portsOf(text: string): string[] | undefined {
  if (text.includes(":")) return undefined;
  try {
    return parsePublish(text).map(nameOfPort);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

const nameOfPort = ({ containerPort, protocol }: Pick<PublishedPort, "containerPort" | "protocol">): string =>
  `${containerPort}/${protocol}`;

/** `80/tcp`, each once. What an image calls a port and is none is passed over. Throws a Failure for a bad `--expose`. */
export function exposedPorts({ expose }: Pick<RunOptions, "expose">, { ExposedPorts }: ImageConfig): string[] {
  const asked = expose.flatMap((text) => {
    const ports = portsOf(text);
    if (ports !== undefined) return ports;
    throw new Failure(`--expose ${text}: that is no port`, {
      hint: "write PORT[-PORT][/tcp|/udp|/sctp], as in 53/udp",
    });
  });
  const ofImage = Object.keys(ExposedPorts ?? {}).flatMap((text) => portsOf(text) ?? []);
  const all = [...new Set([...ofImage, ...asked])];
  if (all.length > PORTS_LIMIT) throw new Failure(`more than ${PORTS_LIMIT} exposed ports`);
  return all;
}

/** What is to be published: with `--publish-all` also, on any free port, each exposed one that has no place of its own. */
export function publishOf(
  options: Pick<RunOptions, "publish" | "publishAll" | "expose">,
  image: ImageConfig,
): readonly string[] {
  if (!options.publishAll) return options.publish;
  const placed = new Set(options.publish.flatMap(parsePublish).map(nameOfPort));
  const others = exposedPorts(options, image).filter((port) => !placed.has(port));
  return [...options.publish, ...others.map((port) => `:${port}`)];
}
