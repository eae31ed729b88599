/**
 * Compiles the specification's seccomp profile (config-linux.md#seccomp) to a filter program. Pure.
 *
 * The meaning of a profile is libseccomp's as runc uses it:
 * - names that an architecture does not have are ignored, as are rules that say what the default says;
 * - of rules for the same call, one without conditions decides; else the first one whose conditions hold;
 * - conditions on different arguments must all hold; where two are on the same argument, any one is enough;
 * - calls with a higher number than any that the profile names are newer than the profile: ENOSYS, so that programs fall
 *   back to older ones (unless the default lets calls pass, or the profile names none);
 * - what holds for a call of 32-bit x86 holds for its way through socketcall and ipc, where the profile does not name these;
 * - calls of architectures that are not listed kill the process.
 */
import { Failure } from "../../failure.ts";
import type { Seccomp, SeccompRule } from "../../spec/config.ts";
import { KILL_PROCESS, lets, verdictOf } from "./actions.ts";
import { type Architecture, architecturesOf, type MachineArch, X32_BIT } from "./architectures.ts";
import { Assembler, type Instruction, JUMP_IF, type Label, LOAD, PROGRAM_LIMIT_INSTRUCTIONS } from "./bpf.ts";
import { type Comparison, comparisonsOf, emitComparison } from "./conditions.ts";
import { withMultiplexed } from "./multiplexed.ts";
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
    const ranges = rangesOf(profile, sharing);
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

const always = (verdict: number): Decision => ({ chain: [], otherwise: verdict });
const UNKNOWN = always(verdictOf("SCMP_ACT_ERRNO", ENOSYS));

/** The numbers of architectures that the kernel tells apart by number only, in ranges with one decision each. */
function rangesOf(profile: Seccomp, sharing: readonly Architecture[]): Range[] {
  const ranges: Range[] = [];
  const standard = always(verdictOf(profile.defaultAction, profile.defaultErrnoRet));
  const unknown = lets(profile.defaultAction) ? standard : UNKNOWN;
  for (const architecture of sharing) {
    const { base, wide } = architecture;
    const { numbers, indexes } = syscallTable(architecture.table);
    const rules = architecture.table === "x86" ? withMultiplexed(profile) : profile;
    const { decisions, last } = decisionsOf(rules, indexes, wide, standard);
    let next = 0;
    let current: Decision | undefined;
    for (let index = 0; index <= last; index++) {
      const number = numbers[index] ?? next;
      if (number > next && current !== standard) {
        current = standard;
        add(ranges, base + next, standard);
      }
      const decision = decisions[index] ?? standard;
      // Most calls have the decision of their neighbour.
      if (decision !== current) {
        current = decision;
        add(ranges, base + number, decision);
      }
      next = number + 1;
    }
    add(ranges, base + next, last < 0 ? standard : unknown);
  }
  if (sharing.some(({ table }) => table === "x86_64")) {
    if (!sharing.some(({ base }) => base === X32_BIT)) add(ranges, X32_BIT, always(KILL_PROCESS));
    add(ranges, NO_CALL, unknown);
  }
  return ranges;
}

/** Goes on with a decision from a number on. */
function add(ranges: Range[], from: number, decision: Decision): void {
  const previous = ranges[ranges.length - 1];
  if (previous === undefined || !isSame(previous.decision, decision)) ranges.push({ from, decision });
}

function isSame(a: Decision, b: Decision): boolean {
  return a === b || (a.chain.length === 0 && b.chain.length === 0 && a.otherwise === b.otherwise);
}

/** By index in the table, `standard` where no rule says otherwise; and the last index that is named, -1 if none is. */
function decisionsOf(
  profile: Seccomp,
  indexes: ReadonlyMap<string, number>,
  wide: boolean,
  standard: Decision,
): { decisions: readonly Decision[]; last: number } {
  const decisions = new Array<Decision>(indexes.size).fill(standard);
  let last = -1;
  for (const rule of profile.syscalls ?? []) {
    const verdict = verdictOf(rule.action, rule.errnoRet);
    const saysSame = verdict === standard.otherwise;
    const chain = chainOf(rule, verdict, wide);
    const decision: Decision = { chain, otherwise: chain.length === 0 ? verdict : standard.otherwise };
    for (const name of rule.names) {
      const index = indexes.get(name);
      if (index === undefined) continue;
      if (index > last) last = index;
      if (!saysSame) decisions[index] = combine(decisions[index] ?? standard, decision, standard);
    }
  }
  return { decisions, last };
}

function combine(before: Decision, decision: Decision, standard: Decision): Decision {
  if (before === standard) return decision;
  if (before.chain.length === 0 || decision.chain.length === 0) return before.chain.length === 0 ? before : decision;
  return { chain: [...before.chain, ...decision.chain], otherwise: decision.otherwise };
}

function chainOf({ args = [] }: SeccompRule, verdict: number, wide: boolean): ConditionalVerdict[] {
  if (args.length === 0) return [];
  const comparisons = comparisonsOf(args, wide);
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? comparisons.map((one) => ({ all: [one], verdict })) : [{ all: comparisons, verdict }];
}

/** A binary search for the range that the number in A lies in, of those from index `first` up to `end`. */
function emitSearch(assembler: Assembler, ranges: readonly Range[], first = 0, end = ranges.length): Label {
  const middle = first + ((end - first) >> 1);
  const range = ranges[middle];
  if (range === undefined) throw new Error("an architecture without ranges");
  if (middle === first) return emitDecision(assembler, range.decision);
  const upper = emitSearch(assembler, ranges, middle, end);
  const lower = emitSearch(assembler, ranges, first, middle);
  return assembler.branch(JUMP_IF.atLeast, range.from, upper, lower);
}

function emitDecision(assembler: Assembler, { chain, otherwise }: Decision): Label {
  let next = assembler.verdict(otherwise);
  if (chain.length === 0) return next;
  for (const { all, verdict } of [...chain].reverse()) {
    const unmet = next;
    next = all.reduceRight(
      (met, comparison) => emitComparison(assembler, comparison, met, unmet),
      assembler.verdict(verdict),
    );
  }
  return next;
}
