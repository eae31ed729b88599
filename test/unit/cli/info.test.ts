import assert from "node:assert/strict";
import { test } from "node:test";
import { type HostFacts, releaseField } from "../../../src/cli/host-facts.ts";
import { infoLines, infoOf, warningsOf } from "../../../src/cli/info.ts";

const HOST: HostFacts = {
  kernel: "6.1.0",
  system: "Debian",
  architecture: "x86_64",
  name: "host",
  processors: 2,
  memoryBytes: 2 ** 31,
  cgroups: { layout: "hybrid", v1: ["memory", "cpu"], v2: ["pids"] },
  modules: ["landlock", "apparmor"],
  seccomp: true,
  userNamespaces: 0,
  hasOverlay: true,
};
const OWN = {
  root: "/r",
  filesystem: "ext4",
  running: 1,
  ended: 2,
  images: 3,
  volumes: 4,
  settings: { insecure: ["a:1"], mirrors: new Map([["docker.io", ["m"]]]), timeoutMs: 1000 },
  aliases: new Map([["mine", "r/mine"]]),
  configFiles: ["/c.toml"],
};

test("info has docker's names for what docker tells, too", () => {
  const info = infoOf(HOST, OWN);
  assert.deepEqual(
    [info.Containers, info.ContainersRunning, info.ContainersStopped, info.Images, info.NCPU, info.CgroupVersion],
    [3, 1, 2, 3, 2, "1"],
  );
  assert.deepEqual(info.SecurityOptions, ["name=seccomp,profile=default", "name=apparmor"]);
  assert.deepEqual(info.Registries, {
    Insecure: ["a:1"],
    Mirrors: { "docker.io": ["m"] },
    Aliases: { mine: "r/mine" },
  });
});

test("info for people names each hierarchy that there is, and what is set up", () => {
  const linesFor = (layout: HostFacts["cgroups"]["layout"]) =>
    infoLines(infoOf({ ...HOST, cgroups: { ...HOST.cgroups, layout } }, OWN));
  const hybrid = linesFor("hybrid");
  for (const line of [
    "Containers: 3 (1 running, 2 ended)",
    "Storage: overlay in /r on ext4",
    "  version 1: memory cpu",
    "  version 2: pids",
    "User namespaces: off",
    "Memory: 2 GB",
    "Mirrors of docker.io: m",
    "Alias mine: r/mine",
  ]) {
    assert.ok(hybrid.includes(line), `${line} in\n${hybrid.join("\n")}`);
  }
  assert.ok(!linesFor("v2").some((line) => line.includes("version 1")));
  assert.ok(!linesFor("v1").some((line) => line.includes("version 2")));
});

test("what a host lacks is a warning", () => {
  assert.deepEqual(warningsOf(HOST), []);
  const bare = { ...HOST, cgroups: { layout: "v1", v1: [], v2: [] }, hasOverlay: false, seccomp: false } as const;
  assert.match(warningsOf(bare).join("\n"), /'memory'.*\n.*'cpu'.*\n.*'pids'.*\n.*overlay.*\n.*seccomp/);
});

test("values of os-release are read with and without quotes", () => {
  const text = "NAME=Plain\nPRETTY_NAME=\"A b\"\nX='y'\n";
  assert.deepEqual(
    ["NAME", "PRETTY_NAME", "X", "Y"].map((name) => releaseField(text, name)),
    ["Plain", "A b", "y", ""],
  );
});
