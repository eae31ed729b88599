/**
 * Options with commas between them, as --mount and --secret have them: a line of CSV (RFC 4180). Pure.
 */
import { Failure } from "../failure.ts";

const FIELDS_LIMIT = 64;

/** The fields of a line: a field in quotes may have commas in it, and quotes that are doubled. */
export function fieldsOf(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  do {
    if (fields.length >= FIELDS_LIMIT) throw new Failure(`there are more than ${FIELDS_LIMIT} options in one`);
    if (text.charAt(at) === '"') {
      let field = "";
      for (at++; !(text.charAt(at) === '"' && text.charAt(at + 1) !== '"'); at++) {
        if (at >= text.length) throw new Failure(`in '${text}' quotes are not closed`);
        if (text.charAt(at) === '"') at++;
        field += text.charAt(at);
      }
      if (++at < text.length && text.charAt(at) !== ",") throw new Failure(`in '${text}' text follows quotes`);
      fields.push(field);
    } else {
      const comma = text.indexOf(",", at);
      const end = comma < 0 ? text.length : comma;
      const field = text.slice(at, end);
      if (field.includes('"')) throw new Failure(`in '${text}' quotes stand within text`);
      fields.push(field);
      at = end;
    }
  } while (at++ < text.length);
  return fields;
}

/** Fields as a line. */
export function joinFields(fields: readonly string[]): string {
  return fields.map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",");
}
