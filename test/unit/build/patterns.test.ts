import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isGlob, matchesGlob, mayMatchBelow, parseGlob } from "../../../src/build/glob.ts";
import { canSkip, cleanPath, enter, ignoreOf, ignores, parseIgnore, rootPlace } from "../../../src/build/patterns.ts";
import { Failure } from "../../../src/failure.ts";

const matches = (pattern: string, path: string) => matchesGlob(parseGlob(pattern, true), path);

test("patterns match as filepath.Match does", () => {
  const cases: [pattern: string, path: string, expected: boolean][] = [
    ["abc", "abc", true],
    ["*", "abc", true],
    ["*", "", true],
    ["*c", "abc", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/fff", false],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "ab", false],
    ["a?b", "a☺b", true],
    ["a[^a]b", "a☺b", true],
    ["a???b", "a☺b", false],
    ["[a-ζ]*", "α", true],
    ["*[a-ζ]", "A", false],
    ["a?b", "a/b", false],
    ["a[^x]b", "a/b", true],
    ["[\\]a]", "]", true],
    ["[\\-x]", "-", true],
    ["[x\\-]", "z", false],
    ["*x", "xxx", true],
    ["a.c", "abc", false],
  ];
  for (const [pattern, path, expected] of cases) assert.equal(matches(pattern, path), expected, `${pattern} ${path}`);
});

test("** is anything, **/ any directories", () => {
  const cases: [pattern: string, path: string, expected: boolean][] = [
    ["**", "a/b", true],
    ["**/a", "a", true],
    ["**/a", "x/y/a", true],
    ["**/a", "xa", false],
    ["**a", "x/ya", true],
    ["**/*.go", "x/y.go", true],
    ["a/**", "a", false],
    ["a/**", "a/b/c", true],
    ["a**", "ab/c", true],
    ["a/**/b", "a/b", true],
    ["a/**/b", "a/x/y/b", true],
    ["a/**/b", "axb", false],
    ["a/**/b", "a/xb", false],
    ["a**/b", "ax/b", true],
    ["a**b", "ax/b", true],
    ["a**b", "axb", false],
    ["**/**/c", "c", true],
    ["**/a/**/c", "x/a/y/c", true],
    ["**/.*", "x/.y", true],
    ["a/**/*", "a/b", true],
  ];
  for (const [pattern, path, expected] of cases) assert.equal(matches(pattern, path), expected, `${pattern} ${path}`);
  assert.equal(matchesGlob(parseGlob("**/a", false), "a"), false);
  assert.equal(matchesGlob(parseGlob("**/a", false), "x/a"), true);
});

test("patterns that are none are refused", () => {
  for (const pattern of ["[", "[]a]", "[a", "[a-", "[a-]", "[-x]", "[x-", "[^", "[^]", "a[", "a\\", "[\\"])
    assert.throws(() => parseGlob(pattern, true), Failure, pattern);
  assert.throws(() => parseGlob("a".repeat(4097), true), /longer than 4096/);
});

test("what is but a path is told from patterns", () => {
  assert.deepEqual(["a/b.c", "a*", "a?", "[a]", "a\\b"].map(isGlob), [false, true, true, true, true]);
});

test("a directory below which nothing can match need not be looked at", () => {
  const below = (pattern: string, directory: string) => mayMatchBelow(parseGlob(pattern, true), directory);
  assert.deepEqual(
    ["", "a", "b", "a/b"].map((path) => below("a/*.c", path)),
    [true, true, false, false],
  );
  assert.deepEqual(
    ["a", "x/y"].map((path) => below("**/c", path)),
    [true, true],
  );
});

test("paths are clean as Go has them", () => {
  const cases: [path: string, clean: string][] = [
    ["", "."],
    ["./a//b/../c/", "a/c"],
    ["/../a", "/a"],
    ["../../a", "../../a"],
    ["a/../..", ".."],
    ["/", "/"],
    [".", "."],
  ];
  for (const [path, clean] of cases) assert.equal(cleanPath(path), clean, path);
});

/** Those of the paths that are ignored. */
function ignored(lines: string, ...paths: string[]): string[] {
  const ignore = parseIgnore(lines);
  return paths.filter((path) => ignores(ignore, path));
}

test("a file of patterns: comments, blanks, slashes, and what is in a directory that is ignored", () => {
  const text = "\uFEFF# comment\n\n /a/ \n./b//c\r\n*.o\n#not\n  # this is a pattern\nx/../y\n..\n.\n";
  const paths = ["a", "a/b/c", "b", "b/c", "b/c/d", "m.o", "s/m.o", "#not", "# this is a pattern", "x", "y", "z"];
  assert.deepEqual(ignored(text, ...paths), ["a", "a/b/c", "b/c", "b/c/d", "m.o", "# this is a pattern", "y"]);
});

test("the last pattern that matches counts", () => {
  assert.deepEqual(ignored("*.md\n!README*.md\nREADME-secret.md", "a.md", "README.md", "README-secret.md"), [
    "a.md",
    "README-secret.md",
  ]);
  assert.deepEqual(ignored("*.md\nREADME-secret.md\n!README*.md", "README-secret.md"), []);
  assert.deepEqual(ignored("a\n! a/b \n", "a", "a/b", "a/b/c", "a/c"), ["a", "a/c"]);
  assert.deepEqual(ignored("**\n!src\nsrc/**/test", "x", "src", "src/a", "src/a/test", "src/test/y"), [
    "x",
    "src/a/test",
    "src/test/y",
  ]);
});

test("a bad file of patterns is refused, with the line", () => {
  assert.throws(() => parseIgnore("a\n!\n"), /^Failure: \.dockerignore:2: '!' stands alone/);
  assert.throws(() => parseIgnore("[", "x.dockerignore"), /x\.dockerignore:1: bad pattern '\['/);
  assert.throws(() => parseIgnore("a\n".repeat(10_001)), /more than 10000 patterns/);
});

test("a directory is passed over if nothing below it is kept", () => {
  const skipped = (lines: string, path: string) => {
    let place = rootPlace(parseIgnore(lines));
    for (const name of path.split("/")) place = enter(place, name);
    return canSkip(place);
  };
  assert.equal(skipped("a", "a"), true);
  assert.equal(skipped("a", "b"), false);
  assert.equal(skipped("a\n!a/b", "a"), false);
  assert.equal(skipped("a\n!a/b", "a/c"), true);
  assert.equal(skipped("*\n!**/*.md", "a/b"), false);
  assert.equal(skipped("*\n!b/*.md", "a"), true);
  assert.equal(skipped("!a/b\na", "a"), true);
  assert.equal(skipped("a/*", "a"), false);
});

/** The same, slowly: what a pattern means as a regular expression. */
function slowly(pattern: string): RegExp {
  if (/^\*\*[^/*?[\\]/.test(pattern) && !/[*?[\\]/.test(pattern.slice(2)))
    return new RegExp(`^.*${pattern.slice(2).replaceAll(".", "\\.")}$`, "su");
  const source = pattern.replace(/\*\*\/?$|\*\*\/?|\*|\?|[.\\]./g, (found, at: number) => {
    if (found.startsWith("**")) return at + found.length === pattern.length ? ".*" : "(?:.*/)?";
    if (found === "*") return "[^/]*";
    if (found === "?") return "[^/]";
    return found.startsWith(".") ? `\\.${found.slice(1)}` : found;
  });
  return new RegExp(`^${source}$`, "su");
}

const part = fc
  .array(fc.constantFrom("a", "b", "*", "?", "**", "[ab]", "[^a]"), { minLength: 1, maxLength: 3 })
  .map((all) => all.join("").replace(/\*{3,}/g, "**"));
const patternText = fc
  .array(part, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/").replace(/(\*\*\/){2,}/g, "**/"));
const pathText = fc
  .array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"));

test("patterns match what their regular expressions match", () => {
  const check = fc.property(patternText, pathText, (pattern, path) => {
    assert.equal(matches(pattern, path), slowly(pattern).test(path), `${pattern} ${path}`);
  });
  fc.assert(check, { numRuns: 5000 });
});

test("lists of patterns ignore what they ignore if each is asked for each directory; what is skipped is all ignored", () => {
  const rule = fc.tuple(fc.boolean(), patternText);
  const check = fc.property(fc.array(rule, { maxLength: 5 }), pathText, (rules, path) => {
    const parents = path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));
    const last = rules.findLast(([, pattern]) => parents.some((parent) => slowly(pattern).test(parent)));
    const ignore = ignoreOf(rules.map(([keeps, pattern]) => (keeps ? `!${pattern}` : pattern)));
    const expected = last !== undefined && !last[0];
    assert.equal(ignores(ignore, path), expected);
    let place = rootPlace(ignore);
    for (const name of path.split("/")) {
      if (canSkip(place)) assert.equal(expected, true, `${path} was skipped`);
      place = enter(place, name);
    }
  });
  fc.assert(check, { numRuns: 3000 });
});

test("a pattern that would take a regular expression forever takes no time", () => {
  const pattern = `${"*a".repeat(100)}b`;
  assert.equal(matches(pattern, "a".repeat(5000)), false);
});

test("any text is a pattern or refused", () => {
  const piece = fc.oneof(
    fc.constantFrom("*", "**", "/", "[", "]", "^", "-", "\\", "!", "#", ".", "..", " "),
    fc.string({ maxLength: 2 }),
  );
  const check = fc.property(
    fc.array(piece).map((all) => all.join("")),
    pathText,
    (text, path) => {
      try {
        assert.equal(typeof ignores(parseIgnore(text), path), "boolean");
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    },
  );
  fc.assert(check, { numRuns: 1000 });
});
