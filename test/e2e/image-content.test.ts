/** What is in an image is data: nothing of it is run or loaded by us, and nothing that is said in it steers the host (E2, E6). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { removeAll } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER, start } from "./harness.ts";
import { layoutOf } from "./image-layout.ts";
import { openRegistry, takeUploads } from "./scripted-registry.ts";
import { type TarEntry, tar } from "./tar.ts";

const OURS = dirname(MYCONTAINER);
const BUSYBOX = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();

/** Programs and libraries that an engine could be led to run (CVE-2019-14271): each would leave a file behind. */
const TOOLS = [
  "gzip",
  "gunzip",
  "zstd",
  "unpigz",
  "pigz",
  "xz",
  "tar",
  "bsdtar",
  "cp",
  "mount",
  "ip",
  "nft",
  "iptables",
  "sh",
];
const LIBRARIES = ["libnss_files.so.2", "libnss_dns.so.2", "libc.so.6", "libz.so.1", "evil.so"];

/** Compiles a library whose loading, and a program whose start, makes a file in /ran, or in `marks` on the host. */
function compile(directory: string, marks: string): { program: Buffer; library: Buffer } {
  const source = join(directory, "trap.c");
  writeFileSync(
    source,
    `#include <fcntl.h>
#include <unistd.h>
static void mark(void) { close(open("/ran/it", O_CREAT | O_WRONLY, 0666)); close(open("${marks}/it", O_CREAT | O_WRONLY, 0666)); }
__attribute__((constructor)) static void loaded(void) { mark(); }
int main(void) { return 0; }
`,
  );
  const build = (name: string, ...flags: string[]) => {
    execFileSync("gcc", [...flags, "-o", join(directory, name), source], { stdio: "inherit" });
    return readFileSync(join(directory, name));
  };
  return { program: build("trap", "-static"), library: build("trap.so", "-shared", "-fPIC") };
}

function trappedRoot({ program, library }: { program: Buffer; library: Buffer }): Buffer {
  const file = (name: string, data: Buffer | string, mode = 0o755): TarEntry => ({ name, data, mode });
  const linked = (names: string[], directories: string[]): TarEntry[] =>
    directories.flatMap((directory) =>
      names.map((name) => ({
        name: `${directory}/${name}`,
        type: "1",
        link: `trap/${directory.includes("bin") ? "program" : "library"}`,
      })),
    );
  return tar(
    file("busybox", readFileSync(BUSYBOX)),
    { name: "ran", type: "5", mode: 0o777 },
    file("trap/program", program),
    file("trap/library", library),
    ...linked(TOOLS, ["bin", "usr/bin", "sbin", "usr/local/bin"]),
    ...linked(LIBRARIES, ["lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu"]),
    file("etc/ld.so.preload", "/lib/evil.so\n", 0o644),
    file("etc/ld.so.conf", "/lib\n", 0o644),
    file("etc/nsswitch.conf", "passwd: files dns\ngroup: files dns\nhosts: dns\n", 0o644),
    file("etc/passwd", "alice:x:1000:1000::/:/bin/sh\n", 0o644),
    file("etc/group", "users:x:1000:alice\n", 0o644),
    file(".gitconfig", "x", 0o644),
  );
}

/** What a command has executed: the lines of strace(1), with the paths of descriptors. */
async function executedBy(engine: Engine, args: string[]): Promise<string[]> {
  const log = join(engine.directory, "strace.log");
  const command = [
    "strace",
    "-f",
    "-qq",
    "-y",
    "-e",
    "trace=execve,execveat",
    "-e",
    "signal=none",
    "-o",
    log,
    MYCONTAINER,
  ];
  const { status, stderr } = await start(engine.directory, [...command, ...args], { env: engine.env }).ended;
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /execve(at)?\(/.test(line) && !/= -1 /.test(line));
}

e2e("nothing of an image is run or loaded, whatever is done with it", async (engine) => {
  const marks = join(engine.directory, "marks");
  const ran = join(engine.directory, "ran");
  const out = join(engine.directory, "out.tar");
  for (const directory of [marks, ran]) mkdirSync(directory, { mode: 0o777 });
  const root = trappedRoot(compile(engine.directory, marks));
  const archive = join(engine.directory, "trapped.tar");
  writeFileSync(
    archive,
    layoutOf({ name: "docker.io/library/trapped:2", layers: [root], compression: "zstd" }).archive,
  );
  const plain = join(engine.directory, "root.tar");
  writeFileSync(plain, root);
  const registry = await openRegistry();
  try {
    registry.image("trapped:3", [root]);
    const pushed = `${registry.host}/trapped:3`;
    const inside = ["--network", "none", "-v", `${ran}:/ran`, "-w", "/trap", "-e", "LD_PRELOAD=/lib/evil.so"];
    const executed: string[] = [];
    const traced = async (...args: string[]) => void executed.push(...(await executedBy(engine, args)));
    await traced("import", plain, "trapped:1");
    await traced("load", "-i", archive);
    await traced("pull", pushed);
    await traced("run", "--rm", "--user", "alice:users", ...inside, "trapped:1", "/busybox", "true");
    // Not traced: strace(1) would wait for its end.
    const command = ["run", "-d", "--name", "trapped", ...inside, pushed, "/busybox", "sleep", "1000"];
    assert.equal((await engine.call(command)).status, 0);
    await traced("exec", "--user", "alice", "trapped", "/busybox", "true");
    await traced("diff", "trapped");
    await traced("commit", "trapped", "trapped:4");
    await traced("export", "-o", out, "trapped");
    await traced("save", "-o", out, "trapped:4", "trapped:2");
    takeUploads(registry);
    await traced("push", pushed);
    const other = executed.filter((line) => !line.includes(OURS) && !line.includes('"/busybox"'));
    assert.deepEqual(other, []);
    assert.ok(executed.length > 20, "nothing was looked at");
    assert.deepEqual([...readdirSync(marks), ...readdirSync(ran)], []);
    // The traps do work where they are asked for.
    assert.equal((await engine.call(["exec", "trapped", "/bin/gzip"])).status, 0);
    assert.deepEqual(readdirSync(ran), ["it"]);
    await removeAll(engine, "trapped");
    for (const name of ["trapped:1", "trapped:2", pushed, "trapped:4"]) await engine.call(["rmi", name]);
  } finally {
    await registry.close();
  }
});

e2e("our own programs have no interpreter, so that nothing is loaded into them", async () => {
  for (const name of ["mycontainer", "mycontainer-codec", "mycontainer-fetch"]) {
    const headers = execFileSync("readelf", ["-lW", join(OURS, name)], { encoding: "utf8" });
    assert.doesNotMatch(headers, /INTERP/, name);
  }
});

/** What engines and runtimes take orders by, in annotations and in labels. */
const ORDERS = {
  "io.podman.annotations.privileged": "TRUE",
  "io.podman.annotations.seccomp": "unconfined",
  "io.podman.annotations.userns": "host",
  "io.kubernetes.cri-o.TrustedSandbox": "true",
  "io.kubernetes.cri-o.Devices": "/dev/sda:/dev/sda:rwm",
  "io.kubernetes.cri.container-type": "sandbox",
  "io.container.manager": "mycontainer",
  "run.oci.keep_original_groups": "1",
  "run.oci.hooks.stdout": "/tmp/hooks",
  "run.oci.seccomp_bpf_file": "/etc/passwd",
  "run.oci.mount_context_type": "rootcontext",
  "run.oci.systemd.subgroup": "../..",
  "run.oci.handler": "wasm",
  "module.wasm.image/variant": "compat",
  "org.criu.config": "/etc/passwd",
  "org.systemd.property.ExecStartPre": "['/bin/true']",
  "org.systemd.property.DeviceAllow": "[('/dev/sda', 'rwm')]",
  "com.docker.official-images.bashbrew.arch": "amd64",
  "com.docker.security.privileged": "true",
  "mycontainer.version": "0",
  "mycontainer.privileged": "true",
  "mycontainer.state": '{"status":"running","init":{"pid":1}}',
  "io.containerd.image.name": "docker.io/library/busybox:latest",
  "org.opencontainers.image.ref.name": "docker.io/library/busybox:latest",
  "\u001b[31mred": "\u001b[2J",
  ["__proto__"]: "x",
  constructor: "x",
};
/** What docker's own records have beside a configuration. */
const RECORDS = {
  HostConfig: { Privileged: true, Binds: ["/:/host"], NetworkMode: "host", PidMode: "host", CapAdd: ["ALL"] },
  NetworkDisabled: true,
  Hostname: "host",
  Domainname: "host",
  Tty: true,
  OpenStdin: true,
  OnBuild: ["RUN true"],
  Healthcheck: { Test: ["CMD", "/bin/true"], Interval: 1 },
  Mounts: [{ Source: "/", Destination: "/host" }],
  hooks: { prestart: [{ path: "/bin/true" }] },
};

e2e("what labels, annotations and foreign fields of an image say changes nothing of its containers", async (engine) => {
  const layer = tar({ name: "busybox", mode: 0o755, data: readFileSync(BUSYBOX) });
  const registry = await openRegistry();
  try {
    registry.image("plain:1", [layer]);
    registry.image("plain:2", [layer], { config: { Cmd: ["sh"], Labels: ORDERS, ...RECORDS }, annotations: ORDERS });
    const plans: string[] = [];
    for (const tag of ["1", "2"]) {
      const name = `${registry.host}/plain:${tag}`;
      const pulled = await engine.call(["pull", name]);
      assert.equal(pulled.status, 0, pulled.stderr);
      const args = ["run", "--dry-run", "--name", "plain", "--network", "none", name, "/busybox", "true"];
      const planned = await engine.call(args);
      assert.equal(planned.status, 0, planned.stderr);
      plans.push(planned.stdout.replaceAll(name, "IMAGE").replaceAll(/plain-[0-9a-f]{6}/g, "ID"));
      const { status, stderr } = await engine.call(["run", "--rm", "--network", "none", name, "/busybox", "true"]);
      assert.equal(status, 0, stderr);
    }
    assert.ok((plans[0] ?? "").length > 1000);
    assert.equal(plans[1], plans[0]);
    const { stdout } = await engine.call(["images"]);
    assert.equal(stdout.split("\n").filter((line) => line.startsWith("busybox ")).length, 1, "a name was taken");
    for (const tag of ["1", "2"]) await engine.call(["rmi", `${registry.host}/plain:${tag}`]);
  } finally {
    await registry.close();
  }
});
