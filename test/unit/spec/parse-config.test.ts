import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { stringifyExact } from "../../../src/spec/json.ts";
import { parseConfig, parseNewConfig, parseProcess, parseResources } from "../../../src/spec/parse-config.ts";
import { parseStrict } from "../../../src/spec/strict-json.ts";

const messageOf = (text: string): string => {
  try {
    parseConfig(text);
    return "";
  } catch (error) {
    assert.ok(error instanceof Failure, `${error}`);
    return error.message;
  }
};
/** With fields beside a version. */
const config = (fields: string): string => `{"ociVersion":"1.2.0",${fields}}`;

test("a config is read as it is, with what is not known", () => {
  assert.deepEqual(parseConfig(config('"hostname":"a","solaris":{"b":[1]},"x":"\\u00e9\\ud83d\\ude00"')), {
    ociVersion: "1.2.0",
    hostname: "a",
    solaris: { b: [1] },
    x: "é😀",
  });
});

test("a process and limits are read by themselves", () => {
  assert.deepEqual(parseProcess('{"cwd":"/","args":["a"]}'), { cwd: "/", args: ["a"], user: { uid: 0, gid: 0 } });
  assert.throws(() => parseProcess('{"cwd":1}'), new Failure("process: cwd: expected a string, got 1"));
  assert.deepEqual(parseResources('{"memory":{"limit":9223372036854775807}}'), { memory: { limit: 2n ** 63n - 1n } });
  assert.throws(
    () => parseResources("[]", "limits.json"),
    new Failure("limits.json: expected an object, got an array"),
  );
});

test("a syntax error is told by line and column", () => {
  for (const [text, message] of [
    ["", "line 1, column 1: expected a value, got the end"],
    ["{\n  'a': 1}", "line 2, column 3: expected a key or '}', got \"'\""],
    ['{"a":1,}', 'line 1, column 8: expected a key, got "}"'],
    ['{"a" 1}', "line 1, column 6: expected ':', got \"1\""],
    ['{"a":[1 2]}', "line 1, column 9: expected ',' or ']', got \"2\""],
    ['{"a":01}', 'line 1, column 6: expected a value, got "0"'],
    ['{"a":nul}', 'line 1, column 6: expected a value, got "n"'],
    ['{"a":NaN}', 'line 1, column 6: expected a value, got "N"'],
    ['{"a":"b', "line 1, column 6: a string without its end"],
    ['{"a":"\\x"}', "line 1, column 6: a malformed string"],
    ['{"a":"\n"}', "line 1, column 6: a malformed string"],
    ["{} {}", 'line 1, column 4: expected the end, got "{"'],
    ["{} // x", 'line 1, column 4: expected the end, got "/"'],
    ["\ufeff{}", "begins with a byte order mark"],
  ] as const) {
    assert.equal(messageOf(text), `config.json: ${message}`, text);
  }
});

test("the top must be an object", () => {
  assert.equal(messageOf("null"), "config.json: expected an object, got null");
  assert.equal(messageOf("[]"), "config.json: expected an object, got an array");
  assert.equal(messageOf('"a"'), 'config.json: expected an object, got "a"');
});

test("a key that is there twice is told with its path, however it is written", () => {
  for (const twice of [
    '"hostname":"a","hostname":"b"',
    '"hostname" : "a","hostname":"a"',
    '"hostname":"a","hostname"\n:"a"',
    '"hostname":"a","\\u0068ostname":"b"',
    // A key that ends with a backslash hides another one from a count of `":`.
    '"hostname":"a","b\\\\":1,"hostname":"b"',
    '"hostname":"a","b":"\\":","hostname":"b"',
  ]) {
    assert.equal(messageOf(config(twice)), "config.json: hostname is there twice", twice);
  }
  assert.equal(
    messageOf(config('"annotations":{"a.b":"1","a.b":"2"}')),
    'config.json: annotations["a.b"] is there twice',
  );
  assert.equal(messageOf(config('"x":[{"__proto__":1,"__proto__":2}]')), "config.json: x[0].__proto__ is there twice");
  assert.equal(messageOf(config('"linux":{"a":{"b":1,"b":{}}}')), "config.json: linux.a.b is there twice");
});

test("__proto__ is a key like others", () => {
  for (const text of [
    config('"__proto__":{"hostname":"evil","toString":1},"annotations":{"__proto__":"a"}'),
    config('"__proto__" :{"hostname":"evil","toString":1},"annotations":{"__proto__":"a"}'),
  ]) {
    const spec = parseConfig(text);
    assert.equal(spec.hostname, undefined);
    assert.equal(Object.getPrototypeOf(spec), Object.prototype);
    assert.deepEqual(Object.entries(spec.annotations ?? {}), [["__proto__", "a"]]);
  }
  assert.equal(messageOf('{"__proto__":{"ociVersion":"1.2.0"}}'), "config.json: ociVersion is missing");
  assert.equal(messageOf(config('"constructor":1,"process":{"toString":2,"cwd":"/"}')), "");
});

test("text that is no Unicode, or has a NUL, is told with its path", () => {
  // Bytes that are not UTF-8 reach us as U+DC80 to U+DCFF.
  for (const bad of ["\udcff", "\\udcff", "\\uD800x", "a\\ud83d"]) {
    assert.equal(messageOf(config(`"hostname":"${bad}"`)), "config.json: hostname: text that is not Unicode (UTF-8)");
  }
  assert.equal(
    messageOf(config('"process":{"cwd":"/","args":["a","b\\u0000c"]}')),
    "config.json: process.args[1]: a NUL character is not possible in any text here",
  );
  assert.match(messageOf(config('"annotations":{"a\\u0000":"b"}')), /^config.json: annotations: a NUL/);
  assert.equal(messageOf(config('"hostname":"a\\\\u0000"')), "");
});

test("there are limits: of size, depth and length", () => {
  assert.equal(messageOf(" ".repeat(16 * 1024 * 1024 + 1)), "config.json: is larger than 16 MiB");
  const deep = (levels: number) => config(`"x":${"[".repeat(levels)}${"]".repeat(levels)}`);
  assert.equal(messageOf(deep(63)), "");
  assert.match(
    messageOf(deep(64)),
    /^config.json: line 1, column \d+: more than 64 arrays and objects within each other$/,
  );
  assert.match(messageOf(deep(10_000)), /more than 64 arrays and objects/);
  assert.match(messageOf(deep(1_000_000)), /more than 64 arrays and objects/);
  const long = (elements: number) => config(`"process":{"cwd":"/","args":[${'"a",'.repeat(elements - 1)}"a"]}`);
  assert.equal(messageOf(long(65_536)), "");
  assert.equal(messageOf(long(65_537)), "config.json: process.args[65536]: more than 65536 elements");
  assert.match(messageOf(long(1_000_000)), /more than 65536 elements/);
  const many = config(`"annotations":{${Array.from({ length: 65_537 }, (_, index) => `"k${index}":""`).join()}}`);
  assert.equal(messageOf(many), "config.json: annotations.k65536: more than 65536 fields");
});

test("hostile texts of 16 MiB are refused, none takes long", () => {
  const size = 16 * 1024 * 1024 - 64;
  for (const [start, fill, end] of [
    ['{"a":"', "\\", '"}'],
    ['{"a":"', '\\"', '"}'],
    ['{"a":', "1", "}"],
    ["", '"', ""],
    ["", '{"":', ""],
    ["[", "1e", "]"],
  ] as const) {
    assert.notEqual(messageOf(start + fill.repeat(size / fill.length) + end), "");
  }
});

test("the strict reader takes and gives what JSON.parse does", () => {
  fc.assert(
    fc.property(
      fc.json({ depthSize: "medium", stringUnit: "grapheme-ascii" }),
      fc.constantFrom("", " ", "\n", "\t\r"),
      (json, space) => {
        const text = space + json.replaceAll(/^|$/g, space);
        // Of BigInts JSON.parse makes rounded numbers.
        assert.deepEqual(
          JSON.parse(stringifyExact(parseStrict(text, "x"))),
          JSON.parse(JSON.stringify(JSON.parse(text))),
        );
      },
    ),
  );
});

test("both readers refuse the same texts", () => {
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b\\n"',
    '"',
    "\\",
    "1",
    "-",
    "0",
    ".5",
    "e3",
    "true",
    "null",
    " ",
    "\n",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (parts) => {
      const text = parts.join("");
      let plain: unknown;
      try {
        plain = { value: JSON.parse(text) };
      } catch {
        plain = undefined;
      }
      let strict: unknown;
      try {
        strict = { value: parseStrict(text, "x") };
      } catch (error) {
        if (error instanceof Failure && error.message.includes("twice")) return;
        strict = undefined;
      }
      assert.deepEqual(strict, plain, text);
    }),
    { numRuns: 20_000 },
  );
});

interface Tree {
  readonly entries?: readonly (readonly [key: string, space: string, value: Tree])[];
  readonly text?: string;
}

const render = ({ entries, text }: Tree): string =>
  entries === undefined
    ? JSON.stringify(text ?? "")
    : `{${entries.map(([key, space, value]) => `${JSON.stringify(key)}${space}:${render(value)}`).join()}}`;

const hasTwice = ({ entries = [] }: Tree): boolean =>
  new Set(entries.map(([key]) => key)).size < entries.length || entries.some(([, , value]) => hasTwice(value));

test("no key that is there twice is missed, and none is told that is not", () => {
  const key = fc.constantFrom("a", "b", "a\\", '":', "__proto__", '\\":"', "a:");
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.record({ text: fc.constantFrom("", '":', "\\", " :", '{"a":"b"}') }),
      fc.record({
        entries: fc.array(fc.tuple(key, fc.constantFrom("", "", "", " ", "\n", "\t\r"), tie("tree")), { maxLength: 4 }),
      }),
    ),
  }));
  fc.assert(
    fc.property(tree, (x) => {
      const message = messageOf(config(`"x":${render(x)}`));
      if (hasTwice(x)) assert.match(message, /is there twice$/);
      else assert.equal(message, "");
    }),
    { numRuns: 10_000 },
  );
});

test("a config that JSON.parse alone reads in the same way is known", () => {
  const plain = config('"hostname":"a","process":{"cwd":"/","user":{"uid":1,"gid":2}}');
  assert.deepEqual(parseNewConfig(plain), { spec: JSON.parse(plain), isPlain: true });
  for (const fields of [
    // Deleted, filled in, of more than 53 bits, with a colon that is not counted.
    '"hostname":null',
    '"process":{"cwd":"/"}',
    '"linux":{"resources":{"memory":{"limit":9223372036854775807}}}',
    '"hostname" :"a"',
  ]) {
    assert.equal(parseNewConfig(config(fields)).isPlain, false, fields);
    assert.deepEqual(parseNewConfig(config(fields)).spec, parseConfig(config(fields)), fields);
  }
});
