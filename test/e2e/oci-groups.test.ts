/**
 * The groups of the runtime's caller, which a container keeps where an annotation asks for it: podman's `--group-add keep-groups`.
 */
import assert from "node:assert/strict";
import { type Change, NAMESPACES, oci, type Runtime, statusLine } from "./bundles.ts";

const KEEP = "run.oci.keep_original_groups";
const MAPS = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
const USER = { user: { uid: 1000, gid: 1000, additionalGids: [6] } };

/** Runs a command by a caller that has two groups more. */
async function byMember(runtime: Runtime, args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runtime.throughShell('exec setpriv --groups 4242,4343 -- "$@"', args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function groupsOf(runtime: Runtime, change: Change, annotations: Record<string, string>): Promise<unknown> {
  const id = runtime.newId();
  const bundle = runtime.bundle({ process: { ...USER, args: ["sleep", "1000"] }, ...change, top: { annotations } });
  await byMember(runtime, ["run", "--detach", "--bundle", bundle, id]);
  const { pid } = await runtime.state(id);
  const groups = statusLine(pid, "Groups")?.trim();
  const ofExec = (await byMember(runtime, ["exec", id, "grep", "Groups", "/proc/self/status"])).split(":")[1]?.trim();
  await runtime.remove(id);
  return { groups, ofExec };
}

oci(
  "the program and exec have the groups of the caller where they are to be kept, else those of config.json",
  async (runtime) => {
    const kept = { groups: "4242 4343", ofExec: "4242 4343" };
    const own = { groups: "6", ofExec: "6" };
    assert.deepEqual(await groupsOf(runtime, {}, { [KEEP]: "1" }), kept);
    assert.deepEqual(await groupsOf(runtime, {}, { [KEEP]: "0" }), own);
    assert.deepEqual(await groupsOf(runtime, {}, {}), own);
  },
);

oci("in a user namespace the groups are kept, and have the id of nobody there", async (runtime) => {
  const linux = { namespaces: [...NAMESPACES, { type: "user" }], uidMappings: MAPS, gidMappings: MAPS };
  const change = { linux };
  const kept = { groups: "4242 4343", ofExec: "65534 65534" };
  assert.deepEqual(await groupsOf(runtime, change, { [KEEP]: "1" }), kept);
  assert.deepEqual(await groupsOf(runtime, change, {}), { groups: "300006", ofExec: "6" });
});

oci("in a user namespace that is joined the groups are kept", async (runtime) => {
  const maps = { uidMappings: MAPS, gidMappings: MAPS };
  const first = await runtime.detached({ linux: { ...maps, namespaces: [...NAMESPACES, { type: "user" }] } });
  const { pid } = await runtime.state(first);
  const namespaces = [...NAMESPACES, { type: "user", path: `/proc/${pid}/ns/user` }];
  const kept = await groupsOf(runtime, { linux: { namespaces } }, { [KEEP]: "1" });
  await runtime.remove(first);
  assert.deepEqual(kept, { groups: "4242 4343", ofExec: "65534 65534" });
});
