/**
 * Registries as commands use them: with the user's settings and credentials, and words for what goes wrong.
 */
import { Failure } from "../failure.ts";
import { environ } from "../linux/door.ts";
import { isTerminal } from "../linux/tty.ts";
import { Turns } from "../linux/turns.ts";
import { Registry } from "../registry/client.ts";
import { findCredentials } from "../registry/credentials.ts";
import { type Transport, TransportError } from "../registry/exchange.ts";
import type { Surroundings } from "../registry/session.ts";
import { openTransport } from "../registry/transport.ts";
import { readRegistrySettings } from "./config-file.ts";
import { barProgress, NO_PROGRESS, type Progress, plainProgress } from "./pull-progress.ts";

/** What can be done about an exchange that came to no answer. */
function hintFor({ trouble }: TransportError): string | undefined {
  switch (trouble) {
    case "resolve":
      return "is the name right, and is there a network?";
    case "connect":
      return "is the registry up? behind a proxy, set HTTPS_PROXY";
    case "tls":
      return "put the certificate of its authority into /etc/containers/certs.d/HOST/ca.crt, or have the system trust it";
    case "timeout":
    case "cut":
      return "try it again: what has come so far is kept";
    default:
      return undefined;
  }
}

/** An error of an exchange, as it is told. `doing`: as in "pull alpine". */
export function exchangeFailure(error: unknown, doing: string): unknown {
  if (!(error instanceof TransportError)) return error;
  return new Failure(`cannot ${doing}: ${error.message}`, { hint: hintFor(error), cause: error });
}

export interface Connection {
  readonly registry: Registry;
  readonly around: Surroundings;
  readonly turns: Turns;
  /** Has all exchanges that are under way fail. */
  readonly abort: () => void;
}

/** Does something with registries, and gives up all that is under way when that ends. */
export async function withRegistry<T>(doing: string, use: (connection: Connection) => Promise<T>): Promise<T> {
  const settings = await readRegistrySettings();
  using turns = new Turns();
  using transport: Transport & Disposable = openTransport(turns, settings.timeoutMs);
  const known = new Map<string, ReturnType<typeof findCredentials>>();
  const around: Surroundings = {
    transport,
    settings,
    credentials: async (domain) => {
      // A program that keeps them is asked once.
      if (!known.has(domain)) known.set(domain, findCredentials(domain, environ));
      return known.get(domain);
    },
    after: (delayMs) => turns.after(delayMs),
  };
  try {
    return await use({ registry: new Registry(around), around, turns, abort: () => transport[Symbol.dispose]() });
  } catch (error) {
    throw exchangeFailure(error, doing);
  }
}

/** Progress on a terminal or as lines; undefined: nowhere. */
export function progressOn(fd: number | undefined, { loop }: Turns): Progress {
  if (fd === undefined) return NO_PROGRESS;
  return isTerminal(fd) ? barProgress(fd, (delayMs, draw) => loop.after(delayMs, draw)) : plainProgress(fd);
}
