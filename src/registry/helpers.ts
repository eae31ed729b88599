/**
 * Programs that keep credentials for docker: `docker-credential-NAME get|store|erase`, which speak JSON on their streams
 * (github.com/docker/docker-credential-helpers). They are the user's, and run as the user.
 */
import { Failure } from "../failure.ts";
import { monotonicMs } from "../linux/clock.ts";
import { decode, environ } from "../linux/door.ts";
import { variableIn } from "../linux/environment.ts";
import { attempt } from "../linux/error.ts";
import { placeAt } from "../linux/fd.ts";
import { exists } from "../linux/hostpath.ts";
import { pipe, read, writeAll } from "../linux/io.ts";
import { waitReadable } from "../linux/poll.ts";
import { closeFromBut, execve, exit, fork, sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { isObject } from "../spec/json.ts";

const PREFIX = "docker-credential-";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ANSWER_LIMIT_BYTES = 64 * 1024;
/** Some ask the user for a password. */
const PATIENCE_MS = 120_000;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What helpers say, word for word, where they have nothing. */
const NOTHING = ["credentials not found in native keychain", "no credentials server URL", "no credentials username"];
/** In place of a user's name: the secret is a token for the authorization server. */
const TOKEN_USER = "<token>";

export interface Secret {
  readonly user: string;
  readonly secret: string;
}

type Action = "get" | "store" | "erase";

/** Where a program is: the first directory of PATH that has it. */
function findProgram(name: string): string {
  if (!NAME.test(name)) throw new Failure(`'${name}' is no name of a credential helper`);
  const directories = (variableIn(environ, "PATH") || DEFAULT_PATH).split(":").filter((one) => one.startsWith("/"));
  const path = directories.map((one) => `${one}/${PREFIX}${name}`).find(exists);
  if (path !== undefined) return path;
  throw new Failure(`there is no program '${PREFIX}${name}', which is to keep the credentials`, {
    hint: "install it, or take it out of docker's config.json (credsStore, credHelpers)",
  });
}

/** Runs a helper to its end. What it has said, and whether it ended well. */
function runHelper(path: string, action: Action, input: string): { text: string; isGood: boolean } {
  using stack = new DisposableStack();
  const [inputEnd, input_] = pipe();
  const [output, outputEnd] = pipe();
  for (const end of [inputEnd, input_, output, outputEnd]) stack.use(end);
  const child = fork();
  if (child === undefined) {
    placeAt(inputEnd.fd, 0);
    placeAt(outputEnd.fd, 1);
    closeFromBut(3, []);
    attempt("setsid");
    execve(path, [path, action], environ);
    exit(127);
  }
  outputEnd.close();
  try {
    // The pipe holds all of it, and has a reader until then: who does not read it is no reason for a signal.
    writeAll(input_.fd, input);
    input_.close();
    inputEnd.close();
    const text = readWithin(output.fd, path, PATIENCE_MS);
    const ending = waitFor(child);
    return { text, isGood: ending.kind === "exited" && ending.status === 0 };
  } catch (error) {
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    throw error;
  } finally {
    child.pidfd.close();
  }
}

/** All that comes until the other side is closed. Throws a Failure if that takes too long, or there is no end of it. */
function readWithin(fd: number, about: string, patienceMs: number): string {
  const bytes = new Uint8Array(ANSWER_LIMIT_BYTES);
  const deadline = monotonicMs() + patienceMs;
  for (let length = 0; length < bytes.length; ) {
    if (!waitReadable(fd, Math.max(0, deadline - monotonicMs()))) throw new Failure(`${about} does not answer`);
    const count = read(fd, bytes.subarray(length), about);
    if (count === 0) return decode(bytes, 0, length).trim();
    length += count;
  }
  throw new Failure(`${about} answers more than ${ANSWER_LIMIT_BYTES} bytes`);
}

function complaint(path: string, text: string): Failure {
  return new Failure(`${path}: ${text.split("\n")[0] || "it failed without a word"}`);
}

/** What a helper has for a registry; undefined if nothing. Throws a Failure if it fails. */
export function secretOf(name: string, server: string): Secret | undefined {
  const path = findProgram(name);
  const { text, isGood } = runHelper(path, "get", server);
  if (!isGood) {
    if (NOTHING.some((known) => text.includes(known))) return undefined;
    throw complaint(path, text);
  }
  const answer = parseSecret(text);
  if (answer === undefined) throw new Failure(`${path} answers nothing that has a meaning`);
  return answer;
}

/** The answer to `get`; undefined if it is none. Pure. */
export function parseSecret(text: string): Secret | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(answer)) return undefined;
  const { Username: user, Secret: secret } = answer;
  return typeof user === "string" && typeof secret === "string" ? { user, secret } : undefined;
}

export function storeSecret(name: string, server: string, { user, secret }: Secret): void {
  const path = findProgram(name);
  const { text, isGood } = runHelper(
    path,
    "store",
    JSON.stringify({ ServerURL: server, Username: user, Secret: secret }),
  );
  if (!isGood) throw complaint(path, text);
}

/** Returns whether there was something to forget. */
export function eraseSecret(name: string, server: string): boolean {
  const path = findProgram(name);
  const { text, isGood } = runHelper(path, "erase", server);
  if (!isGood && !NOTHING.some((known) => text.includes(known))) throw complaint(path, text);
  return isGood;
}

export const isToken = ({ user }: Secret): boolean => user === TOKEN_USER;
