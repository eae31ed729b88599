/**
 * A pull as commands do it: with a registry, progress, and words for what goes wrong.
 */
import { Failure } from "../failure.ts";
import type { Platform } from "../image/platform.ts";
import { type Pulled, pullImage } from "../image/pull.ts";
import { familiarName, type Reference, storedName } from "../image/reference.ts";
import { isTerminal } from "../linux/tty.ts";
import { Turns } from "../linux/turns.ts";
import { Registry } from "../registry/client.ts";
import { type Transport, TransportError } from "../registry/exchange.ts";
import { openTransport } from "../registry/transport.ts";
import { barProgress, NO_PROGRESS, type Progress, plainProgress } from "./pull-progress.ts";

export interface PullOptions {
  readonly platform: Platform | undefined;
  /** Where progress goes; undefined: nowhere. */
  readonly progressFd: number | undefined;
}

/** What can be done about an exchange that came to no answer. */
function hintFor({ trouble }: TransportError): string | undefined {
  switch (trouble) {
    case "resolve":
      return "is the name right, and is there a network?";
    case "connect":
      return "is the registry up? behind a proxy, set HTTPS_PROXY";
    case "tls":
      return "have its authority among those of the system, or name a file with it in SSL_CERT_FILE";
    case "timeout":
    case "cut":
      return "try it again: what has come so far is kept";
    default:
      return undefined;
  }
}

/** An error of a pull, as it is told. */
export function pullFailure(error: unknown, name: string): unknown {
  if (!(error instanceof TransportError)) return error;
  return new Failure(`cannot pull ${name}: ${error.message}`, { hint: hintFor(error), cause: error });
}

/** Does something with a registry, and gives up all that is under way when that ends. */
async function withRegistry<T>(
  name: string,
  use: (registry: Registry, turns: Turns, transport: Transport & Disposable) => Promise<T>,
): Promise<T> {
  using turns = new Turns();
  using transport = openTransport(turns);
  try {
    return await use(new Registry(transport), turns, transport);
  } catch (error) {
    throw pullFailure(error, name);
  }
}

function progressOn(fd: number | undefined, { loop }: Turns): Progress {
  if (fd === undefined) return NO_PROGRESS;
  return isTerminal(fd) ? barProgress(fd, (delayMs, draw) => loop.after(delayMs, draw)) : plainProgress(fd);
}

/** Pulls one image. */
export function pullReference(images: string, reference: Reference, options: PullOptions): Promise<Pulled> {
  const { platform, progressFd } = options;
  return withRegistry(familiarName(storedName(reference)), async (origin, turns, transport) => {
    const progress = progressOn(progressFd, turns);
    const abort = (): void => transport[Symbol.dispose]();
    try {
      return await pullImage(images, { reference, platform, origin, abort, turns, tell: progress.tell });
    } finally {
      progress.end();
    }
  });
}

/** All tags of a repository. */
export function tagsOf(reference: Reference): Promise<readonly string[]> {
  const name = familiarName(storedName({ ...reference, tag: undefined }));
  return withRegistry(name, (registry) => registry.tags(reference));
}
