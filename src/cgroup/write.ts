/**
 * What the converters of both versions give: files of a cgroup and what is to be written into them.
 */
import { Failure } from "../failure.ts";
import type { Int64, MemoryLimits, Resources } from "../spec/config.ts";

export interface Write {
  /** The controller whose file it is. */
  readonly controller: string;
  /** The file's name within the cgroup. */
  readonly file: string;
  readonly value: string;
  /** Whether the user asked for it: then it must be had. Otherwise that it cannot be had is worth a warning. */
  readonly asked: boolean;
  /** What to write where the kernel does not have the file. */
  readonly instead?: { readonly file: string; readonly value: string };
  /** Where the kernel does not have the file, nothing is lost. */
  readonly optional?: true;
  /** A new cgroup has this value already. */
  readonly initial?: true;
}

export interface Conversion {
  readonly writes: Write[];
  /** What was asked for and has no meaning on this version of cgroups. */
  readonly warnings: string[];
}

/**
 * Whether the limits of a controller were asked for by the user, rather than being defaults. The limit of swap is asked
 * about by itself: it mostly comes from that of memory, and many kernels do not have it.
 */
export type AskedFor = (controller: string, limit?: "swap") => boolean;

/** Gathers the writes of one conversion. A limit of 0, or none, writes nothing. */
export class Writes {
  readonly writes: Write[] = [];
  readonly warnings: string[] = [];
  readonly #askedFor: AskedFor;

  constructor(askedFor: AskedFor) {
    this.#askedFor = askedFor;
  }

  add(
    controller: string,
    file: string,
    value: string,
    details: Partial<Omit<Write, "controller" | "file">> = {},
  ): void {
    this.writes.push({ controller, file, value, asked: this.#askedFor(controller), ...details });
  }

  /** As `add`, of the limit of swap. */
  addSwap(file: string, value: string): void {
    this.add("memory", file, value, { asked: this.#askedFor("memory", "swap") });
  }

  /** Adds a number (or text) if there is one. */
  limit(controller: string, file: string, value: Int64 | string | undefined): void {
    if (isSet(value)) this.add(controller, file, `${value}`);
  }
}

/** Of the CPU's quota: kernel/sched/fair.c, default_cfs_period(). */
export const DEFAULT_PERIOD_US = 100_000;

/** A burst of 0 is what a new cgroup has, and one without that file. */
export function burstDetails(burst: number): Partial<Write> {
  return burst === 0 ? { optional: true, initial: true } : {};
}

/** 0 and the empty text stand for "no value" in the specification's Go types. */
export function isSet<T extends Int64 | string>(value: T | undefined): value is T {
  return value !== undefined && value !== "" && BigInt(typeof value === "string" ? 1 : value) !== 0n;
}

/**
 * The limit of processes. 0 is one here, that of no process, and as such cannot be had: a container has one at least. As with
 * runc since 1.4, which has it so since systemd refuses 0.
 */
export function pidsLimit({ pids }: Resources): Int64 | undefined {
  return pids?.limit !== undefined && BigInt(pids.limit) === 0n ? 1 : pids?.limit;
}

/** Swappiness as Go programs write "not set", which cannot leave a field out: -1, also as 64 bits without a sign. */
const UNSET_SWAPPINESS: readonly bigint[] = [-1n, 2n ** 64n - 1n];

/** Memory and swap together cannot be limited to less than memory alone. Throws a Failure. */
export function checkMemory(limits: MemoryLimits): void {
  const [memoryLimit, memoryAndSwap] = [BigInt(limits.limit ?? 0), BigInt(limits.swap ?? 0)];
  if (memoryAndSwap > 0n && memoryAndSwap < memoryLimit)
    throw new Failure(`the limit of memory and swap (${memoryAndSwap}) is below that of memory (${memoryLimit})`, {
      hint: "it is the sum of both: to have no swap, make it the same as the limit of memory",
    });
  const swappiness = swappinessOf(limits);
  if (swappiness !== undefined && (swappiness < 0 || swappiness > 100))
    throw new Failure(`memory swappiness ${swappiness} is not between 0 and 100`);
}

/** 0 is a value here. */
export function swappinessOf({ swappiness }: MemoryLimits): Int64 | undefined {
  return swappiness === undefined || UNSET_SWAPPINESS.includes(BigInt(swappiness)) ? undefined : swappiness;
}

const PAGE_SIZE = /^[1-9]\d{0,8}[KMG]B$/;

/** Limits of huge pages; a size becomes part of a file's name. */
export function hugepageLimits(resources: Resources): { size: string; limit: Int64 }[] {
  return (resources.hugepageLimits ?? []).map(({ pageSize, limit }) => {
    if (!PAGE_SIZE.test(pageSize))
      throw new Failure(`huge page size '${pageSize}' is not a size`, { hint: "write it as in 2MB or 1GB" });
    return { size: pageSize, limit };
  });
}

/** The lines of `rdma.max`, one a device: Documentation/admin-guide/cgroup-v1/rdma.rst. */
export function rdmaLines(resources: Resources): string[] {
  return Object.entries(resources.rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]) =>
    [
      device,
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ].join(" "),
  );
}
