import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { uidOutside } from "../../../src/cgroup/dbus-connection.ts";

describe("who we are to systemd", () => {
  test("a uid of the first user namespace is what it is", () => {
    assert.equal(uidOutside("         0          0 4294967295\n", 1000), 1000);
  });

  test("root of a user's namespace is that user", () => {
    const map = "         0       1000          1\n         1     100000      65536\n";
    assert.equal(uidOutside(map, 0), 1000);
    assert.equal(uidOutside(map, 5), 100_004);
    assert.equal(uidOutside(map, 65_537), 65_537);
  });
});
