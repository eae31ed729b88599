import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deviceRules, type FullRule } from "../../../src/cgroup/devices.ts";
import { deviceProgram } from "../../../src/cgroup/devices-bpf.ts";
import { encodeInstruction, type Instruction } from "../../../src/linux/bpf.ts";

interface Request {
  type: "b" | "c";
  major: number;
  minor: number;
  access: number;
}

/** Runs a program as the kernel would; which instructions ran is added to `ran`. */
function run(program: readonly Instruction[], request: Request, ran = new Set<number>()): number {
  const context = new Map([
    [0, (request.access << 16) | (request.type === "b" ? 1 : 2)],
    [4, request.major],
    [8, request.minor],
  ]);
  const registers = new Uint32Array(11);
  const get = (register: number) => registers[register] ?? 0;
  for (let at = 0; ; at++) {
    const instruction = program[at];
    assert.ok(instruction !== undefined, "the program runs past its end");
    ran.add(at);
    const { code, to, from, offset, value } = instruction;
    switch (code) {
      case 0x61:
        registers[to] = context.get(offset) ?? 0;
        break;
      case 0xbc:
        registers[to] = get(from);
        break;
      case 0xb4:
        registers[to] = value;
        break;
      case 0x54:
        registers[to] = get(to) & value;
        break;
      case 0x74:
        registers[to] = get(to) >>> value;
        break;
      case 0x05:
        at += offset;
        break;
      case 0x56:
        if (get(to) !== value >>> 0) at += offset;
        break;
      case 0x46:
        if ((get(to) & value) !== 0) at += offset;
        break;
      case 0x95:
        return get(0);
      default:
        assert.fail(`unknown instruction ${code}`);
    }
  }
}

const BITS: Record<string, number> = { m: 1, r: 2, w: 4 };
const bitsOf = (access: string) => [...access].reduce((bits, letter) => bits | (BITS[letter] ?? 0), 0);

/** What the rules mean, each kind of access by itself: the last rule about it counts. */
function isAllowed(rules: readonly FullRule[], request: Request): boolean {
  return [1, 2, 4].every((bit) => {
    if ((request.access & bit) === 0) return true;
    const last = rules.findLast(
      ({ type, major, minor, access }) =>
        (type === "a" || type === request.type) &&
        (major ?? request.major) === request.major &&
        (minor ?? request.minor) === request.minor &&
        (bitsOf(access) & bit) !== 0,
    );
    return last?.allow === true;
  });
}

const number = fc.constantFrom(0, 1, 2, 0xffffffff);
const rule: fc.Arbitrary<FullRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom("a", "b", "c"),
  major: fc.option(number, { nil: undefined }),
  minor: fc.option(number, { nil: undefined }),
  access: fc.constantFrom("r", "w", "m", "rw", "rm", "wm", "rwm"),
});
const request: fc.Arbitrary<Request> = fc.record({
  type: fc.constantFrom("b", "c"),
  major: number,
  minor: number,
  access: fc.integer({ min: 1, max: 7 }),
});

test("the program decides as the rules say, the last one about a device first", () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), request, (rules, wanted) => {
      assert.equal(run(deviceProgram(rules), wanted) === 1, isAllowed(rules, wanted));
    }),
    { numRuns: 2000 },
  );
});

test("without rules everything is denied", () => {
  assert.equal(run(deviceProgram([]), { type: "c", major: 1, minor: 3, access: 2 }), 0);
});

test("two rules together allow what neither allows alone", () => {
  const rules = deviceRules([
    { allow: true, type: "c", major: 9, minor: 1, access: "r" },
    { allow: true, type: "c", major: 9, minor: 1, access: "w" },
  ]);
  assert.ok(rules !== "everything");
  assert.equal(run(deviceProgram(rules), { type: "c", major: 9, minor: 1, access: 6 }), 1);
});

test("no instruction follows a rule that allows everything: the verifier would refuse it", () => {
  const rules = deviceRules([
    { allow: true, access: "rwm" },
    { allow: false, type: "b", access: "w" },
  ]);
  assert.ok(rules !== "everything");
  const program = deviceProgram(rules);
  const ran = new Set<number>();
  for (const type of ["b", "c"] as const)
    for (const major of [1, 5, 7, 10, 136])
      for (const minor of [0, 1, 2, 3, 5, 7, 8, 9, 77, 200])
        for (const access of [1, 2, 4]) run(program, { type, major, minor, access }, ran);
  assert.equal(ran.size, program.length);
});

test("an instruction is eight bytes, its registers nibbles", () => {
  const bytes = encodeInstruction({ code: 0x61, to: 2, from: 1, offset: 4, value: -1 });
  assert.deepEqual([...bytes], [0x61, 0x12, 4, 0, 0xff, 0xff, 0xff, 0xff]);
});
