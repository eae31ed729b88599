import assert from "node:assert/strict";
import { test } from "node:test";
import { planNetDevices } from "../../../src/network/net-devices.ts";

test("a device without a new name keeps its own", () => {
  assert.deepEqual(planNetDevices({ eth1: {}, eth0: { name: "" } }), [
    { name: "eth0", nameInside: "eth0" },
    { name: "eth1", nameInside: "eth1" },
  ]);
});

test("a new name and a template are taken over", () => {
  assert.deepEqual(planNetDevices({ a: { name: "ctr" }, b: { name: "eth%d" }, c: { name: "eth%d" } }), [
    { name: "a", nameInside: "ctr" },
    { name: "b", nameInside: "eth%d" },
    { name: "c", nameInside: "eth%d" },
  ]);
});

test("names that no link can have are refused", () => {
  for (const name of ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\nb", "0123456789abcdef", "äääääääää"]) {
    assert.throws(() => planNetDevices({ [name]: {} }), /is not a name for a network device/, name);
  }
  assert.throws(() => planNetDevices({ eth0: { name: "a/b" } }), /'a\/b' is not a name/);
  assert.equal(planNetDevices({ "0123456789abcde": {} }).length, 1);
});

test("a template has one number and nothing else to fill in", () => {
  for (const name of ["eth%s", "eth%", "a%d%d", "%%d"]) {
    assert.throws(() => planNetDevices({ eth0: { name } }), /may have one '%d'/, name);
  }
});

test("two devices can not have the same name inside", () => {
  assert.throws(() => planNetDevices({ a: { name: "eth0" }, b: { name: "eth0" } }), /two devices .* 'eth0'/);
  assert.throws(() => planNetDevices({ a: {}, b: { name: "a" } }), /two devices/);
});
