import assert from "node:assert/strict";
import { test } from "node:test";
import { ownMountsOf, planBinds } from "../../../src/isolation/plan-binds.ts";
import type { Spec } from "../../../src/spec/config.ts";

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
  { destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind"] },
  { destination: "/sys", type: "bind", source: "/sys", options: ["rbind"] },
  { destination: "/data/", type: "bind", source: "/srv", options: ["rbind", "ro"] },
  { destination: "/tmp/x", source: "/srv", options: ["bind"] },
  { destination: "/tmpx", source: "/srv", options: ["bind"] },
];
const spec: Spec = { ociVersion: "1.2.0", mounts };

test("volumes are there while a container does not run, the kernel's and its own file systems are not", () => {
  assert.deepEqual(
    planBinds(spec).map(({ target, source }) => [target, source]),
    [
      ["/data/", "/srv"],
      ["/tmpx", "/srv"],
    ],
  );
  assert.deepEqual(ownMountsOf(spec), ["/proc", "/tmp"]);
});
