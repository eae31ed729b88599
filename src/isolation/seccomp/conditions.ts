/**
 * Comparisons of a call's arguments: 64 bits, of which a filter program sees 32 at a time.
 */
import { Failure } from "../../failure.ts";
import type { SeccompOperator, SeccompRule } from "../../spec/config.ts";
import { AND, type Assembler, JUMP_IF, type Label, LOAD } from "./bpf.ts";

const ARGUMENTS = 6;
/** Offset of the first argument in `struct seccomp_data`; both architectures are little endian. */
const ARGUMENTS_AT = 16;
const ARGUMENT_BYTES = 8;
const HALF_BYTES = 4;

interface Halves {
  readonly high: number;
  readonly low: number;
}

export interface Comparison {
  readonly op: SeccompOperator;
  readonly index: number;
  readonly value: Halves;
  /** Of SCMP_CMP_MASKED_EQ: the bits that are compared. */
  readonly mask: Halves;
  /** Whether the upper half is compared at all. */
  readonly wide: boolean;
}

/** By name in the specification. */
export const OPERATORS: readonly SeccompOperator[] = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];
const ALL_BITS: Halves = { high: 0xffffffff, low: 0xffffffff };

function halves(value: number | bigint): Halves {
  const bits = BigInt.asUintN(64, BigInt(value));
  return { high: Number(bits >> 32n), low: Number(bits & 0xffffffffn) };
}

/** @throws Failure on an argument or operator that there is not */
export function comparisonsOf(args: NonNullable<SeccompRule["args"]>, wide: boolean): Comparison[] {
  return args.map(({ index, op, value, valueTwo = 0 }) => {
    if (!Number.isInteger(index) || index < 0 || index >= ARGUMENTS) {
      throw new Failure(`seccomp: there is no argument ${index}`, { hint: "arguments are 0 to 5" });
    }
    if (!OPERATORS.includes(op)) throw new Failure(`seccomp: there is no operator '${op}'`);
    if (op !== "SCMP_CMP_MASKED_EQ") return { op, index, value: halves(value), mask: ALL_BITS, wide };
    // seccomp_rule_add(3): the masked argument against the masked value.
    const [mask, datum] = [halves(value), halves(valueTwo)];
    const masked = { high: (datum.high & mask.high) >>> 0, low: (datum.low & mask.low) >>> 0 };
    return { op, index, value: masked, mask, wide };
  });
}

/** Goes on at `met` if the comparison holds, else at `unmet`. */
export function emitComparison(assembler: Assembler, comparison: Comparison, met: Label, unmet: Label): Label {
  switch (comparison.op) {
    case "SCMP_CMP_EQ":
    case "SCMP_CMP_MASKED_EQ":
      return emitEqual(assembler, comparison, met, unmet);
    case "SCMP_CMP_NE":
      return emitEqual(assembler, comparison, unmet, met);
    case "SCMP_CMP_GT":
      return emitOrder(assembler, comparison, JUMP_IF.greater, met, unmet);
    case "SCMP_CMP_LE":
      return emitOrder(assembler, comparison, JUMP_IF.greater, unmet, met);
    case "SCMP_CMP_GE":
      return emitOrder(assembler, comparison, JUMP_IF.atLeast, met, unmet);
    case "SCMP_CMP_LT":
      return emitOrder(assembler, comparison, JUMP_IF.atLeast, unmet, met);
  }
}

function lowAt(index: number): number {
  return ARGUMENTS_AT + index * ARGUMENT_BYTES;
}

function emitEqual(assembler: Assembler, { index, value, mask, wide }: Comparison, yes: Label, no: Label): Label {
  const low = emitHalfEqual(assembler, lowAt(index), value.low, mask.low, yes, no);
  return wide ? emitHalfEqual(assembler, lowAt(index) + HALF_BYTES, value.high, mask.high, low, no) : low;
}

function emitHalfEqual(assembler: Assembler, at: number, value: number, mask: number, yes: Label, no: Label): Label {
  if (mask === 0) return yes;
  const compare = assembler.branch(JUMP_IF.equal, value, yes, no);
  const masked = mask === ALL_BITS.low ? compare : assembler.before(compare, AND, mask);
  return assembler.before(masked, LOAD, at);
}

/** The upper halves decide, unless they are equal. */
function emitOrder(
  assembler: Assembler,
  { index, value, wide }: Comparison,
  test: typeof JUMP_IF.greater | typeof JUMP_IF.atLeast,
  yes: Label,
  no: Label,
): Label {
  // Nothing is below 0.
  if (test === JUMP_IF.atLeast && value.low === 0 && value.high === 0) return yes;
  const low = assembler.before(assembler.branch(test, value.low, yes, no), LOAD, lowAt(index));
  if (!wide) return low;
  const equal = assembler.branch(JUMP_IF.equal, value.high, low, no);
  return assembler.before(assembler.branch(JUMP_IF.greater, value.high, yes, equal), LOAD, lowAt(index) + HALF_BYTES);
}
