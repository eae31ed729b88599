import assert from "node:assert/strict";
import { test } from "node:test";
import { locationFrom } from "../../../src/registry/location.ts";

const FROM = "https://registry.example:5000/v2/app/blobs/x?a=1#b";

test("a location is taken as a URL's reference is", () => {
  for (const [location, url] of [
    ["https://other.example/x", "https://other.example/x"],
    ["HTTP://other.example/x", "http://other.example/x"],
    ["//other.example/x", "https://other.example/x"],
    ["/x", "https://registry.example:5000/x"],
    ["x/y", "https://registry.example:5000/v2/app/blobs/x/y"],
    ["?c=2", "https://registry.example:5000/v2/app/blobs/x?c=2"],
  ] as const) {
    assert.equal(locationFrom(location, FROM), url);
  }
  assert.equal(locationFrom("x", "http://registry.example"), "http://registry.example/x");
});

test("only http and https lead anywhere", () => {
  for (const location of ["file:///etc/passwd", "unix:/run/x", "data:,x", "javascript:x"]) {
    assert.throws(() => locationFrom(location, FROM), /registry\.example:5000 sends on to/);
  }
});
