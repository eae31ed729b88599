/** The OCI face in the hands of a user other than root, as below podman without root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Json, oci } from "./bundles.ts";
import { MYCONTAINER_RUNTIME } from "./harness.ts";

const UID = "4242";
const ROOT = "/sys/fs/cgroup";
const isV2 = existsSync(join(ROOT, "cgroup.controllers"));

/** Where this process is in the hierarchy that is looked at: that of `pids`, or the only one. */
function ownCgroup(): { hierarchy: string; directory: string } {
  const hierarchy = isV2 ? "" : "pids";
  const line = readFileSync("/proc/self/cgroup", "utf8")
    .split("\n")
    .find((text) => text.split(":")[1] === hierarchy);
  return { hierarchy, directory: join(ROOT, hierarchy, line?.split(":")[2] ?? "") };
}

oci("a container of a user who may make no cgroup stays in the user's, and is shown that one", async (runtime) => {
  // What a user is to reach can lie below no directory of root's alone.
  const place = join(runtime.directory, "user");
  for (const path of [place, join(place, "state"), join(place, "bundle")]) mkdirSync(path);
  chmodSync(runtime.directory, 0o711);
  execFileSync("cp", ["-a", runtime.rootfs, join(place, "bundle/rootfs")]);
  const executable = join(place, "mycontainer-runtime");
  copyFileSync(realpathSync(MYCONTAINER_RUNTIME), executable);
  execFileSync("chown", ["-R", `${UID}:${UID}`, place]);
  const asUser = (...args: string[]) =>
    execFileSync(
      "setpriv",
      [
        ...["--reuid", UID, "--regid", UID, "--clear-groups"],
        // podman has made these before it calls a runtime.
        ...["unshare", "--user", "--map-root-user", "--mount"],
        ...["env", "-i", executable, "--root", join(place, "state"), ...args],
      ],
      { encoding: "utf8", cwd: join(place, "bundle") },
    );
  asUser("spec", "--rootless");
  const config = JSON.parse(readFileSync(join(place, "bundle/config.json"), "utf8"));
  const { hierarchy, directory } = ownCgroup();
  const args = ["stat", "-c", "%i", join(ROOT, hierarchy)];
  // The user namespace is there, and a cgroup namespace would leave nothing to tell apart.
  const { uidMappings: _uids, gidMappings: _gids, namespaces, ...rest } = config.linux;
  const linux = {
    ...rest,
    namespaces: namespaces.filter(({ type }: Json) => type !== "user" && type !== "cgroup"),
  };
  const process = { ...config.process, terminal: false, args };
  writeFileSync(join(place, "bundle/config.json"), JSON.stringify({ ...config, process, linux }));
  assert.equal(asUser("run", runtime.newId()), `${statSync(directory).ino}\n`);
});
