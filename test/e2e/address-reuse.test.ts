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
  await listens(engine, id);
  return id;
}

async function listens(engine: Engine, id: string): Promise<void> {
  const { status, stderr } = await engine.call([
    "exec",
    id,
    "sh",
    "-c",
    "until netstat -ltn | grep -q :80; do :; done",
  ]);
  assert.equal(status, 0, stderr);
}

const ip = (...args: string[]) => execFileSync("ip", args, { encoding: "utf8" });

e2e(
  "a network namespace that outlives its container does not answer for the next one with its address",
  async (engine) => {
    // In the foreground: the link of one in the background is deleted at its end.
    const [shell = "", option = "", script = ""] = SERVER;
    const flags = ["--name", "first", "--ip", ADDRESS, "-p", `${PORT}:80`];
    const first = engine.start(["run", "-q", ...flags, "busybox", shell, option, `echo up; ${script}`, "first"]);
    await first.sees("stdout", "up\n");
    await listens(engine, "first");
    const pid = await initPid(engine, "first");
    const [link = ""] = /veth0-[0-9a-f]+/.exec(ip("-o", "link")) ?? [];
    const held = openSync(`/proc/${pid}/ns/net`, "r");
    try {
      assert.equal(await fetchPage(PORT), "first\n");
      assert.equal((await engine.call(["kill", "first"])).status, 0);
      assert.equal((await first.ended).status, 137);
      assert.match(ip("-o", "link", "show", link), /state DOWN/);
      const second = await server(engine, "second");
      for (let round = 0; round < 20; round++) {
        // Each time the host asks anew who has the address.
        ip("neigh", "flush", "dev", "mycontainer0");
        assert.equal(await fetchPage(PORT), "second\n");
      }
      await removeAll(engine, second);
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
