/**
 * Shapes: data that says what JSON has to look like, and the TypeScript types that follow from it. src/spec/fits.ts holds
 * values against them. They are plain data, since reading them in is part of every start of a container, and since tests
 * make values and faults from them.
 */

/** A number where it is a safe integer, else a BigInt. */
export type Int64 = number | bigint;

export interface TextShape {
  readonly is: "text";
}
export interface FlagShape {
  readonly is: "flag";
}
/** Integers that are safe as numbers. */
export interface IntegerShape {
  readonly is: "integer";
  readonly least: number;
  readonly most: number;
}
/** Integers of 64 bits. */
export interface WideIntegerShape {
  readonly is: "wide integer";
  readonly least: bigint;
  readonly most: bigint;
}
/** One of a few words. */
export interface WordShape<Word extends string = string> {
  readonly is: "word";
  readonly words: readonly Word[];
}
export interface ListShape<Item = unknown> {
  readonly is: "list";
  readonly item: Item;
}
/** An object with any keys and values of one shape. */
export interface MapShape<Item = unknown> {
  readonly is: "map";
  readonly item: Item;
}
/** Unknown fields are allowed, as the specification asks for (config.md#extensibility). */
export interface ObjectShape<Required = unknown, Optional = unknown> {
  readonly is: "object";
  readonly required: Required;
  readonly optional: Optional;
  readonly requiredCount: number;
}
/** For a required field that has a value when it is missing: `json`. */
export interface DefaultShape<Inner = unknown> {
  readonly is: "default";
  readonly inner: Inner;
  readonly json: string;
}

export type Shape =
  | TextShape
  | FlagShape
  | IntegerShape
  | WideIntegerShape
  | WordShape
  | ListShape<Shape>
  | MapShape<Shape>
  | ObjectShape<Fields, Fields>
  | DefaultShape<Shape>;

export interface Fields {
  readonly [name: string]: Shape;
}

/** The type of the values that fit a shape. */
export type Infer<S> = S extends TextShape
  ? string
  : S extends FlagShape
    ? boolean
    : S extends IntegerShape
      ? number
      : S extends WideIntegerShape
        ? Int64
        : S extends WordShape<infer Word>
          ? Word
          : S extends ListShape<infer Item>
            ? Infer<Item>[]
            : S extends MapShape<infer Item>
              ? Record<string, Infer<Item>>
              : S extends DefaultShape<infer Inner>
                ? Infer<Inner>
                : S extends ObjectShape<infer Required, infer Optional>
                  ? Flat<
                      { -readonly [K in keyof Required]: Infer<Required[K]> } & {
                        -readonly [K in keyof Optional]?: Infer<Optional[K]>;
                      }
                    >
                  : never;

/** One object type of an intersection. */
type Flat<T> = { [K in keyof T]: T[K] };

export const text: TextShape = { is: "text" };
export const flag: FlagShape = { is: "flag" };

export const integer = (least: number, most: number): IntegerShape => ({ is: "integer", least, most });

export const int32 = integer(-0x8000_0000, 0x7fff_ffff);
export const uint16 = integer(0, 0xffff);
export const uint32 = integer(0, 0xffff_ffff);
/** For what is 64 bits wide in the specification, and of which the kernel takes nothing near that. */
export const uint53 = integer(0, Number.MAX_SAFE_INTEGER);
export const int64: WideIntegerShape = { is: "wide integer", least: -(2n ** 63n), most: 2n ** 63n - 1n };
export const uint64: WideIntegerShape = { is: "wide integer", least: 0n, most: 2n ** 64n - 1n };

export const word = <const Word extends string>(...words: Word[]): WordShape<Word> => ({ is: "word", words });

/** One of a few words, of type string: for fields whose values are made from foreign text elsewhere, too. */
export const knownWord = (...words: string[]): WordShape => ({ is: "word", words });

export const list = <Item extends Shape>(item: Item): ListShape<Item> => ({ is: "list", item });

export const map = <Item extends Shape>(item: Item): MapShape<Item> => ({ is: "map", item });

export const object = <Required extends Fields, Optional extends Fields>(
  required: Required,
  optional: Optional,
): ObjectShape<Required, Optional> => ({
  is: "object",
  required,
  optional,
  requiredCount: Object.keys(required).length,
});

export const or = <Inner extends Shape>(inner: Inner, json: string): DefaultShape<Inner> => ({
  is: "default",
  inner,
  json,
});
