/**
 * Layers that were made to do harm (docs/security.md, E3), each with what has to be said of it. They are made by the tests: no
 * file of this repository is one.
 */
import { gzipSync } from "node:zlib";
import { paxRecord, TAR_END, type TarEntry, tar, tarEntry } from "./tar.ts";

export type HostileLayer = {
  title: string;
  archive: Buffer;
  reason: RegExp;
};

export const directory = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({
  name,
  type: "5",
  mode: 0o755,
  ...more,
});
export const symlink = (name: string, link: string): TarEntry => ({ name, type: "2", link });
export const hardLink = (name: string, link: string): TarEntry => ({ name, type: "1", link });
export const file = (name: string, data: Buffer | string = "data"): TarEntry => ({ name, data });

const SIZE_AT = 124;
const UID_AT = 108;
const OFFSETS_AT = 386;
const REAL_SIZE_AT = 483;
/** A number of twelve bytes in binary, as GNU tar and star have it. */
const binary = (low: bigint, high = "80000000") =>
  Buffer.concat([Buffer.from(high, "hex"), Buffer.from(BigInt.asUintN(64, low).toString(16).padStart(16, "0"), "hex")]);
const octal = (value: bigint) => `${value.toString(8).padStart(11, "0")}\0`;
const pax = (records: Record<string, string | Buffer>, entry: TarEntry = file("x")): TarEntry => ({
  ...entry,
  pax: records,
});
const extension = (type: string, data: Buffer | string) => tarEntry({ name: "extension", type, data });
/** A sparse file of old GNU tar: its parts are in the header. */
const oldSparse = (size: bigint, parts: [offset: bigint, length: bigint][], data: string): TarEntry => ({
  ...file("x", data),
  type: "S",
  raw: [
    [257, "ustar  \0"],
    ...parts.map(([offset, length], index): [number, string] => [
      OFFSETS_AT + index * 24,
      octal(offset) + octal(length),
    ]),
    [REAL_SIZE_AT, size < 2n ** 33n ? octal(size) : binary(size)],
  ],
});
const sparseMap = (text: string, size = "100") =>
  pax(
    { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": size },
    file("x", text.padEnd(512, "\0")),
  );

const GOOD = tar(file("a", "x".repeat(2000)), file("b"));

/** Those that are refused however they come. `outside` is a directory of the host that must stay as it is. */
export function hostileLayers(outside: string): HostileLayer[] {
  const layers: [title: string, reason: RegExp, ...entries: (TarEntry | Buffer)[]][] = [
    ["a path upwards", /leads upwards/, file("../x")],
    ["a path upwards in the midst", /leads upwards/, file("a/../../x")],
    ["a path upwards in a pax header", /leads upwards/, pax({ path: "../../x" })],
    ["a path upwards in a long name of GNU's", /leads upwards/, extension("L", "../x\0"), file("x")],
    ["a file through a link out", /used as a directory/, symlink("l", outside), file("l/file")],
    ["a file through a link upwards", /used as a directory/, symlink("l", `../../../..${outside}`), file("l/file")],
    [
      "a directory through two links",
      /used as a directory/,
      symlink("a", "b"),
      symlink("b", outside),
      directory("a/x"),
    ],
    ["a loop of links", /used as a directory/, symlink("a", "b"), symlink("b", "a"), file("a/x")],
    ["a file in a file", /used as a directory/, file("a"), file("a/b")],
    ["a hard link out", /does not have before it/, hardLink("x", `${outside}/file`)],
    ["a hard link upwards", /leads upwards/, hardLink("x", "../../outside/file")],
    ["a hard link through a link", /does not have before/, symlink("l", outside), hardLink("x", "l/file")],
    ["a hard link to itself", /does not have before/, hardLink("x", "x")],
    ["a hard link to a directory", /does not have before/, directory("d"), hardLink("x", "d")],
    ["a hard link to the root", /does not have before/, hardLink("x", "./")],
    ["a hard link to what is whited out", /does not have before/, file(".wh.y", ""), hardLink("x", "y")],
    ["a hard link with data", /no file has data/, file("y"), { ...hardLink("x", "y"), data: "more" }],
    ["the root as a link", /root is no directory/, symlink(".", outside)],
    ["the root as a pipe", /root is no directory/, { name: ".", type: "6" }],
    ["a link to nothing", /leads to nothing/, symlink("x", "")],
    ["a link to a name with NUL", /NUL/, pax({ linkpath: "a\0b" }, symlink("x", "a"))],
    ["a link to a name that is too long", /too long/, pax({ linkpath: "a".repeat(5000) }, symlink("x", "a"))],
    ["a whiteout of nothing", /hides nothing/, file(".wh.", "")],
    ["a whiteout of the directory", /hides nothing/, file(".wh..", "")],
    ["a whiteout of the directory above", /hides nothing/, file("d/.wh...", "")],
    ["a whiteout of a whiteout", /hides nothing/, file(".wh..wh.x", "")],
    ["another opaque whiteout", /hides nothing/, file(".wh..wh..opq2", "")],
    ["a whiteout as a link", /is no file/, symlink(".wh.x", outside)],
    ["a whiteout as a directory", /is no file/, directory(".wh.x")],
    ["a whiteout as a hard link", /is no file/, file("y"), hardLink(".wh.x", "y")],
    ["an opaque whiteout as a directory", /is no file/, directory(".wh..wh..opq")],
    ["a file in a whiteout", /lies in a whiteout/, file(".wh.a/b")],
    ["a device that is a whiteout", /0:0/, { name: "x", type: "3", device: [0, 0] }],
    ["a device that becomes a whiteout", /4096:0, which is out/, { name: "x", type: "3", device: [4096, 0] }],
    ["a device whose minor wraps", /0:1048576, which/, { name: "x", type: "3", device: [0, 1 << 20] }],
    ["a negative owner", /no number/, { ...file("x"), raw: [[UID_AT, Buffer.alloc(8, 0xff)]] }],
    ["an owner that is nobody's", /out of range/, pax({ uid: "4294967295" })],
    ["a group of many digits", /no number/, pax({ gid: "9".repeat(30) })],
    ["a time of many digits", /no number/, pax({ mtime: "9".repeat(30) })],
    ["a time that is none", /no number/, pax({ mtime: "1e3" })],
    ["a size that readers cut", /no number/, { ...file("x"), raw: [[SIZE_AT, binary(4n, "80000001")]] }],
    ["a negative size", /no number/, { ...file("x"), raw: [[SIZE_AT, Buffer.alloc(12, 0xff)]] }],
    ["a size of 8 EiB", /cut off/, { ...file("x"), raw: [[SIZE_AT, binary(2n ** 63n)]] }],
    ["a size with a sign", /no number/, { ...file("x"), raw: [[SIZE_AT, "+0000000004\0"]] }],
    ["two sizes", /two sizes/, pax({ size: "0" })],
    ["two sizes, the other way", /two sizes/, pax({ size: "1024" }, file("x", "x".repeat(512)))],
    ["a directory with data", /no file has data/, { ...directory("d"), data: "x".repeat(512) }],
    ["two names", /two names/, extension("L", "a\0"), pax({ path: "b" })],
    ["two names of a link", /two names/, extension("K", "a\0"), pax({ linkpath: "b" }, symlink("x", "c"))],
    ["a sparse file of 8 EiB", /too large/, oldSparse(2n ** 63n, [[0n, 4n]], "data")],
    [
      "parts of a sparse file out of order",
      /overlap/,
      oldSparse(
        100n,
        [
          [50n, 2n],
          [10n, 2n],
        ],
        "data",
      ),
    ],
    ["a part that wraps", /overlap/, oldSparse(100n, [[2n ** 33n - 1n, 4n]], "data")],
    ["parts that are not the data", /not its data/, oldSparse(100n, [[0n, 5n]], "data")],
    ["a map of no numbers", /map of a sparse file/, sparseMap("x\n")],
    ["a map of too many parts", /too many parts/, sparseMap("1000000\n")],
    ["a map without an end", /cut off in an extension/, sparseMap(`200\n${"0\n".repeat(100)}`)],
    ["a sparse format that is unknown", /unknown format/, pax({ "GNU.sparse.major": "2" })],
    ["a name with NUL", /NUL/, pax({ path: "a\0b" })],
    ["a name of 4 KiB", /name in the path .* too long/, pax({ path: "a".repeat(4096) })],
    ["a path of 6 KiB", /path .* too long/, pax({ path: `${`${"a".repeat(200)}/`.repeat(30)}x` })],
    ["a depth of 5,000", /deeper than/, pax({ path: `${"a/".repeat(5000)}x` })],
    ["a directory that becomes a file", /something else later/, directory("d"), file("d/x"), file("d")],
    ["an unknown type", /unknown type/, { name: "x", type: "V" }],
    ["a type that is a newline", /unknown type '\\n'/, { name: "x", type: "\n" }],
    ["attributes for all entries", /for all of its entries/, extension("g", paxRecord("uid", "0")), file("x")],
    ["attributes that lie about their length", /damaged/, extension("x", "99 path=a\n"), file("x")],
    ["attributes of 2 GiB", /too large/, { name: "x", type: "x", size: 2 ** 31 }],
    ["attributes twice", /same extension twice/, extension("x", ""), extension("x", ""), file("x")],
    ["attributes before nothing", /before its entry/, extension("x", paxRecord("path", "a"))],
    ["an attribute that is too large", /attribute of .* too large/, pax({ "SCHILY.xattr.user.a": "x".repeat(70_000) })],
    ["capabilities that are none", /damaged/, pax({ "SCHILY.xattr.security.capability": "x" })],
    ["a wrong sum", /checksum/, file("a"), { ...file("b"), checksum: 1 }],
    ["a second archive behind the first", /after the end/, file("a"), TAR_END, tar(file("hidden"))],
  ];
  return [
    ...layers.map(([title, reason, ...entries]) => ({ title, reason, archive: tar(...entries) })),
    { title: "gzip that is cut off", reason: /cut off|damaged/, archive: gzipSync(GOOD).subarray(0, 60) },
    { title: "gzip with rubbish behind it", reason: /damaged/, archive: Buffer.concat([gzipSync(GOOD), GOOD]) },
    {
      title: "gzip with a second archive behind it",
      reason: /after the end/,
      archive: Buffer.concat([gzipSync(GOOD), gzipSync(tar(file("hidden")))]),
    },
    { title: "gzip with a wrong sum", reason: /damaged/, archive: flipped(gzipSync(GOOD), -6) },
    { title: "zstd of a window of 2 GiB", reason: /damaged/, archive: Buffer.from("28b52ffd00a8010000", "hex") },
    { title: "text", reason: /is no archive/, archive: Buffer.from("hello") },
    { title: "nothing", reason: /is no archive/, archive: Buffer.alloc(0) },
  ];
}

function flipped(data: Buffer, at: number): Buffer {
  const copy = Buffer.from(data);
  copy[copy.length + at] = (copy[copy.length + at] ?? 0) ^ 1;
  return copy;
}
