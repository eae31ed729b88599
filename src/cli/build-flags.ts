/**
 * The flags of `build`, and what they mean. Pure: files, sockets and images are looked for by those who need them.
 */

import { fieldsOf } from "../build/csv.ts";
import { cleanPath } from "../build/patterns.ts";
import type { BuildRequest, ContextSource, NamedContext, Secret } from "../build/request.ts";
import { Failure, nearestOf } from "../failure.ts";
import { nameOf } from "../image/import.ts";
import { parsePlatform } from "../image/platform.ts";
import { parseReference } from "../image/reference.ts";
import { parseUlimit } from "../isolation/rlimits.ts";
import { list, text, toggle, type Values } from "../term/flags.ts";
import { parseKeyValue, parseMemory, parseSize } from "./values.ts";

export const BUILD_USAGE = "[FLAGS] DIRECTORY|-";
export const BUILD_ABOUT = [
  "Makes an image from a Dockerfile and the files of a directory, its context.",
  "The context may be an archive on standard input (-), which may be a Dockerfile alone as well.",
].join("\n");

export const BUILD_FLAGS = {
  "add-host": list("", "NAME:ADDRESS", "Add a line to the /etc/hosts of commands"),
  "build-arg": list("", "NAME[=VALUE]", "Set a variable of ARG; without a value it is taken from the environment"),
  "build-context": list("", "NAME=SOURCE", "What FROM NAME and --from=NAME mean: a directory, or docker-image://IMAGE"),
  file: text("f", "FILE", "The Dockerfile, or - for standard input (Dockerfile of the context)"),
  iidfile: text("", "FILE", "Write the image's id to a file"),
  label: list("", "NAME=VALUE", "Set a label of the image"),
  memory: text("m", "SIZE", "Memory limit of each command, as in 512m; 0 is no limit"),
  network: text("", "default|none|host", "Network of commands that name none themselves"),
  "no-cache": toggle("", "Run all commands anew"),
  platform: text("", "OS/ARCH[/VARIANT]", "What the image is for"),
  progress: text("", "auto|plain|tty", "How progress is shown; plain is all that commands write"),
  pull: toggle("", "Ask registries for images anew"),
  quiet: toggle("q", "Print nothing but the image's id"),
  secret: list("", "id=ID[,src=FILE|,env=NAME]", "A secret for RUN --mount=type=secret"),
  "shm-size": text("", "SIZE", "Size of /dev/shm of commands"),
  ssh: list("", "default|ID[=SOCKET]", "An agent's socket for RUN --mount=type=ssh (SSH_AUTH_SOCK)"),
  tag: list("t", "NAME[:TAG]", "Name of the image; may be given several times"),
  target: text("", "STAGE", "The stage to build (the default is the last)"),
  ulimit: list("", "NAME=SOFT[:HARD]", "Set a resource limit of commands"),
} as const;

export type BuildFlags = Values<typeof BUILD_FLAGS>;
export type Progress = "auto" | "plain" | "tty";

const NETWORKS = ["default", "none", "host"] as const;
const PROGRESS = ["auto", "plain", "tty"] as const;
const IMAGE_SCHEME = "docker-image://";
const AGENT_VARIABLE = "SSH_AUTH_SOCK";

/** What flag values need from outside. */
export interface BuildFlagContext {
  readonly cwd: string;
  /** Our own environment. */
  readonly environ: readonly string[];
}

export interface BuildOptions {
  readonly request: BuildRequest;
  readonly quiet: boolean;
  readonly progress: Progress;
  readonly iidFile: string | undefined;
}

/** Throws a Failure for values that are malformed, and for flags that contradict each other. */
export function buildOptionsOf(flags: BuildFlags, words: readonly string[], outside: BuildFlagContext): BuildOptions {
  const [word, another] = words;
  if (word === undefined) {
    throw new Failure("'build' needs a context", { hint: "as in: mycontainer build -t NAME . (the directory here)" });
  }
  if (another !== undefined) throw new Failure(`'build' takes one context, and got '${another}' as well`);
  const context = contextOf(word, outside.cwd);
  if (context.kind === "stdin" && flags.file === "-") {
    throw new Failure("standard input cannot be both the context and the Dockerfile", {
      hint: "give a directory, or put the Dockerfile into the archive",
    });
  }
  const request: BuildRequest = {
    context,
    file: fileOf(flags.file, context, outside.cwd),
    names: [...new Set(flags.tag.map(nameOf))],
    target: flags.target === "" ? undefined : flags.target,
    buildArgs: buildArgsOf(flags["build-arg"], outside),
    labels: Object.fromEntries(flags.label.map(labelOf)),
    secrets: recordOf(
      "secret",
      flags.secret.map((value) => secretOf(value, outside)),
    ),
    ssh: recordOf(
      "ssh",
      flags.ssh.map((value) => agentOf(value, outside)),
    ),
    contexts: recordOf(
      "build-context",
      flags["build-context"].map((value) => namedContextOf(value, outside.cwd)),
    ),
    noCache: flags["no-cache"] ?? false,
    pull: flags.pull ?? false,
    platform: flags.platform === undefined ? undefined : platformOf(flags.platform),
    network: oneOf(NETWORKS, flags.network ?? "default", "network"),
    addHosts: flags["add-host"],
    memoryBytes: flags.memory === undefined ? undefined : parseMemory(flags.memory),
    shmSizeBytes: flags["shm-size"] === undefined ? undefined : parseSize(flags["shm-size"], "size of /dev/shm"),
    rlimits: flags.ulimit.map(parseUlimit),
  };
  const progress = oneOf(PROGRESS, flags.progress ?? "auto", "progress");
  return { request, quiet: flags.quiet ?? false, progress, iidFile: flags.iidfile };
}

const absolute = (path: string, cwd: string): string => cleanPath(path.startsWith("/") ? path : `${cwd}/${path}`);

function contextOf(word: string, cwd: string): ContextSource {
  if (word === "-") return { kind: "stdin" };
  if (word === "") throw new Failure("the context cannot be an empty name");
  if (/^[a-z][a-z0-9+.-]{0,31}:\/\/|^git@/.test(word)) {
    throw new Failure(`the context '${word}' is not on this machine`, { hint: "fetch it, and give its directory" });
  }
  return { kind: "directory", path: absolute(word, cwd) };
}

/** Beside a context that is an archive, it is one of its files; else one of the host's, which need not be in the context. */
function fileOf(file: string | undefined, context: ContextSource, cwd: string): string | undefined {
  if (file === "") throw new Failure("the name of the Dockerfile is empty");
  if (file === undefined || file === "-" || context.kind === "stdin") return file;
  return absolute(file, cwd);
}

function oneOf<T extends string>(known: readonly T[], value: string, flag: string): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  const nearest = nearestOf(value, known);
  const hint = nearest === undefined ? `use ${known.join(", ")}` : `did you mean ${nearest}?`;
  throw new Failure(`--${flag} has no '${value}'`, { hint });
}

function variable(name: string, { environ }: BuildFlagContext): string | undefined {
  return environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** A name alone stands for our own variable; where we have none, nothing is given. */
function buildArgsOf(values: readonly string[], outside: BuildFlagContext): Record<string, string> {
  const entries = values.flatMap((entry): [string, string][] => {
    const [name, value = variable(name, outside)] = parseKeyValue(entry, "build argument");
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}

function labelOf(entry: string): [string, string] {
  const [name, value] = parseKeyValue(entry, "label");
  return [name, value ?? ""];
}

function recordOf<T>(flag: string, entries: readonly (readonly [string, T])[]): Record<string, T> {
  const seen = new Set<string>();
  for (const [name] of entries) {
    if (seen.has(name)) throw new Failure(`--${flag} is given twice for '${name}'`);
    seen.add(name);
  }
  return Object.fromEntries(entries);
}

function platformOf(value: string) {
  if (value.includes(",")) {
    throw new Failure(`'${value}' is more than one platform`, { hint: "build for one after another" });
  }
  return parsePlatform(value);
}

const SECRET_HINT = "as in --secret id=token,src=token.txt, or --secret id=token,env=TOKEN";

/** What is neither of a file nor of a variable is of the variable that is called as it is, or else of such a file. */
function secretOf(value: string, outside: BuildFlagContext): [string, Secret] {
  const bad = (reason: string): Failure => new Failure(`bad secret '${value}': ${reason}`, { hint: SECRET_HINT });
  let id: string | undefined;
  let path: string | undefined;
  let env: string | undefined;
  let type: string | undefined;
  for (const field of fieldsOf(value)) {
    const equals = field.indexOf("=");
    const [key, given] = [field.slice(0, Math.max(0, equals)).toLowerCase(), field.slice(equals + 1)];
    if (given === "" || key === "") throw bad(`'${field}' is not of the form NAME=VALUE`);
    if (key === "id") id = given;
    else if (key === "src" || key === "source") path = given;
    else if (key === "env") env = given;
    else if (key === "type" && (given === "file" || given === "env")) type = given;
    else throw bad(key === "type" ? `there is no type '${given}'` : `there is no option '${key}'`);
  }
  if (id === undefined) throw bad("it lacks an id");
  if (path !== undefined && env !== undefined) throw bad("it is of a file or of a variable, not of both");
  if (type === "file" && env !== undefined) throw bad("its type is 'file', and a variable is named");
  if (env !== undefined) return [id, { kind: "env", variable: env }];
  if (type === "env") return [id, { kind: "env", variable: path ?? id }];
  if (path === undefined && type === undefined && variable(id, outside) !== undefined) {
    return [id, { kind: "env", variable: id }];
  }
  return [id, { kind: "file", path: absolute(path ?? id, outside.cwd) }];
}

function agentOf(value: string, outside: BuildFlagContext): [string, string] {
  const equals = value.indexOf("=");
  const id = equals < 0 ? value : value.slice(0, equals);
  const given = equals < 0 ? undefined : value.slice(equals + 1);
  if (id === "" || given === "") {
    throw new Failure(`bad agent '${value}'`, { hint: "as in --ssh default, or --ssh work=/run/agent.sock" });
  }
  if (given?.includes(",") === true) {
    throw new Failure(`--ssh ${id} names more than one socket`, {
      hint: "keys in files are for an agent to hold: ssh-add puts them into it",
    });
  }
  const socket = given ?? variable(AGENT_VARIABLE, outside);
  if (socket === undefined || socket === "") {
    throw new Failure(`there is no agent for --ssh ${id}`, {
      hint: `set ${AGENT_VARIABLE}, or name its socket: ${id}=SOCKET`,
    });
  }
  return [id, absolute(socket, outside.cwd)];
}

function namedContextOf(value: string, cwd: string): [string, NamedContext] {
  const equals = value.indexOf("=");
  const [name, source] = [value.slice(0, Math.max(0, equals)), value.slice(equals + 1)];
  if (name === "" || source === "") {
    throw new Failure(`bad context '${value}'`, {
      hint: "as in --build-context base=../base, or base=docker-image://alpine",
    });
  }
  if (source.startsWith(IMAGE_SCHEME)) {
    const image = source.slice(IMAGE_SCHEME.length);
    parseReference(image);
    return [name, { kind: "image", name: image }];
  }
  const context = contextOf(source, cwd);
  if (context.kind === "directory") return [name, context];
  throw new Failure(`the context '${name}' cannot be standard input`, { hint: "name a directory" });
}
