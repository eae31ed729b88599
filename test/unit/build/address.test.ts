import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOfAddress } from "../../../src/build/add.ts";
import { refusePassword } from "../../../src/build/address.ts";
import { parseRepository } from "../../../src/build/git.ts";

test("an address that says who asks is refused, for files and for repositories", () => {
  for (const url of ["https://user:word@host/x", "http://token@host", "https://a:b@host:8080/x.git?y#z"]) {
    assert.throws(() => refusePassword(url), /part of the image's history/, url);
    assert.throws(() => parseRepository(url), /part of the image's history/, url);
  }
});

test("others are not: an @ may stand in a path, and ssh has names, but no passwords", () => {
  for (const url of ["https://host/@scope/name.git", "ssh://git@host/x.git", "git@host:x.git", "https://host?a@b"]) {
    assert.doesNotThrow(() => refusePassword(url), url);
  }
});

test("a file that is downloaded is named as the last part of its address", () => {
  assert.equal(nameOfAddress("https://host/a/b.tar?x=/y#z"), "b.tar");
  assert.equal(nameOfAddress("https://host"), "");
});
