/**
 * Learns which parts of the program's heap commands use, so that the executable has them beside each other (native/src/layout.rs,
 * docs/decisions/0025-layout.md): runs those that engines wait for, in namespaces of their own and without cgroups.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What all commands together may take, in milliseconds. */
const PATIENCE = 60_000;

/** The life of two containers, one after the other: the first ends by itself. `$observe` runs a command of the program. */
const LIVES = `
set -eu
observe="$1 --observe $2 $3"
runtime="$observe mycontainer-runtime --root state --cgroup-manager=disabled"
$runtime run --bundle short first
$runtime create --bundle long --pid-file pid second
$runtime state second
$runtime start second
$runtime exec second /bin/true
$runtime kill second KILL
while [ -e "/proc/$(cat pid)/exe" ]; do :; done
$runtime delete second
"$1" --observe ignored "$3" mycontainer import busybox.tar busybox
$observe mycontainer run --dry-run busybox true
$observe mycontainer ps
`;

/** Namespaces in which nothing of the machine's network, mounts and processes is seen; what runs in them ends with them. */
function apart() {
  const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return process.getuid() === 0 ? namespaces : [...namespaces, "--map-root-user"];
}

/** A bundle with the root file system of `image` whose program is `args`, and a filter of system calls as engines give one. */
function makeBundle(bundle, image, args, spec) {
  mkdirSync(join(bundle, "rootfs"), { recursive: true });
  execFileSync("tar", ["-C", join(bundle, "rootfs"), "--no-same-owner", "-xf", image]);
  const { resources: _, ...linux } = spec.linux;
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["bpf", "keyctl", "mount"], action: "SCMP_ACT_ERRNO" }],
  };
  const config = { ...spec, process: { ...spec.process, args, terminal: false }, linux: { ...linux, seccomp } };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
}

/**
 * Has `host` observe commands of the program in `archive`, with `image` as the containers' files, and write what they use to `record`.
 * Undefined if all could be run, otherwise the reason; there is a record in any case. What is run first lies together best.
 */
export function observeCommands({ host, codec, archive, image, record }) {
  const work = mkdtempSync(join(tmpdir(), "mycontainer-build-"));
  const env = { ...process.env, MYCONTAINER_ROOT: join(work, "lib"), MYCONTAINER_RUN: join(work, "run") };
  const options = { cwd: work, env, encoding: "utf8", timeout: PATIENCE };
  try {
    // The engine looks for its helper beside its executable.
    const copy = join(work, "mycontainer");
    copyFileSync(host, copy);
    copyFileSync(codec, join(work, "mycontainer-codec"));
    copyFileSync(image, join(work, "busybox.tar"));
    execFileSync(copy, ["--observe", record, archive, "mycontainer", "--version"], options);
    execFileSync(copy, ["--observe", "ignored", archive, "mycontainer-runtime", "spec"], options);
    const spec = JSON.parse(readFileSync(join(work, "config.json"), "utf8"));
    makeBundle(join(work, "short"), image, ["true"], spec);
    makeBundle(join(work, "long"), image, ["sleep", "1000"], spec);
    const lives = spawnSync("unshare", [...apart(), "sh", "-c", LIVES, "sh", copy, record, archive], {
      ...options,
      stdio: ["ignore", "ignore", "pipe"],
    });
    return lives.status === 0 ? undefined : (lives.error?.message ?? lives.stderr.trim().split("\n").at(-1));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
