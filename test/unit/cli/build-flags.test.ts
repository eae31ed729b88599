import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILD_FLAGS, type BuildOptions, buildOptionsOf } from "../../../src/cli/build-flags.ts";
import { Failure } from "../../../src/failure.ts";
import { describeFlags, parseFlags } from "../../../src/term/flags.ts";

const outside = { cwd: "/work", environ: ["A=mine", "EMPTY=", "TOKEN=t", "SSH_AUTH_SOCK=/run/agent"] };

function options(...argv: string[]): BuildOptions {
  const { flags, rest } = parseFlags("build", BUILD_FLAGS, argv);
  return buildOptionsOf(flags, rest, outside);
}
const request = (...argv: string[]) => options(...argv, ".").request;

function refused(argv: readonly string[], message: RegExp): void {
  assert.throws(
    () => options(...argv),
    (error) => {
      assert.ok(error instanceof Failure, String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

test("a directory is all that is needed", () => {
  assert.deepEqual(options("sub/../ctx"), {
    request: {
      context: { kind: "directory", path: "/work/ctx" },
      file: undefined,
      names: [],
      target: undefined,
      buildArgs: {},
      labels: {},
      secrets: {},
      ssh: {},
      contexts: {},
      noCache: false,
      pull: false,
      platform: undefined,
      network: "default",
      addHosts: [],
      memoryBytes: undefined,
      shmSizeBytes: undefined,
      rlimits: [],
    },
    quiet: false,
    progress: "auto",
    iidFile: undefined,
  });
});

test("flags are what they say", () => {
  const argv =
    "-t a -t b:1 -t a -f x/Dockerfile --target t --no-cache --pull -q --progress plain --iidfile id --network none";
  const more =
    "--platform linux/arm64 --add-host h:1.2.3.4 -m 1g --shm-size 64m --ulimit nofile=1:2 --label a=b=c --label d /ctx";
  const { request, ...rest } = options(...argv.split(" "), ...more.split(" "));
  assert.deepEqual(rest, { quiet: true, progress: "plain", iidFile: "id" });
  assert.deepEqual(request, {
    context: { kind: "directory", path: "/ctx" },
    file: "/work/x/Dockerfile",
    names: ["docker.io/library/a:latest", "docker.io/library/b:1"],
    target: "t",
    buildArgs: {},
    labels: { a: "b=c", d: "" },
    secrets: {},
    ssh: {},
    contexts: {},
    noCache: true,
    pull: true,
    platform: { os: "linux", architecture: "arm64", variant: "" },
    network: "none",
    addHosts: ["h:1.2.3.4"],
    memoryBytes: 1_073_741_824,
    shmSizeBytes: 67_108_864,
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
  });
});

test("a build argument without a value is our own variable, or not given", () => {
  assert.deepEqual(request("--build-arg=A", "--build-arg=B=x=y", "--build-arg=C", "--build-arg=EMPTY").buildArgs, {
    A: "mine",
    B: "x=y",
    EMPTY: "",
  });
  refused(["--build-arg", "=x", "."], /bad build argument/);
});

test("secrets are of files or of variables", () => {
  const { secrets } = request(
    ..."id=a,src=f id=b,env=B id=TOKEN id=c type=file,id=d,source=/x type=env,id=e id=f,type=env,src=F"
      .split(" ")
      .flatMap((value) => ["--secret", value]),
  );
  assert.deepEqual(secrets, {
    a: { kind: "file", path: "/work/f" },
    b: { kind: "env", variable: "B" },
    TOKEN: { kind: "env", variable: "TOKEN" },
    c: { kind: "file", path: "/work/c" },
    d: { kind: "file", path: "/x" },
    e: { kind: "env", variable: "e" },
    f: { kind: "env", variable: "F" },
  });
  for (const value of ["src=x", "id=", "id", "id=a,src=b,env=C", "id=a,type=x", "id=a,mode=1", "id=a,type=file,env=B"])
    refused(["--secret", value, "."], /bad secret/);
  refused(["--secret", "id=a", "--secret", "id=a", "."], /--secret is given twice for 'a'/);
});

test("agents are sockets", () => {
  assert.deepEqual(request("--ssh", "default", "--ssh", "work=agent.sock").ssh, {
    default: "/run/agent",
    work: "/work/agent.sock",
  });
  refused(["--ssh", "a=x,y", "."], /more than one socket/);
  refused(["--ssh", "=x", "."], /bad agent/);
  const { flags } = parseFlags("build", BUILD_FLAGS, ["--ssh", "default"]);
  assert.throws(() => buildOptionsOf(flags, ["."], { cwd: "/", environ: [] }), /there is no agent for --ssh default/);
});

test("named contexts are directories or images", () => {
  assert.deepEqual(
    request("--build-context", "a=../b", "--build-context", "golang:1.24=docker-image://alpine").contexts,
    {
      a: { kind: "directory", path: "/b" },
      "golang:1.24": { kind: "image", name: "alpine" },
    },
  );
  refused(["--build-context", "a", "."], /bad context 'a'/);
  refused(["--build-context", "a=-", "."], /cannot be standard input/);
  refused(["--build-context", "a=docker-image://A B", "."], /invalid image name/);
  refused(["--build-context", "a=oci-layout://x", "."], /is not on this machine/);
});

test("standard input is the context or the Dockerfile", () => {
  assert.deepEqual(options("-").request.context, { kind: "stdin" });
  assert.equal(options("-f", "-", ".").request.file, "-");
  assert.equal(options("-f", "sub/Dockerfile", "-").request.file, "sub/Dockerfile");
  refused(["-f", "-", "-"], /cannot be both/);
});

test("what is none of it is refused", () => {
  refused([], /'build' needs a context/);
  refused(["a", "b"], /takes one context, and got 'b'/);
  refused(["https://example.org/x.git"], /is not on this machine/);
  refused(["git@example.org:x"], /is not on this machine/);
  refused([""], /empty name/);
  refused(["-f", "", "."], /name of the Dockerfile is empty/);
  refused(["-t", "A", "."], /invalid image name 'A'/);
  refused(["-t", `a@sha256:${"0".repeat(64)}`, "."], /by its digest/);
  refused(["--network", "bridge", "."], /--network has no 'bridge'/);
  refused(["--progress", "palin", "."], /--progress has no 'palin'/);
  refused(["--platform", "linux/amd64,linux/arm64", "."], /more than one platform/);
  refused(["-m", "1k", "."], /too small/);
});

test("the help fits in a terminal of 120 columns", () => {
  for (const line of describeFlags(BUILD_FLAGS)) assert.ok(line.length <= 120, line);
});
