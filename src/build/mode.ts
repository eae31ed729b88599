/**
 * `--chmod`: a mode in octal digits, or changes as chmod(1) takes them. Pure.
 */
import { Failure } from "../failure.ts";

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };
const ANY_EXECUTE = 0o111;
const LAST_MODE = 0o7777;

type Change = (mode: number, isDirectory: boolean) => number;

function bad(text: string): Failure {
  return new Failure(`bad mode '${text}'`, { hint: "modes look like 755, 0644 or u=rwX,go=rX" });
}

/** One change: `u+rwX`. */
function parseClause(clause: string, text: string): Change {
  let at = 0;
  let who = 0;
  for (; (WHO[clause.charAt(at)] ?? 0) !== 0; at++) who |= WHO[clause.charAt(at)] ?? 0;
  if (who === 0) who = LAST_MODE;
  const operator = clause.charAt(at++);
  if (operator === "" || !"+-=".includes(operator)) throw bad(text);
  let bits = 0;
  let isConditional = false;
  for (const letter of clause.slice(at)) {
    if (letter === "X") isConditional = true;
    else if (BITS[letter] === undefined) throw bad(text);
    else bits |= BITS[letter] ?? 0;
  }
  return (mode, isDirectory) => {
    const executes = isConditional && (isDirectory || (mode & ANY_EXECUTE) !== 0);
    const meant = (bits | (executes ? ANY_EXECUTE : 0)) & who;
    if (operator === "+") return mode | meant;
    if (operator === "-") return mode & ~meant;
    return (mode & ~who) | meant;
  };
}

/** What a mode, or what changes of one, make of a file's mode. Throws a Failure for what is neither. */
export function parseMode(text: string): Change {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > LAST_MODE) throw bad(text);
    return () => mode;
  }
  const changes = text.split(",").map((clause) => parseClause(clause, text));
  return (mode, isDirectory) => changes.reduce((value, change) => change(value, isDirectory), mode);
}
