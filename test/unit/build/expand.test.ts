import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { expandInstruction, expandStage } from "../../../src/build/expand.ts";
import type { Instruction } from "../../../src/build/instruction.ts";
import { expandWord, expandWords, type Lookup, RESULT_LIMIT_CHARACTERS } from "../../../src/build/lexer.ts";
import { parseDockerfile } from "../../../src/build/parse-dockerfile.ts";
import { Failure } from "../../../src/failure.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  PWD: "/home",
  SHELL: "bash",
  KOREAN: "한국어",
  NULL: "",
  FOO: "xxyy",
  BAR: "x",
  STARS: "a***yy*",
  REGEX: "()[]{}^$.*?|\\x",
  PATH_: "/tmp/tmp/bar.txt",
  WORDS: "a b  c",
};
const lookup: Lookup = (name) => (Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined);
const word = (text: string) => expandWord(text, { lookup, escape: "\\" });

function isRefused(act: () => unknown, message: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.match(error.message, message);
    return true;
  });
}

test("variables are put in, quotes and escapes go", () => {
  const cases: [text: string, expected: string][] = [
    ["hello", "hello"],
    ["he'll'o", "hello"],
    ['he"ll"o', "hello"],
    ["he\\'llo", "he'llo"],
    ["he\\\\llo", "he\\llo"],
    ["'he\\'llo", "he\\llo"],
    ['"he\\"ll\\o"', 'he"ll\\o'],
    ['"he\'llo"', "he'llo"],
    ["'$PWD'", "$PWD"],
    ['"$PWD"', "/home"],
    ["\\$PWD", "$PWD"],
    ['"\\$PWD"', "$PWD"],
    ["$PWD/x", "/home/x"],
    ["${PWD}x", "/homex"],
    ["$PWDx", ""],
    ["a$", "a$"],
    ["a$.b", "a$.b"],
    ["$KOREAN 한${KOREAN}글", "한국어 한한국어글"],
    ["$1x", "x"],
    ["$$x", "x"],
    ["he\\", "he"],
    ["a  b", "a  b"],
    ["$UNSET", ""],
  ];
  for (const [text, expected] of cases) assert.equal(word(text), expected, text);
});

test("alternatives: for what is not set, or empty, or set", () => {
  const cases: [text: string, expected: string][] = [
    ["${FOO-a}|${NULL-b}|${UNSET-c}", "xxyy||c"],
    ["${FOO:-a}|${NULL:-b}|${UNSET:-c}", "xxyy|b|c"],
    ["${FOO+a}|${NULL+b}|${UNSET+c}", "a|b|"],
    ["${FOO:+a}|${NULL:+b}|${UNSET:+c}", "a||"],
    ["${FOO?a}|${NULL?b}", "xxyy|"],
    ["${FOO:?a}", "xxyy"],
    ["${UNSET:-}", ""],
    ["${UNSET:-$FOO-${NULL:-${BAR}}}", "xxyy-x"],
    ["${UNSET:-'$FOO}'}", "$FOO}"],
    ['"${UNSET:-a b}"', "a b"],
    ["${UNSET:-a\\}b}", "a}b"],
  ];
  for (const [text, expected] of cases) assert.equal(word(text), expected, text);
});

test("what must be set is refused with its message if it is not", () => {
  isRefused(() => word("${UNSET:?set $BAR}"), /^UNSET: set x$/);
  isRefused(() => word("${NULL:?}"), /^NULL: it may not be unset or empty$/);
  isRefused(() => word("${UNSET?}"), /^UNSET: it may not be unset$/);
});

test("patterns take away the beginning or the end, or are replaced", () => {
  const cases: [text: string, expected: string][] = [
    ["${FOO#x}", "xyy"],
    ["${FOO#*}", "xxyy"],
    ["${FOO##*}", ""],
    ["${FOO#*x*y}", "y"],
    ["${FOO##*x}", "yy"],
    ["${FOO#$BAR}", "xyy"],
    ["${FOO#}", "xxyy"],
    ["${FOO#??}", "yy"],
    ["${FOO%y}", "xxy"],
    ["${FOO%%y*}", "xx"],
    ["${FOO%y*}", "xxy"],
    ["${FOO%x}", "xxyy"],
    ["${STARS%%\\**\\*}", "a"],
    ["${REGEX#()[]{\\}^$.\\*\\?|\\\\}", "x"],
    ["${KOREAN#?}", "국어"],
    ["${FOO/x/.}", ".xyy"],
    ["${FOO//x/.}", "..yy"],
    ["${FOO//?/$BAR}", "xxxx"],
    ["${FOO/x*/-}", "-"],
    ["${PATH_//\\/tmp/}", "/bar.txt"],
    ["${PATH_/tmp/a\\/b}", "/a\\/b/tmp/bar.txt"],
    ["${FOO/$NULL/ww}", "wwxxyy"],
    ["${FOO//$NULL/-}", "-x-x-y-y-"],
    ["${FOO//*/-}", "-"],
    ["${FOO///}", "xxyy"],
    ["${UNSET///}", ""],
  ];
  for (const [text, expected] of cases) assert.equal(word(text), expected, text);
});

test("what is no variable is refused", () => {
  const texts = [
    "${",
    "${FOO",
    "${}",
    "${:}",
    "${{x}",
    "${FOO:}",
    "${FOO:x}",
    "${FOO=a}",
    "${FOO^}",
    "${FOO-",
    "${FOO//ww}",
  ];
  for (const text of texts) isRefused(() => word(text), /\$\{|is missing/);
  for (const text of ["'a", '"a', '"${FOO-"a}"']) isRefused(() => word(text), /not closed|is missing/);
  isRefused(() => word("${FOO#\\x}"), /a backslash stands before what needs none/);
});

test("blanks of variables separate words, unless they are in quotes", () => {
  const words = (text: string) => expandWords(text, { lookup, escape: "\\" });
  assert.deepEqual(words("$WORDS"), ["a", "b", "c"]);
  assert.deepEqual(words('"$WORDS"'), ["a b  c"]);
  assert.deepEqual(words("x$WORDS y\\ z"), ["xa", "b", "c", "y z"]);
  assert.deepEqual(words("$NULL ''"), []);
});

test("the escape character is the Dockerfile's", () => {
  assert.equal(expandWord('a`$FOO\\b`` "`""', { lookup, escape: "`" }), 'a$FOO\\b` "');
});

test("what grows without end is refused", () => {
  const long = "x".repeat(RESULT_LIMIT_CHARACTERS);
  const options = { lookup: () => long, escape: "\\" } as const;
  assert.equal(expandWord("$a", options).length, long.length);
  isRefused(() => expandWord("$a$a", options), /longer than/);
  isRefused(() => expandWord('"$a$a"', options), /longer than/);
  isRefused(() => expandWord(`\${a#${"?".repeat(1000)}}`, options), /too long/);
  isRefused(() => expandWord(`${"${a-".repeat(100)}${"}".repeat(100)}`, options), /more than 64 deep/);
});

/** The instruction of one line, with variables put in. */
function expanded(line: string, escapeBy: "\\" | "`" = "\\"): Instruction {
  const [instruction] = parseDockerfile(`FROM x\n${line}`, "Dockerfile").stages[0]?.instructions ?? [];
  assert.ok(instruction);
  return expandInstruction(instruction, lookup, escapeBy);
}

/** Those fields of an instruction that are told. */
function has(line: string, fields: object): void {
  assert.deepEqual({ ...expanded(line), ...fields }, expanded(line), line);
}

test("variables are put in where docker does it", () => {
  has("ENV a=$BAR \"b c\"='$BAR' ${BAR}y=1", {
    pairs: [
      ["a", "x"],
      ["b c", "$BAR"],
      ["xy", "1"],
    ],
  });
  has("ENV a $BAR 'b'  c", { pairs: [["a", "x b  c"]] });
  has('LABEL a.$BAR="$FOO"', { pairs: [["a.x", "xxyy"]] });
  has("COPY --chown=$BAR:$BAR --chmod=$BAR --exclude=$BAR $BAR b $PWD/", {
    sources: ["x", "b"],
    target: "/home/",
    chown: "x:x",
    chmod: "x",
    exclude: ["$BAR"],
  });
  has('COPY ["$BAR", "a\\\\ b", "/"]', { sources: ["x", "a b"], target: "/" });
  has("ADD --checksum=sha256:$BAR https://$BAR /", { sources: ["https://x"], checksum: "sha256:x" });
  has("USER $BAR", { user: "x" });
  has("WORKDIR $PWD/a b", { path: "/home/a b" });
  has("VOLUME $PWD /b", { paths: ["/home", "/b"] });
  has("EXPOSE $WORDS 1", { ports: ["a", "b", "c", "1"] });
  has("STOPSIGNAL $SHELL", { signal: "bash" });
  has("RUN --mount=type=cache,target=$PWD,id=$WORDS $PWD", { mounts: ["type=cache,target=/home,id=a b  c"] });
});

test("what a shell is to see, or execve, stays as it is", () => {
  has('RUN echo $BAR "q"', { command: { form: "shell", text: 'echo $BAR "q"' } });
  has('CMD ["$BAR"]', { command: { form: "exec", words: ["$BAR"] } });
  has("ENTRYPOINT $BAR", { command: { form: "shell", text: "$BAR" } });
  has("HEALTHCHECK CMD $BAR", { check: { ...healthcheck("$BAR") } });
  has("MAINTAINER $BAR", { name: "$BAR" });
  has("ONBUILD USER $BAR", { instruction: "USER $BAR" });
  has("ARG a=$BAR", { args: [{ name: "a", value: "$BAR" }] });
  has("RUN <<EOF\n$BAR\nEOF", { heredocs: [{ name: "EOF", text: "$BAR\n", expand: true, descriptor: 0 }] });
});

function healthcheck(text: string) {
  const times = { intervalMs: undefined, timeoutMs: undefined, startPeriodMs: undefined, startIntervalMs: undefined };
  return { kind: "check", command: { form: "shell", text }, ...times, retries: undefined };
}

test("heredocs of COPY have variables put in, unless their names are in quotes; quotes stay", () => {
  has("COPY <<a <<'b' $BAR /d/\n$BAR '\"\\$x \\\\\n${NULL:-'y'}\na\n$BAR\nb", {
    sources: ["a", "b", "x"],
    heredocs: [
      { name: "a", text: "x '\"$x \\\n'y'\n", expand: true, descriptor: 0 },
      { name: "b", text: "$BAR\n", expand: false, descriptor: 0 },
    ],
  });
  has("COPY <<x $BAR /d/\nx", { sources: ["x", "./x"] });
});

test("a comma in a variable is not another option of a mount", () => {
  const mounts = (value: string) => {
    const [run] =
      parseDockerfile("FROM x\nRUN --mount=type=cache,target=$v a", "Dockerfile").stages[0]?.instructions ?? [];
    assert.ok(run);
    const instruction = expandInstruction(run, () => value, "\\");
    return instruction.kind === "run" ? instruction.mounts : [];
  };
  assert.deepEqual(mounts("/a,uid=0"), ['type=cache,"target=/a,uid=0"']);
});

test("nothing left of what is needed is refused, with the line", () => {
  for (const line of ["USER $NULL", "WORKDIR $NULL", "VOLUME $NULL", "COPY $NULL /", "COPY a $NULL", "ENV $NULL=a"])
    isRefused(() => expanded(line), /^line 2: /);
  isRefused(() => expanded("ADD --checksum=$NULL a /"), /^line 2: --checksum: nothing is left/);
  isRefused(() => expanded("USER ${UNSET:?no user}"), /^line 2: UNSET: no user$/);
});

test("FROM sees variables too", () => {
  const stage = (text: string) => {
    const [first] = parseDockerfile(text, "Dockerfile").stages;
    assert.ok(first);
    return expandStage(first, lookup, "\\");
  };
  const { from, platform } = stage("FROM --platform=linux/$BAR img:${UNSET:-3}");
  assert.deepEqual([from, platform], ["img:3", "linux/x"]);
  isRefused(() => stage("FROM $UNSET"), /^line 1: FROM \$UNSET: nothing is left/);
});

// What bash and this have in common: no blanks but in quotes, and of patterns no empty ones.
const literal = fc.stringMatching(/^[a-z.,:_=-]{1,4}$/);
const variable = fc.constantFrom("FOO", "BAR", "NULL", "UNSET", "STARS");
const pattern = fc.stringMatching(/^[xya*?]{1,4}$/);
const { term } = fc.letrec<{ term: string; inner: string }>((tie) => ({
  inner: fc
    .array(fc.oneof({ depthSize: "small", withCrossShrink: true }, literal, tie("term")), { maxLength: 2 })
    .map((all) => all.join("")),
  term: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    literal,
    fc.stringMatching(/^[a-z $"]{0,4}$/).map((text) => `'${text}'`),
    variable.map((name) => `\${${name}}`),
    fc.constantFrom("\\$", '\\"', "\\'", "\\\\", '"\\$ "', '"a  \'b"'),
    fc
      .tuple(variable, fc.constantFrom("-", "+", ":-", ":+"), tie("inner"))
      .map(([name, how, text]) => `\${${name}${how}${text}}`),
    fc
      .tuple(variable, fc.constantFrom("#", "##", "%", "%%"), pattern)
      .map(([name, how, text]) => `\${${name}${how}${text}}`),
    fc
      .tuple(
        fc.constantFrom("FOO", "BAR", "STARS"),
        fc.constantFrom("/", "//"),
        pattern,
        fc.stringMatching(/^[ab]{0,2}$/),
      )
      .map(([name, how, text, other]) => `\${${name}${how}${text}/${other}}`),
  ),
}));

test("words mean what they mean to bash", () => {
  const set = ["FOO", "BAR", "NULL", "STARS"].map((name) => `${name}='${VARIABLES[name]}'`).join("\n");
  const check = fc.property(
    fc.array(
      fc.array(term, { maxLength: 4 }).map((all) => all.join("")),
      { minLength: 50, maxLength: 50 },
    ),
    (texts) => {
      const script = `unset UNSET\n${set}\n${texts.map((text) => `r=${text}\nprintf '%s\\0' "$r"`).join("\n")}`;
      const { stdout, stderr } = spawnSync("bash", ["--norc"], {
        input: script,
        encoding: "utf8",
        env: { LC_ALL: "C.UTF-8" },
      });
      assert.equal(stderr, "");
      assert.deepEqual(texts.map(word), stdout.split("\0").slice(0, -1), texts.join("\n"));
    },
  );
  fc.assert(check, { numRuns: 10 });
});

test("any text is expanded or refused", () => {
  const piece = fc.oneof(
    fc.constantFrom("$", "{", "}", "'", '"', "\\", "`", ":", "/", "#", "%", "*", "?", "-", "FOO"),
    fc.string({ unit: "grapheme", maxLength: 3 }),
  );
  const check = fc.property(
    fc.array(piece).map((all) => all.join("")),
    fc.constantFrom("\\", "`"),
    (text, escapeBy) => {
      try {
        assert.equal(typeof expandWord(text, { lookup, escape: escapeBy as "\\" }), "string");
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    },
  );
  fc.assert(check, { numRuns: 2000 });
});
