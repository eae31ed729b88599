/**
 * NUMA policy of the process: set_mempolicy(2), `linux.memoryPolicy` of the specification (1.3).
 */
import { Failure } from "../failure.ts";
import { call, isErrno } from "../linux/error.ts";
import type { Linux } from "../spec/config.ts";
import { maskOfNumbers, parseNumberList } from "./number-list.ts";

type NodeNeed = "none" | "some" | "any";

/** include/uapi/linux/mempolicy.h, and whether a mode goes with nodes. */
const MODES: ReadonlyMap<string, readonly [mode: number, nodes: NodeNeed]> = new Map([
  ["MPOL_DEFAULT", [0, "none"]],
  ["MPOL_PREFERRED", [1, "any"]],
  ["MPOL_BIND", [2, "some"]],
  ["MPOL_INTERLEAVE", [3, "some"]],
  ["MPOL_LOCAL", [4, "none"]],
  ["MPOL_PREFERRED_MANY", [5, "some"]],
  ["MPOL_WEIGHTED_INTERLEAVE", [6, "some"]],
]);

const FLAGS: ReadonlyMap<string, number> = new Map([
  ["MPOL_F_NUMA_BALANCING", 1 << 13],
  ["MPOL_F_RELATIVE_NODES", 1 << 14],
  ["MPOL_F_STATIC_NODES", 1 << 15],
]);

/** The most nodes that a kernel can be built for (NODES_SHIFT of 10). */
const NODE_LIMIT = 1024;

export interface MemoryPolicyPlan {
  /** The mode's name, for errors. */
  readonly name: string;
  /** The mode with its flags. */
  readonly mode: number;
  /** Ascending. */
  readonly nodes: readonly number[];
}

/** What set_mempolicy(2) is to be given. Throws a Failure on unknown names, and nodes that do not go with the mode. */
export function planMemoryPolicy(policy: NonNullable<Linux["memoryPolicy"]>): MemoryPolicyPlan {
  const { mode: name = "" } = policy;
  const known = MODES.get(name);
  if (known === undefined) {
    throw new Failure(`linux.memoryPolicy: invalid memory policy mode '${name}'`, {
      hint: `known are ${[...MODES.keys()].join(", ")}`,
    });
  }
  const [number, need] = known;
  const nodes = parseNumberList(policy.nodes ?? "", NODE_LIMIT, "linux.memoryPolicy: invalid memory policy node");
  if (need === "none" && nodes.length > 0) {
    throw new Failure(`linux.memoryPolicy.nodes: ${name} mode requires 0 nodes but got ${nodes.length}`);
  }
  if (need === "some" && nodes.length === 0) throw new Failure(`linux.memoryPolicy.nodes: ${name} needs one at least`);
  let mode = number;
  for (const flag of policy.flags ?? []) {
    const bit = FLAGS.get(flag);
    if (bit === undefined) throw new Failure(`linux.memoryPolicy: invalid memory policy flag '${flag}'`);
    mode |= bit;
  }
  return { name, mode, nodes };
}

/**
 * Sets the policy of this process; it outlives execve(2) and is handed on to children.
 * @throws Failure where the kernel does not know the mode or has none of the nodes; KernelError
 */
export function applyMemoryPolicy({ name, mode, nodes }: MemoryPolicyPlan): void {
  const mask = nodes.length === 0 ? null : maskOfNumbers(nodes);
  // The kernel takes one bit less than it is told: mm/mempolicy.c, get_nodes.
  const bits = mask === null ? 0 : mask.length * 8 + 1;
  try {
    call("set_mempolicy", name, mode, mask, bits);
  } catch (error) {
    if (isErrno(error, "ENOSYS")) {
      throw new Failure("linux.memoryPolicy: this kernel has no NUMA policies", { cause: error });
    }
    if (!isErrno(error, "EINVAL")) throw error;
    const where = nodes.length === 0 ? "" : ` on the nodes ${nodes.join(",")}`;
    throw new Failure(`linux.memoryPolicy: the kernel refuses ${name}${where}`, {
      hint: "a node is missing, flags contradict each other, or the mode is newer than the kernel",
      cause: error,
    });
  }
}
