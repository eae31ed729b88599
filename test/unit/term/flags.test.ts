import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure, nearestOf } from "../../../src/failure.ts";
import { describeFlags, list, parseFlags, text, toggle } from "../../../src/term/flags.ts";
import { isHelp } from "../../../src/term/help.ts";

const FLAGS = {
  all: toggle("a", "Show all"),
  tty: toggle("t", "Give it a terminal"),
  memory: text("m", "SIZE", "Memory limit"),
  env: list("e", "NAME=VALUE", "Set a variable"),
  name: text("", "NAME", "Name"),
} as const;

const parse = (...argv: string[]) => parseFlags("try", FLAGS, argv);
const parseRun = (...argv: string[]) => parseFlags("try", FLAGS, argv, { stopAtFirstWord: true });

test("what is not given is undefined, and a list is empty", () => {
  assert.deepEqual({ ...parse().flags }, { env: [] });
});

test("a value follows its flag, or an equals sign", () => {
  assert.equal(parse("--memory", "1g").flags.memory, "1g");
  assert.equal(parse("--memory=1g").flags.memory, "1g");
  assert.equal(parse("-m", "1g").flags.memory, "1g");
  assert.equal(parse("-m=1g").flags.memory, "1g");
  assert.equal(parse("-m1g").flags.memory, "1g");
});

test("a value may be empty, hold equals signs, and look like a flag", () => {
  assert.equal(parse("--memory=").flags.memory, "");
  assert.deepEqual(parse("-m=", "word"), { flags: { env: [], memory: "" }, rest: ["word"] });
  assert.equal(parse("--memory", "").flags.memory, "");
  assert.deepEqual(parse("-e", "A=B=C", "--env=D==").flags.env, ["A=B=C", "D=="]);
  assert.equal(parse("--name", "--all").flags.name, "--all");
});

test("short flags stand together, the last with a value", () => {
  const { flags } = parse("-atm", "1g");
  assert.deepEqual([flags.all, flags.tty, flags.memory], [true, true, "1g"]);
  assert.equal(parse("-atm1g").flags.memory, "1g");
  assert.deepEqual(parse("-at=false").flags.tty, false);
});

test("truth values are docker's, in any case", () => {
  for (const yes of ["true", "True", "TRUE", "1", "t", "T"]) assert.equal(parse(`--all=${yes}`).flags.all, true);
  for (const no of ["false", "False", "0", "f", "F"]) assert.equal(parse(`--all=${no}`).flags.all, false);
  assert.throws(() => parse("--all=maybe"), /flag --all is true or false, not 'maybe'/);
  assert.throws(() => parse("--all="), Failure);
});

test("a flag that is there again replaces what it was, and adds to a list", () => {
  assert.equal(parse("-m", "1g", "-m", "2g").flags.memory, "2g");
  assert.deepEqual(parse("-e", "A", "-e", "B").flags.env, ["A", "B"]);
});

test("flags may stand after words, unless the words are another's", () => {
  assert.deepEqual(parse("one", "-a", "two").rest, ["one", "two"]);
  assert.deepEqual(parseRun("-a", "image", "-a", "--nonsense").rest, ["image", "-a", "--nonsense"]);
});

test("after -- there are no flags, and - is a word", () => {
  assert.deepEqual(parse("-a", "--", "-t", "--").rest, ["-t", "--"]);
  assert.deepEqual(parse("-").rest, ["-"]);
  assert.deepEqual(parseRun("--", "-a").rest, ["-a"]);
});

test("an unknown flag is an error with the nearest one, and exit code 125", () => {
  const failing = (...argv: string[]): Failure => {
    try {
      parse(...argv);
    } catch (error) {
      if (error instanceof Failure) return error;
    }
    assert.fail("no failure");
  };
  const error = failing("--memry", "1g");
  assert.equal(error.message, "unknown flag --memry");
  assert.equal(error.hint, "did you mean --memory? see 'mycontainer try --help'");
  assert.equal(error.exitCode, 125);
  assert.equal(failing("--zzzzzz").hint, "see 'mycontainer try --help'");
  assert.equal(failing("-ax").message, "unknown flag -x");
  assert.equal(failing("--toString").message, "unknown flag --toString");
  assert.equal(failing("--__proto__=1").message, "unknown flag --__proto__");
});

test("a value that is missing is an error", () => {
  assert.throws(() => parse("--memory"), /flag --memory needs a value/);
  assert.throws(() => parse("-am"), /flag -m needs a value/);
});

test("an alias is the flag that it stands for", () => {
  const { flags } = parseFlags("try", FLAGS, ["--mem", "1g"], { aliases: { mem: "memory" } });
  assert.equal(flags.memory, "1g");
});

test("whatever the arguments are, parsing ends with values or a Failure", () => {
  const word = fc.oneof(fc.string(), fc.constantFrom("-a", "-m", "--", "--env", "-e=", "--all=", "-amt", "--name=x"));
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      try {
        const { rest } = parse(...argv);
        assert.ok(rest.length <= argv.length);
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
  );
});

test("help is asked for by --help anywhere among the flags, not as a value or in another's words", () => {
  const stop = { stopAtFirstWord: true };
  assert.equal(isHelp(["--help"], FLAGS, stop), true);
  assert.equal(isHelp(["-m", "1g", "-at", "--help"], FLAGS, stop), true);
  assert.equal(isHelp(["--memory=1g", "--help"], FLAGS, stop), true);
  assert.equal(isHelp(["--name", "--help"], FLAGS, stop), false);
  assert.equal(isHelp(["-am", "--help"], FLAGS, stop), false);
  assert.equal(isHelp(["image", "--help"], FLAGS, stop), false);
  assert.equal(isHelp(["--", "--help"], FLAGS, stop), false);
  assert.equal(isHelp(["word", "--help"], FLAGS), true);
});

test("-h asks for help where it is no flag", () => {
  assert.equal(isHelp(["-h"], FLAGS), true);
  assert.equal(isHelp(["-h", "name"], { hostname: text("h") }), false);
});

test("the nearest word is one that is a slip away, or has it as its beginning", () => {
  assert.equal(nearestOf("memry", ["memory", "name"]), "memory");
  assert.equal(nearestOf("rnu", ["run", "rm"]), "run");
  assert.equal(nearestOf("read", ["read-only", "rm"]), "read-only");
  assert.equal(nearestOf("quux", ["memory", "name"]), undefined);
});

test("help is in columns", () => {
  assert.deepEqual(describeFlags({ all: FLAGS.all, name: FLAGS.name, memory: FLAGS.memory }), [
    "  -a, --all          Show all",
    "      --name NAME    Name",
    "  -m, --memory SIZE  Memory limit",
  ]);
});
