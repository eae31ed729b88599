/**
 * A file of the web, for ADD.
 */
import { Failure } from "../failure.ts";
import { O_CREAT, O_EXCL, O_RDWR, openHost } from "../linux/hostpath.ts";
import { Session, type Surroundings } from "../registry/session.ts";
import { hostOf } from "./address.ts";

/** As much as a layer may have. */
const LIMIT_BYTES = 128 * 1024 ** 3;

/** Downloads a file to a path. Nobody is told who asks: what a registry has been told is for that registry. */
export async function downloadFile(
  around: Surroundings,
  url: string,
  path: string,
): Promise<{ readonly modifiedMs: number | undefined }> {
  const host = hostOf(url);
  using file = openHost(path, O_RDWR | O_CREAT | O_EXCL);
  const session = new Session({ ...around, credentials: async () => undefined });
  const sink = { file, presentBytes: 0, limitBytes: LIMIT_BYTES };
  const answer = await session.ask({
    method: "GET",
    headers: [],
    sink,
    host,
    domain: host,
    path: url,
    scope: undefined,
  });
  if (answer.status < 200 || answer.status > 299) {
    throw new Failure(`'${url}' cannot be downloaded: the server answers ${answer.status}`);
  }
  const modifiedMs = Date.parse(answer.headers.get("last-modified") ?? "");
  return { modifiedMs: Number.isFinite(modifiedMs) ? modifiedMs : undefined };
}
