/**
 * Templates of `--format`: Go's language (template-parse.ts) with docker's functions, on plain data.
 */
import { Failure } from "../failure.ts";
import { BUILT_IN, isTrue, type Json, printed } from "./template-functions.ts";
import { type Command, type Node, type Operand, type Pipeline, parseTemplate } from "./template-parse.ts";

export interface Template {
  /** @param data what `.` is. Throws a Failure for a field that there is not. */
  fill(data: unknown): string;
  /** With the titles of the fields in their places: functions leave them as they are. */
  heading(titles: Readonly<Record<string, string>>): string;
}

/** A template that is ready to be filled. @param json writes a value as JSON */
export function template(text: string, json: Json = JSON.stringify): Template {
  const nodes = parseTemplate(text);
  return {
    fill: (data) => new Filling(data, (name, args) => callOf(text, name, args, json)).all(nodes),
    heading: (titles) =>
      new Filling(titles, (_name, args) => args.find((arg) => typeof arg === "string") ?? "", true).all(nodes),
  };
}

function callOf(text: string, name: string, args: readonly unknown[], json: Json): unknown {
  const known = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  if (known === undefined) {
    throw new Failure(`bad template '${text}': there is no function '${name}'`, {
      hint: `there are ${Object.keys(BUILT_IN).sort().join(", ")}`,
    });
  }
  return known(args, json);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** One use of a template. */
class Filling {
  readonly #data: unknown;
  readonly #call: (name: string, args: readonly unknown[]) => unknown;
  readonly #isHeading: boolean;
  readonly #variables = new Map<string, unknown>();
  #dot: unknown;

  constructor(data: unknown, call: (name: string, args: readonly unknown[]) => unknown, isHeading = false) {
    this.#isHeading = isHeading;
    this.#data = data;
    this.#dot = data;
    this.#call = call;
    this.#variables.set("$", data);
  }

  all(nodes: readonly Node[]): string {
    return nodes.map((node) => this.#node(node)).join("");
  }

  #node(node: Node): string {
    switch (node.kind) {
      case "text":
        return node.text;
      case "print":
        return printed(this.#value(node.pipeline));
      case "set":
        this.#variables.set(node.name, this.#value(node.pipeline));
        return "";
      case "if":
        return this.all(isTrue(this.#value(node.pipeline)) ? node.body : node.otherwise);
      case "with": {
        const value = this.#value(node.pipeline);
        return isTrue(value) ? this.#inside(value, node.body) : this.all(node.otherwise);
      }
      case "range":
        return this.#range(node);
    }
  }

  #inside(dot: unknown, nodes: readonly Node[]): string {
    const before = this.#dot;
    this.#dot = dot;
    const text = this.all(nodes);
    this.#dot = before;
    return text;
  }

  #range(node: Extract<Node, { kind: "range" }>): string {
    const value = this.#value(node.pipeline);
    const entries: (readonly [unknown, unknown])[] = Array.isArray(value)
      ? value.map((item, index) => [index, item])
      : isObject(value)
        ? Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
        : [];
    if (entries.length === 0) return this.all(node.otherwise);
    const [first, second] = node.variables;
    return entries
      .map(([key, item]) => {
        if (first !== undefined) this.#variables.set(first, second === undefined ? item : key);
        if (second !== undefined) this.#variables.set(second, item);
        return this.#inside(item, node.body);
      })
      .join("");
  }

  #value(pipeline: Pipeline): unknown {
    let value: unknown;
    pipeline.forEach((command, index) => {
      value = this.#command(command, index === 0 ? [] : [value]);
    });
    return value;
  }

  #command([first, ...words]: Command, piped: readonly unknown[]): unknown {
    if (first === undefined) return undefined;
    const args = [...words.map((word) => this.#operand(word)), ...piped];
    if (first.kind === "function") return this.#call(first.name, args);
    const value = this.#operand(first);
    if (typeof value === "function") return value(...args);
    if (args.length > 0 && !this.#isHeading)
      throw new Failure("a value in the template takes no arguments", { hint: "as in '{{json .ID}}'" });
    return value;
  }

  #operand(operand: Operand): unknown {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "field":
        return this.#fields(this.#dot, operand.names);
      case "variable":
        if (!this.#variables.has(operand.name)) throw new Failure(`the template sets no variable ${operand.name}`);
        return this.#fields(this.#variables.get(operand.name), operand.names);
      case "group":
        return this.#fields(this.#value(operand.pipeline), operand.names);
      case "function":
        return this.#call(operand.name, []);
    }
  }

  #fields(value: unknown, names: readonly string[]): unknown {
    let found = value;
    for (const [index, name] of names.entries()) {
      const isThere = isObject(found) && Object.hasOwn(found, name);
      // What is missing in the data itself is a slip; further inside it may just not be there.
      if (!isThere && (!isObject(found) || found === this.#data)) throw missing(found, names.slice(0, index), name);
      found = isThere ? (found as Readonly<Record<string, unknown>>)[name] : undefined;
    }
    return found;
  }
}

function missing(value: unknown, before: readonly string[], name: string): Failure {
  const place = before.length === 0 ? "" : ` in '.${before.join(".")}'`;
  return new Failure(`there is no field '${name}'${place} for the template`, {
    hint: isObject(value) ? `there are ${Object.keys(value).join(", ")}` : "'{{json .}}' shows all that there is",
  });
}
