/**
 * A reader of JSON (RFC 8259) for text of others, that says of all that is wrong where it is: syntax by line and column, and by
 * its path what JSON.parse lets pass: duplicate keys, NUL, text that is no Unicode, too much of anything. Integers are exact.
 * It is slower than JSON.parse; parse-config.ts knows when it is needed.
 */
import { Failure } from "../failure.ts";
import { showPath } from "./json-path.ts";

/** Levels of arrays and objects within each other. */
export const DEPTH_LIMIT = 64;
/** Elements of one array, or fields of one object. */
export const LENGTH_LIMIT = 65_536;
/** Characters of a number; longer integers than this are out of every range. */
const NUMBER_LIMIT_CHARACTERS = 400;
const EXACT_DIGITS = 32;

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const [TAB, NEWLINE, RETURN, SPACE, QUOTE, COMMA, COLON, BACKSLASH] = [9, 10, 13, 32, 0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Reads a text that is one value. Integers that are not safe as numbers become BigInts.
 * @param source of the text, for messages: `config.json`
 * @throws Failure
 */
export function parseStrict(text: string, source: string): unknown {
  const reader = new Reader(text, source);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  readonly #source: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
  }

  value(): unknown {
    const first = this.#next();
    switch (first) {
      case OPEN_OBJECT:
        return this.#object();
      case OPEN_LIST:
        return this.#list();
      case QUOTE:
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  end(): void {
    if (!Number.isNaN(this.#next())) throw this.#unexpected("the end");
  }

  /** The next character that is no white space; NaN at the end. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === SPACE || code === NEWLINE || code === TAB || code === RETURN) {
      code = this.#text.charCodeAt(++this.#at);
    }
    return code;
  }

  #object(): object {
    const object: Record<string, unknown> = {};
    this.#open();
    let length = 0;
    if (this.#next() === CLOSE_OBJECT) return this.#close(object);
    for (;;) {
      if (this.#next() !== QUOTE) throw this.#unexpected(length === 0 ? "a key or '}'" : "a key");
      const key = this.#string();
      this.#path.push(key);
      if (Object.hasOwn(object, key)) throw this.#wrong(" is there twice");
      if (++length > LENGTH_LIMIT) throw this.#wrong(`: more than ${LENGTH_LIMIT} fields`);
      if (this.#next() !== COLON) throw this.#unexpected("':'");
      this.#at++;
      set(object, key, this.value());
      this.#path.pop();
      const after = this.#next();
      if (after === CLOSE_OBJECT) return this.#close(object);
      if (after !== COMMA) throw this.#unexpected("',' or '}'");
      this.#at++;
    }
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    this.#open();
    if (this.#next() === CLOSE_LIST) return this.#close(list);
    for (;;) {
      this.#path.push(list.length);
      if (list.length >= LENGTH_LIMIT) throw this.#wrong(`: more than ${LENGTH_LIMIT} elements`);
      list.push(this.value());
      this.#path.pop();
      const after = this.#next();
      if (after === CLOSE_LIST) return this.#close(list);
      if (after !== COMMA) throw this.#unexpected("',' or ']'");
      this.#at++;
    }
  }

  #open(): void {
    if (this.#path.length >= DEPTH_LIMIT) {
      throw this.#error(`line ${this.#position()}: more than ${DEPTH_LIMIT} arrays and objects within each other`);
    }
    this.#at++;
  }

  #close<T>(value: T): T {
    this.#at++;
    return value;
  }

  #string(): string {
    const start = this.#at;
    const end = this.#endOfString(start);
    const token = this.#text.slice(start, end);
    this.#at = end;
    let string: unknown;
    try {
      string = JSON.parse(token);
    } catch {
      this.#at = start;
      throw this.#error(`line ${this.#position()}: a malformed string`);
    }
    if (typeof string !== "string") throw new Error("a token in quotes is a string");
    if (string.includes("\0")) throw this.#wrong(": a NUL character is not possible in any text here");
    if (!string.isWellFormed()) throw this.#wrong(": text that is not Unicode (UTF-8)");
    return string;
  }

  /** Past the closing quote: the first that no odd number of backslashes comes before. */
  #endOfString(start: number): number {
    for (let quote = this.#text.indexOf('"', start + 1); quote >= 0; quote = this.#text.indexOf('"', quote + 1)) {
      let first = quote;
      while (this.#text.charCodeAt(first - 1) === BACKSLASH) first--;
      if ((quote - first) % 2 === 0) return quote + 1;
    }
    this.#at = start;
    throw this.#error(`line ${this.#position()}: a string without its end`);
  }

  #scalar(): unknown {
    const start = this.#at;
    let end = start;
    while (end - start <= NUMBER_LIMIT_CHARACTERS && isOfScalar(this.#text.charCodeAt(end))) end++;
    const token = this.#text.slice(start, end);
    if (token === "true" || token === "false" || token === "null") {
      this.#at = end;
      return token === "null" ? null : token === "true";
    }
    if (token.length > NUMBER_LIMIT_CHARACTERS || !NUMBER.test(token)) throw this.#unexpected("a value");
    this.#at = end;
    const number = Number(token);
    const isExact = Number.isSafeInteger(number) || token.length > EXACT_DIGITS || /[.eE]/.test(token);
    return isExact ? number : BigInt(token);
  }

  #unexpected(expected: string): Failure {
    const code = this.#text.codePointAt(this.#at);
    const found = code === undefined ? "the end" : JSON.stringify(String.fromCodePoint(code));
    return this.#error(`line ${this.#position()}: expected ${expected}, got ${found}`);
  }

  /** `3, column 7`, both from 1. */
  #position(): string {
    const before = this.#text.slice(0, this.#at);
    let line = 1;
    for (let newline = before.indexOf("\n"); newline >= 0; newline = before.indexOf("\n", newline + 1)) line++;
    return `${line}, column ${this.#at - before.lastIndexOf("\n")}`;
  }

  #wrong(what: string): Failure {
    return this.#error(`${showPath(this.#path)}${what}`);
  }

  #error(message: string): Failure {
    return new Failure(`${this.#source}: ${message}`);
  }
}

/** Of numbers and of the words true, false and null. */
function isOfScalar(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2d ||
    code === 0x2b ||
    code === 0x2e ||
    code === 0x45
  );
}

/** As JSON.parse does it: `__proto__` becomes a field like any other. */
function set(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

declare global {
  /** ECMAScript 2024. */
  interface String {
    isWellFormed(): boolean;
  }
}
