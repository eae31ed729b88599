/**
 * `mycontainer system df|info|check|prune`.
 */
import { stateRoot } from "../container/paths.ts";
import { mountSourcesOf } from "../container/prune.ts";
import {
  allStates,
  type Usage,
  usageOfCache,
  usageOfContainers,
  usageOfImages,
  usageOfVolumes,
  volumesInUse,
} from "../container/usage.ts";
import { Failure } from "../failure.ts";
import { checkStore } from "../image/check.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { runPrune } from "./prune.ts";
import { currentStates } from "./ps.ts";
import { requireRoot } from "./root.ts";

const DF_FLAGS = { format: text(...FORMAT_FLAG) } as const;
const CHECK_FLAGS = {
  repair: toggle("", "Remove what is damaged, so that a pull brings it again, and what nobody refers to"),
} as const;

const size = (bytes: number): string => formatSize(bytes, 1000);

function rowOf(kind: string, { total, active, sizeBytes, reclaimableBytes }: Usage) {
  const share = sizeBytes === 0 ? 0 : Math.round((reclaimableBytes / sizeBytes) * 100);
  return {
    Type: kind,
    TotalCount: `${total}`,
    Active: `${active}`,
    Size: size(sizeBytes),
    Reclaimable: `${size(reclaimableBytes)} (${share}%)`,
  };
}

function df(argv: readonly string[]): number {
  if (isHelp(argv, DF_FLAGS)) {
    return printHelp(
      "system df",
      "[FLAGS]",
      "Shows what images, containers, volumes and the cache of builds take on disk.",
      DF_FLAGS,
    );
  }
  const { flags, rest } = parseFlags("system df", DF_FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'system df' takes no arguments, and got '${rest[0]}'`);
  const format = parseFormat(flags.format);
  requireRoot();
  const root = stateRoot();
  reconcileStore(root.images);
  currentStates();
  const states = allStates(root);
  const used = volumesInUse(root, mountSourcesOf(root, states));
  const rows = [
    rowOf("Images", usageOfImages(root, states)),
    rowOf("Containers", usageOfContainers(root, states)),
    rowOf("Local Volumes", usageOfVolumes(root, used)),
    rowOf("Build Cache", usageOfCache(root)),
  ];
  const columns = ["Type", "TotalCount", "Active", "Size", "Reclaimable"] as const;
  printListing(format, { titles: { TotalCount: "TOTAL" }, columns, rows });
  return 0;
}

function check(argv: readonly string[]): number {
  if (isHelp(argv, CHECK_FLAGS)) {
    const about = "Reads all of the store of images, and tells what is damaged or belongs to nothing.";
    return printHelp("system check", "[FLAGS]", about, CHECK_FLAGS);
  }
  const { flags, rest } = parseFlags("system check", CHECK_FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'system check' takes no arguments, and got '${rest[0]}'`);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const isRepaired = flags.repair === true;
  const { images: count, blobs, bytes, damages } = checkStore(images, isRepaired);
  for (const { text } of damages) line(text);
  line(
    `Checked ${count} names of images, ${blobs} blobs, ${size(bytes)}: ${damages.length === 0 ? "all is well" : `${damages.length} damages`}`,
  );
  if (damages.length === 0) return 0;
  const lost = damages.some(({ image }) => image !== undefined);
  if (isRepaired) {
    line(lost ? "The damaged images were removed: pull or load them again" : "What nobody refers to was removed");
    return 0;
  }
  line("'mycontainer system check --repair' removes it");
  return 1;
}

export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "df":
      return df(rest);
    case "check":
      return check(rest);
    case "info":
      return (await import("./info.ts")).run(rest);
    case "prune":
      return runPrune("system", rest);
    default:
      throw new Failure(command === undefined ? "'system' needs a command" : `unknown command 'system ${command}'`, {
        hint: "there are df, info, check and prune",
      });
  }
}
