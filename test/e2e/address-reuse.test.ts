/** An address that was another container's a moment ago, whose network namespace the kernel has not taken down yet. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { initPid, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";
import { fetchPage } from "./services.ts";

const ADDRESS = "172.16.0.77";
const PORT = 8083;
const SERVER = ["sh", "-c", "mkdir /www && echo $0 >/www/index.html && exec httpd -f -h /www"];

/** A web server at the address, whose page is a word. It is asked only when it listens. */
async function server(engine: Engine, word: string): Promise<string> {
  const id = await startDetached(engine, ["--ip", ADDRESS, "-p", `${PORT}:80`], [...SERVER, word]);
  const listens = await engine.call(["exec", id, "sh", "-c", "until netstat -ltn | grep -q :80; do :; done"]);
  assert.equal(listens.status, 0, listens.stderr);
  return id;
}

const ip = (...args: string[]) => execFileSync("ip", args, { encoding: "utf8" });

e2e(
  "a network namespace that outlives its container does not answer for the next one with its address",
  async (engine) => {
    const first = await server(engine, "first");
    const held = openSync(`/proc/${await initPid(engine, first)}/ns/net`, "r");
    try {
      assert.equal(await fetchPage(PORT), "first\n");
      // By its own supervisor: whoever cleans up after that one deletes the link.
      assert.equal((await engine.call(["stop", "-t", "0", first])).status, 0);
      assert.match(ip("-o", "link", "show", `veth0-${first.slice(-6)}`), /state DOWN/);
      const second = await server(engine, "second");
      for (let round = 0; round < 20; round++) {
        // Each time the host asks anew who has the address.
        ip("neigh", "flush", "dev", "mycontainer0");
        assert.equal(await fetchPage(PORT), "second\n");
      }
      await removeAll(engine, first, second);
    } finally {
      closeSync(held);
    }
  },
);

e2e("what the host has heard of the former owner of an address does not mislead it", async (engine) => {
  await removeAll(engine, await server(engine, "first"));
  ip("neigh", "replace", ADDRESS, "dev", "mycontainer0", "lladdr", "02:00:00:00:00:01", "nud", "permanent");
  const second = await server(engine, "second");
  assert.equal(await fetchPage(PORT), "second\n");
  await removeAll(engine, second);
});
