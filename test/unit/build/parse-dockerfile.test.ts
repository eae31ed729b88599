import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Act, Instruction } from "../../../src/build/instruction.ts";
import {
  DOCKERFILE_LIMIT_CHARACTERS,
  LINE_LIMIT_CHARACTERS,
  parseDockerfile,
  parseTrigger,
  STAGES_LIMIT,
} from "../../../src/build/parse-dockerfile.ts";
import { scriptOf } from "../../../src/build/run-script.ts";
import { Failure } from "../../../src/failure.ts";

/** The instructions of a stage that has these lines. */
function parsed(lines: string): Instruction[] {
  return [...(parseDockerfile(`FROM scratch\n${lines}`, "Dockerfile").stages[0]?.instructions ?? [])];
}

function only<K extends Act["kind"]>(kind: K, lines: string): Extract<Instruction, { kind: K }> {
  const [first, ...others] = parsed(lines);
  assert.deepEqual(others, []);
  assert.equal(first?.kind, kind);
  return first as Extract<Instruction, { kind: K }>;
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

function refused(text: string, message: string | RegExp, hint?: string | RegExp): void {
  assert.throws(
    () => parseDockerfile(text, "Dockerfile"),
    (error) => {
      assert.ok(error instanceof Failure, String(error));
      assert.match(error.message, message instanceof RegExp ? message : new RegExp(escaped(message)));
      if (hint !== undefined) assert.match(error.hint ?? "", hint instanceof RegExp ? hint : new RegExp(escaped(hint)));
      return true;
    },
  );
}

for (const name of ["everything", "windows"]) {
  test(`golden/${name}.Dockerfile is read as golden/${name}.json has it`, () => {
    const path = (extension: string) => fileURLToPath(new URL(`golden/${name}.${extension}`, import.meta.url));
    const dockerfile = parseDockerfile(readFileSync(path("Dockerfile"), "utf8"), "Dockerfile");
    const text = `${JSON.stringify(dockerfile, null, 2)}\n`;
    if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(path("json"), text);
    assert.equal(text, readFileSync(path("json"), "utf8"));
  });
}

test("instructions are found whatever their letters, and tell where they begin", () => {
  const { stages, globals } = parseDockerfile("\uFEFF\n  arg A=1\r\n\r\nFrom a aS B\r\n  uSer x\r\n", "Dockerfile");
  assert.deepEqual(globals, [{ kind: "arg", args: [{ name: "A", value: "1" }], line: 2, source: "arg A=1" }]);
  const instructions = [{ kind: "user", user: "x", line: 5, source: "uSer x" }];
  assert.deepEqual(stages, [
    { line: 4, source: "From a aS B", from: "a", platform: undefined, name: "b", instructions },
  ]);
});

test("a line that ends with the escape character goes on; comments and empty lines between do not count", () => {
  const { command, source, line } = only("run", "RUN a \\\n# comment\n  # another \\\n\n   \n  b \\ \t\n c");
  assert.deepEqual(command, { form: "shell", text: "a   b  c" });
  assert.equal(source, "RUN a   b  c");
  assert.equal(line, 2);
});

test("an escape character that is escaped does not continue a line", () => {
  const [run, user] = parsed("RUN a\\\\\nUSER b");
  assert.deepEqual(run?.kind === "run" && run.command, { form: "shell", text: "a\\\\" });
  assert.equal(user?.kind, "user");
});

test("the end of the file ends a line that would go on", () => {
  assert.deepEqual(only("run", "RUN a \\").command, { form: "shell", text: "a" });
});

test("a # that does not begin a line is no comment", () => {
  assert.deepEqual(only("run", "RUN a # b").command, { form: "shell", text: "a # b" });
});

test("directives stand first; after a comment there are none", () => {
  assert.equal(parseDockerfile("# Escape = `\nFROM a", "Dockerfile").escape, "`");
  assert.equal(parseDockerfile("#!/usr/bin/env docker\n# escape=`\nFROM a", "Dockerfile").escape, "`");
  assert.equal(parseDockerfile("# hello\n# escape=`\nFROM a", "Dockerfile").escape, "\\");
  assert.equal(parseDockerfile("\n# escape=`\nFROM a", "Dockerfile").escape, "\\");
  assert.equal(parseDockerfile("# unknown=x\n# escape=`\nFROM a", "Dockerfile").escape, "\\");
});

test("a directive that cannot be followed is refused", () => {
  refused("# escape=x\nFROM a", "Dockerfile:1: 'x' cannot be the escape character");
  refused("# escape=`\n# escape=`\nFROM a", "Dockerfile:2: the directive 'escape' is given twice");
  refused("# syntax=other/frontend:1\nFROM a", "Dockerfile:1: the syntax 'other/frontend:1' is not understood");
  refused("# syntax=docker/dockerfileX\nFROM a", "is not understood");
  refused("# check=skp=all\nFROM a", "the directive 'check' does not take 'skp=all'");
  refused("# check=error=maybe\nFROM a", "does not take 'error=maybe'");
});

test("all versions of docker's own frontend are this language", () => {
  const images = ["docker/dockerfile", "docker/dockerfile:1.4-labs", "docker.io/docker/dockerfile:1@sha256:ab"];
  for (const image of images) assert.equal(parseDockerfile(`# syntax=${image}\nFROM a`, "Dockerfile").stages.length, 1);
});

test("an unknown instruction is refused, with the one that was meant", () => {
  refused("FROM a\n\nCOYP a b", "Dockerfile:3: unknown instruction COYP", "did you mean COPY?");
  refused("FROM a\nand more", "Dockerfile:2: unknown instruction AND", /ends with the escape character|did you mean/);
  refused("FROM a\nconstructor x", "unknown instruction CONSTRUCTOR");
});

test("a Dockerfile needs a FROM, and has nothing but ARG before it", () => {
  refused("", "there is no FROM");
  refused("# only a comment", "there is no FROM");
  refused("ARG a", "there is no FROM");
  refused("RUN a\nFROM b", "Dockerfile:1: RUN stands before the first FROM");
});

test("FROM takes an image, and AS with a name", () => {
  refused("FROM", "FROM takes an image");
  refused("FROM a b", "FROM takes an image");
  refused("FROM a IS b", "FROM takes an image");
  refused("FROM a AS b c", "FROM takes an image");
  refused("FROM a AS 1b", "'1b' cannot be the name of a stage");
  refused("FROM a AS b/c", "cannot be the name of a stage");
  refused("FROM --platfrom=x a", "FROM has no flag --platfrom", "did you mean --platform?");
  refused("FROM --platform a", "the flag --platform needs a value");
});

test("flags end at the first word that is none, or at --", () => {
  assert.deepEqual(only("run", "RUN --network=none -- --network=host").command, {
    form: "shell",
    text: "--network=host",
  });
  assert.deepEqual(only("run", "RUN a --network=none").command, { form: "shell", text: "a --network=none" });
  const copy = only("copy", "COPY --chown=\"a b\" --exclude='x y' --exclude=z\\ z a b");
  assert.equal(copy.chown, "a b");
  assert.deepEqual(copy.exclude, ["x y", "z z"]);
});

test("flags are refused that are unknown, twice, or without what they need", () => {
  refused("FROM a\nCOPY --form=x a b", "COPY has no flag --form", "did you mean --from?");
  refused("FROM a\nCOPY --from=x --from=y a b", "the flag --from is given twice");
  refused("FROM a\nCOPY --link=maybe a b", "--link is true or false");
  refused("FROM a\nCOPY --chown a b", "--chown needs a value");
  refused("FROM a\nADD --from=x a b", "ADD has no flag --from");
  refused("FROM a\nENV --x a=b", "ENV has no flag --x");
  refused("FROM a\nMAINTAINER --boo a", "MAINTAINER has no flag --boo");
  refused("FROM a\nHEALTHCHECK --interval=1s NONE", "HEALTHCHECK NONE has no flag --interval");
  assert.equal(only("copy", "COPY --link=FALSE a b").link, false);
  assert.equal(only("copy", "COPY --link a b").link, true);
  assert.equal(only("add", "ADD --unpack a b").unpack, true);
  assert.equal(only("add", "ADD a b").unpack, undefined);
});

test("instructions that need something are refused without it", () => {
  for (const keyword of ["ADD", "ARG", "COPY", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD"])
    refused(`FROM a\n${keyword}`, /^Dockerfile:2: .*needs/);
  for (const keyword of ["RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR", "RUN []", "SHELL []", "VOLUME []"])
    refused(`FROM a\n${keyword}`, /^Dockerfile:2: .*needs/);
  refused("FROM a\nCOPY x", "COPY needs a source and a target");
  refused('FROM a\nCOPY ["x"]', "COPY needs a source and a target");
  refused('FROM a\nVOLUME [" "]', "cannot be empty");
});

test("names and values: both forms, and what is none of them", () => {
  const pairs = (lines: string) => only("env", lines).pairs;
  assert.deepEqual(pairs("ENV a=b"), [["a", "b"]]);
  assert.deepEqual(pairs("ENV a=\"b c\" d='e f' g=h\\ i j="), [
    ["a", '"b c"'],
    ["d", "'e f'"],
    ["g", "h\\ i"],
    ["j", ""],
  ]);
  assert.deepEqual(pairs("ENV a  b  c=d "), [["a", "b  c=d"]]);
  assert.deepEqual(pairs("ENV a=b=c"), [["a", "b=c"]]);
  refused("FROM a\nENV a", "ENV a has no value");
  refused("FROM a\nENV a=b c", "'c' is not of the form NAME=VALUE");
  refused("FROM a\nLABEL =b", "LABEL needs a name");
  refused("FROM a\nARG =b", "ARG needs a name");
  const { args } = only("arg", 'ARG a b=1 c= d="e f"');
  assert.deepEqual(args, [
    { name: "a", value: undefined },
    { name: "b", value: "1" },
    { name: "c", value: "" },
    { name: "d", value: '"e f"' },
  ]);
});

test("a JSON array is a list of words; what is no JSON is a command for the shell", () => {
  assert.deepEqual(only("cmd", 'CMD [ "a\\n\\u00e9" , "b c" ]').command, { form: "exec", words: ["a\né", "b c"] });
  for (const text of ["[ -f x ]", "[[ -f x ]] && y", "['a']", '["a"] b', '["a",]', '["a"'])
    assert.deepEqual(only("cmd", `CMD ${text}`).command, { form: "shell", text });
  assert.deepEqual(only("cmd", `CMD ${"[".repeat(5000)}${"]".repeat(5000)}`).command.form, "shell");
  refused('FROM a\nCMD ["a", 1]', "an array may have nothing but texts in it");
  refused('FROM a\nRUN [["a"]]', "an array may have nothing but texts in it");
  refused('FROM a\nCMD ["a\\u0000"]', "a word may have no NUL in it");
  refused("FROM a\nSHELL /bin/sh", "SHELL takes a JSON array");
});

test("an empty array clears what was there; nothing at all is a command of the shell", () => {
  assert.deepEqual(only("cmd", "CMD []").command, { form: "exec", words: [] });
  assert.deepEqual(only("entrypoint", "ENTRYPOINT []").command, { form: "exec", words: [] });
  assert.deepEqual(only("cmd", "CMD").command, { form: "shell", text: "" });
});

test("heredocs of COPY are sources, by name; their lines are not looked at", () => {
  const copy = only(
    "copy",
    "COPY a <<-EOF <<'two' b << three /d/\n\t# no comment \\\n\t\tx\r\n\tEOF\r\n$y\ntwo\nthree",
  );
  assert.deepEqual(copy.sources, ["a", "EOF", "two", "b", "three"]);
  assert.deepEqual(copy.heredocs, [
    { name: "EOF", text: "# no comment \\\nx\r\n", expand: true, descriptor: 0 },
    { name: "two", text: "$y\n", expand: false, descriptor: 0 },
    { name: "three", text: "", expand: true, descriptor: 0 },
  ]);
  assert.equal(copy.target, "/d/");
});

test("a file that is called as a heredoc is told from it", () => {
  assert.deepEqual(only("copy", "COPY <<x x /d/\nx").sources, ["x", "./x"]);
});

test("in a JSON array there are no heredocs", () => {
  assert.deepEqual(only("copy", 'COPY ["<<EOF", "x"]').sources, ["<<EOF"]);
  assert.deepEqual(only("run", 'RUN ["<<EOF"]').heredocs, []);
});

test("heredocs that cannot be are refused", () => {
  refused(
    "FROM a\nRUN <<EOF\nx",
    "Dockerfile:2: the heredoc <<EOF does not end",
    "a line with nothing but EOF ends it",
  );
  refused("FROM a\nCOPY a <<EOF\nEOF", "the target of COPY cannot be a heredoc");
  refused("FROM a\nCOPY <<x <<x /d/\nx\nx", "two heredocs of COPY have the same name");
  refused("FROM a\nRUN <<'EOF", "quotes of the heredoc's name 'EOF are not closed");
  refused(`FROM a\nRUN ${"<<a ".repeat(65)}\n${"a\n".repeat(65)}`, "more than 64 heredocs");
});

test("what looks like a heredoc of RUN and is none is left to the shell", () => {
  const commands = [
    "x <<<y",
    "x <<< y",
    "echo '<<a'",
    'echo "<<a"',
    "echo \\<<a",
    "x<<EOF",
    "echo $((1 << 2))",
    "a <<",
    "x=$((1<<n)) y",
  ];
  for (const text of commands) {
    const run = only("run", `RUN ${text}`);
    assert.deepEqual([run.command, run.heredocs], [{ form: "shell", text }, []]);
  }
});

test("a heredoc alone is the script of RUN", () => {
  const script = (lines: string) => scriptOf(only("run", lines));
  const shell = (text: string) => ({ kind: "command", command: { form: "shell", text } });
  assert.deepEqual(script("RUN <<EOF\na\nb\nEOF"), shell("a\nb\n"));
  assert.deepEqual(script("RUN <<-'E F'\n\ta\n\tE F"), shell("a\n"));
  assert.deepEqual(script("RUN <<EOF\n#!/usr/bin/python\nx\nEOF"), {
    kind: "file",
    name: "EOF",
    text: "#!/usr/bin/python\nx\n",
  });
  assert.deepEqual(script("RUN cat <<EOF - 3<<B\na\nEOF\nb\nB"), shell("cat <<EOF - 3<<B\na\nEOF\nb\nB"));
  assert.deepEqual(script("RUN a"), shell("a"));
  assert.deepEqual(script('RUN ["a"]'), { kind: "command", command: { form: "exec", words: ["a"] } });
});

test("a heredoc's descriptor stands before it", () => {
  assert.deepEqual(only("run", "RUN x 3<<a\na").heredocs, [{ name: "a", text: "", expand: true, descriptor: 3 }]);
});

test("RUN knows its networks, and has no more rights than a build", () => {
  assert.equal(only("run", "RUN --network=host a").network, "host");
  assert.equal(only("run", "RUN --security=sandbox a").network, "default");
  refused("FROM a\nRUN --network=hots a", "RUN has no network 'hots'", "did you mean --network=host?");
  refused("FROM a\nRUN --security=insecure a", "--security=insecure is not allowed");
  refused("FROM a\nRUN --security=x a", "RUN has no security 'x'");
  refused("FROM a\nRUN --device=x a", "RUN has no flag --device");
});

test("mounts without variables are checked at once; with variables, once these are known", () => {
  refused("FROM a\nRUN --mount=type=cahce,target=/x a", "there is no type 'cahce'", "did you mean cache?");
  assert.deepEqual(only("run", "RUN --mount=type=$type a").mounts, ["type=$type"]);
});

test("where files come from is known without variables", () => {
  refused("FROM a\nCOPY --from=$x a b", "--from takes no variables", "name it by a stage");
  refused("FROM a\nRUN --mount=from=$x,target=/a a", "--mount=...,from takes no variables");
});

test("HEALTHCHECK has durations as Go writes them", () => {
  const interval = (text: string) => {
    const { check } = only("healthcheck", `HEALTHCHECK --interval=${text} CMD a`);
    return check.kind === "check" ? check.intervalMs : "none";
  };
  assert.equal(interval("1h2m3.5s"), 3_723_500);
  assert.equal(interval("1.5ms"), 1.5);
  assert.equal(interval("2000us"), 2);
  assert.equal(interval("0"), undefined);
  assert.equal(interval("0s"), undefined);
  assert.equal(interval(""), undefined);
  for (const text of ["5", "x", "5x", "1e9s", "-5s"])
    refused(`FROM a\nHEALTHCHECK --interval=${text} CMD a`, "is a duration");
  refused("FROM a\nHEALTHCHECK --interval=50ns CMD a", "is at least 1ms");
  refused("FROM a\nHEALTHCHECK --retries=-1 CMD a", "--retries is a whole number");
  refused("FROM a\nHEALTHCHECK NONE x", "takes nothing else");
  refused("FROM a\nHEALTHCHECK CMD", "HEALTHCHECK CMD needs a command");
  refused("FROM a\nHEALTHCHECK curl x", "HEALTHCHECK has no 'curl'");
});

test("ONBUILD keeps an instruction as it is written, and checks it", () => {
  assert.equal(only("onbuild", "onbuild  Run  a \\\n b").instruction, "Run  a  b");
  assert.equal(
    only("onbuild", "ONBUILD COPY <<-A <<B /x/\n\ta\n\tA\nb\nB").instruction,
    "COPY <<-A <<B /x/\na\nA\nb\nB",
  );
  for (const keyword of ["FROM", "MAINTAINER", "ONBUILD"])
    refused(`FROM a\nONBUILD ${keyword} a`, `ONBUILD cannot be followed by ${keyword}`);
  refused("FROM a\nONBUILD RUM x", "unknown instruction RUM", "did you mean RUN?");
});

test("the instruction of an image's ONBUILD is read alone", () => {
  const trigger = parseTrigger("COPY <<A /x\na\nA", "image x");
  assert.deepEqual(trigger.kind === "copy" && trigger.heredocs, [
    { name: "A", text: "a\n", expand: true, descriptor: 0 },
  ]);
  assert.throws(() => parseTrigger("RUN a\nRUN b", "image x"), /image x: there is more than one instruction/);
  assert.throws(() => parseTrigger("", "image x"), /image x: there is no instruction/);
  assert.throws(() => parseTrigger("FROM a", "image x"), /image x:1: ONBUILD cannot be followed by FROM/);
});

test("what is too much is refused", () => {
  refused(`FROM a\n#${"x".repeat(LINE_LIMIT_CHARACTERS)}`, "Dockerfile:2: the line is longer");
  refused(`FROM a\n${"#\n".repeat(DOCKERFILE_LIMIT_CHARACTERS / 2)}`, "the file is larger");
  refused(
    "FROM a\n".repeat(STAGES_LIMIT + 1),
    `Dockerfile:${STAGES_LIMIT + 1}: there are more than ${STAGES_LIMIT} stages`,
  );
  refused(`FROM a\n${"USER x\n".repeat(20_001)}`, "there are more than 20000 instructions");
  refused(`FROM a\nEXPOSE ${"1 ".repeat(5000)}`, "there are more than 4096 words");
  refused(`FROM a\nARG ${"a ".repeat(5000)}`, "there are more than 4096 words");
  refused(`FROM a\nCOPY ${"--exclude=x ".repeat(5000)} a b`, "there are more than 4096 words");
  refused("FROM a\0b", "it has a NUL in it");
});
