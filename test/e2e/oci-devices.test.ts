/**
 * `linux.devices` of config.json: nodes that the container finds by the path, numbers, mode and owner asked for, in user namespaces too.
 * Source: runtime-spec config-linux.md#devices. The devices are random number generators, which everybody may read.
 */
import assert from "node:assert/strict";
import { NAMESPACES, oci } from "./bundles.ts";

const MAPS = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
const USER_NAMESPACE = { uidMappings: MAPS, gidMappings: MAPS, namespaces: [...NAMESPACES, { type: "user" }] };
const RESOURCES = { devices: [{ allow: true, access: "rwm" }] };
const LOOK = 'for f; do stat -c "%n %F %t:%T %u:%g %a" $f; head -c 4 $f | wc -c; done';
const look = (...paths: string[]) => ({ args: ["sh", "-c", LOOK, "sh", ...paths] });

const DEVICES = [
  { path: "/dev/made", type: "c", major: 1, minor: 9, uid: 10, gid: 11, fileMode: 0o647 },
  { path: "/dev/below/it/", type: "c", major: 1, minor: 8, uid: 0, gid: 0, fileMode: 0o604 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5, uid: 7, gid: 8, fileMode: 0o604 },
];
const SEEN = [
  "/dev/made character special file 1:9 10:11 647",
  "4",
  "/dev/below/it character special file 1:8 0:0 604",
  "4",
  "/dev/zero character special file 1:5 7:8 604",
  "4",
];

for (const [where, linux] of [
  ["a container without a user namespace", {}],
  ["a user namespace", USER_NAMESPACE],
] as const) {
  oci(`devices have the numbers, mode and owner that they are to have in ${where}`, async (runtime) => {
    const { status, stdout, stderr } = await runtime.run({
      linux: { ...linux, resources: RESOURCES, devices: DEVICES },
      process: look("/dev/made", "/dev/below/it", "/dev/zero"),
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), SEEN);
  });
}

oci("in a user namespace the host's node is bound where the container has not the owner's id", async (runtime) => {
  const linux = { ...USER_NAMESPACE, resources: RESOURCES };
  const device = { path: "/dev/urandom", type: "c", major: 1, minor: 9, uid: 90_000, gid: 0 };
  const bound = await runtime.run({ linux: { ...linux, devices: [device] }, process: look("/dev/urandom") });
  assert.equal(bound.status, 0, bound.stderr);
  assert.match(bound.stdout, /^\/dev\/urandom character special file 1:9 65534:65534 666\n4\n$/);

  const other = await runtime.run({
    linux: { ...linux, devices: [{ ...device, minor: 5 }] },
    process: { args: ["true"] },
  });
  assert.notEqual(other.status, 0);
  assert.match(other.stderr, /\/dev\/urandom of the host is not the device 1:5/);
});

oci("a device cannot be the root", async (runtime) => {
  const devices = [{ path: "//", type: "c", major: 1, minor: 9 }];
  const { status, stderr } = await runtime.run({ linux: { devices }, process: { args: ["true"] } });
  assert.notEqual(status, 0);
  assert.match(stderr, /device path '\/\/' is the root/);
});
