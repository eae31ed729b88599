/**
 * `mycontainer login`.
 */
import { Failure } from "../failure.ts";
import { decode, environ } from "../linux/door.ts";
import { read, readAllText, writeAll } from "../linux/io.ts";
import { getTermios, isTerminal, setTermios, silentTermios } from "../linux/tty.ts";
import { failureOf, hostOf } from "../registry/client.ts";
import { basicOf, type Credentials, keepCredentials } from "../registry/credentials.ts";
import { Session } from "../registry/session.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line, note } from "../term/output.ts";
import { requireRoot } from "./root.ts";
import { withRegistry } from "./with-registry.ts";

const [STDIN, STDERR] = [0, 2];
const SECRET_LIMIT_BYTES = 16 * 1024;
const FLAGS = {
  username: text("u", "NAME", "Who you are there"),
  password: text("p", "PASSWORD", "How you prove it; others can see it in the list of processes"),
  "password-stdin": toggle("", "Read the password from standard input"),
} as const;

export const DEFAULT_SERVER = "docker.io";
const SERVER = /^[A-Za-z0-9.-]+(?::[0-9]{1,5})?$|^\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?$/;

/** The domain that is meant: a URL is taken, too. Pure. Throws a Failure. */
export function serverOf(given: string | undefined): string {
  const bare = (given ?? DEFAULT_SERVER).replace(/^https?:\/\//, "");
  const slash = bare.indexOf("/");
  const host = slash < 0 ? bare : bare.slice(0, slash);
  if (!SERVER.test(host)) {
    throw new Failure(`'${given}' is no registry`, { hint: "as in: mycontainer login registry.example:5000" });
  }
  return host === "index.docker.io" || host === "registry-1.docker.io" ? DEFAULT_SERVER : host;
}

/** Asks for a line on the terminal; `isSecret`: what is typed is not shown. */
function ask(question: string, isSecret: boolean): string {
  writeAll(STDERR, question);
  const before = getTermios(STDIN);
  if (isSecret) setTermios(STDIN, silentTermios(before));
  try {
    const buffer = new Uint8Array(SECRET_LIMIT_BYTES);
    const length = read(STDIN, buffer, "the terminal");
    return decode(buffer, 0, length).replace(/\r?\n$/, "");
  } finally {
    if (isSecret) {
      setTermios(STDIN, before);
      writeAll(STDERR, "\n");
    }
  }
}

interface Answers {
  readonly user: string;
  readonly password: string;
}

function askAll(flags: {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly fromStdin: boolean;
}): Answers {
  const { username, password, fromStdin } = flags;
  if (password !== undefined && fromStdin) throw new Failure("--password and --password-stdin exclude each other");
  if (fromStdin && username === undefined) {
    throw new Failure("--password-stdin needs --username", {
      hint: "as in: mycontainer login -u NAME --password-stdin",
    });
  }
  if ((username === undefined || (password === undefined && !fromStdin)) && !isTerminal(STDIN)) {
    throw new Failure("there is no terminal to ask for name and password", {
      hint: "give both: echo PASSWORD | mycontainer login -u NAME --password-stdin",
    });
  }
  if (password !== undefined)
    note("warning: others can see a password on the command line; better is --password-stdin");
  const user = username ?? ask("Username: ", false);
  const secret = fromStdin
    ? readAllText(STDIN, "the password", SECRET_LIMIT_BYTES).replace(/\r?\n$/, "")
    : (password ?? ask("Password: ", true));
  if (user === "" || user.includes(":")) throw new Failure("the name must not be empty, and has no ':' in it");
  if (secret === "") throw new Failure("the password is empty");
  return { user, password: secret };
}

/** Shows a registry who we are. Throws a Failure if it does not want us. */
async function prove(server: string, { user, password }: Answers): Promise<void> {
  const credentials: Credentials = { basic: basicOf(user, password), refreshToken: undefined };
  await withRegistry(`log in to ${server}`, async ({ around }) => {
    const session = new Session({ ...around, credentials: async () => credentials });
    const host = hostOf(server);
    const answer = await session.ask({ method: "GET", host, domain: server, path: "", scope: undefined, headers: [] });
    if (answer.status === 200) return;
    if (answer.status === 401 || answer.status === 403) {
      throw new Failure(`${server} does not accept this name and password`, {
        hint: "some registries want a token in place of the password",
      });
    }
    throw failureOf(answer, `access to ${server}`);
  });
}

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    return printHelp("login", "[FLAGS] [SERVER]", "Tells a registry who you are, from now on.", FLAGS);
  }
  const { flags, rest } = parseFlags("login", FLAGS, argv);
  if (rest.length > 1)
    throw new Failure("'login' takes one server", { hint: "as in: mycontainer login registry.example" });
  const server = serverOf(rest[0]);
  requireRoot();
  const { username, password } = flags;
  const answers = askAll({ username, password, fromStdin: flags["password-stdin"] === true });
  await prove(server, answers);
  const { place, isOpen } = keepCredentials(server, answers, environ);
  if (isOpen) {
    note(
      `warning: the password lies unencrypted in ${place}; a credential helper (credsStore in that file) would keep it better`,
    );
  }
  line("Login Succeeded");
  return 0;
}
