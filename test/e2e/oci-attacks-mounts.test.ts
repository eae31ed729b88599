/**
 * Attacks on the OCI face by targets of mounts, and by what is mounted or changed inside: docs/security.md: R7, and mounts in a
 * user namespace.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { addAttacker, countsOf, makeRoot } from "./hostile.ts";
import { type Json, makeBundle, namespaces, oci, type Runtime, runScript, withPeer } from "./oci-bundles.ts";

const PROC = { destination: "/proc", type: "proc", source: "proc" };
const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const MASKED = ["/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware", "/proc/interrupts"];

/** A directory of the host, which no container is given. */
function hostDirectory(runtime: Runtime): string {
  const directory = mkdtempSync(join(runtime.directory, "host-"));
  writeFileSync(join(directory, "file"), "of the host\n");
  return directory;
}

/** What the mount table of the host has below a directory. */
const mountsBelow = (directory: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${directory}/`));

const TARGETS: readonly (readonly [string, string])[] = [
  ["/../../../../../../../../tmp", "out of the root"],
  ["/proc/1/root", "to the root of the first process"],
  ["/proc/self/cwd", "to a working directory"],
  ["/proc/self/fd/3", "to a descriptor"],
];

for (const [link, where] of TARGETS) {
  oci(`a mount whose target is a link ${where} stays in the root, or is refused`, async (runtime) => {
    const root = makeRoot(runtime);
    const host = hostDirectory(runtime);
    symlinkSync(link, join(root, "link"));
    mkdirSync(join(root, "tmp"));
    const mounts = (mount: Json) => [PROC, DEV, mount];
    for (const mount of [
      { destination: "/link/canary", type: "tmpfs", source: "tmpfs" },
      { destination: "/link", type: "bind", source: host, options: ["rbind"] },
      { destination: "/link/new/deep", type: "bind", source: join(host, "file"), options: ["bind"] },
    ]) {
      await runScript(runtime, "true", { mounts: mounts(mount) }, root);
      assert.deepEqual(mountsBelow("/tmp/canary"), []);
      assert.ok(!existsSync("/tmp/canary"));
      assert.ok(!existsSync("/tmp/new"));
      assert.deepEqual(readdirSync(host), ["file"]);
    }
  });
}

oci("a mount that is made in a container never shows on the host, but where shared was asked for", async (runtime) => {
  const host = mkdtempSync(join(runtime.directory, "shared-"));
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", host]);
  execFileSync("mount", ["--make-shared", host]);
  try {
    const admin = ["CAP_SYS_ADMIN"];
    const process = { capabilities: { bounding: admin, effective: admin, permitted: admin } };
    mkdirSync(join(host, "in"));
    const script = 'mkdir -p /shared/in; mount -t tmpfs canary /shared/in && test -n "$(grep canary /proc/mounts)"';
    for (const option of [[], ["private"], ["rprivate"], ["slave"], ["rslave"], ["unbindable"], ["rshared"]]) {
      for (const rootfsPropagation of ["", "rslave", "rshared", "rprivate"]) {
        const mounts = [
          PROC,
          DEV,
          { destination: "/shared", type: "bind", source: host, options: ["rbind", ...option] },
        ];
        const { status, stderr } = await runScript(runtime, script, { mounts, process, linux: { rootfsPropagation } });
        assert.equal(status, 0, stderr);
        const seen = mountsBelow(host);
        if (seen.length > 0) execFileSync("umount", [join(host, "in")]);
        // A root that is a slave, with all below it, takes back what one mount was given.
        const asked = option.includes("rshared") && rootfsPropagation !== "rslave";
        assert.equal(seen.length > 0, asked, `${option} ${rootfsPropagation}: ${seen}`);
      }
    }
  } finally {
    execFileSync("umount", ["-R", host]);
  }
});

oci(
  "a root that is below a shared mount gets nothing mounted on the host, whatever its propagation",
  async (runtime) => {
    const host = mkdtempSync(join(runtime.directory, "shared-"));
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", host]);
    execFileSync("mount", ["--make-shared", host]);
    try {
      const root = join(host, "root");
      execFileSync("cp", ["-a", makeRoot(runtime), root]);
      const admin = ["CAP_SYS_ADMIN"];
      const process = { capabilities: { bounding: admin, effective: admin, permitted: admin } };
      for (const rootfsPropagation of [
        "",
        "private",
        "rprivate",
        "slave",
        "rslave",
        "shared",
        "rshared",
        "unbindable",
      ]) {
        for (const hooks of [{}, { createContainer: [{ path: "/bin/true" }] }]) {
          const change = { process, hooks, linux: { rootfsPropagation, maskedPaths: MASKED } };
          const { status, stderr } = await runScript(runtime, "mkdir -p /in; mount -t tmpfs canary /in", change, root);
          assert.equal(status, 0, stderr);
          assert.deepEqual(mountsBelow(host), [], rootfsPropagation);
        }
      }
    } finally {
      execFileSync("umount", ["-R", host]);
    }
  },
);

const STARTS = 60;

oci("mount targets that another container swaps never lead out of the root", async (runtime, t) => {
  const host = hostDirectory(runtime);
  const shared = mkdtempSync(join(runtime.directory, "swapped-"));
  mkdirSync(join(shared, "target"));
  symlinkSync(`/../../../../../../../..${host}`, join(shared, "link"));
  const volume = { destination: "/shared", type: "bind", source: shared, options: ["rbind"] };
  const attackerRoot = makeRoot(runtime);
  const args = [addAttacker(runtime, attackerRoot), "swap", "/shared/target", "/shared/link"];
  const bundle = makeBundle(runtime, args, { mounts: [PROC, DEV, volume] }, attackerRoot);
  const swapper = runtime.start(["run", "--bundle", bundle, "swapper"]);
  await swapper.sees("stdout", "ready");
  const mounts = [
    PROC,
    DEV,
    volume,
    { destination: "/shared/target/deep", type: "tmpfs", source: "tmpfs" },
    { destination: "/shared/target/bound", type: "bind", source: runtime.run, options: ["bind"] },
  ];
  const linux = { maskedPaths: ["/shared/target/file"], readonlyPaths: ["/shared/target"] };
  const victim = makeBundle(runtime, ["/bin/true"], { mounts, linux });
  for (let turn = 0; turn < STARTS; turn++) {
    await runtime.call(["run", "--bundle", victim, "victim"]);
    assert.deepEqual(readdirSync(host), ["file"], `in turn ${turn}`);
    assert.equal(mountsBelow(host).length, 0);
  }
  await runtime.must(["kill", "swapper", "TERM"]);
  const { seen = 0 } = countsOf((await swapper.ended).stdout);
  t.diagnostic(`${STARTS} starts during ${seen} exchanges`);
  assert.ok(seen > STARTS, "nothing was swapped");
});

const FIRST_ID = 100_000;
const MAPPING = [{ containerID: 0, hostID: FIRST_ID, size: 65_536 }];
const ADMIN = ["CAP_SYS_ADMIN"];
/** Root of a user namespace that may mount, and what the host is not to lose by that. */
const MOUNTER = {
  process: { capabilities: { bounding: ADMIN, effective: ADMIN, permitted: ADMIN } },
  linux: { namespaces: namespaces([], [{ type: "user" }]), uidMappings: MAPPING, gidMappings: MAPPING },
};

/** A root that belongs to root of the user namespace, with an attacker in it. */
function mappedRoot(runtime: Runtime): string {
  const root = makeRoot(runtime);
  addAttacker(runtime, root);
  chownSync(root, FIRST_ID, FIRST_ID);
  return root;
}

/** A tree of the host with a mask on a directory of it, and a part that nobody may write to. */
async function withGuardedTree(runtime: Runtime, body: (tree: string) => Promise<void>): Promise<void> {
  const tree = mkdtempSync(join(runtime.directory, "guarded-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "mode=755", "none", tree]);
  try {
    for (const name of ["secret", "fixed"]) {
      mkdirSync(join(tree, name));
      writeFileSync(join(tree, name, "file"), name);
    }
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "none", join(tree, "secret")]);
    execFileSync("mount", ["--bind", join(tree, "fixed"), join(tree, "fixed")]);
    execFileSync("mount", ["-o", "remount,bind,ro,nosuid,nodev,noexec", join(tree, "fixed")]);
    await body(tree);
  } finally {
    execFileSync("umount", ["-R", tree]);
  }
}

oci(
  "root of a user namespace cannot take back what the host's mounts are, nor a mask of the host's",
  async (runtime) => {
    const root = mappedRoot(runtime);
    await withGuardedTree(runtime, async (tree) => {
      const fixed = { destination: "/fixed", type: "bind", source: join(tree, "fixed"), options: ["bind"] };
      const mounts = [PROC, DEV, { destination: "/tree", type: "bind", source: tree, options: ["rbind"] }, fixed];
      const args = ["/attacker", "unlock", "/tree/fixed", "/tree/secret", "/fixed"];
      const guarded = makeBundle(runtime, args, { mounts, ...MOUNTER }, root);
      const { status, stdout, stderr } = await runtime.call(["run", "--bundle", guarded, "unlocks"]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(stdout.trim().split("\n"), [
        "/tree/fixed: ro=0 nosuid=0 nodev=0 noexec=0 remount=0 umount=0",
        "/tree/secret: ro=0 remount=0 umount=0",
        // What lies below that one is a directory of the root.
        "/fixed: ro=0 nosuid=0 nodev=0 noexec=0 remount=0 umount=1",
      ]);
      const attack = ["/attacker", "unlock", "/fixed"];
      const alone = makeBundle(runtime, attack, { mounts: [PROC, DEV, fixed], ...MOUNTER }, root);
      // It looks for the root with the rights of the user namespace.
      chmodSync(runtime.directory, 0o711);
      const compared = await withPeer("crun", runtime, alone);
      assert.match(compared.stdout, /ro=1 nosuid=1 nodev=1 noexec=1 remount=1/, compared.stderr);
    });
  },
);

oci(
  "what a config makes of a bind mount is locked in a user namespace, too, and so is a root of the host's",
  async (runtime) => {
    const root = mappedRoot(runtime);
    execFileSync("mount", ["--bind", root, root]);
    try {
      for (const name of ["one", "all", "proc", "dev"]) mkdirSync(join(root, name));
      execFileSync("mount", ["-o", "remount,bind,ro", root]);
      await withGuardedTree(runtime, async (tree) => {
        const mounts = [
          PROC,
          DEV,
          { destination: "/one", type: "bind", source: tree, options: ["bind", "ro", "nosuid"] },
          { destination: "/all", type: "bind", source: tree, options: ["rbind", "rro", "rnodev", "rslave"] },
        ];
        const args = ["/attacker", "unlock", "/one", "/all/secret", "/all", "/"];
        const bundle = makeBundle(runtime, args, { mounts, ...MOUNTER }, root);
        const { stdout, stderr } = await runtime.call(["run", "--bundle", bundle, "unlocks"]);
        assert.deepEqual(
          stdout.trim().split("\n"),
          [
            "/one: ro=0 nosuid=0 remount=0 umount=1",
            "/all/secret: ro=0 nodev=0 remount=0 umount=0",
            "/all: ro=0 nodev=0 remount=0 umount=1",
            "/: ro=0 remount=0 umount=0",
          ],
          stderr,
        );
      });
    } finally {
      execFileSync("umount", [root]);
    }
  },
);

oci("a mount that root of a user namespace makes never shows on the host, whatever was asked for", async (runtime) => {
  const host = mkdtempSync(join(runtime.directory, "shared-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", host]);
  execFileSync("mount", ["--make-shared", host]);
  try {
    mkdirSync(join(host, "in"));
    const root = mappedRoot(runtime);
    for (const option of ["private", "rslave", "rshared"]) {
      const mounts = [PROC, DEV, { destination: "/shared", type: "bind", source: host, options: ["rbind", option] }];
      const script = 'mount -t tmpfs canary /shared/in && test -n "$(grep canary /proc/mounts)"';
      const { status, stderr } = await runScript(runtime, script, { mounts, ...MOUNTER }, root);
      assert.equal(status, 0, stderr);
      assert.deepEqual(mountsBelow(host), [], option);
    }
    // And the other way round: what the host mounts later is seen, with attributes that are as locked.
    const args = ["/bin/sh", "-c", "echo up; read line; exec /attacker unlock /shared/in"];
    const mounts = [PROC, DEV, { destination: "/shared", type: "bind", source: host, options: ["rbind", "rslave"] }];
    const bundle = makeBundle(runtime, args, { mounts, ...MOUNTER }, root);
    const container = runtime.start(["run", "--bundle", bundle, "sees"], { interactive: true });
    await container.sees("stdout", "up");
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro,nosuid", "none", join(host, "in")]);
    container.write("go\n");
    assert.match((await container.ended).stdout, /^\/shared\/in: ro=0 nosuid=0 remount=0 umount=1$/m);
  } finally {
    execFileSync("umount", ["-R", host]);
  }
});
