import assert from "node:assert/strict";
import { test } from "node:test";
import { checkRdt, resourcesOfFlags, type UpdateFlags } from "../../../src/oci/update-resources.ts";

const resources = (flags: UpdateFlags) => resourcesOfFlags(flags).resources;
const memoryOf = (memory: string) => resources({ memory }).memory?.limit;

test("only what is named becomes a limit", () => {
  assert.deepEqual(resources({}), {});
  assert.deepEqual(resources({ memory: "", "blkio-weight": "0" }), {});
  assert.deepEqual(resources({ "pids-limit": "0" }), { pids: { limit: 0 } });
  assert.deepEqual(resources({ "cpu-quota": "-1" }), { cpu: { quota: -1 } });
});

test("every flag has its place", () => {
  assert.deepEqual(
    resources({
      "blkio-weight": "500",
      "cpu-burst": "10",
      "cpu-idle": "1",
      "cpu-period": "100000",
      "cpu-quota": "50000",
      "cpu-rt-period": "1000000",
      "cpu-rt-runtime": "900000",
      "cpu-share": "512",
      "cpuset-cpus": "0-1",
      "cpuset-mems": "0",
      memory: "64m",
      "memory-reservation": "32MiB",
      "memory-swap": "-1",
      "pids-limit": "-1",
    }),
    {
      cpu: {
        shares: 512,
        quota: 50000,
        burst: 10,
        period: 100000,
        realtimeRuntime: 900000,
        realtimePeriod: 1000000,
        idle: 1,
        cpus: "0-1",
        mems: "0",
      },
      memory: { limit: 64 * 2 ** 20, swap: -1, reservation: 32 * 2 ** 20 },
      blockIO: { weight: 500 },
      pids: { limit: -1 },
    },
  );
});

test("amounts of memory have units of 1024, in any case, with or without b and ib", () => {
  for (const [text, bytes] of [
    ["1024", 1024],
    ["5b", 5],
    ["10k", 10240],
    ["10KB", 10240],
    ["10 KiB", 10240],
    ["1.5g", 1.5 * 2 ** 30],
    [".5m", 2 ** 19],
    ["2T", 2 ** 41],
  ] as const)
    assert.equal(memoryOf(text), bytes, text);
});

test("what is no amount is an error in runc's words", () => {
  const message = (text: string) => {
    try {
      memoryOf(text);
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return `${text} was taken`;
  };
  assert.equal(message("x"), "invalid value for memory: invalid size: 'x'");
  assert.equal(message("-5"), "invalid value for memory: invalid size: '-5'");
  assert.equal(message("5x"), "invalid value for memory: invalid suffix: 'x'");
  assert.equal(message("5bb"), "invalid value for memory: invalid suffix: 'bb'");
  assert.equal(message("5kib "), `invalid value for memory: strconv.ParseFloat: parsing "5kib": invalid syntax`);
  assert.equal(message("1.2.3"), `invalid value for memory: strconv.ParseFloat: parsing "1.2.3": invalid syntax`);
  assert.equal(message("."), `invalid value for memory: strconv.ParseFloat: parsing ".": invalid syntax`);
});

test("numbers that are none, or too large, are errors in runc's words", () => {
  assert.throws(() => resources({ "cpu-share": "-1" }), {
    message: 'invalid value for cpu-share: strconv.ParseUint: parsing "-1": invalid syntax',
  });
  assert.throws(() => resources({ "cpu-quota": "99999999999999999999" }), {
    message: 'invalid value for cpu-quota: strconv.ParseInt: parsing "99999999999999999999": value out of range',
  });
  assert.throws(() => resources({ "pids-limit": "x" }), {
    message: 'invalid value "x" for flag -pids-limit: parse error',
  });
});

test("a limit of kernel memory is warned about and ignored", () => {
  const { resources: none, warnings } = resourcesOfFlags({ "kernel-memory": "1g" });
  assert.deepEqual(none, {});
  assert.deepEqual(warnings, ["Setting --kernel-memory is ignored and will be removed"]);
});

test("a schema is refused where the machine has no use for it", () => {
  const request = resourcesOfFlags({ "l3-cache-schema": "L3:0=f" });
  assert.throws(() => checkRdt(request, { cache: false, bandwidth: true }), /Intel RDT\/CAT: l3 cache schema/);
  assert.doesNotThrow(() => checkRdt(request, { cache: true, bandwidth: false }));
});
