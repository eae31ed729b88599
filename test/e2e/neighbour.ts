/**
 * A machine beside this one: a network namespace with a link to the one that the tests run in. It has a web server, and may
 * be told to send packets anywhere.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, type Outcome, start } from "./harness.ts";

export const HOST_ADDRESS = "10.99.0.1";
export const NEIGHBOUR_ADDRESS = "10.99.0.2";
export const NEIGHBOUR_PORT = 8099;
const HOST_LINK = "neighbour0";
const TIMEOUT_SECONDS = "2";

export type Neighbour = {
  /** Runs a command there. */
  call(...command: string[]): Promise<Outcome>;
  /** What is read from a web server. */
  fetch(address: string, port: number): Promise<Outcome>;
  /** Takes it away. */
  close(): Promise<void>;
};

const ip = (...args: string[]) => void execFileSync("ip", args, { stdio: "pipe" });

/** The body of a page. (busybox's wget, linked statically, does not bear the host's name service.) */
const FETCH = `exec 3<>"/dev/tcp/$1/$2" && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && sed '1,/^\\r$/d' <&3`;

/** Reads the first page of a web server, in the namespace of the tests or, by a prefix, in another. */
export function fetchFrom(engine: Engine, address: string, port: number, prefix: string[] = []): Promise<Outcome> {
  const command = ["timeout", TIMEOUT_SECONDS, "bash", "-c", FETCH, "bash", address, String(port)];
  return start(engine.directory, [...prefix, ...command]).ended;
}

/** Sets it up. Its server says "neighbour". */
export async function openNeighbour(engine: Engine): Promise<Neighbour> {
  const directory = mkdtempSync(join(engine.directory, "neighbour-"));
  writeFileSync(join(directory, "index.html"), "neighbour\n");
  const serve = `ip link set lo up; echo ready; exec busybox httpd -f -p ${NEIGHBOUR_PORT} -h ${directory}`;
  const server = start(engine.directory, ["unshare", "--net", "sh", "-c", serve]);
  await server.sees("stdout", "ready");
  const inside = ["nsenter", "-t", String(server.pid), "-n"];
  ip("link", "add", HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", String(server.pid));
  ip("addr", "add", `${HOST_ADDRESS}/24`, "dev", HOST_LINK);
  ip("link", "set", HOST_LINK, "up");
  const call = (...command: string[]) => start(engine.directory, [...inside, ...command]).ended;
  await call("ip", "addr", "add", `${NEIGHBOUR_ADDRESS}/24`, "dev", "eth0");
  await call("ip", "link", "set", "eth0", "up");
  return {
    call,
    fetch: (address, port) => fetchFrom(engine, address, port, inside),
    close: async () => {
      ip("link", "del", HOST_LINK);
      server.signal("SIGKILL");
      await server.ended;
    },
  };
}
