import assert from "node:assert/strict";
import { test } from "node:test";
import { RUN_ALIASES, RUN_FLAGS } from "../../../src/cli/run-flags.ts";
import { RUN_HELP, runHelpLines } from "../../../src/cli/run-help.ts";
import { runOptionsOf } from "../../../src/cli/run-options.ts";
import type { RunOptions } from "../../../src/container/options.ts";
import { Failure } from "../../../src/failure.ts";
import { parseFlags } from "../../../src/term/flags.ts";

const files: Record<string, string> = { labels: "# ours\nfrom=file\nboth=file\n" };
const context = { cwd: "/work", environ: ["OWN=mine"], readFile: (path: string) => files[path] ?? "" };

function options(...argv: string[]): RunOptions {
  const { flags, rest } = parseFlags("run", RUN_FLAGS, argv, { stopAtFirstWord: true, aliases: RUN_ALIASES });
  return runOptionsOf(flags, rest, context);
}

test("an image alone asks for nothing else", () => {
  assert.deepEqual(options("busybox"), {
    image: "busybox",
    rootfs: false,
    command: [],
    detach: false,
    init: false,
    privileged: false,
    readonlyRoot: false,
    env: [],
    expose: [],
    groupAdd: [],
    labels: {},
    limits: {},
    rlimits: [],
    mounts: [],
    devices: [],
    deviceRules: [],
    network: { kind: "bridge" },
    publish: [],
    publishAll: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: [],
    pid: { kind: "private" },
    ipc: { kind: "private" },
    uts: { kind: "private" },
    userns: false,
    capAdd: [],
    capDrop: [],
    securityOpts: [],
    sysctls: {},
    sigProxy: true,
  });
});

test("without an image there is nothing to run", () => {
  assert.throws(() => options("--init"), /'run' needs an image/);
});

test("what follows the image is the command's, flags and all", () => {
  assert.deepEqual(options("-q", "busybox", "ls", "-l", "--help").command, ["ls", "-l", "--help"]);
});

test("what the defaults are is not decided here", () => {
  assert.deepEqual(options("-m", "0", "--cpus", "0", "--pids-limit", "-1", "b").limits, {
    memoryBytes: 0,
    cpus: 0,
    pids: 0,
  });
  assert.equal(options("b").remove, undefined);
  assert.equal(options("--rm=false", "b").remove, false);
});

test("limits are in bytes, cores and microseconds", () => {
  const argv = ["-m", "1g", "--memory-swap", "-1", "--memory-reservation", "512m", "--memory-swappiness", "60"];
  argv.push("--cpu-period", "50000", "--cpu-quota", "25000", "-c", "512", "--cpuset-cpus", "0-1", "--cpuset-mems", "0");
  argv.push("--pids-limit", "100", "--blkio-weight", "300", "--oom-kill-disable");
  assert.deepEqual(options(...argv, "b").limits, {
    memoryBytes: 1024 ** 3,
    memorySwapBytes: -1,
    memoryReservationBytes: 512 * 1024 ** 2,
    memorySwappiness: 60,
    cpuPeriodMicros: 50_000,
    cpuQuotaMicros: 25_000,
    cpuShares: 512,
    cpusetCpus: "0-1",
    cpusetMems: "0",
    pids: 100,
    blkioWeight: 300,
    oomKillDisable: true,
  });
});

test("an empty entrypoint takes the image's away", () => {
  assert.deepEqual(options("--entrypoint", "", "b").entrypoint, []);
  assert.deepEqual(options("--entrypoint", "/bin/a b", "b").entrypoint, ["/bin/a b"]);
});

test("labels of flags win over those of files", () => {
  const { labels } = options("-l", "both=flag", "--label", "alone", "--label-file", "labels", "b");
  assert.deepEqual(labels, { from: "file", both: "flag", alone: "" });
});

test("a label called __proto__ is one like any other", () => {
  assert.deepEqual(Object.entries(options("-l", "__proto__=x", "b").labels), [["__proto__", "x"]]);
});

test("networks and namespaces are new, the host's or another container's", () => {
  assert.deepEqual(options("--net", "none", "b").network, { kind: "none" });
  assert.deepEqual(options("--network", "container:web", "b").network, { kind: "container", container: "web" });
  assert.deepEqual(options("--pid", "container:web", "--ipc", "host", "b").pid, {
    kind: "container",
    container: "web",
  });
  assert.throws(() => options("--network", "lan", "b"), /there is no network 'lan'/);
  assert.throws(() => options("--network", "container:", "b"), Failure);
  assert.throws(() => options("--uts", "container:web", "b"), /bad value 'container:web' of --uts/);
});

test("values that are malformed are refused before anything is done", () => {
  const bad = [
    ["--hostname", "a_b"],
    ["--hostname", "x".repeat(64)],
    ["--workdir", "tmp"],
    ["--stop-signal", "SIGNOPE"],
    ["--sysctl", "net.a"],
    ["--userns", "keep-id"],
    ["--ulimit", "nofile"],
    ["--oom-score-adj", "1001"],
    ["--memory-swap", "-2"],
    ["--cpu-period", "999"],
  ];
  for (const flags of bad) assert.throws(() => options(...flags, "b"), Failure, flags.join(" "));
});

test("flags of which one would make the other mean nothing are refused", () => {
  const contradictions = [
    ["-d", "-i"],
    ["--cpus", "1", "--cpu-quota", "50000"],
    ["--cpus", "1", "--cpu-period", "50000"],
    ["--trace", "--dry-run"],
    ["--uts", "host", "--hostname", "a"],
    ["--uts", "host", "--domainname", "a"],
    ["--network", "none", "-p", "80"],
    ["--network", "host", "-p", "80"],
    ["--network", "container:a", "-p", "80"],
    ["--network", "container:a", "--dns", "1.1.1.1"],
    ["--network", "container:a", "--add-host", "a:1.1.1.1"],
  ];
  for (const flags of contradictions)
    assert.throws(() => options(...flags, "b"), /contradict each other/, flags.join(" "));
  assert.throws(() => options("--format", "json", "b"), /--format is how --dry-run prints/);
  for (const flags of [["-dit"], ["-it"], ["--dry-run", "--format", "json"], ["--uts", "host"], ["-dit", "--rm"]])
    options(...flags, "b");
});

test("two mounts on one place are refused, however they are asked for", () => {
  assert.throws(() => options("-v", "/a:/b", "--tmpfs", "/b", "b"), /two mounts on '\/b'/);
  assert.throws(() => options("--mount", "type=tmpfs,dst=/b/", "-v", "/b", "b"), /two mounts on '\/b'/);
});

test("help tells of every flag once, and of no other", () => {
  const told = Object.values(RUN_HELP).flatMap((group) => Object.keys(group));
  assert.deepEqual(told.toSorted(), Object.keys(RUN_FLAGS).toSorted());
});

test("help shows a value where a flag takes one, and only there", () => {
  const shown = new Map(Object.values(RUN_HELP).flatMap((group) => Object.entries(group)));
  for (const [name, flag] of Object.entries(RUN_FLAGS))
    assert.equal(shown.get(name)?.[0] === "", flag.kind === "toggle", name);
});

test("no two flags have the same letter", () => {
  const letters = Object.values(RUN_FLAGS).flatMap(({ short }) => (short === "" ? [] : [short]));
  assert.equal(new Set(letters).size, letters.length);
});

test("help is in groups, and its columns are the same in all", () => {
  const lines = runHelpLines();
  assert.equal(lines[0], "Usage: mycontainer run [FLAGS] IMAGE [COMMAND] [ARGUMENT...]");
  assert.ok(lines.includes("Limits:"));
  const memory = lines.find((line) => line.includes("--memory SIZE")) ?? "";
  const publish = lines.find((line) => line.includes("--publish ")) ?? "";
  assert.equal(memory.indexOf("Memory limit"), publish.indexOf("Make a port"));
});
