/**
 * Errors that are told to people: what was attempted, what went wrong, and what they can do about it.
 */

/** Exit statuses as docker and podman document them. */
export const EXIT = {
  /** Our own failure: bad flags, no such container, the container could not be made. */
  own: 125,
  /** The program was found and could not be executed. */
  notExecutable: 126,
  /** The program was not found. */
  notFound: 127,
  /** Added to the number of the signal that ended the program. */
  signalBase: 128,
} as const;

export interface FailureDetails {
  /** What the user can do about it; one sentence. */
  readonly hint?: string | undefined;
  readonly exitCode?: number;
  readonly cause?: unknown;
  /** The program that could not be executed, and the kernel's reason: "ENOENT"; whether it was found, and seemed fit to be. */
  readonly program?: { readonly name: string; readonly code: string; readonly found?: boolean } | undefined;
}

/** A failure that has been understood; its message is one line, written for the user. */
export class Failure extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;
  readonly program: FailureDetails["program"];

  constructor(message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "Failure";
    this.hint = details.hint;
    this.exitCode = details.exitCode ?? EXIT.own;
    this.program = details.program;
  }
}

/** Names in messages may be of any length; messages go into packets of 64 KiB, and onto terminals. */
const MESSAGE_LIMIT_CHARACTERS = 2048;

/** What was attempted is at the beginning of a message, and why that failed at its end. */
export function shortened(message: string): string {
  const half = MESSAGE_LIMIT_CHARACTERS / 2;
  return message.length <= 2 * half ? message : `${message.slice(0, half)}[...]${message.slice(-half)}`;
}

/** How different two words are at most to be taken for a slip of the fingers. */
const NEAR = 2;

/** The word among `candidates` that was probably meant. */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = NEAR + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) && word.length > 2 ? 1 : distanceOf(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The number of letters that are put in, left out or changed (Levenshtein's distance). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** Says, in types and at run time, that a variant was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`forgotten variant: ${JSON.stringify(value)}`);
}
