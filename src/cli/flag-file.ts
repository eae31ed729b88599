/**
 * Files that flags name.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";

/** More than any list of variables or labels: execve(2) takes less. */
const LIMIT_BYTES = 4 * 1024 * 1024;

/** The text of an --env-file or --label-file. */
export function readFlagFile(path: string): string {
  try {
    return readText(path, LIMIT_BYTES);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw new Failure(`there is no file '${path}'`);
    if (error instanceof RangeError) throw new Failure(`the file '${path}' is larger than ${LIMIT_BYTES} bytes`);
    throw error;
  }
}
