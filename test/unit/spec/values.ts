// Values made from shapes: right ones, by fast-check, and for each field of a schema wrong ones with what is to be said.
import fc from "fast-check";
import type { Fields, Shape } from "../../../src/spec/shape.ts";

/** Numbers for what is safe, BigInts for the rest: as our readers give them. */
const compact = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

/** Text without NUL and halves of surrogate pairs; often of what JSON and messages have to quote. */
const text = fc.oneof(
  fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0") && value.isWellFormed()),
  fc.constantFrom('":', '\\":', " :", "\\", "\\u0000", '"', "a:b", "é€😀", "\u2028"),
);
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toString", "a.b/c"));

/** Values that fit a shape. */
export function fitting(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.is) {
    case "text":
      return text;
    case "flag":
      return fc.boolean();
    case "integer":
      return fc.maxSafeInteger().map((value) => Math.min(Math.max(value, shape.least), shape.most));
    case "wide integer":
      return fc.bigInt({ min: shape.least, max: shape.most }).map(compact);
    case "word":
      return fc.constantFrom(...shape.words);
    case "list":
      return fc.array(fitting(shape.item), { maxLength: 3 });
    case "map":
      return fc
        .uniqueArray(fc.tuple(key, fitting(shape.item)), { maxLength: 3, selector: ([name]) => name })
        .map((entries) => Object.fromEntries(entries));
    case "object":
      return fc
        .tuple(ofFields(shape.required, []), ofFields(shape.optional, undefined), unknownFields)
        .map(([required, optional, unknown]) => ({ ...unknown, ...optional, ...required }));
    case "default":
      return fitting(shape.inner);
  }
}

const unknownFields = fc.dictionary(
  fc.constantFrom("unknown-1", "__proto__", "constructor"),
  fc.jsonValue({ maxDepth: 2 }),
  {
    maxKeys: 2,
    noNullPrototype: true,
  },
);

function ofFields(fields: Fields, requiredKeys: [] | undefined): fc.Arbitrary<object> {
  const entries = Object.entries(fields).map(([name, shape]) => [name, fitting(shape)] as const);
  return fc.record(Object.fromEntries(entries), requiredKeys === undefined ? { requiredKeys: [] } : {});
}

export type Path = (string | number)[];

/** A field of a schema, at its path, and the least value of all that is around it. */
export interface Place {
  readonly path: Path;
  readonly shape: Shape;
  readonly presence: "required" | "optional" | "default" | "element";
}

/** Every field, and the first element of every list and map, below a shape. */
export function places(shape: Shape, path: Path = []): Place[] {
  switch (shape.is) {
    case "object":
      return [
        ...Object.entries(shape.required).flatMap(([name, field]) =>
          field.is === "default"
            ? below(field.inner, [...path, name], "default")
            : below(field, [...path, name], "required"),
        ),
        ...Object.entries(shape.optional).flatMap(([name, field]) => below(field, [...path, name], "optional")),
      ];
    case "list":
      return below(shape.item, [...path, 0], "element");
    case "map":
      return below(shape.item, [...path, "k"], "element");
    default:
      return [];
  }
}

function below(shape: Shape, path: Path, presence: Place["presence"]): Place[] {
  return [{ path, shape, presence }, ...places(shape, path)];
}

/** The smallest value that fits. */
export function least(shape: Shape): unknown {
  switch (shape.is) {
    case "text":
      return "";
    case "flag":
      return false;
    case "integer":
    case "wide integer":
      return 1;
    case "word":
      return shape.words[0];
    case "list":
      return [];
    case "map":
      return {};
    case "object":
      return Object.fromEntries(Object.entries(shape.required).map(([name, field]) => [name, least(field)]));
    case "default":
      return least(shape.inner);
  }
}

/** The smallest value of a shape in which another one stands at a path; undefined there takes the field away. */
export function withValue(shape: Shape, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  switch (shape.is) {
    case "default":
      return withValue(shape.inner, path, value);
    case "list":
      return [withValue(shape.item, rest, value)];
    case "map":
      return { [key]: withValue(shape.item, rest, value) };
    case "object": {
      const field = shape.required[key] ?? shape.optional[key];
      if (field === undefined) throw new Error(`no field ${key}`);
      return { ...(least(shape) as object), [key]: withValue(field, rest, value) };
    }
    default:
      throw new Error(`nothing is below ${shape.is}`);
  }
}
