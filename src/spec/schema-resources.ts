/**
 * The shape of `linux.resources` in config.json, which is also what `update --resources` reads: config-linux.md#control-groups.
 */
import { flag, int64, integer, list, map, object, or, text, uint16, uint32, uint53, uint64, word } from "./shape.ts";

/** Of a device; -1 is any. */
export const deviceNumber = integer(-1, 0xffff_ffff);

export const deviceRule = object(
  { allow: flag },
  {
    type: word("a", "b", "c"),
    /** Undefined (or -1) for all. */
    major: deviceNumber,
    minor: deviceNumber,
    /** Of `r`, `w`, `m`; all where there is none. */
    access: text,
  },
);

export const memoryLimits = object(
  {},
  {
    /** Bytes; -1 is none. */
    limit: int64,
    reservation: int64,
    /** Memory and swap together, bytes; -1 is none. */
    swap: int64,
    kernel: int64,
    kernelTCP: int64,
    /** 0 to 100; -1 as 64 bits without a sign is "not set". */
    swappiness: uint64,
    disableOOMKiller: flag,
    useHierarchy: flag,
    checkBeforeUpdate: flag,
  },
);

export const cpuLimits = object(
  {},
  {
    shares: uint53,
    /** Microseconds a period; -1 is none. */
    quota: int64,
    burst: uint53,
    /** Microseconds. */
    period: uint53,
    realtimeRuntime: int64,
    realtimePeriod: uint53,
    cpus: text,
    mems: text,
    idle: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  },
);

export const deviceRate = object({ major: deviceNumber, minor: deviceNumber, rate: or(uint64, "0") }, {});

export const blockIoLimits = object(
  {},
  {
    weight: uint16,
    leafWeight: uint16,
    weightDevice: list(object({ major: deviceNumber, minor: deviceNumber }, { weight: uint16, leafWeight: uint16 })),
    throttleReadBpsDevice: list(deviceRate),
    throttleWriteBpsDevice: list(deviceRate),
    throttleReadIOPSDevice: list(deviceRate),
    throttleWriteIOPSDevice: list(deviceRate),
  },
);

export const resources = object(
  {},
  {
    unified: map(text),
    devices: list(deviceRule),
    pids: object({}, { limit: int64 }),
    memory: memoryLimits,
    cpu: cpuLimits,
    blockIO: blockIoLimits,
    hugepageLimits: list(object({ pageSize: text, limit: uint64 }, {})),
    network: object({}, { classID: uint32, priorities: list(object({ name: text, priority: uint32 }, {})) }),
    rdma: map(object({}, { hcaHandles: uint32, hcaObjects: uint32 })),
  },
);
