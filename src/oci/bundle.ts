/**
 * A bundle: the directory with config.json and, mostly, the root file system (bundle.md).
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { readText, statusOf, workingDirectory } from "../linux/hostpath.ts";
import { checkConfig } from "../spec/check-config.ts";
import type { Spec } from "../spec/config.ts";
import { parseNewConfig } from "../spec/parse-config.ts";
import { programName } from "./name.ts";

const CONFIG_LIMIT_BYTES = 16 * 1024 * 1024;

export interface Bundle {
  /** Absolute. */
  readonly path: string;
  /** The text of config.json, as it is. */
  readonly config: string;
  /** Whether JSON.parse alone makes `spec` of that text. */
  readonly isPlain: boolean;
  readonly spec: Spec;
  /** What is doubtful in it. */
  readonly warnings: readonly string[];
  /** Of the root file system, absolute. */
  readonly rootfs: string;
}

/** An absolute path of the host, from one that may be relative to `base`, or to the working directory. */
export function absolute(path: string, base?: string): string {
  if (path.startsWith("/")) return path;
  const from = base ?? workingDirectory();
  return path === "." || path === "" ? from : `${from}/${path}`;
}

/** Reads and checks a bundle. Throws a Failure that says what is wrong. */
export function readBundle(given: string | undefined): Bundle {
  const path = absolute(given ?? ".");
  let config: string;
  try {
    config = readText(`${path}/config.json`, CONFIG_LIMIT_BYTES);
  } catch (error) {
    if (error instanceof RangeError) throw new Failure(`config.json is larger than ${CONFIG_LIMIT_BYTES} bytes`);
    if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new Failure(`JSON specification file config.json not found in ${path}`, {
      hint: `'${programName()} spec' writes one; --bundle names the directory it is in`,
    });
  }
  const { spec, isPlain } = parseNewConfig(config);
  const warnings = checkConfig(spec);
  if (spec.root === undefined) throw new Failure("config.json: root is missing");
  const rootfs = absolute(spec.root.path, path);
  const status = statusOf(rootfs);
  if (status === undefined) throw new Failure(`invalid rootfs: ${rootfs}: no such file or directory`);
  if (status.type !== "directory") throw new Failure(`invalid rootfs: ${rootfs} is no directory`);
  // Where there is a warning, something may have been mended.
  return { path, config, isPlain: isPlain && warnings.length === 0, spec, warnings, rootfs };
}
