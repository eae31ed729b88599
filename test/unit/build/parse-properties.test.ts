import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Dockerfile, Instruction } from "../../../src/build/instruction.ts";
import { parseDockerfile } from "../../../src/build/parse-dockerfile.ts";
import { Failure } from "../../../src/failure.ts";

/** What Dockerfiles are made of, in any order. */
const piece = fc.oneof(
  fc.constantFrom(
    "FROM ",
    "RUN ",
    "COPY ",
    "ADD ",
    "ENV ",
    "ARG ",
    "LABEL ",
    "ONBUILD ",
    "HEALTHCHECK ",
    "CMD ",
    "VOLUME ",
    "SHELL ",
  ),
  fc.constantFrom(
    "--from=a ",
    "--mount=type=cache,target=/a ",
    "--chown=1 ",
    "--interval=1s ",
    "-- ",
    "AS ",
    "NONE",
    '["a", "b"]',
    "a=b ",
  ),
  fc.constantFrom(
    "<<EOF ",
    "<<-'EOF' ",
    "3<<E ",
    "EOF",
    "E",
    "\t",
    "#",
    "# escape=`",
    "\\",
    "`",
    "\n",
    "\r\n",
    "\n\n",
    '"',
    "'",
    "$a",
    " ",
  ),
  fc.string({ maxLength: 3 }),
);
const file = fc.array(piece, { maxLength: 40 }).map((pieces) => `FROM x\n${pieces.join("")}`);

/** Instructions that are well-formed, mostly. */
const instruction = fc.oneof(
  fc
    .array(fc.stringMatching(/^[a-z$"'\\`<#=-]{1,6}$/), { minLength: 1, maxLength: 5 })
    .map((words) => `RUN ${words.join(" ")}`),
  fc.constantFrom(
    "RUN <<E cat 3<<-F\n\tx\\\nE\n\ty\n\tF",
    "COPY a \\\n # c\n\n <<E /\n$x\nE",
    "ONBUILD RUN <<E\nE",
    "FROM x AS y",
  ),
  fc.constantFrom(
    'CMD ["a"]',
    "ENV a=b \\\n c=d",
    "ARG a=1",
    "EXPOSE  1\t2",
    "RUN a \\",
    "USER `",
    "LABEL a b",
    "USER b\\",
    "ONBUILD USER a",
  ),
);
const wellFormed = fc.array(instruction, { maxLength: 8 }).map((lines) => `FROM x\n${lines.join("\n")}`);

function parse(text: string): Dockerfile | undefined {
  try {
    return parseDockerfile(text, "Dockerfile");
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    assert.match(error.message, /^Dockerfile:/);
    return undefined;
  }
}

test("any text is a Dockerfile or refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        file,
        fc.string(),
        fc.array(piece).map((all) => all.join("")),
      ),
      (text) => void parse(text),
    ),
    {
      numRuns: 2000,
    },
  );
});

/** Each instruction on a line of its own, with what follows it. */
function printed({ escape: token, globals, stages }: Dockerfile): string {
  const show = (instruction: Instruction): string => {
    if (instruction.kind === "onbuild") return `ONBUILD ${instruction.instruction}`;
    const heredocs = "heredocs" in instruction ? instruction.heredocs : [];
    return [instruction.source, ...heredocs.map(({ name, text }) => text + name)].join("\n");
  };
  const lines = stages.flatMap(({ source, instructions }) => [source, ...instructions.map(show)]);
  return [`# escape=${token}`, ...globals.map(show), ...lines].join("\n");
}

/** All but where it stands, and how ONBUILD was written. */
function meaning({ globals, stages }: Dockerfile): unknown {
  const bare = ({ line, source, ...rest }: Instruction) => rest;
  return {
    globals: globals.map(bare),
    stages: stages.map((stage) => ({ ...stage, line: 0, instructions: stage.instructions.map(bare) })),
  };
}

test("a Dockerfile that is printed means the same when it is read", () => {
  let count = 0;
  const check = fc.property(fc.oneof(file, wellFormed), (text) => {
    const first = parse(text);
    if (first === undefined) return;
    // At the end of the file a line may end with an escape character that would continue it anywhere else.
    const sources = [...first.globals, ...first.stages.flatMap((stage) => [stage, ...stage.instructions])];
    if (sources.some(({ source }) => source.endsWith(first.escape))) return;
    const second = parse(printed(first));
    assert.ok(second, `refused: ${printed(first)}`);
    assert.deepEqual(meaning(second), meaning(first));
    count++;
  });
  fc.assert(check, { numRuns: 2000 });
  assert.ok(count > 500, `only ${count} were Dockerfiles`);
});

test("continued lines mean what they mean on one line", () => {
  const words = fc.array(fc.stringMatching(/^[a-z"'$=]{1,5}$/), { minLength: 1, maxLength: 8 });
  const between = fc.constantFrom(" \\\n", " \\  \n \n", " \\\n# x\n", " \\\r\n  # y\n\n");
  const check = fc.property(words, between, (all, separator) => {
    const run = (text: string) => parse(`FROM x\nRUN ${text}`)?.stages[0]?.instructions.map(({ source }) => source);
    assert.deepEqual(run(all.join(separator)), run(all.join(" ")));
  });
  fc.assert(check, { numRuns: 500 });
});
