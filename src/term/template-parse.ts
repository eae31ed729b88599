/**
 * The part of Go's templates (text/template) that `--format` needs, as data: texts, fields, pipelines, calls, `if`, `range` and `with`.
 */
import { Failure } from "../failure.ts";

/** A value in an action. */
export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  /** `.A.B`; no names: `.` itself. */
  | { readonly kind: "field"; readonly names: readonly string[] }
  /** `$name.A.B`; `$` alone is what the template was given. */
  | { readonly kind: "variable"; readonly name: string; readonly names: readonly string[] }
  /** `( … ).A` */
  | { readonly kind: "group"; readonly pipeline: Pipeline; readonly names: readonly string[] }
  /** The name of a function. */
  | { readonly kind: "function"; readonly name: string };

/** Words: a function and its arguments, or one value; or a field that takes arguments. */
export type Command = readonly Operand[];
/** Commands, each of which gets the value of the one before as its last argument. */
export type Pipeline = readonly Command[];

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | { readonly kind: "set"; readonly name: string; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with";
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | {
      readonly kind: "range";
      /** `$index, $value :=`: the last one is the value. */
      readonly variables: readonly string[];
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

type Token =
  | { readonly kind: "word" | "field" | "variable" | "text"; readonly text: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "sign"; readonly text: string };

const DEPTH_LIMIT = 100;
const TOKEN =
  /\s+|(?<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?<number>-?\d+(?:\.\d+)?)|(?<variable>\$\w*)|(?<field>\.\w+)|(?<word>[A-Za-z_]\w*)|(?<sign>:=|[.()|,=])/y;

function bad(template: string, reason: string): Failure {
  return new Failure(`bad template '${template}': ${reason}`, {
    hint: "templates are Go's, as in '{{.ID}} {{json .Names}}'",
  });
}

/** What a quoted text says. */
function unquoted(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
  return text.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter);
}

function tokensOf(action: string, template: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < action.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(action)?.groups;
    if (groups === undefined) throw bad(template, `'${action.slice(at).trim()}' is not understood`);
    const { text, number, variable, field, word, sign } = groups;
    // `.a.b` is one field; a dot after a blank begins another.
    if (text !== undefined) tokens.push({ kind: "text", text: unquoted(text) });
    else if (number !== undefined) tokens.push({ kind: "number", value: Number(number) });
    else if (variable !== undefined) tokens.push({ kind: "variable", text: variable });
    else if (field !== undefined) tokens.push({ kind: "field", text: field.slice(1) });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
    else tokens.push({ kind: "sign", text: " " });
  }
  return tokens;
}

/** Reads the tokens of one action. */
class Action {
  readonly #tokens: readonly Token[];
  readonly #template: string;
  #at = 0;

  constructor(action: string, template: string) {
    this.#template = template;
    this.#tokens = tokensOf(action.trim(), template);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  isSign(text: string): boolean {
    return this.next?.kind === "sign" && this.next.text === text;
  }

  skipBlanks(): void {
    while (this.isSign(" ")) this.#at++;
  }

  takeWord(...words: readonly string[]): string | undefined {
    const { next } = this;
    if (next?.kind !== "word" || !words.includes(next.text)) return undefined;
    this.#at++;
    this.skipBlanks();
    return next.text;
  }

  /** `$a, $b :=` at this place; none if there is nothing of the kind. */
  takeVariables(): string[] {
    const before = this.#at;
    const names: string[] = [];
    while (this.next?.kind === "variable") {
      names.push(this.next.text);
      this.#at++;
      this.skipBlanks();
      const isEnd = this.isSign(":=") || this.isSign("=");
      if (!isEnd && !this.isSign(",")) break;
      this.#at++;
      this.skipBlanks();
      if (isEnd) return names;
    }
    this.#at = before;
    return [];
  }

  #names(): string[] {
    const names: string[] = [];
    for (; this.next?.kind === "field"; this.#at++) names.push(this.next.text);
    return names;
  }

  #operand(depth: number): Operand {
    const { next } = this;
    if (next?.kind === "field") return { kind: "field", names: this.#names() };
    this.#at++;
    switch (next?.kind) {
      case "text":
        return { kind: "literal", value: next.text };
      case "number":
        return { kind: "literal", value: next.value };
      case "variable":
        return { kind: "variable", name: next.text, names: this.#names() };
      case "word":
        if (next.text === "true" || next.text === "false") return { kind: "literal", value: next.text === "true" };
        return next.text === "nil" ? { kind: "literal", value: null } : { kind: "function", name: next.text };
      case "sign": {
        if (next.text === ".") return { kind: "field", names: [] };
        if (next.text !== "(") break;
        const pipeline = this.pipeline(depth + 1);
        if (!this.isSign(")")) throw bad(this.#template, "a bracket is not closed");
        this.#at++;
        return { kind: "group", pipeline, names: this.#names() };
      }
    }
    throw bad(this.#template, next === undefined ? "a value is missing" : "there is something that is no value");
  }

  pipeline(depth = 0): Pipeline {
    if (depth > DEPTH_LIMIT) throw bad(this.#template, "it is too deep");
    const commands: Operand[][] = [[]];
    for (this.skipBlanks(); !this.isAtEnd && !this.isSign(")"); this.skipBlanks()) {
      if (this.isSign("|")) {
        this.#at++;
        commands.push([]);
      } else commands.at(-1)?.push(this.#operand(depth));
    }
    if (commands.some((command) => command.length === 0)) throw bad(this.#template, "a value is missing");
    return commands;
  }
}

/** Texts and actions in turn; `{{-` and `-}}` take the blanks beside them away. */
function piecesOf(template: string): { text: string; action: string | undefined }[] {
  const pieces: { text: string; action: string | undefined }[] = [];
  let [at, trims] = [0, false];
  const textTo = (end: number) => {
    const text = template.slice(at, end);
    return trims ? text.trimStart() : text;
  };
  for (;;) {
    const begin = template.indexOf("{{", at);
    if (begin < 0) return [...pieces, { text: textTo(template.length), action: undefined }];
    const end = template.indexOf("}}", begin);
    if (end < 0) throw bad(template, "an action is not closed with '}}'");
    const inside = template.slice(begin + 2, end);
    const text = textTo(begin);
    const trimsBefore = /^-\s/.test(inside);
    trims = /\s-$/.test(inside);
    const action = inside.slice(trimsBefore ? 1 : 0, trims ? -1 : undefined);
    pieces.push({ text: trimsBefore ? text.trimEnd() : text, action });
    at = end + 2;
  }
}

interface Open {
  readonly nodes: Node[];
  /** Makes the node of what was open, when it ends. */
  readonly close: (body: readonly Node[], otherwise: readonly Node[]) => Node;
  /** Where `else` has begun: what came before it. */
  readonly body?: readonly Node[];
  /** `else if`: it ends with the one around it. */
  readonly isChained: boolean;
}

/** Throws a Failure for what is no template. */
export function parseTemplate(template: string): readonly Node[] {
  const root: Node[] = [];
  const open: Open[] = [];
  const add = (node: Node) => (open.at(-1)?.nodes ?? root).push(node);
  const begin = (keyword: "if" | "range" | "with", action: Action, isChained: boolean): void => {
    if (open.length > DEPTH_LIMIT) throw bad(template, "it is too deep");
    const variables = action.takeVariables();
    if (keyword !== "range" && variables.length > 0) throw bad(template, `'${keyword}' sets no variables here`);
    const pipeline = action.pipeline();
    const close: Open["close"] = (body, otherwise) =>
      keyword === "range"
        ? { kind: keyword, variables, pipeline, body, otherwise }
        : { kind: keyword, pipeline, body, otherwise };
    open.push({ nodes: [], close, isChained });
  };
  const end = (): void => {
    const last = open.pop();
    if (last === undefined) throw bad(template, "there is an 'end' without its beginning");
    add(last.body === undefined ? last.close(last.nodes, []) : last.close(last.body, last.nodes));
    if (last.isChained) end();
  };
  for (const { text, action: written } of piecesOf(template)) {
    if (text !== "") add({ kind: "text", text });
    if (written === undefined || /^\s*\/\*.*\*\/\s*$/s.test(written)) continue;
    const action = new Action(written, template);
    const keyword = action.takeWord("if", "range", "with", "else", "end");
    if (keyword === "end") end();
    else if (keyword === "else") {
      const last = open.pop();
      if (last === undefined || last.body !== undefined) throw bad(template, "there is an 'else' too many");
      open.push({ ...last, body: last.nodes, nodes: [] });
      const chained = action.takeWord("if", "with");
      if (chained === "if" || chained === "with") begin(chained, action, true);
    } else if (keyword !== undefined) begin(keyword as "if" | "range" | "with", action, false);
    else {
      const [name] = action.takeVariables();
      const pipeline = action.pipeline();
      add(name === undefined ? { kind: "print", pipeline } : { kind: "set", name, pipeline });
    }
    action.skipBlanks();
    if (!action.isAtEnd) throw bad(template, "an action goes on where it should end");
  }
  if (open.length > 0) throw bad(template, "an 'end' is missing");
  return root;
}
