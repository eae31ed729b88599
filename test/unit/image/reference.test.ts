import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import {
  baseNameOf,
  familiarName,
  fullName,
  isDigest,
  parseReference,
  repositoryAndTag,
} from "../../../src/image/reference.ts";
import { recordFile } from "../../../src/image/store.ts";

const full = (text: string) => fullName(parseReference(text));
const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

test("a name without a domain is docker.io's, one without an owner is official, one without a tag is the latest", () => {
  assert.equal(full("busybox"), "docker.io/library/busybox:latest");
  assert.equal(full("busybox:1.35"), "docker.io/library/busybox:1.35");
  assert.equal(full("me/app"), "docker.io/me/app:latest");
  assert.equal(full("docker.io/busybox"), "docker.io/library/busybox:latest");
  assert.equal(full("index.docker.io/library/busybox"), "docker.io/library/busybox:latest");
});

test("the first part is a domain if it has a dot or a port, or is localhost", () => {
  assert.equal(full("quay.io/a/b:c"), "quay.io/a/b:c");
  assert.equal(full("localhost/a"), "localhost/a:latest");
  assert.equal(full("registry:5000/a"), "registry:5000/a:latest");
  assert.equal(full("[::1]:5000/a"), "[::1]:5000/a:latest");
});

test("a digest stands for the tag", () => {
  assert.deepEqual(parseReference(`busybox@${DIGEST}`), {
    domain: "docker.io",
    path: "library/busybox",
    tag: undefined,
    digest: DIGEST,
  });
  assert.equal(parseReference(`busybox:1@${DIGEST}`).tag, "1");
});

test("what is no name is refused with what is wrong about it", () => {
  const bad: [string, RegExp][] = [
    ["", /empty/],
    ["Busybox", /lower case/],
    ["a b", /parts are of/],
    ["../x", /parts are of|no domain/],
    ["a//b", /parts are of/],
    ["a/", /parts are of/],
    ["a:", /the tag/],
    [`a:${"t".repeat(129)}`, /the tag/],
    ["a:../../x", /no domain/],
    ["a@sha256:../../x", /digest/],
    ["a@sha512:00", /digest/],
    ["a".repeat(256), /longer/],
    ["f".repeat(64), /an id/],
    ["a\0b", /parts are of/],
    ["-x.y/a", /no domain/],
  ];
  for (const [text, reason] of bad) assert.throws(() => parseReference(text), reason, JSON.stringify(text));
});

test("a digest has exactly 64 digits in lower case", () => {
  assert.ok(isDigest(DIGEST));
  for (const text of [
    DIGEST.toUpperCase(),
    `${DIGEST}0`,
    DIGEST.slice(0, -1),
    `${DIGEST}\n`,
    "sha256:../../x",
    1,
    null,
  ])
    assert.ok(!isDigest(text), String(text));
});

test("names are shown as people write them", () => {
  for (const [name, shown] of [
    ["docker.io/library/busybox:latest", "busybox:latest"],
    ["docker.io/me/app:1", "me/app:1"],
    ["quay.io/me/app:1", "quay.io/me/app:1"],
  ] as const)
    assert.equal(familiarName(name), shown);
  assert.deepEqual(repositoryAndTag("localhost:5000/a:1"), ["localhost:5000/a", "1"]);
  assert.equal(baseNameOf(parseReference("quay.io/me/app:1")), "app");
});

const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,8})?$/);
const names = fc
  .tuple(
    fc.option(fc.constantFrom("quay.io", "localhost", "r:5000", "docker.io"), { nil: undefined }),
    fc.array(part, { minLength: 1, maxLength: 4 }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}$/), { nil: undefined }),
  )
  .map(
    ([domain, parts, tag]) =>
      `${domain === undefined ? "" : `${domain}/`}${parts.join("/")}${tag === undefined ? "" : `:${tag}`}`,
  );

test("a full name and a familiar name mean the same image", () => {
  fc.assert(
    fc.property(names, (text) => {
      const name = full(text);
      assert.equal(full(name), name);
      assert.equal(full(familiarName(name)), name);
    }),
  );
});

test("any text is a name or a failure, and no name leads out of its directory", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom("a", "/", ".", ":", "@", "-", "_", "A", "\0") }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const file = recordFile({ name: full(text), id: "" });
        assert.match(file, /^[^/\0]+:[^/\0]+$/);
        assert.ok(!file.startsWith("."));
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
