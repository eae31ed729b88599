/** Debian's docker-registry (distribution), as a process of the test's own. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Issued } from "./certificates.ts";

export type RealRegistry = { host: string; close: () => Promise<void> };

/** "secret", by htpasswd(1): bcrypt. */
const HASH = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
export const USER = { name: "alice", password: "secret" };

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/**
 * Starts a registry on a port of the loopback. It has files in the directory of the test.
 * @param how with `tls` its certificate; with `isPrivate` it asks for USER
 */
export async function startRegistry(
  directory: string,
  port: number,
  how: { tls?: Issued; isPrivate?: boolean } = {},
): Promise<RealRegistry> {
  const own = join(directory, `registry-${port}`);
  mkdirSync(own);
  const passwords = join(own, "htpasswd");
  writeFileSync(passwords, `${USER.name}:${HASH}\n`);
  const tls = how.tls === undefined ? {} : { tls: { certificate: how.tls.certFile, key: how.tls.keyFile } };
  const config = {
    version: 0.1,
    log: { level: "info" },
    storage: { filesystem: { rootdirectory: join(own, "store") }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, ...tls },
    ...(how.isPrivate === true ? { auth: { htpasswd: { realm: "test", path: passwords } } } : {}),
  };
  // JSON is YAML.
  writeFileSync(join(own, "config.yml"), JSON.stringify(config));
  const server = spawn("docker-registry", ["serve", join(own, "config.yml")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", (status) => reject(new Error(`docker-registry ended with ${status}: ${said}`)));
    server.stderr.on("data", async (data: Buffer) => {
      said += data.toString();
      if (said.includes("listening on") && (await answers(port))) resolve();
    });
  });
  return {
    host: `localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.removeAllListeners("exit");
        server.once("exit", () => resolve());
        server.kill("SIGKILL");
      }),
  };
}
