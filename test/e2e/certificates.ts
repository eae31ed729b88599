/** Certificates for servers of a test's own, by openssl. */
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

export type Issued = { cert: string; key: string; certFile: string; keyFile: string };

/** An authority whose files lie in the directory. */
export function certificateAuthority(directory: string): { authority: string; issue: (name: string) => Issued } {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  const subject = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=test"];
  openssl("req", "-x509", ...subject, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2");
  return {
    authority: join(directory, "ca.pem"),
    /** For a name as in `DNS:localhost`, or `IP:127.0.0.1`. */
    issue(name) {
      openssl("req", ...subject, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-addext", `subjectAltName=${name}`);
      const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy"];
      openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`, "-days", "2");
      const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
      return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile };
    },
  };
}

/** A certificate that nobody has signed but itself, and that calls itself an authority: as `openssl req -x509` makes them. With -1 days it has expired. */
export function selfSigned(directory: string, file: string, name: string, days: number): Issued {
  const [certFile, keyFile] = [join(directory, `${file}.pem`), join(directory, `${file}.key`)];
  const kind = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=self"];
  const out = ["-keyout", keyFile, "-out", certFile, "-addext", `subjectAltName=${name}`];
  execFileSync("openssl", ["req", ...kind, ...out, "-days", "2"], { cwd: directory, stdio: "pipe" });
  const again = ["x509", "-in", certFile, "-signkey", keyFile, "-days", String(days), "-out", `${certFile}.new`];
  execFileSync("openssl", again, { cwd: directory, stdio: "pipe" });
  renameSync(`${certFile}.new`, certFile);
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile };
}
