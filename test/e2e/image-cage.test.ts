/** The cage of the program that reads archives, and what becomes of an import that is killed. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { MYCONTAINER, type Running, start } from "./harness.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { childrenOf, descriptorsOf, parseStat } from "./kernel-tables.ts";
import { tar } from "./tar.ts";

const COMMAND = "mycontainer-codec";

/** A `load` whose codec waits for more of the archive. */
async function waitingLoad(store: ImageStore): Promise<{ load: Running; codec: number }> {
  const load = start(store.directory, [MYCONTAINER, "load"], { env: store.env, interactive: true });
  // A whole entry: when its file is there, the codec is where it will stay.
  load.write(tar({ name: "manifest.json", data: "[]" }).subarray(0, 1024).toString("latin1"));
  for (;;) {
    const [codec] = childrenOf(load.pid);
    if (codec !== undefined && readFileSync(`/proc/${codec}/comm`, "utf8").trim() === COMMAND.slice(0, 15)) {
      if (readFileSync(`/proc/${codec}/syscall`, "utf8").startsWith("running")) continue;
      return { load, codec };
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Whether there is such a process, and not only what nobody has asked for of one. */
function isRunning(pid: number): boolean {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")).state !== "Z";
  } catch {
    return false;
  }
}

storeTest("the codec has an empty root, no network, no foreign descriptors and few privileges", async (store) => {
  const { load, codec } = await waitingLoad(store);
  const status = readFileSync(`/proc/${codec}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
  // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP
  const capabilities = (0b11011n | (1n << 27n) | (1n << 31n)).toString(16).padStart(16, "0");
  assert.equal(field("CapEff"), capabilities);
  assert.equal(field("CapPrm"), capabilities);
  assert.equal(field("CapBnd"), capabilities);
  assert.equal(field("NoNewPrivs"), "1");
  assert.equal(field("NSpid")?.split("\t").length, 2);
  for (const kind of ["mnt", "net", "pid", "ipc", "uts"])
    assert.notEqual(readlinkSync(`/proc/${codec}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
  const mounts = readFileSync(`/proc/${codec}/mountinfo`, "utf8");
  assert.equal(mounts.trim().split("\n").length, 1);
  assert.match(mounts, / \/ rw,nosuid,nodev,noexec/);
  assert.ok(readdirSync(`/proc/${codec}/root`).every((name) => /^\d+$/.test(name)));
  const kinds = descriptorsOf(codec).map((line) => line.replace(/\[.*/, ""));
  assert.deepEqual(kinds.slice(0, 3), ["0 -> socket:", "1 -> pipe:", "2 -> pipe:"]);
  assert.deepEqual(kinds.slice(3), ["3 -> /"], "its own directory, and nothing else");
  assert.equal(readFileSync(`/proc/${codec}/environ`, "latin1"), "");
  load.closeStdin();
  assert.equal((await load.ended).status, 125);
});

storeTest("the codec ends with the command, and the next command clears away what it has left", async (store) => {
  const { load, codec } = await waitingLoad(store);
  load.signal("SIGKILL");
  await load.ended;
  assert.equal(readdirSync(join(store.images, "staging")).length, 1);
  const { status } = await store.call(["images"]);
  assert.equal(status, 0);
  assert.deepEqual(contentsOf(store.images), []);
  assert.ok(!isRunning(codec), "the codec is still there");
});

storeTest("what another command is just making is left alone", async (store) => {
  const { load } = await waitingLoad(store);
  const before = contentsOf(store.images);
  assert.equal((await store.call(["images"])).status, 0);
  assert.deepEqual(contentsOf(store.images), before);
  load.closeStdin();
  assert.equal((await load.ended).status, 125);
});
