/** The network of containers: who reaches whom. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, initPid, outputOf, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e, type Outcome } from "./harness.ts";
import {
  fetchFrom,
  HOST_ADDRESS,
  NEIGHBOUR_ADDRESS,
  NEIGHBOUR_PORT,
  type Neighbour,
  openNeighbour,
} from "./neighbour.ts";

const PORT = 18080;
const GATEWAY = "172.16.0.1";

/** A container with a web server that says "hello". */
async function startServer(engine: Engine, ...flags: string[]): Promise<string> {
  const serve = "mkdir /www; echo hello >/www/index.html; echo ready; exec httpd -f -p 80 -h /www";
  const id = await startDetached(engine, flags, ["sh", "-c", serve]);
  // The server listens a moment after it is started.
  await execOutput(engine, id, "sh", "-c", "until netstat -ltn | grep -q ':80 '; do usleep 1000; done");
  return id;
}

async function addressOf(engine: Engine, id: string): Promise<string> {
  const text = await execOutput(engine, id, "ip", "-4", "-o", "addr", "show", "eth0");
  return /inet ([0-9.]+)\/24/.exec(text)?.[1] ?? "";
}

const answers = ({ status, stdout, stderr }: Outcome, what: string, expected = "hello\n") =>
  assert.deepEqual([status, stdout], [0, expected], `${what}: ${stderr}`);
const isClosed = ({ status, stdout }: Outcome, what: string) =>
  assert.deepEqual([status !== 0, stdout], [true, ""], what);

async function withNeighbour(engine: Engine, body: (neighbour: Neighbour) => Promise<void>): Promise<void> {
  const neighbour = await openNeighbour(engine);
  try {
    await body(neighbour);
  } finally {
    await neighbour.close();
  }
}

const ping = (address: string) => ["ping", "-c", "1", "-W", "2", address];

e2e("two containers reach each other and the host, and the host reaches them", async (engine) => {
  const one = await startServer(engine);
  const other = await startServer(engine);
  const [ofOne, ofOther] = [await addressOf(engine, one), await addressOf(engine, other)];
  assert.notEqual(ofOne, ofOther);
  await execOutput(engine, one, ...ping(ofOther));
  await execOutput(engine, other, ...ping(ofOne));
  await execOutput(engine, one, ...ping(GATEWAY));
  assert.equal(await execOutput(engine, other, "wget", "-qO-", `http://${ofOne}/`), "hello\n");
  execFileSync("ping", ["-c", "1", "-W", "2", ofOne], { stdio: "pipe" });
  answers(await fetchFrom(engine, ofOne, 80), "from the host");
  await removeAll(engine, one, other);
});

e2e(
  "a container has one link beside loopback, an address of the network and a way out by the gateway",
  async (engine) => {
    const id = await startDetached(engine, []);
    assert.match(await addressOf(engine, id), /^172\.16\.0\.\d+$/);
    assert.match(await execOutput(engine, id, "ip", "route"), /^default via 172\.16\.0\.1 dev eth0/);
    const links = await execOutput(engine, id, "ls", "/sys/class/net");
    assert.equal(links, "eth0\nlo\n");
    await execOutput(engine, id, ...ping("127.0.0.1"));
    await removeAll(engine, id);
  },
);

e2e("a container reaches what the host reaches, under the host's address", async (engine) => {
  await withNeighbour(engine, async (neighbour) => {
    const id = await startDetached(engine, []);
    await execOutput(engine, id, ...ping(NEIGHBOUR_ADDRESS));
    const url = `http://${NEIGHBOUR_ADDRESS}:${NEIGHBOUR_PORT}/`;
    assert.equal(await execOutput(engine, id, "wget", "-qO-", url), "neighbour\n");
    // The neighbour has no way to the container's own address, so that all answers went to the host's.
    const { stdout } = await neighbour.call("ip", "route");
    assert.doesNotMatch(stdout, /172\.16|default/);
    await removeAll(engine, id);
  });
});

e2e(
  "a published port is reached from the host, by loopback, from a neighbour and from another container",
  async (engine) => {
    await withNeighbour(engine, async (neighbour) => {
      const id = await startServer(engine, "-p", `${PORT}:80`);
      for (const address of ["127.0.0.1", "localhost", HOST_ADDRESS, GATEWAY]) {
        answers(await fetchFrom(engine, address, PORT), address);
      }
      answers(await neighbour.fetch(HOST_ADDRESS, PORT), "from the neighbour");
      const other = await startDetached(engine, []);
      assert.equal(await execOutput(engine, other, "wget", "-qO-", `http://${GATEWAY}:${PORT}/`), "hello\n");
      assert.equal(await execOutput(engine, id, "wget", "-qO-", `http://${GATEWAY}:${PORT}/`), "hello\n");
      await removeAll(engine, id, other);
      isClosed(await fetchFrom(engine, "127.0.0.1", PORT), "after the container's end");
    });
  },
);

e2e("a port published on loopback alone is closed to neighbours", async (engine) => {
  await withNeighbour(engine, async (neighbour) => {
    const id = await startServer(engine, "-p", `127.0.0.1:${PORT}:80`);
    answers(await fetchFrom(engine, "127.0.0.1", PORT), "from the host");
    isClosed(await neighbour.fetch(HOST_ADDRESS, PORT), "by the host's address");
    // A neighbour may send to loopback by way of this host, if it wants to (CVE-2020-8558).
    for (const command of [
      "sysctl -qw net.ipv4.conf.all.route_localnet=1",
      "ip addr del 127.0.0.1/8 dev lo",
      `ip route add 127.0.0.1/32 via ${HOST_ADDRESS} src ${NEIGHBOUR_ADDRESS}`,
    ]) {
      const { status, stderr } = await neighbour.call(...command.split(" "));
      assert.equal(status, 0, `${command}: ${stderr}`);
    }
    isClosed(await neighbour.fetch("127.0.0.1", PORT), "by loopback");
    await removeAll(engine, id);
  });
});

e2e("ports that are not published are closed to a neighbour who routes to the container's address", async (engine) => {
  await withNeighbour(engine, async (neighbour) => {
    const id = await startServer(engine);
    const address = await addressOf(engine, id);
    await neighbour.call("ip", "route", "add", "172.16.0.0/24", "via", HOST_ADDRESS);
    isClosed(await neighbour.fetch(address, 80), "the web server");
    assert.notEqual((await neighbour.call("ping", "-c", "1", "-W", "1", address)).status, 0);
    await removeAll(engine, id);
  });
});

e2e("a port that is in use is an error that says so, and nothing is made", async (engine) => {
  const id = await startServer(engine, "-p", `${PORT}:80`);
  const { status, stdout, stderr } = await engine.call(["run", "-q", "-p", `${PORT}:80`, "busybox", "echo", "ran"]);
  assert.deepEqual([status, stdout], [125, ""]);
  assert.match(stderr, new RegExp(`^mycontainer: port ${PORT}/tcp.* is already in use on this host`));
  answers(await fetchFrom(engine, "127.0.0.1", PORT), "the first one");
  await removeAll(engine, id);
});

e2e("an address and a port are free again when their container has ended", async (engine) => {
  const seen = new Set<string>();
  for (let turn = 0; turn < 4; turn++) {
    const id = await startServer(engine, "-p", `${PORT}:80`);
    seen.add(await addressOf(engine, id));
    answers(await fetchFrom(engine, "127.0.0.1", PORT), `turn ${turn}`);
    await removeAll(engine, id);
  }
  assert.equal(seen.size, 1, [...seen].join(" "));
  const leases = join(engine.root, "networks");
  const left = readdirSync(leases, { recursive: true, encoding: "utf8" }).filter((path) =>
    /\/(addresses|containers|ports)\//.test(path),
  );
  assert.deepEqual(left, []);
});

e2e(
  "a container finds itself and what was asked for by name, and asks the resolvers that were asked for",
  async (engine) => {
    const flags = [
      "--add-host",
      "db:192.0.2.7",
      "--dns",
      "192.0.2.53",
      "--dns-search",
      "example.org",
      "--dns-option",
      "ndots:2",
    ];
    const id = await startDetached(engine, flags);
    const hosts = await execOutput(engine, id, "cat", "/etc/hosts");
    assert.match(hosts, /^127\.0\.0\.1\s+localhost/m);
    assert.match(hosts, /^192\.0\.2\.7\s+db$/m);
    assert.match(hosts, new RegExp(`^${(await addressOf(engine, id)).replaceAll(".", "\\.")}\\s+${id}$`, "m"));
    const lines = (await execOutput(engine, id, "cat", "/etc/resolv.conf"))
      .split("\n")
      .filter((line) => /^[a-z]/.test(line));
    assert.deepEqual(lines, ["nameserver 192.0.2.53", "search example.org", "options ndots:2"]);
    await execOutput(engine, id, ...ping(id));
    await removeAll(engine, id);
  },
);

e2e("with --network none there is loopback and nothing else", async (engine) => {
  assert.equal(await outputOf(engine, "ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo up"), "lo\nup\n");
});

e2e(
  "a container that shares another's network has its address, ports and names, and leaves it in place",
  async (engine) => {
    const first = await startServer(engine);
    const address = await addressOf(engine, first);
    const flags = ["run", "-q", "--network", `container:${first}`, "busybox", "sh", "-c"];
    const { status, stdout, stderr } = await engine.call([...flags, "wget -qO- http://127.0.0.1/; cat /etc/hosts"]);
    assert.equal(status, 0, stderr);
    assert.ok(stdout.startsWith("hello\n"));
    assert.ok(stdout.includes(`${address}\t${first}`));
    answers(await fetchFrom(engine, address, 80), "after the second one's end");
    assert.ok((await initPid(engine, first)) > 0);
    await removeAll(engine, first);
  },
);

e2e(
  "rules that somebody has flushed are put back by the next start, with the ports of those that run",
  async (engine) => {
    const id = await startServer(engine, "-p", `${PORT}:80`);
    // In a namespace of the test's own, where the packet filter has no rules of others.
    assert.notEqual(readFileSync("/proc/1/comm", "utf8"), "systemd\n", "tools/test runs this in a network of its own");
    execFileSync("nft", ["flush", "ruleset"]);
    const second = await startDetached(engine, []);
    answers(await fetchFrom(engine, "127.0.0.1", PORT), "after the flush");
    await withNeighbour(engine, async (neighbour) => {
      answers(await neighbour.fetch(HOST_ADDRESS, PORT), "from the neighbour");
      await execOutput(engine, second, ...ping(NEIGHBOUR_ADDRESS));
    });
    await removeAll(engine, id, second);
  },
);
