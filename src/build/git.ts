/**
 * ADD of a repository: the host's git fetches it, with the configuration and the credentials of whoever builds.
 */
import { nameOf } from "../container/commit.ts";
import { Failure } from "../failure.ts";
import { environ } from "../linux/door.ts";
import { variable } from "../linux/environment.ts";
import { attempt, call } from "../linux/error.ts";
import { placeAt } from "../linux/fd.ts";
import { exists, O_RDWR, openHost, readText, removeTree } from "../linux/hostpath.ts";
import { readAllText } from "../linux/io.ts";
import { closeFromBut, execve, exit, exitCodeOf, fork, PR, prctl } from "../linux/process.ts";
import { restoreMask, SIG } from "../linux/signal.ts";
import { refusePassword } from "./address.ts";
import { endOf } from "./child-end.ts";
import type { FilesSource } from "./copy.ts";
import type { Site } from "./site.ts";
import { findSources, openTree } from "./tree.ts";

const REMOTE = /^(?:https?|git|ssh):\/\/|^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:/;
/** Variables by which git takes another directory for the one it is in: a build may be begun by a hook of a repository. */
const PLACES = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_CEILING_DIRECTORIES",
  "GIT_QUARANTINE_PATH",
];
const REF = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,200}$/;
const COMMIT = /^[0-9a-f]{40,64}/;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const COMPLAINT_LIMIT_BYTES = 64 * 1024;
/** Nothing that a repository brings is run, and nothing of this machine's is taken for a part of it. */
const SETTINGS = ["core.hooksPath=/dev/null", "protocol.file.allow=never", "advice.detachedHead=false"];

export interface Repository {
  readonly url: string;
  /** A branch, tag or commit; `HEAD` if none is named. */
  readonly ref: string;
  readonly subdirectory: string;
}

/** Whether a source of ADD is a repository: by its scheme, or by `.git` at its end. Pure. */
export function isRepository(source: string): boolean {
  if (!REMOTE.test(source)) return false;
  return !/^https?:/.test(source) || /\.git(?:#.*)?$/.test(source);
}

/** `URL[#REF[:DIRECTORY]]`. Throws a Failure. Pure. */
export function parseRepository(source: string): Repository {
  const hash = source.indexOf("#");
  const url = hash < 0 ? source : source.slice(0, hash);
  refusePassword(url);
  const [ref = "", ...rest] = (hash < 0 ? "" : source.slice(hash + 1)).split(":");
  if (ref !== "" && !REF.test(ref)) {
    throw new Failure(`'${ref}' is no branch, tag or commit`, { hint: "as in https://host/name.git#main:directory" });
  }
  return { url, ref: ref === "" ? "HEAD" : ref, subdirectory: rest.join(":") };
}

function findGit(): string {
  const directories = (variable("PATH") || DEFAULT_PATH).split(":").filter((one) => one.startsWith("/"));
  const path = directories.map((one) => `${one}/git`).find(exists);
  if (path !== undefined) return path;
  throw new Failure("git is not installed on this machine, and a repository is to be added", {
    hint: "install it, or clone in a stage of its own: RUN git clone ..., and COPY --from=...",
  });
}

/** Runs git in a directory; other stages go on meanwhile. Throws a Failure with what it says if it does not end well. */
async function runGit(
  site: Site,
  path: string,
  directory: string,
  args: readonly string[],
  about: string,
): Promise<void> {
  const complaintPath = site.staging.newFile("");
  using complaint = openHost(complaintPath, O_RDWR);
  using nothing = openHost("/dev/null", O_RDWR);
  const child = fork();
  if (child === undefined) {
    prctl(PR.setPdeathsig, SIG.KILL);
    restoreMask(site.signals.mask);
    for (const [from, to] of [
      [nothing.fd, 0],
      [nothing.fd, 1],
      [complaint.fd, 2],
    ] as const)
      placeAt(from, to);
    closeFromBut(3, []);
    attempt("chdir", directory);
    execve(
      path,
      ["git", ...SETTINGS.flatMap((setting) => ["-c", setting]), ...args],
      [...environ.filter((entry) => !PLACES.includes(nameOf(entry))), "GIT_TERMINAL_PROMPT=0"],
    );
    exit(127);
  }
  using _pidfd = child.pidfd;
  const code = exitCodeOf(await endOf(site, child));
  if (code === 0) return;
  call("lseek", complaintPath, complaint.fd, 0, 0);
  const said = readAllText(complaint.fd, "git", COMPLAINT_LIMIT_BYTES).trim().split("\n").slice(-1)[0] ?? "";
  throw new Failure(`git cannot get ${about}: ${said === "" ? `exit status ${code}` : said}`);
}

/** Fetches one commit of a repository. What is copied are its files; with `keepGitDir` also the directory .git. */
export async function repositorySource(
  site: Site,
  source: string,
  keepGitDir: boolean,
): Promise<{ file: FilesSource; commit: string }> {
  const { url, ref, subdirectory } = parseRepository(source);
  const git = findGit();
  const directory = site.staging.newDirectory();
  const about = `'${source}'`;
  const run = (...args: string[]): Promise<void> => runGit(site, git, directory, args, about);
  await run("init", "-q", ".");
  await run("fetch", "-q", "--depth", "1", "--", url, ref);
  await run("checkout", "-q", "FETCH_HEAD");
  if (exists(`${directory}/.gitmodules`))
    await run("submodule", "update", "-q", "--init", "--recursive", "--depth", "1");
  const commit = COMMIT.exec(readText(`${directory}/.git/FETCH_HEAD`))?.[0];
  if (commit === undefined) throw new Failure(`git has fetched no commit of ${about}`);
  if (!keepGitDir) removeTree(`${directory}/.git`);
  const tree = site.stack.use(openTree(directory, { about, ignore: undefined, keepsOwners: false }));
  const [found] = findSources(tree, subdirectory === "" ? "/" : subdirectory);
  if (found?.status.type !== "directory") throw new Failure(`'${subdirectory}' is no directory of ${about}`);
  return { file: { kind: "files", tree, found, kept: undefined }, commit };
}
