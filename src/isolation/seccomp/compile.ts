/**
 * Compiles the specification's seccomp profile (config-linux.md#seccomp) to a filter program. Pure.
 *
 * The meaning of a profile is libseccomp's as runc uses it:
 * - names that an architecture does not have are ignored, as are rules that say what the default says;
 * - of rules for the same call, one without conditions decides; else the first one whose conditions hold;
 * - conditions on different arguments must all hold; where two are on the same argument, any one is enough;
 * - calls with a higher number than any that the profile names are newer than the profile: ENOSYS, so that programs fall
 *   back to older ones (unless the default lets calls pass, or the profile names none);
 * - calls of architectures that are not listed kill the process.
 */
import { Failure } from "../../failure.ts";
import type { Seccomp, SeccompRule } from "../../spec/config.ts";
import { KILL_PROCESS, lets, verdictOf } from "./actions.ts";
import { type Architecture, architecturesOf, type MachineArch, X32_BIT } from "./architectures.ts";
import { Assembler, type Instruction, JUMP_IF, type Label, LOAD, PROGRAM_LIMIT_INSTRUCTIONS } from "./bpf.ts";
import { type Comparison, comparisonsOf, emitComparison } from "./conditions.ts";
import { syscallTable } from "./syscall-tables.ts";

const ENOSYS = 38;
const RULES_LIMIT = 4096;
const NAMES_LIMIT = 65536;
/** Offsets in `struct seccomp_data`. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
/** What a tracer sets to have a call skipped. */
const NO_CALL = 0xffffffff;

/** A verdict with what must hold for it; the first of a chain that does decides. */
interface ConditionalVerdict {
  readonly all: readonly Comparison[];
  readonly verdict: number;
}

/** What is to be done with a call. */
interface Decision {
  readonly chain: readonly ConditionalVerdict[];
  /** Where none of the chain holds. */
  readonly otherwise: number;
}

/** Calls from this number on, up to the next range. */
interface Range {
  readonly from: number;
  readonly decision: Decision;
}

/** @throws Failure if the profile is malformed, or too large for the kernel */
export function compile(profile: Seccomp, machine: MachineArch): Instruction[] {
  checkSize(profile);
  const architectures = architecturesOf(machine, profile.architectures ?? []);
  const assembler = new Assembler();
  let entry = assembler.verdict(KILL_PROCESS);
  // The native one, the first of the list, is asked for first: it is assembled last.
  for (const audit of [...new Set(architectures.map((architecture) => architecture.audit))].reverse()) {
    const sharing = architectures.filter((architecture) => architecture.audit === audit);
    const ranges = merge(sharing.flatMap((architecture) => rangesOf(profile, architecture)).sort(byStart));
    const search = assembler.before(emitSearch(assembler, ranges), LOAD, NUMBER_AT);
    entry = assembler.branch(JUMP_IF.equal, audit, search, entry);
  }
  const program = assembler.program(assembler.before(entry, LOAD, ARCHITECTURE_AT));
  if (program.length > PROGRAM_LIMIT_INSTRUCTIONS) {
    throw new Failure(`seccomp: the profile needs ${program.length} instructions, and the kernel takes 4096`, {
      hint: "use fewer rules with conditions",
    });
  }
  return program;
}

function checkSize({ syscalls = [] }: Seccomp): void {
  const names = syscalls.reduce((sum, rule) => sum + rule.names.length, 0);
  if (syscalls.length > RULES_LIMIT || names > NAMES_LIMIT) {
    throw new Failure(`seccomp: a profile of ${syscalls.length} rules with ${names} names is too large`);
  }
}

const byStart = (a: Range, b: Range): number => a.from - b.from;
const always = (verdict: number): Decision => ({ chain: [], otherwise: verdict });

/** All numbers of an architecture, in ranges. */
function rangesOf(profile: Seccomp, architecture: Architecture): Range[] {
  const { decisions, last } = decisionsOf(profile, architecture);
  const standard = always(verdictOf(profile.defaultAction, profile.defaultErrnoRet));
  const letsUnknown = lets(profile.defaultAction) || last < 0;
  const unknown = letsUnknown ? standard : always(verdictOf("SCMP_ACT_ERRNO", ENOSYS));
  const { base } = architecture;
  const ranges: Range[] = [{ from: base, decision: standard }];
  for (const [number, decision] of [...decisions].sort(([a], [b]) => a - b)) {
    const previous = ranges.at(-1);
    if (previous?.from === base + number) ranges.pop();
    ranges.push({ from: base + number, decision }, { from: base + number + 1, decision: standard });
  }
  if (ranges.at(-1)?.from === base + last + 1) ranges.pop();
  ranges.push({ from: base + last + 1, decision: unknown });
  // Numbers with the bit of x32 are x32's, if that is listed; else they are of no architecture.
  if (architecture.table === "x86_64") ranges.push({ from: X32_BIT, decision: always(KILL_PROCESS) });
  if (architecture.table === "x86_64" || architecture.table === "x32")
    ranges.push({ from: NO_CALL, decision: unknown });
  return ranges;
}

/** Later ranges of the same start win; neighbours that decide the same are one. */
function merge(sorted: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of sorted) {
    while (merged.at(-1)?.from === range.from) merged.pop();
    const previous = merged.at(-1);
    if (previous === undefined || !isSame(previous.decision, range.decision)) merged.push(range);
  }
  return merged;
}

function isSame(a: Decision, b: Decision): boolean {
  return a === b || (a.chain.length === 0 && b.chain.length === 0 && a.otherwise === b.otherwise);
}

/** By number, for the calls that rules name; and the highest number that is named. */
function decisionsOf(
  profile: Seccomp,
  architecture: Architecture,
): { decisions: ReadonlyMap<number, Decision>; last: number } {
  const table = syscallTable(architecture.table);
  const standard = verdictOf(profile.defaultAction, profile.defaultErrnoRet);
  const decisions = new Map<number, Decision>();
  const decided = new Set<number>();
  let last = -1;
  for (const rule of profile.syscalls ?? []) {
    const verdict = verdictOf(rule.action, rule.errnoRet);
    const chain = chainOf(rule, verdict, architecture.wide);
    for (const name of rule.names) {
      const number = table.get(name);
      if (number === undefined) continue;
      last = Math.max(last, number);
      if (verdict === standard || decided.has(number)) continue;
      if (chain.length === 0) {
        decisions.set(number, always(verdict));
        decided.add(number);
      } else {
        const before = decisions.get(number)?.chain ?? [];
        decisions.set(number, { chain: [...before, ...chain], otherwise: standard });
      }
    }
  }
  return { decisions, last };
}

function chainOf({ args = [] }: SeccompRule, verdict: number, wide: boolean): ConditionalVerdict[] {
  if (args.length === 0) return [];
  const comparisons = comparisonsOf(args, wide);
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? comparisons.map((one) => ({ all: [one], verdict })) : [{ all: comparisons, verdict }];
}

/** A binary search for the range that the number in A lies in. */
function emitSearch(assembler: Assembler, ranges: readonly Range[]): Label {
  const [first] = ranges;
  if (first === undefined) throw new Error("an architecture without ranges");
  if (ranges.length === 1) return emitDecision(assembler, first.decision);
  const middle = ranges.length >> 1;
  const upper = emitSearch(assembler, ranges.slice(middle));
  const lower = emitSearch(assembler, ranges.slice(0, middle));
  return assembler.branch(JUMP_IF.atLeast, ranges[middle]?.from ?? 0, upper, lower);
}

function emitDecision(assembler: Assembler, { chain, otherwise }: Decision): Label {
  let next = assembler.verdict(otherwise);
  for (const { all, verdict } of [...chain].reverse()) {
    const unmet = next;
    next = all.reduceRight(
      (met, comparison) => emitComparison(assembler, comparison, met, unmet),
      assembler.verdict(verdict),
    );
  }
  return next;
}
