/**
 * What the user has laid down about registries: config.toml, and certificates by directory (dockerd(8), containers-certs.d(5)).
 */
import { variableIn } from "../linux/environment.ts";
import { listDirectory } from "../linux/hostpath.ts";
import type { Trust } from "./exchange.ts";

export interface RegistrySettings {
  /** Hosts, with their port if they have one, that may be without TLS, or with a certificate that nobody vouches for. */
  readonly insecure: readonly string[];
  /** By domain: the hosts that are asked before the registry itself. */
  readonly mirrors: ReadonlyMap<string, readonly string[]>;
  /** How long a registry may say nothing, and twice as long as it may send next to nothing. */
  readonly timeoutMs: number;
}

export const NO_SETTINGS: RegistrySettings = { insecure: [], mirrors: new Map(), timeoutMs: 60_000 };

const SYSTEM_DIRECTORIES = ["/etc/containers/certs.d", "/etc/docker/certs.d"] as const;

/** Directories that may have a directory for each host, the first first. Pure. */
export function certificateDirectories(environment: readonly string[]): readonly string[] {
  const home = variableIn(environment, "HOME");
  return [...(home ? [`${home}/.config/containers/certs.d`] : []), ...SYSTEM_DIRECTORIES];
}

/** What the files of a directory mean: `*.crt` are authorities, `x.cert` and `x.key` together a client's certificate. Pure. */
export function trustOf(directory: string, names: readonly string[]): Pick<Trust, "authorities" | "client"> {
  const sorted = [...names].sort();
  const authorities = sorted.filter((name) => name.endsWith(".crt")).map((name) => `${directory}/${name}`);
  const pair = sorted.find((name) => name.endsWith(".cert") && names.includes(`${name.slice(0, -"cert".length)}key`));
  if (pair === undefined) return { authorities };
  const key = `${directory}/${pair.slice(0, -"cert".length)}key`;
  return { authorities, client: { certificate: `${directory}/${pair}`, key } };
}

/** Whom to trust as a host, and who to be for it. */
export function readTrust(host: string, { insecure }: RegistrySettings, environment: readonly string[]): Trust {
  const verify = !insecure.includes(host);
  for (const parent of certificateDirectories(environment)) {
    const directory = `${parent}/${host}`;
    const names = listDirectory(directory).map(({ name }) => name);
    if (names.length > 0) return { verify, ...trustOf(directory, names) };
  }
  return { verify, authorities: [] };
}
