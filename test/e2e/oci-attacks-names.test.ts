/** Attacks on the OCI face by ids, cgroup paths, users and maps of ids: docs/security.md: R11, R15, R16. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Change,
  cgroupsPathOf,
  makeBundle,
  namespaces,
  oci,
  type Runtime,
  remove,
  startSleeper,
  stateOf,
} from "./oci-bundles.ts";

const BAD_IDS = [
  "..",
  ".",
  "",
  "a/b",
  "../canary",
  "/etc",
  "a b",
  "a\nb",
  "ä",
  "\u202eabc",
  "x".repeat(256),
  "x".repeat(1024),
];

/** A directory beside the state root that looks like a container. */
function putCanary(runtime: Runtime): string {
  const directory = join(runtime.directory, "canary");
  mkdirSync(directory, { recursive: true });
  const record = { version: 1, id: "canary", bundle: "/", rootfs: "/", created: "", uid: 0, complete: true };
  writeFileSync(join(directory, "state.json"), JSON.stringify(record));
  writeFileSync(join(directory, "config.json"), '{"ociVersion":"1.0.2"}');
  return directory;
}

for (const id of [...BAD_IDS, "-x"]) {
  const shown = id.length > 40 ? `${id.slice(0, 4)}... (${id.length} letters)` : JSON.stringify(id);
  oci(`no command takes ${shown} for a container's id`, async (runtime) => {
    const canary = putCanary(runtime);
    const bundle = makeBundle(runtime, ["/bin/true"]);
    for (const [command = "", ...more] of [
      ["create", "--bundle", bundle],
      ["run", "--bundle", bundle],
      ["start"],
      ["state"],
      ["kill"],
      ["delete", "--force"],
      ["exec"],
      ["ps"],
      ["pause"],
      ["resume"],
      ["update", "--pids-limit", "10"],
      ["events", "--stats"],
    ]) {
      const { status, stdout, stderr } = await runtime.call([
        command,
        ...more,
        "--",
        id,
        ...(command === "exec" ? ["true"] : []),
      ]);
      assert.equal(status, command === "exec" ? 255 : 1, `${command}: ${stderr}`);
      assert.equal(stdout, "");
      assert.match(stderr, /invalid container ID format/, command);
    }
    assert.deepEqual(readdirSync(canary).sort(), ["config.json", "state.json"]);
  });
}

/** Makes a container that must be refused, with a message. */
async function refuses(runtime: Runtime, change: Change, message: RegExp): Promise<void> {
  const { status, stdout, stderr } = await runtime.call([
    "create",
    "--bundle",
    makeBundle(runtime, ["/bin/true"], change),
    "refused",
  ]);
  assert.deepEqual([status, stdout], [1, ""], stderr);
  assert.match(stderr, message);
  assert.ok(!existsSync(join(runtime.root, "refused")));
}

for (const cgroupsPath of [
  "/../x",
  "../x",
  "/",
  "//",
  "/a/../../b",
  "/a/./b",
  "a\nb",
  `/${"x".repeat(256)}`,
  `/${"x/".repeat(2000)}y`,
]) {
  const shown =
    cgroupsPath.length > 40
      ? `${cgroupsPath.slice(0, 6)}... (${cgroupsPath.length} letters)`
      : JSON.stringify(cgroupsPath);
  oci(`a container with the cgroup ${shown} is refused`, async (runtime) => {
    await refuses(runtime, { linux: { cgroupsPath } }, /cgroup/);
  });
}

oci("the cgroup of a running container, or one above it, is refused, and its processes live on", async (runtime) => {
  await startSleeper(runtime, "victim", { linux: { cgroupsPath: cgroupsPathOf("victim") } });
  const { pid } = await stateOf(runtime, "victim");
  const own = cgroupsPathOf("victim");
  for (const cgroupsPath of [own, dirname(own)]) {
    await refuses(runtime, { linux: { cgroupsPath } }, /cgroup is not empty: \d+ process\(es\) found/);
    assert.equal((await stateOf(runtime, "victim")).status, "running", cgroupsPath);
    assert.equal((await stateOf(runtime, "victim")).pid, pid);
  }
  await remove(runtime, "victim");
});

for (const [what, user, message] of [
  ["-1", { uid: -1, gid: 0 }, /uid/],
  ["4294967296", { uid: 4294967296, gid: 0 }, /uid/],
  ["4294967295", { uid: 4294967295, gid: 0 }, /uid/],
  ["1.5", { uid: 1.5, gid: 0 }, /uid/],
  ['"0"', { uid: "0", gid: 0 }, /uid/],
  ["a group of 4294967295", { uid: 0, gid: 4294967295 }, /gid/],
  ["a further group of -1", { uid: 0, gid: 0, additionalGids: [-1] }, /additionalGids/],
  ["a further group of 4294967295", { uid: 0, gid: 0, additionalGids: [4294967295] }, /additionalGids/],
] as const) {
  oci(`a user of ${what} is refused`, async (runtime) => {
    await refuses(runtime, { process: { user } }, message);
  });
}

const BAD_USERS = ["root", "+1", "-1", "01x", "1:", ":1", "1:2:3", "4294967296", "4294967295", "1 ", "0x0", "٠", ""];

oci("exec takes digits in range for a user, and nothing else", async (runtime) => {
  await startSleeper(runtime, "users");
  for (const user of BAD_USERS) {
    const { status, stdout, stderr } = await runtime.call(["exec", `--user=${user}`, "users", "/bin/id", "-u"]);
    assert.deepEqual([status, stdout], [255, ""], `${user}: ${stderr}`);
  }
  for (const [user, uid] of [
    ["1", "1"],
    ["01", "1"],
    ["4294967294", "4294967294"],
    ["7:8", "7"],
  ]) {
    const { stdout, stderr } = await runtime.call(["exec", `--user=${user}`, "users", "/bin/id", "-u"]);
    assert.equal(stdout, `${uid}\n`, stderr);
  }
  await remove(runtime, "users");
});

const MAPS = 100_000;

oci("100,000 maps of ids are an error, and so are those that overlap or wrap", async (runtime) => {
  const userns = namespaces([], [{ type: "user" }]);
  const many = Array.from({ length: MAPS }, (_, index) => ({ containerID: index, hostID: 100_000 + index, size: 1 }));
  const whole = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  await refuses(runtime, { linux: { namespaces: userns, uidMappings: many, gidMappings: whole } }, /uid/i);
  await refuses(runtime, { linux: { namespaces: userns, uidMappings: whole, gidMappings: many } }, /gid/i);
  for (const uidMappings of [
    [...whole, { containerID: 10, hostID: 500_000, size: 10 }],
    [{ containerID: 0, hostID: 4294967295, size: 2 }],
    [{ containerID: 0, hostID: 100_000, size: 0 }],
    [{ containerID: -1, hostID: 100_000, size: 10 }],
    [],
  ]) {
    await refuses(runtime, { linux: { namespaces: userns, uidMappings, gidMappings: whole } }, /map/i);
  }
});

const ATTRIBUTE_BYTES = 70_000;

oci("attributes that are longer than a netlink message are an error, or are kept whole", async (runtime) => {
  await refuses(runtime, { hostname: "x".repeat(ATTRIBUTE_BYTES) }, /hostname/);
  await refuses(runtime, { domainname: "x".repeat(ATTRIBUTE_BYTES) }, /domainname/);
  await refuses(runtime, { process: { cwd: `/${"x".repeat(ATTRIBUTE_BYTES)}` } }, /./);
  await refuses(runtime, { linux: { netDevices: { ["x".repeat(ATTRIBUTE_BYTES)]: {} } } }, /./);
});
