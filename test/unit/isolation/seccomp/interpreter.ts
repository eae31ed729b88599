/** The kernel's side of a filter, for tests: checks a program as seccomp(2) does, and runs it. */
import assert from "node:assert/strict";
import type { Instruction } from "../../../../src/isolation/seccomp/bpf.ts";
import type { SyscallTable } from "../../../../src/isolation/seccomp/syscall-tables.ts";

export interface Call {
  readonly audit: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

/** `struct seccomp_data`. */
function dataOf(call: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.audit, true);
  for (const [index, value] of call.args.entries()) data.setBigUint64(16 + 8 * index, value, true);
  return data;
}

/** What bpf_check_classic and seccomp_check_filter ask for: known instructions, jumps forward and inside, a return at the end. */
export function check(program: readonly Instruction[]): void {
  assert.ok(program.length > 0 && program.length <= 4096, `${program.length} instructions`);
  program.forEach(({ code, jt, jf, k }, at) => {
    if (code === 0x05) assert.ok(at + 1 + k < program.length, `jump at ${at}`);
    else if ([0x15, 0x25, 0x35].includes(code)) {
      assert.ok(
        jt >= 0 && jt <= 255 && jf >= 0 && jf <= 255 && at + 1 + Math.max(jt, jf) < program.length,
        `branch at ${at}`,
      );
    } else if (code === 0x20) assert.ok(k % 4 === 0 && k < 64, `load at ${at}`);
    else assert.ok(code === 0x06 || code === 0x54, `code ${code} at ${at}`);
  });
  assert.equal(program.at(-1)?.code, 0x06, "a program ends with a return");
}

/** The verdict on a call, and how many instructions it took. */
export function run(program: readonly Instruction[], call: Call): { verdict: number; steps: number } {
  const data = dataOf(call);
  let a = 0;
  let steps = 0;
  for (let at = 0; ; at++) {
    const instruction = program[at];
    assert.ok(instruction !== undefined, "ran past the end");
    const { code, jt, jf, k } = instruction;
    steps++;
    if (code === 0x06) return { verdict: k, steps };
    if (code === 0x20) a = data.getUint32(k, true);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) at += k;
    else {
      const holds = code === 0x15 ? a === k : code === 0x25 ? a > k : a >= k;
      at += holds ? jt : jf;
    }
  }
}

export function numberOf({ numbers, indexes }: SyscallTable, name: string): number | undefined {
  return numbers[indexes.get(name) ?? -1];
}
