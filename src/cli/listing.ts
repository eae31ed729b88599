/**
 * Lists of things in the formats that docker's commands have: a table, JSON, a template, or a table of a template's columns.
 */
import { Failure } from "../failure.ts";
import { line } from "../term/output.ts";
import { tableLines } from "../term/table.ts";
import { type Template, template } from "../term/template.ts";

/** What `--format` takes, for its help. */
export const FORMAT_FLAG = [
  "",
  "table|json|TEMPLATE",
  "How they are shown; templates are Go's, as in '{{.ID}}'",
] as const;

export type Format =
  | { readonly kind: "table"; readonly template: Template | undefined }
  | { readonly kind: "json" }
  | { readonly kind: "template"; readonly template: Template };

/** One thing: what it is called in templates and JSON, and what it is. A function takes arguments in templates. */
export type Row = Readonly<Record<string, unknown>>;

export interface Listing<R extends Row> {
  /** Headings of the fields that have other ones than their names in capitals. */
  readonly titles: { readonly [Field in keyof R]?: string };
  /** Fields of the table. */
  readonly columns: readonly (keyof R & string)[];
  readonly rows: readonly R[];
}

const TABLE = "table";

/** What a format says. Throws a Failure for what is none. Pure. */
export function parseFormat(format: string | undefined): Format {
  if (format === undefined || format === TABLE) return { kind: "table", template: undefined };
  if (format === "json") return { kind: "json" };
  const escaped = format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  if (escaped.startsWith(`${TABLE} `)) {
    return { kind: "table", template: template(escaped.slice(TABLE.length).trimStart()) };
  }
  if (format.includes("{{")) return { kind: "template", template: template(escaped) };
  throw new Failure(`unknown format '${format}'`, { hint: "use table or json, or a template as in '{{.ID}}'" });
}

/** The lines of a list. Pure. */
export function listingLines<R extends Row>(format: Format, { titles, columns, rows }: Listing<R>): string[] {
  const titleOf = (field: string): string => titles[field] ?? field.toUpperCase();
  if (format.kind === "json") return rows.map((row) => JSON.stringify(row));
  if (format.kind === "template") return rows.map((row) => format.template.fill(row));
  if (format.template === undefined) {
    return tableLines([columns.map(titleOf), ...rows.map((row) => columns.map((column) => String(row[column])))]);
  }
  const fields = new Set([...columns, ...Object.keys(titles), ...rows.flatMap((row) => Object.keys(row))]);
  const heading = format.template.heading(Object.fromEntries([...fields].map((field) => [field, titleOf(field)])));
  const filled = rows.map((row) => format.template?.fill(row) ?? "");
  return tableLines([heading, ...filled].map((text) => text.split("\t")));
}

export function printListing<R extends Row>(format: Format, listing: Listing<R>): void {
  for (const text of listingLines(format, listing)) line(text);
}
