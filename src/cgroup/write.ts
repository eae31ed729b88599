/**
 * What the converters of both versions give: files of a cgroup and what is to be written into them.
 */
import { Failure } from "../failure.ts";
import type { Int64, Resources } from "../spec/config.ts";

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
}

export interface Conversion {
  readonly writes: Write[];
  /** What was asked for and has no meaning on this version of cgroups. */
  readonly warnings: string[];
}

/** Whether the limits of a controller were asked for by the user, rather than being defaults. */
export type AskedFor = (controller: string) => boolean;

/** Gathers the writes of one conversion. A limit of 0, or none, writes nothing. */
export class Writes {
  readonly writes: Write[] = [];
  readonly warnings: string[] = [];
  readonly #askedFor: AskedFor;

  constructor(askedFor: AskedFor) {
    this.#askedFor = askedFor;
  }

  add(controller: string, file: string, value: string, details: Pick<Write, "instead" | "optional"> = {}): void {
    this.writes.push({ controller, file, value, asked: this.#askedFor(controller), ...details });
  }

  /** Adds a number (or text) if there is one. */
  limit(controller: string, file: string, value: Int64 | string | undefined): void {
    if (isSet(value)) this.add(controller, file, `${value}`);
  }
}

/** 0 and the empty text stand for "no value" in the specification's Go types. */
export function isSet<T extends Int64 | string>(value: T | undefined): value is T {
  return value !== undefined && value !== "" && BigInt(typeof value === "string" ? 1 : value) !== 0n;
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
