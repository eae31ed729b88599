/**
 * Addresses of the web that a Dockerfile names. Pure.
 */
import { Failure } from "../failure.ts";

/** The host, with its port and whoever asks. */
export const hostOf = (url: string): string => url.replace(/^https?:\/\//, "").replace(/[/?#].*$/, "");

/** Throws a Failure for an address of the web that says who asks, be it with a password or a token for a name. Pure. */
export function refusePassword(url: string): void {
  if (!/^https?:/.test(url) || !hostOf(url).includes("@")) return;
  throw new Failure("an address with a password in it would be part of the image's history", {
    hint: "use RUN --mount=type=secret and a program that downloads",
  });
}
