/**
 * The groups of the runtime's caller, which a container keeps where an annotation asks for it: podman's `--group-add keep-groups`,
 * below podman without root, that is in a user namespace.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, type Json, NAMESPACES, oci, type Runtime } from "./bundles.ts";

const KEEP = "run.oci.keep_original_groups";
/** So few ids that the caller's groups are not among them. */
const IDS = "0,0,4000";
const MAP = [{ containerID: 0, hostID: 0, size: 2000 }];
const OWN_USER_NAMESPACE = { uidMappings: MAP, gidMappings: MAP, namespaces: [...NAMESPACES, { type: "user" }] };
const ARGS = ["grep", "Groups", "/proc/self/status"];

/** A directory with what unshare(1) has maps written by: newuidmap(1) itself gives only what is in /etc/subuid. */
function mapWriters(runtime: Runtime): string {
  const directory = mkdtempSync(join(runtime.directory, "writers-"));
  for (const kind of ["uid", "gid"]) {
    const path = join(directory, `new${kind}map`);
    writeFileSync(path, `#!/bin/sh\necho "$2 $3 $4" >/proc/$1/${kind}_map\n`);
    chmodSync(path, 0o755);
  }
  return directory;
}

/** Has a shell call the runtime, `"$@"`, as the root of a user namespace who is in two groups that have no id there. */
async function asMember(runtime: Runtime, args: string[], inner = 'exec "$@"'): Promise<string> {
  const enter = `unshare --user --map-users=${IDS} --map-groups=${IDS} --mount -- sh -c '${inner}' sh "$@"`;
  const script = `PATH=${mapWriters(runtime)}:$PATH exec setpriv --groups 4242,4343 -- ${enter}`;
  const { status, stdout, stderr } = await runtime.throughShell(script, args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const changeOf = (linux: Json, annotations: Json, args: string[]): Change => ({
  process: { user: { uid: 1000, gid: 1000, additionalGids: [6] }, args },
  linux,
  top: { annotations },
});

const shown = (text: string) => text.split(":")[1]?.trim();

for (const [where, linux] of [
  ["", {}],
  [" in a user namespace of its own", OWN_USER_NAMESPACE],
] as const) {
  oci(
    `without root, the program${where} keeps the caller's groups if it is to, else it has its own`,
    async (runtime) => {
      const groupsOf = async (annotations: Json) => {
        const bundle = runtime.bundle(changeOf(linux, annotations, ARGS));
        return shown(await asMember(runtime, ["run", "--bundle", bundle, runtime.newId()]));
      };
      assert.equal(await groupsOf({ [KEEP]: "1" }), "65534 65534");
      assert.equal(await groupsOf({ [KEEP]: "0" }), "6");
      assert.equal(await groupsOf({}), "6");
    },
  );
}

oci("exec into a container that keeps groups has those of its own caller", async (runtime) => {
  const id = runtime.newId();
  const bundle = runtime.bundle(changeOf({}, { [KEEP]: "1" }, ["sleep", "1000"]));
  const around = `"$1" "$2" "$3" run --detach --bundle ${bundle} ${id} && "$@" && "$1" "$2" "$3" delete --force ${id}`;
  assert.equal(shown(await asMember(runtime, ["exec", id, ...ARGS], around)), "65534 65534");
});

oci("the groups of the host's root are not kept", async (runtime) => {
  const { status, stderr } = await runtime.run({ script: "true", top: { annotations: { [KEEP]: "1" } } });
  assert.equal(status, 1);
  assert.match(stderr, /run\.oci\.keep_original_groups: the groups of the host's root are not kept/);
});
