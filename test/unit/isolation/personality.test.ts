import assert from "node:assert/strict";
import { test } from "node:test";
import { planPersonality } from "../../../src/isolation/personality.ts";

test("domains have the kernel's numbers", () => {
  assert.equal(planPersonality({ domain: "LINUX" }), 0);
  assert.equal(planPersonality({ domain: "LINUX32", flags: [] }), 8);
});

test("an unknown domain is refused by name", () => {
  assert.throws(() => planPersonality({ domain: "SOLARIS" }), {
    message: "linux.personality.domain: unknown domain 'SOLARIS'",
  });
});

test("flags are refused", () => {
  assert.throws(() => planPersonality({ domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] }), /no flags are supported/);
});
