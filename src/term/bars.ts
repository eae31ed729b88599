/**
 * Progress on a terminal: a block of lines that are drawn anew, and above it those that will not change any more. Pure, but
 * for `Block`, which keeps what it has drawn.
 */
const LEAST_BAR = 10;
const MOST_BAR = 50;

/** `[====>     ]` of so many characters within. */
export function bar(done: number, all: number, width: number): string {
  const share = all > 0 ? Math.min(done / all, 1) : 0;
  const filled = Math.floor(share * width);
  const head = filled === width ? "" : ">";
  return `[${"=".repeat(filled)}${head}${" ".repeat(width - filled - head.length)}]`;
}

/** A line with a bar between its two texts, as wide as there is room in so many columns, of which the last stays free. */
export function barLine(left: string, right: string, done: number, all: number, columns: number): string {
  const room = columns - left.length - right.length - 6;
  if (room < LEAST_BAR) return `${left} ${right}`;
  return `${left} ${bar(done, all, Math.min(room, MOST_BAR))}  ${right}`;
}

const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const up = (lines: number): string => (lines === 0 ? "" : `\x1b[${lines}A`);

/** The lines that are drawn again and again; at most as many as the terminal has, and none longer than it is wide. */
export class Block {
  #drawn = 0;

  /** What to write so that `done` stands above for good, and `lines` in the block. */
  draw(done: readonly string[], lines: readonly string[], size: { rows: number; columns: number }): string {
    const shown = lines.slice(0, Math.max(size.rows - 1, 1));
    // A line of all columns would wrap on some terminals.
    const cut = (text: string) => text.slice(0, Math.max(size.columns - 1, 1));
    const text = [...done, ...shown].map((one) => `${cut(one)}${CLEAR_LINE}\n`).join("");
    const before = up(this.#drawn);
    this.#drawn = shown.length;
    return `${before}\r${text}${CLEAR_BELOW}`;
  }
}
