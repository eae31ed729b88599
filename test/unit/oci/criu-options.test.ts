import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFields, encodeFields, type Field, numberIn, textIn } from "../../../src/container/protobuf.ts";
import type { RootStep } from "../../../src/isolation/root-steps.ts";
import {
  CRIU_FLAGS,
  commonOptions,
  criuPaths,
  externalMounts,
  inheritedStreams,
  OPTION,
} from "../../../src/oci/criu-options.ts";
import { parseFlags } from "../../../src/term/flags.ts";

const flagsOf = (...argv: string[]) => parseFlags("checkpoint", CRIU_FLAGS, argv).flags;
const numberOf = (fields: readonly Field[], number: number) => numberIn(decodeFields(encodeFields(fields)), number);

test("flags become criu's options; what is not given is left to criu", () => {
  const options = commonOptions(flagsOf("--tcp-established", "--file-locks", "--empty-ns", "network"));
  assert.equal(numberOf(options, OPTION.tcpEstablished), 1);
  assert.equal(numberOf(options, OPTION.fileLocks), 1);
  assert.equal(numberOf(options, OPTION.emptyNamespaces), 0x40000000);
  assert.equal(numberOf(options, OPTION.shellJob), undefined);
  assert.equal(numberOf(options, OPTION.cgroupMode), 3);
  assert.equal(numberOf(commonOptions(flagsOf("--manage-cgroups-mode", "strict")), OPTION.cgroupMode), 5);
});

test("modes and namespaces that there are not are refused", () => {
  assert.throws(() => commonOptions(flagsOf("--manage-cgroups-mode", "hard")), /Invalid manage-cgroups-mode/);
  assert.throws(() => commonOptions(flagsOf("--empty-ns", "pid")), /namespace "pid" is not supported/);
});

test("criu's log lies with the images unless another place is named", () => {
  assert.deepEqual(criuPaths(flagsOf("--image-path", "/images")), { images: "/images", work: "/images" });
  assert.deepEqual(criuPaths(flagsOf("--image-path", "/images", "--work-path", "/work")), {
    images: "/images",
    work: "/work",
  });
});

test("what is bound is the host's, and told by its place; other mounts are criu's", () => {
  const steps = [
    { do: "bind", source: "/srv", target: "/data" },
    { do: "mount", type: "proc", target: "/proc" },
  ] as unknown as RootStep[];
  const [only, ...more] = externalMounts(steps, ({ source }) => source);
  assert.deepEqual([only, more], [[OPTION.external, "mnt[/data]:/srv"], []]);
});

test("streams that were pipes are given anew by their names", () => {
  const fields = inheritedStreams(["/dev/null", "pipe:[12]", "socket:[3]"]);
  assert.equal(fields.length, 1);
  const [number, value] = fields[0] ?? [0, undefined];
  assert.equal(number, OPTION.inheritFd);
  const inherited = decodeFields(value as Uint8Array);
  assert.deepEqual([textIn(inherited, 1), numberIn(inherited, 2)], ["pipe:[12]", 1]);
});
