import assert from "node:assert/strict";
import { test } from "node:test";
import { globTest, parseFilters, parseUntil } from "../../../src/cli/filters.ts";
import { listingLines, parseFormat } from "../../../src/cli/listing.ts";
import { Failure } from "../../../src/failure.ts";

const LISTING = {
  titles: { ID: "IMAGE ID" },
  columns: ["ID", "Size"],
  rows: [
    { ID: "a", Size: "1B", Label: (name: string) => `<${name}>` },
    { ID: "bcd", Size: "20MB", Label: () => "" },
  ],
} as const;
const lines = (format?: string) => listingLines(parseFormat(format), LISTING);

test("a list is a table of its columns, JSON, or what a template makes of it", () => {
  assert.deepEqual(lines(), ["IMAGE ID   SIZE", "a          1B", "bcd        20MB"]);
  assert.deepEqual(lines("table"), lines());
  assert.deepEqual(lines("json"), ['{"ID":"a","Size":"1B"}', '{"ID":"bcd","Size":"20MB"}']);
  assert.deepEqual(lines("{{.ID}}\\t{{.Size}}"), ["a\t1B", "bcd\t20MB"]);
  assert.deepEqual(lines("{{json .}}"), lines("json"));
});

test("a table of a template has headings for its fields", () => {
  assert.deepEqual(lines('table {{.Size}}\\t{{.ID}} {{.Label "x"}}'), [
    "SIZE   IMAGE ID LABEL",
    "1B     a <x>",
    "20MB   bcd",
  ]);
  const empty = { titles: LISTING.titles, columns: LISTING.columns, rows: LISTING.rows.slice(2) };
  assert.deepEqual(listingLines(parseFormat("table {{upper .ID}}"), empty), ["IMAGE ID"]);
});

test("a format that is nothing of that is refused", () => {
  for (const format of ["xml", "", "TABLE", "{{.ID"]) assert.throws(() => parseFormat(format), Failure, format);
});

const KINDS = {
  id: { test: (value: string) => (thing: string) => thing.startsWith(value) },
  letter: { all: true, test: (value: string) => (thing: string) => thing.includes(value) },
};

test("filters of one name are alternatives, those of several must all do, and so must labels", () => {
  const passing = (...filters: string[]) => ["ab", "abc", "xc"].filter(parseFilters(KINDS, filters));
  assert.deepEqual(passing(), ["ab", "abc", "xc"]);
  assert.deepEqual(passing("id=a"), ["ab", "abc"]);
  assert.deepEqual(passing("id=a", "id=x"), ["ab", "abc", "xc"]);
  assert.deepEqual(passing("id=a", "letter=c"), ["abc"]);
  assert.deepEqual(passing("letter=b", "letter=c"), ["abc"]);
  for (const wrong of ["nosuch=1", "id", "=x", "toString=1"]) assert.throws(() => passing(wrong), Failure, wrong);
});

test("patterns are the shell's, and stop at slashes", () => {
  const matches = (pattern: string, text: string) => globTest(pattern)(text);
  assert.ok(
    matches("busy*", "busybox") && matches("*:1.?", "a:1.2") && matches("[a-c]x", "bx") && matches("[^a]", "b"),
  );
  for (const [pattern, text] of [
    ["busy*", "team/busybox"],
    ["*", "a/b"],
    ["a.c", "abc"],
    ["[^a]", "a"],
    ["a", "ab"],
  ] as const) {
    assert.ok(!matches(pattern, text), `${pattern} ${text}`);
  }
});

test("until is a time, or how long ago", () => {
  assert.equal(parseUntil("1h", 7_200_000), 3_600_000);
  assert.equal(parseUntil("10", 0), 10_000);
  assert.equal(parseUntil("1970-01-01T00:00:01Z", 0), 1000);
  assert.throws(() => parseUntil("soon", 0), Failure);
});
