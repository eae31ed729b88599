/**
 * Archives that nobody has thought of, through the real codec without its cage: then what keeps it in its directory is its own
 * code alone. `npm test` makes some hundreds, MYCONTAINER_FUZZ_RUNS=100000 as many as it says.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { snapshot } from "./image-store.ts";
import { TAR_END, type TarEntry, tarEntry } from "./tar.ts";

const CODEC = fileURLToPath(new URL("../../dist/mycontainer-codec", import.meta.url));
const RUNS = Number(process.env["MYCONTAINER_FUZZ_RUNS"] ?? 300);
const SMALL = ["--max-entries", "100", "--max-bytes", "1000000", "--max-depth", "8"];
/** native/codec/src/failure.rs: no archive, malformed, of the system, too large. Not: usage, full, a panic or a signal. */
const STATUSES = [0, 3, 4, 5, 8];

const directory = mkdtempSync(join(tmpdir(), "mycontainer-property-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const outside = join(directory, "outside");
mkdirSync(join(outside, "deep"), { recursive: true });
for (const name of ["file", "deep/file"]) writeFileSync(join(outside, name), "untouched\n");

/** Few names, so that entries meet. */
const part = fc.constantFrom(
  "a",
  "b",
  "l",
  "..",
  ".",
  "",
  ".wh.a",
  ".wh..wh..opq",
  ".wh.",
  "outside",
  "file",
  "\xff\n",
);
const path = fc.oneof(
  { weight: 8, arbitrary: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")) },
  fc.constantFrom("/", "./", "a".repeat(300), "a/".repeat(50), `${outside}/file`, `../../..${outside}/file`, outside),
);
const number = fc.oneof(fc.nat(), fc.constantFrom("-1", "0", "1e3", "4294967295", "18446744073709551615", "", "1.5"));
const pax = fc.dictionary(
  fc.oneof(
    fc.constantFrom("path", "linkpath", "size", "uid", "gid", "mtime", "GNU.sparse.major", "GNU.sparse.name"),
    fc.constantFrom("GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.map", "GNU.sparse.offset", "comment"),
    fc.constantFrom("SCHILY.xattr.user.a", "SCHILY.xattr.trusted.overlay.opaque", "SCHILY.xattr.security.capability"),
  ),
  fc.oneof(path, number.map(String), fc.constantFrom("0,4", "0,512", "1,2,3,4", "0,1,1,3")),
  { maxKeys: 3 },
);
const raw = fc.array(
  fc.tuple(fc.nat(511), fc.uint8Array({ minLength: 1, maxLength: 12 })).map(([at, bytes]) => [at, bytes] as const),
  { maxLength: 2 },
);
/** Device numbers that are one, or become one. */
const WHITEOUTS: [number, number][] = [
  [0, 0],
  [4096, 0],
];
/** What fails by itself is rare, so that most entries come to meet others. */
const entryOf = (names: fc.Arbitrary<string>, types: string, isWild: boolean): fc.Arbitrary<TarEntry> =>
  fc
    .record({
      name: names,
      type: fc.constantFrom(...types),
      link: fc.oneof(names, fc.constantFrom(outside, `../../../..${outside}`, "l", "/a", "/")),
      mode: fc.nat(0o7777),
      uid: fc.nat(5),
      device: fc.constantFrom<[number, number]>([1, 3], [1, 5], ...(isWild ? WHITEOUTS : [])),
      data: fc.oneof({ weight: 3, arbitrary: fc.constant("") }, fc.string({ maxLength: 700 })),
      pax: fc.option(pax, { nil: undefined, freq: isWild ? 1 : 1000 }),
      raw: fc.option(raw, { nil: undefined, freq: isWild ? 1 : 1000 }),
    })
    .map(({ pax, raw, data, ...fields }) => ({
      ...fields,
      data: "07xgLKS".includes(fields.type) ? data : "",
      ...(pax === undefined || !isWild ? {} : { pax }),
      ...(raw === undefined || !isWild
        ? {}
        : { raw: raw.map(([at, bytes]): [number, Buffer] => [at, Buffer.from(bytes)]) }),
    }));
const tame = fc
  .array(fc.constantFrom("a", "b", "l", "file"), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
const hidden = tame.map((name) => name.replace(/[^/]+$/, ".wh.$&"));
const entry = fc.oneof(
  { weight: 14, arbitrary: entryOf(tame, "0002222555556", false) },
  { weight: 2, arbitrary: entryOf(tame, "11134", false) },
  { weight: 2, arbitrary: entryOf(fc.oneof(hidden, fc.constant("a/.wh..wh..opq")), "0", false) },
  { weight: 1, arbitrary: entryOf(path, "01234567SxgLK\0V", true) },
);

/** What becomes of an archive on its way. */
const accident = fc.oneof(
  { weight: 6, arbitrary: fc.constant((data: Buffer) => data) },
  fc.nat().map((at) => (data: Buffer) => data.subarray(0, at % (data.length + 1))),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (data: Buffer) => {
    const copy = Buffer.from(data);
    copy[at % copy.length] = byte;
    return copy;
  }),
  fc.nat().map((at) => (data: Buffer) => {
    const packed = gzipSync(data);
    const where = at % (packed.length * 2);
    // Half of them stay whole.
    if (where < packed.length) packed[where] = (packed[where] ?? 0) ^ 1;
    return packed;
  }),
);

function take(command: "unpack" | "split", archive: Buffer): void {
  const target = mkdtempSync(join(directory, "target-"));
  try {
    const { status, signal, stdout, stderr } = spawnSync(CODEC, [command, ...SMALL], {
      cwd: target,
      input: archive,
      encoding: "utf8",
    });
    assert.equal(signal, null, stderr);
    assert.ok(STATUSES.includes(status ?? -1), `status ${status}: ${stderr}`);
    if (status === 0) assert.equal(typeof (JSON.parse(stdout) as { digest: unknown }).digest, "string");
    else assert.match(stderr, /^[ -~]+\n$/);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

for (const command of ["unpack", "split"] as const) {
  test(`whatever an archive has, ${command} changes nothing outside, and ends with an answer or a sentence`, () => {
    const before = snapshot(outside);
    const archives = fc.tuple(fc.array(entry, { maxLength: 8 }), accident);
    fc.assert(
      fc.property(archives, ([entries, accident]) => {
        take(command, accident(Buffer.concat([...entries.map(tarEntry), TAR_END])));
        assert.deepEqual(snapshot(outside), before);
      }),
      { numRuns: RUNS },
    );
  });
}
