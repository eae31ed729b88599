import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { COLOURED, progressLines } from "../../../src/cli/progress.ts";
import type { ContainerEvent } from "../../../src/container/events.ts";

const MIB = 1024 ** 2;
const id = "alpine-c4a2f1";

const MADE: readonly ContainerEvent[] = [
  { kind: "creating", id },
  { kind: "namespaces", types: ["mount", "pid", "network", "uts", "ipc"] },
  { kind: "rooted", image: "alpine", rootfs: `/var/lib/mycontainer/${id}/rootfs`, isDirectory: false },
  { kind: "cgroup", path: `/sys/fs/cgroup/mycontainer/${id}`, memoryBytes: 512 * MIB, cpus: 0.5 },
  {
    kind: "network",
    hostLink: "veth0-c4a2f1",
    peerLink: "veth1-c4a2f1",
    address: "172.16.0.2",
    prefix: 24,
  },
  { kind: "ready", bootMs: 1234 },
];
const ENDED: readonly ContainerEvent[] = [
  { kind: "cleaning", id },
  { kind: "network-removed" },
  { kind: "cgroup-removed" },
  { kind: "unmounted" },
  { kind: "rootfs-removed" },
  { kind: "stopped", uptimeMs: 134_500, outOfMemory: false },
];

test("the progress of a run is the golden transcript", () => {
  const golden = fileURLToPath(new URL("golden/transcript.txt", import.meta.url));
  const text = [...MADE, ...ENDED].flatMap((event) => progressLines(event)).join("\n");
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(golden, `${text}\n`);
  assert.equal(`${text}\n`, readFileSync(golden, "utf8"));
});

test("limits that there are not are not told", () => {
  assert.deepEqual(progressLines({ kind: "cgroup", path: "/c" }), [
    "[MyContainer] Configuring cgroups...",
    "  → Creating cgroup: /c",
  ]);
});

test("namespaces that are shared are not told", () => {
  const lines = progressLines({ kind: "namespaces", types: ["mount", "user", "cgroup"] });
  assert.deepEqual(lines, [
    "[MyContainer] Setting up namespaces...",
    "  ✓ Mount namespace (isolated filesystem)",
    "  ✓ User namespace (isolated user ids)",
  ]);
});

test("the closing line says that memory ran out", () => {
  const [line] = progressLines({ kind: "stopped", uptimeMs: 1500, outOfMemory: true });
  assert.match(line ?? "", /Container stopped \(uptime: 1\.5s, killed because memory ran out/);
});

test("colours add nothing but themselves", () => {
  for (const event of [...MADE, ...ENDED]) {
    const coloured = progressLines(event, COLOURED).join("\n");
    const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9]+m`, "g");
    assert.equal(coloured.replaceAll(colour, ""), progressLines(event).join("\n"));
  }
});
