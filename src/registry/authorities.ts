/**
 * Whom to trust when nobody says: the list of the host, where it has one.
 */
import { environ } from "../linux/door.ts";
import { variableIn } from "../linux/environment.ts";
import { attempt } from "../linux/error.ts";
import { AT_FDCWD, Handle } from "../linux/fd.ts";
import { O_CLOEXEC, O_RDONLY } from "../linux/hostpath.ts";

/** Where distributions have it: Debian, Fedora, openSUSE, older Fedora, Alpine. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
] as const;
/** As OpenSSL and Go have it. */
const VARIABLE = "SSL_CERT_FILE";

/** Candidates for the list, in the order in which they are tried. Pure. */
export function bundlesFor(environment: readonly string[]): readonly string[] {
  const named = variableIn(environment, VARIABLE);
  return named === undefined || named === "" ? BUNDLES : [named];
}

/** The host's list of authorities, opened; undefined where there is none, as on a minimal system. */
export function openSystemBundle(): Handle | undefined {
  for (const path of bundlesFor(environ)) {
    const fd = attempt("openat", AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) return new Handle(fd);
  }
  return undefined;
}
