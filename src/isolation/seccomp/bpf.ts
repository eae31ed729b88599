/**
 * Programs of the classic Berkeley packet filter, as seccomp(2) runs them: include/uapi/linux/{filter,bpf_common}.h.
 * They only jump forwards, and conditional jumps by at most 255 instructions, so a program is assembled from its end: what
 * an instruction jumps to is there already, and where it is too far away a plain jump (of 32 bits) is put in between.
 */

/** LD | W | ABS: A = 32 bits of `struct seccomp_data` at offset k. */
export const LOAD = 0x20;
/** ALU | AND | K: A &= k. */
export const AND = 0x54;
/** RET | K: the filter's verdict. */
export const RETURN = 0x06;
/** JMP | JA. */
const JUMP = 0x05;
/** JMP | K, unsigned. */
export const JUMP_IF = { equal: 0x15, greater: 0x25, atLeast: 0x35 } as const;
export type Test = (typeof JUMP_IF)[keyof typeof JUMP_IF];

/** `struct sock_filter`. */
export interface Instruction {
  readonly code: number;
  /** How many instructions a conditional jump skips, if true and if false. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

export const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS. */
export const PROGRAM_LIMIT_INSTRUCTIONS = 4096;
const SHORT_JUMP_LIMIT = 255;

/** A place in the program: how many instructions follow it. */
export type Label = number & { readonly brand: "label" };

export class Assembler {
  /** The program, the last instruction first. */
  readonly #backwards: Instruction[] = [];
  /** The nearest RETURN of each verdict. */
  readonly #returns = new Map<number, Label>();

  #push(code: number, k: number, jt = 0, jf = 0): Label {
    this.#backwards.push({ code, jt, jf, k });
    return (this.#backwards.length - 1) as Label;
  }

  /** How many instructions the next one would skip to get there. */
  #distance(to: Label): number {
    return this.#backwards.length - 1 - to;
  }

  /** Ends the program with this verdict. */
  verdict(value: number): Label {
    const there = this.#returns.get(value);
    if (there !== undefined && this.#distance(there) < SHORT_JUMP_LIMIT) return there;
    const label = this.#push(RETURN, value);
    this.#returns.set(value, label);
    return label;
  }

  /** Goes on at `yes` if A compares so with k, else at `no`. */
  branch(test: Test, k: number, yes: Label, no: Label): Label {
    if (yes === no) return yes;
    const toYes = this.#distance(yes);
    const toNo = this.#distance(no);
    // One less than the limit: a jump for `no` may come in between.
    if (toYes < SHORT_JUMP_LIMIT && toNo <= SHORT_JUMP_LIMIT) return this.#push(test, k, toYes, toNo);
    const nearYes = toYes < SHORT_JUMP_LIMIT ? yes : this.#push(JUMP, toYes);
    const nearNo = this.#distance(no) <= SHORT_JUMP_LIMIT ? no : this.#push(JUMP, this.#distance(no));
    return this.#push(test, k, this.#distance(nearYes), this.#distance(nearNo));
  }

  /** Does something with A (LOAD, AND), then goes on at `next`. */
  before(next: Label, code: typeof LOAD | typeof AND, k: number): Label {
    if (this.#distance(next) > 0) this.#push(JUMP, this.#distance(next));
    return this.#push(code, k);
  }

  /** The program that starts at `entry`. */
  program(entry: Label): Instruction[] {
    return this.#backwards.slice(0, entry + 1).reverse();
  }
}

/** As `struct sock_filter[]`, little endian. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { code, jt, jf, k } of program) {
    view.setUint32(at, code | (jt << 16) | (jf << 24), true);
    view.setUint32(at + 4, k, true);
    at += INSTRUCTION_BYTES;
  }
  return bytes;
}
