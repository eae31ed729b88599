/**
 * `mycontainer version`.
 */
import { Failure } from "../failure.ts";
import { arch } from "../linux/door.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { VERSION } from "../term/version.ts";
import { inspectionIn } from "./inspections.ts";

const FLAGS = {
  format: text("f", "json|TEMPLATE", "How it is shown; templates are Go's, as in '{{.Version}}'"),
} as const;
/** Of the OCI specifications that images and configurations are read and written by. */
const SPECIFICATIONS = { runtime: "1.2", image: "1.1", distribution: "1.1" } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("version", "[FLAGS]", "Shows the version, and of what it is.", FLAGS);
  const { flags, rest } = parseFlags("version", FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'version' takes no arguments, and got '${rest[0]}'`);
  const own = {
    Version: VERSION,
    OciRuntimeVersion: SPECIFICATIONS.runtime,
    OciImageVersion: SPECIFICATIONS.image,
    OciDistributionVersion: SPECIFICATIONS.distribution,
    Os: "linux",
    Arch: arch,
    KernelVersion: (readTextIfThere("/proc/sys/kernel/osrelease") ?? "").trim(),
  };
  if (flags.format !== undefined) {
    // There is no server: who asks for the client's or the server's version means this one.
    line(inspectionIn(flags.format)({ ...own, Client: own, Server: own }));
    return 0;
  }
  line(`mycontainer ${VERSION}`);
  line(
    `OCI: runtime ${own.OciRuntimeVersion}, image ${own.OciImageVersion}, distribution ${own.OciDistributionVersion}`,
  );
  line(`Linux ${own.KernelVersion}, ${own.Arch}`);
  return 0;
}
