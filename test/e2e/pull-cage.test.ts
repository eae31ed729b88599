/** The cage of the program that speaks with registries, and full disks. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { MYCONTAINER, start } from "./harness.ts";
import { contentsOf, storeTest } from "./image-store.ts";
import { childrenOf, descriptorsOf } from "./kernel-tables.ts";
import { holdHalf, openRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const COMMAND = "mycontainer-fetch";
const USER = "65533";

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, "utf8").trim();

storeTest(
  "the program for HTTP has no files, no foreign descriptors, no privileges and a user of its own",
  async (store) => {
    mkdirSync(join(store.images, "staging"), { recursive: true });
    const registry = await openRegistry();
    try {
      const { layers } = registry.image("app:1", [tar({ name: "one", data: randomBytes(1_000_000) })]);
      const held = holdHalf(registry, layers[0]);
      const command = [MYCONTAINER, "pull", `${registry.host}/app:1`];
      const pull = start(store.directory, command, { env: { ...store.env, SECRET: "of the caller" } });
      await pull.sees("stdout", "Pulling fs layer");
      await held.reached;
      const pid = childrenOf(pull.pid).find((child) => commandOf(child) === COMMAND.slice(0, 15)) ?? 0;
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1];
      for (const name of ["Uid", "Gid"]) assert.deepEqual(field(name)?.split("\t"), [USER, USER, USER, USER]);
      assert.equal(field("Groups")?.trim(), "");
      for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        assert.match(field(name) ?? "", /^0+$/, name);
      assert.equal(field("NoNewPrivs"), "1");
      assert.equal(field("NSpid")?.split("\t").length, 2);
      const namespace = (of: number | "self", kind: string) => readlinkSync(`/proc/${of}/ns/${kind}`);
      for (const kind of ["mnt", "pid", "ipc", "uts"])
        assert.notEqual(namespace(pid, kind), namespace("self", kind), kind);
      assert.equal(namespace(pid, "net"), namespace("self", "net"));
      assert.equal(readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n").length, 1);
      assert.match(readFileSync(`/proc/${pid}/mountinfo`, "utf8"), / \/ ro,nosuid,nodev,noexec/);
      assert.deepEqual(readdirSync(`/proc/${pid}/root`), ["etc"]);
      assert.deepEqual(
        readdirSync(`/proc/${pid}/root/etc`).filter((name) => !["hosts", "resolv.conf"].includes(name)),
        [],
      );
      const kinds = descriptorsOf(pid).map((line) => line.replace(/\[.*/, ""));
      assert.deepEqual(kinds.slice(0, 3), ["0 -> socket:", "1 -> pipe:", "2 -> pipe:"]);
      for (const kind of kinds.slice(3)) assert.match(kind, /-> (socket:|pipe:|.*\/partial\/[0-9a-f]{64})$/);
      held.goOn();
      const { status: code, stderr } = await pull.ended;
      assert.equal(code, 0, stderr);
    } finally {
      await registry.close();
    }
  },
);

storeTest("a full disk is told, and the download that did not fit is removed", async (store) => {
  mkdirSync(join(store.images, "staging"), { recursive: true });
  const registry = await openRegistry();
  try {
    registry.image(
      "app:1",
      [1, 2].map((name) => tar({ name: `${name}`, data: randomBytes(3_000_000) })),
    );
    const root = store.env["MYCONTAINER_ROOT"];
    const script = `mount -t tmpfs -o size=4m none ${root} && "$@"; code=$?; find ${store.images} -type f -o -path '*/staging/*'; exit $code`;
    const command = ["unshare", "-m", "sh", "-c", script, "sh", MYCONTAINER, "pull", "-q", `${registry.host}/app:1`];
    const { status, stdout, stderr } = await start(store.directory, command, { env: store.env }).ended;
    assert.equal(status, 125, stderr);
    assert.match(stderr, /no space left for the image/);
    assert.doesNotMatch(stdout, /partial|staging/);
    assert.deepEqual(contentsOf(store.images), []);
  } finally {
    await registry.close();
  }
});
