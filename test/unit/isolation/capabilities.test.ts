import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CAPABILITY_NAMES,
  capabilityNumber,
  DEFAULT_CAPABILITIES,
  resolveCapabilities,
} from "../../../src/isolation/capabilities.ts";

const resolve = (add: string[], drop: string[], privileged = false) => resolveCapabilities({ add, drop, privileged });

test("all 41 capabilities have the kernel's numbers", () => {
  assert.equal(CAPABILITY_NAMES.length, 41);
  assert.equal(capabilityNumber("CAP_CHOWN"), 0);
  assert.equal(capabilityNumber("CAP_SETPCAP"), 8);
  assert.equal(capabilityNumber("CAP_SYS_ADMIN"), 21);
  assert.equal(capabilityNumber("CAP_SETFCAP"), 31);
  assert.equal(capabilityNumber("CAP_MAC_OVERRIDE"), 32);
  assert.equal(capabilityNumber("CAP_CHECKPOINT_RESTORE"), 40);
  assert.equal(capabilityNumber("CAP_NO_SUCH"), undefined);
  assert.equal(capabilityNumber("kill"), undefined);
});

test("without flags a container has Docker's fourteen", () => {
  assert.deepEqual(resolve([], []), DEFAULT_CAPABILITIES);
  assert.equal(DEFAULT_CAPABILITIES.length, 14);
});

test("names are understood in any case, with and without CAP_", () => {
  for (const name of ["SYS_TIME", "sys_time", "CAP_SYS_TIME", "cap_Sys_Time"]) {
    assert.deepEqual(resolve([name], ["all"]), ["CAP_SYS_TIME"]);
  }
});

test("a dropped capability is gone", () => {
  assert.deepEqual(
    resolve([], ["chown", "CAP_MKNOD"]),
    DEFAULT_CAPABILITIES.filter((name) => name !== "CAP_CHOWN" && name !== "CAP_MKNOD"),
  );
});

test("dropping ALL leaves what is added", () => {
  assert.deepEqual(resolve([], ["ALL"]), []);
  assert.deepEqual(resolve(["kill", "chown"], ["ALL"]), ["CAP_CHOWN", "CAP_KILL"]);
});

test("adding ALL leaves out what is dropped by name", () => {
  assert.deepEqual(
    resolve(["ALL"], ["sys_admin"]),
    CAPABILITY_NAMES.filter((name) => name !== "CAP_SYS_ADMIN"),
  );
});

test("a capability that is added and dropped is there, as with Docker", () => {
  assert.deepEqual(resolve(["chown"], ["chown"]), DEFAULT_CAPABILITIES);
});

test("a privileged container has all", () => {
  assert.deepEqual(resolve([], ["ALL"], true), CAPABILITY_NAMES);
});

test("an unknown name is a failure that names it and its flag", () => {
  assert.throws(() => resolve(["root"], []), { message: "--cap-add: unknown capability 'root'" });
  assert.throws(() => resolve([], [""], true), { message: "--cap-drop: unknown capability ''" });
});

test("the result has no name twice and is in the order of the numbers", () => {
  const names = fc.array(fc.constantFrom(...CAPABILITY_NAMES, "ALL"));
  fc.assert(
    fc.property(names, names, fc.boolean(), (add, drop, privileged) => {
      const numbers = resolve(add, drop, privileged).map(capabilityNumber);
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => Number(a) - Number(b)),
      );
    }),
  );
});
