/** Hostile texts as config.json, process.json and resources: each is a clear error at once, and leaves nothing. docs/security.md. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRoot } from "./hostile.ts";
import { configOf, type Json, oci, type Runtime, remove, startSleeper, writeBundle } from "./oci-bundles.ts";

const WITHIN_MS = 5000;

const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

/** Whole texts that are no config at all. */
const TEXTS: readonly (readonly [what: string, text: string | Uint8Array, message: RegExp])[] = [
  ["nothing", "", /config.json: line 1/],
  ["a word", "x", /config.json: line 1/],
  ["null", "null", /config.json/],
  ["a number", "1", /config.json/],
  ["a list", "[]", /config.json/],
  ["a text", '"x"', /config.json/],
  ["an empty object", "{}", /config.json: (ociVersion|root)/],
  ["half an object", '{"ociVersion":"1.0.2"', /config.json: line 1/],
  ["two values", "{}{}", /config.json: line 1/],
  ["a byte order mark", "\ufeff{}", /byte order mark/],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), /config.json/],
  ["a NUL byte", '{"ociVersion":"1.0\u00002"}', /config.json/],
  ["NULs", "\0".repeat(1000), /config.json/],
  ["an escaped NUL", '{"ociVersion":"1.0.2\\u0000"}', /NUL/],
  ["half a surrogate pair", '{"ociVersion":"\\ud800"}', /Unicode/],
  ["lists 100,000 deep", deep("[", "]", 100_000), /config.json: line 1/],
  ["objects 100,000 deep", `{"x":${deep('{"x":', "}", 100_000)}}`, /config.json/],
  ["unknown fields 10,000 deep", `{"ociVersion":"1.0.2","x":${deep("[", "]", 10_000)}}`, /config.json/],
  ["a key that is there twice", '{"ociVersion":"1.0.2","ociVersion":"1.0.2"}', /twice/],
  ["such a key by an escape", '{"ociVersion":"1.0.2","oci\\u0056ersion":"1.0.2"}', /twice/],
  ["a million unknown elements", `{"ociVersion":"1.0.2","x":[${"1,".repeat(1_000_000)}1]}`, /config.json/],
  ["a version to come", '{"ociVersion":"2.0.0","root":{"path":"/"},"process":{"cwd":"/","args":["x"]}}', /ociVersion/],
  ["a version that is none", '{"ociVersion":"../../etc"}', /ociVersion/],
];

async function refuses(runtime: Runtime, config: unknown, message: RegExp): Promise<void> {
  for (const command of ["create", "run"]) {
    const call = [command, "--bundle", writeBundle(runtime, config), "hostile"];
    const { status, stdout, stderr } = await runtime.call(call, { timeoutMs: WITHIN_MS });
    assert.deepEqual([status, stdout], [1, ""], stderr);
    assert.match(stderr, message);
    assert.ok(stderr.length < 6000 && stderr.trim().split("\n").length === 1, "an error is one line");
    assert.doesNotMatch(stderr, /undefined|TypeError|not a function|stack overflow|\[object/);
    assert.ok(!existsSync(join(runtime.root, "hostile")));
  }
}

for (const [what, text, message] of TEXTS) {
  oci(`a config.json of ${what} is refused`, (runtime) => refuses(runtime, text, message));
}

oci(
  "a config.json of more than 16 MiB, a sparse one, a directory, a pipe and a link to nowhere are refused",
  async (runtime) => {
    for (const make of [
      (path: string) => writeFileSync(path, `{"ociVersion":"1.0.2","x":"${"x".repeat(17 << 20)}"}`),
      (path: string) => {
        writeFileSync(path, "");
        truncateSync(path, 2 ** 40);
      },
      (path: string) => execFileSync("mkdir", [path]),
      (path: string) => symlinkSync("/none", path),
      (path: string) => symlinkSync("config.json", path),
      (path: string) => symlinkSync("/dev/zero", path),
    ]) {
      const bundle = mkdtempSync(join(runtime.directory, "bundle-"));
      make(join(bundle, "config.json"));
      const { status, stderr } = await runtime.call(["create", "--bundle", bundle, "hostile"], {
        timeoutMs: WITHIN_MS,
      });
      assert.equal(status, 1);
      assert.match(stderr, /config\.json|16 MiB|16777216/);
    }
  },
);

type Path = readonly (string | number)[];

function withValue(config: Json, path: Path, value: unknown): Json {
  const copy = structuredClone(config);
  let at: Record<string | number, unknown> = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) ?? ""] = value;
  return copy;
}

/** Where a value is out of range or of a form that would be taken for something else. */
const VALUES: readonly (readonly [path: Path, value: unknown, message: RegExp])[] = [
  [["root", "path"], "", /rootfs|root/],
  [["root", "path"], "x\0y", /NUL/],
  [["root", "path"], "x".repeat(5000), /rootfs|ENAMETOOLONG/],
  [["process", "args"], [], /args/],
  [["process", "args"], ["a\0b"], /NUL/],
  [["process", "args"], "true", /args/],
  [["process", "cwd"], "tmp", /cwd/],
  [["process", "cwd"], "", /cwd/],
  [["process", "env"], { PATH: "/bin" }, /env/],
  [["process", "rlimits"], [{ type: "RLIMIT_X", soft: 1, hard: 1 }], /RLIMIT_X/],
  [["process", "rlimits"], [{ type: "RLIMIT_NOFILE", soft: 2, hard: 1 }], /soft/],
  [["process", "rlimits"], [{ type: "RLIMIT_NOFILE", soft: -5, hard: 1 }], /soft/],
  [["process", "oomScoreAdj"], 1001, /oomScoreAdj/],
  [["process", "oomScoreAdj"], 2 ** 40, /oomScoreAdj/],
  [["process", "user", "umask"], 0o1000, /umask/],
  [["hostname"], "x".repeat(65), /hostname/],
  [["mounts"], Array.from({ length: 5000 }, () => ({ destination: "/x", type: "tmpfs" })), /4096/],
  [["mounts", 0, "destination"], "/", /root/],
  [["mounts", 0, "destination"], "", /destination/],
  [["mounts", 0, "destination"], `/${"x/".repeat(3000)}`, /ENAMETOOLONG|too long/],
  [["mounts", 0, "options"], ["bind", "x".repeat(10_000)], /./],
  [["hooks"], { prestart: [{ path: "bin/true" }] }, /hooks.prestart\[0\].path/],
  [["hooks"], { createContainer: [{ path: "" }] }, /path/],
  [["hooks"], { poststop: [{ path: "/bin/true", timeout: 0 }] }, /timeout/],
  [["hooks"], { createRuntime: [{ path: "/none" }] }, /createRuntime hook #0/],
  [["linux", "namespaces"], [{ type: "mount" }, { type: "uts" }, { type: "mount" }], /twice/],
  [["linux", "namespaces"], [{ type: "mount" }, { type: "uts" }, { type: "planet" }], /planet/],
  [
    ["linux", "namespaces"],
    [{ type: "mount" }, { type: "uts" }, { type: "network", path: "/etc/passwd" }],
    /network namespace/,
  ],
  [
    ["linux", "namespaces"],
    [{ type: "mount" }, { type: "uts" }, { type: "network", path: "/proc/1/ns/uts" }],
    /network namespace/,
  ],
  [
    ["linux", "namespaces"],
    [{ type: "mount" }, { type: "uts" }, { type: "network", path: "/none" }],
    /network namespace/,
  ],
  [["linux", "namespaces"], [{ type: "mount" }, { type: "uts" }, { type: "pid", path: "/dev/null" }], /pid namespace/],
  [["annotations"], { "run.oci.mount_context_type": "source=/x,context" }, /mount_context_type.*is not one of/],
  [["linux", "devices"], [{ path: "dev/x", type: "c", major: 1, minor: 3 }], /path/],
  [["linux", "devices"], [{ path: "/dev/x", type: "z", major: 1, minor: 3 }], /type/],
  [["linux", "maskedPaths"], ["proc/keys"], /maskedPaths/],
  [["linux", "rootfsPropagation"], "sideways", /rootfsPropagation/],
  [["linux", "seccomp"], { defaultAction: "SCMP_ACT_MAYBE" }, /defaultAction/],
  [["linux", "resources"], { memory: { limit: "1g" } }, /limit/],
  [["linux", "resources"], { unified: { "../memory.max": "1" } }, /unified/],
  [["linux", "resources"], { hugepageLimits: [{ pageSize: "../../x", limit: 1 }] }, /pageSize/],
  [["linux", "resources"], { devices: [{ allow: true, access: "rwx" }] }, /access/],
  [["linux", "intelRdt"], { closID: "../x" }, /closID/],
  [["linux", "timeOffsets"], { monotonic: { secs: 1 } }, /time namespace/],
  [["annotations"], { "": "x" }, /annotations/],
  [["annotations"], { x: 1 }, /annotations/],
];

for (const [path, value, message] of VALUES) {
  const shown = JSON.stringify(value).slice(0, 60);
  oci(`${path.join(".")} of ${shown} is refused`, async (runtime) => {
    const config = configOf(makeRoot(runtime), ["/bin/true"]);
    await refuses(runtime, withValue(config, path, value), message);
  });
}

for (const value of [null, true, 1, 2 ** 53, "x", [], {}, [[]]]) {
  oci(`no field that is ${JSON.stringify(value)} where that is wrong makes the runtime fall over`, async (runtime) => {
    const config = configOf(makeRoot(runtime), ["/bin/true"]);
    for (const key of ["ociVersion", "root", "process", "mounts", "linux", "hooks", "annotations", "hostname"]) {
      const bundle = writeBundle(runtime, { ...config, [key]: value });
      const { status, stderr } = await runtime.call(["run", "--bundle", bundle, "hostile"], { timeoutMs: WITHIN_MS });
      assert.ok(status === 0 || status === 1, `${key}: ${status}`);
      assert.doesNotMatch(stderr, /undefined|TypeError|not a function|cannot read/);
      if (status === 1) assert.match(stderr, /^mycontainer-runtime run failed: .+\n$/);
    }
  });
}

oci("fields that look like the language's own are only fields", async (runtime) => {
  const root = makeRoot(runtime);
  const base = JSON.stringify(configOf(root, ["/bin/true"]));
  for (const field of ['"__proto__":{"root":{"path":"/"}}', '"constructor":{"prototype":{"x":1}}', '"toString":1']) {
    const text = base.replace("{", `{${field},`);
    const outcome = await runtime.call(["run", "--bundle", writeBundle(runtime, text), "hostile"]);
    assert.equal(outcome.status, 0, outcome.stderr);
  }
});

oci("hostile processes for exec and resources for update are refused, and the container lives on", async (runtime) => {
  await startSleeper(runtime, "lives");
  const file = join(runtime.directory, "hostile.json");
  for (const text of [
    ...TEXTS.map(([, text]) => text),
    '{"cwd":"/","args":["/bin/id"],"user":{"uid":4294967295,"gid":0}}',
    '{"cwd":"/","args":["/bin/id"],"user":{"uid":0,"gid":0},"capabilities":{"bounding":"ALL"}}',
    '{"cwd":"x","args":["/bin/id"]}',
    '{"cwd":"/"}',
  ]) {
    writeFileSync(file, text);
    const executed = await runtime.call(["exec", "--process", file, "lives"], { timeoutMs: WITHIN_MS });
    assert.deepEqual([executed.status, executed.stdout], [255, ""], executed.stderr);
    assert.doesNotMatch(executed.stderr, /undefined|TypeError|not a function/);
  }
  for (const text of [
    "",
    "x",
    "[]",
    '"x"',
    '{"memory":1}',
    '{"memory":{"limit":"x"}}',
    '{"unified":{"../x":"1"}}',
    deep("[", "]", 100_000),
  ]) {
    writeFileSync(file, text);
    const updated = await runtime.call(["update", "--resources", file, "lives"], { timeoutMs: WITHIN_MS });
    assert.equal(updated.status, 1, `${text.slice(0, 40)}: ${updated.stdout}`);
    assert.doesNotMatch(updated.stderr, /undefined|TypeError|not a function/);
  }
  assert.match((await runtime.must(["state", "lives"])).stdout, /"running"/);
  await remove(runtime, "lives");
});
