import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RUN_FLAGS } from "../../../src/cli/run-flags.ts";
import { runOptionsOf } from "../../../src/cli/run-options.ts";
import { composeSpec } from "../../../src/container/compose.ts";
import type { ComposeContext } from "../../../src/container/compose-context.ts";
import { BUILT_IN_DEFAULTS } from "../../../src/container/options.ts";
import { containerPaths, stateRoot } from "../../../src/container/paths.ts";
import { parseSecurityOptions } from "../../../src/container/security-options.ts";
import { Failure } from "../../../src/failure.ts";
import type { Spec } from "../../../src/spec/config.ts";
import { parseFlags } from "../../../src/term/flags.ts";

const MIB = 1024 ** 2;
const ID = "alpine-c4a2f1";
const PATHS = containerPaths(stateRoot("/var/lib/mycontainer"), ID);
const OUTSIDE = { cwd: "/work", environ: [], readFile: () => "" };

const CONTEXT: ComposeContext = {
  id: ID,
  image: { Cmd: ["/bin/sh"], Env: ["PATH=/usr/bin:/bin", "LANG=C"] },
  defaults: BUILT_IN_DEFAULTS,
  rootPath: PATHS.rootfs,
  networkFiles: PATHS,
  cgroupKind: "v2",
  user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
  security: parseSecurityOptions([]),
  terminal: false,
  joined: {},
  devices: [],
  volumes: {},
};

function compose(flags: string, context: Partial<ComposeContext> = {}, command: readonly string[] = []): Spec {
  return composeArguments([...flags.split(" ").filter((word) => word !== ""), "alpine", ...command], context);
}

function composeWithRule(rule: string, context: Partial<ComposeContext>): Spec {
  return composeArguments(["--device-cgroup-rule", rule, "alpine"], context);
}

function composeArguments(argv: readonly string[], context: Partial<ComposeContext>): Spec {
  const parsed = parseFlags("run", RUN_FLAGS, argv, { stopAtFirstWord: true });
  const options = runOptionsOf(parsed.flags, parsed.rest, OUTSIDE);
  return composeSpec(options, { ...CONTEXT, security: parseSecurityOptions(options.securityOpts), ...context });
}

function checkGolden(name: string, spec: Spec): void {
  const golden = fileURLToPath(new URL(`golden/${name}.json`, import.meta.url));
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
}

const mountAt = (spec: Spec, target: string) => spec.mounts?.find(({ destination }) => destination === target);

test("a container of which nothing is asked is the golden one", () => {
  checkGolden("plain", compose(""));
});

test("a container with limits, mounts and a user is the golden one", () => {
  const flags =
    "-m 1g --memory-swap 2g --cpus 1.5 --pids-limit 100 --cpu-shares 512 --cpuset-cpus 0-1 --ulimit nofile=1024:2048 " +
    "-v /srv:/srv:ro -v data:/data --tmpfs /run:size=1m --read-only -u app -w /srv -e A=B --cap-drop ALL --cap-add NET_RAW " +
    "--sysctl net.core.somaxconn=10 --hostname web --oom-score-adj 10 -t";
  const user = { uid: 1000, gid: 1000, additionalGids: [10], home: "/home/app" };
  checkGolden(
    "limited",
    compose(flags, { user, terminal: true, volumes: { "/data": "/var/lib/mycontainer/volumes/data" } }),
  );
});

test("a privileged container on cgroups version 1 is the golden one", () => {
  checkGolden("privileged", compose("--privileged", { cgroupKind: "v1" }));
});

test("a container with user ids of its own is the golden one", () => {
  checkGolden("userns", compose("--userns auto", { idMap: { hostID: 100_000, size: 65_536 } }));
});

test("a container that shares all that can be shared is the golden one", () => {
  checkGolden("shared", compose("--network host --pid host --ipc host --uts host --cgroupns host"));
});

test("/tmp takes half of the memory limit, whatever that is, and all where there is none", () => {
  assert.ok(mountAt(compose(""), "/tmp")?.options?.includes(`size=${256 * MIB}`));
  assert.ok(mountAt(compose("-m 6m"), "/tmp")?.options?.includes(`size=${3 * MIB}`));
  assert.ok(!mountAt(compose("-m 0"), "/tmp")?.options?.some((option) => option.startsWith("size=")));
});

test("what is asked for at the place of a default mount takes that place", () => {
  const spec = compose("-v /srv:/tmp/ --tmpfs /dev/shm:size=1m");
  assert.equal(mountAt(spec, "/tmp")?.source, "/srv");
  assert.equal(spec.mounts?.filter(({ destination }) => destination === "/dev/shm").length, 1);
});

test("mounts come after those that they lie on", () => {
  const targets = compose("-v /x:/a/b/c -v /y:/a --tmpfs /a/b").mounts?.map(({ destination }) => destination) ?? [];
  assert.deepEqual(targets.slice(-3), ["/a", "/a/b", "/a/b/c"]);
});

test("the image's command is run if none is given, after its entrypoint", () => {
  const image = { Entrypoint: ["/entry", "-x"], Cmd: ["serve"] };
  assert.deepEqual(compose("", { image }).process?.args, ["/entry", "-x", "serve"]);
  assert.deepEqual(compose("", { image }, ["other"]).process?.args, ["/entry", "-x", "other"]);
});

test("an entrypoint that is given takes the image's command away, too", () => {
  const image = { Entrypoint: ["/entry"], Cmd: ["serve"] };
  assert.deepEqual(compose("--entrypoint /mine", { image }).process?.args, ["/mine"]);
  assert.deepEqual(compose("--entrypoint=", { image }, ["sh"]).process?.args, ["sh"]);
  assert.throws(() => compose("--entrypoint=", { image }), /names no command/);
});

test("variables of flags win over the image's, and a name alone takes one away", () => {
  const env = compose("-e LANG=de -e NOT_THERE -e PATH").process?.env ?? [];
  assert.deepEqual(env, [`HOSTNAME=${ID}`, "LANG=de", "HOME=/root"]);
});

test("a terminal has a type, and HOME is the user's unless it is set", () => {
  assert.ok(compose("", { terminal: true }).process?.env?.includes("TERM=xterm"));
  const user = { uid: 5, gid: 5, additionalGids: [], home: "/home/five" };
  assert.ok(compose("", { user }).process?.env?.includes("HOME=/home/five"));
  assert.ok(!compose("-e HOME=/x", { user }).process?.env?.includes("HOME=/home/five"));
});

test("users other than root get no new privileges and have no capabilities", () => {
  const user = { uid: 5, gid: 5, additionalGids: [], home: "/" };
  const { process } = compose("--cap-add SYS_ADMIN", { user });
  assert.equal(process?.noNewPrivileges, true);
  assert.deepEqual(process?.capabilities?.effective, []);
  assert.deepEqual(process?.capabilities?.ambient, []);
  assert.ok(process?.capabilities?.bounding?.includes("CAP_SYS_ADMIN"));
  assert.equal(compose("").process?.noNewPrivileges, false);
  assert.equal(compose("--security-opt no-new-privileges").process?.noNewPrivileges, true);
  assert.equal(compose("--security-opt no-new-privileges=false", { user }).process?.noNewPrivileges, false);
});

test("devices are denied first, then allowed one by one", () => {
  const device = { type: "c", path: "/dev/fuse", major: 10, minor: 229, access: "rw" } as const;
  const rules = composeWithRule("c 10:200 r", { devices: [device] }).linux?.resources?.devices;
  assert.deepEqual(rules, [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", access: "rw", major: 10, minor: 229 },
    { allow: true, type: "c", access: "r", major: 10, minor: 200 },
  ]);
});

test("volumes of the image are mounted unless something else is", () => {
  const image = { Cmd: ["sh"], Volumes: { "/data": {}, "/log": {} } };
  const spec = compose("--tmpfs /log", { image, volumes: { "/data": "/volumes/one" } });
  assert.equal(mountAt(spec, "/data")?.source, "/volumes/one");
  assert.equal(mountAt(spec, "/log")?.type, "tmpfs");
});

test("as much swap again as memory is allowed, unless something else is asked for", () => {
  const memory = (flags: string) => compose(flags).linux?.resources?.memory;
  assert.deepEqual(memory(""), { limit: 512 * MIB, swap: 1024 * MIB });
  assert.deepEqual(memory("--memory-swap 0"), { limit: 512 * MIB, swap: 1024 * MIB });
  assert.deepEqual(memory("--memory-swap 512m"), { limit: 512 * MIB, swap: 512 * MIB });
  assert.deepEqual(memory("--memory-swap -1"), { limit: 512 * MIB, swap: -1 });
  assert.deepEqual(memory("-m 0"), {});
});

test("limits of memory that contradict each other are refused", () => {
  assert.throws(() => compose("--memory-swap 100m"), /is below the memory limit/);
  assert.throws(() => compose("-m 0 --memory-swap 1g"), /--memory-swap needs a memory limit/);
  assert.throws(() => compose("--memory-reservation 1g"), Failure);
});

test("CPU time is a quota of a period, from cores or as it is given", () => {
  const cpu = (flags: string) => compose(flags).linux?.resources?.cpu;
  assert.deepEqual(cpu(""), { quota: 50_000, period: 100_000 });
  assert.deepEqual(cpu("--cpus 0"), {});
  assert.deepEqual(cpu("--cpu-quota 20000"), { quota: 20_000, period: 100_000 });
  assert.deepEqual(cpu("--cpu-period 50000"), { quota: 25_000, period: 50_000 });
});

test("a limit of 0 means none", () => {
  const resources = compose("-m 0 --cpus 0 --pids-limit 0").linux?.resources;
  assert.deepEqual([resources?.memory, resources?.cpu, resources?.pids], [{}, {}, {}]);
});
