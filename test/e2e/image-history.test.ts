/** What `history` tells of images. */
import assert from "node:assert/strict";
import { layerOf, layoutOf } from "./image-layout.ts";
import { type ImageStore, storeTest } from "./image-store.ts";

const LONG = `RUN ${"x".repeat(80)}`;

async function made(store: ImageStore): Promise<string> {
  const history = [
    { created: "2020-01-02T03:04:05Z", created_by: "ADD \u001b[31mrootfs\n/", comment: "first" },
    { created_by: 'CMD ["sh"]', empty_layer: true },
    { created_by: LONG },
  ];
  const { archive, digests } = layoutOf({
    name: "docker.io/library/made:1",
    layers: [layerOf("a", "b"), layerOf("c")],
    history,
  });
  assert.equal((await store.call(["load", "-q", "-i", store.file(archive)])).status, 0);
  return digests[0]?.id ?? "";
}

storeTest(
  "the last step comes first, and nothing of an image's words reaches the terminal as an order",
  async (store) => {
    const id = await made(store);
    const { stdout, stderr } = await store.call(["history", "made:1"]);
    assert.equal(stderr, "");
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT/);
    assert.match(lines[1] ?? "", new RegExp(`^${id.slice(7, 19)} +N/A +RUN x{40}… +1B`));
    assert.match(lines[2] ?? "", /^<missing> +N\/A +CMD \["sh"\] +0B/);
    assert.match(lines[3] ?? "", /^<missing> +\d+ years ago +ADD {2}\[31mrootfs \/ +2B +first$/);
    assert.equal(lines.length, 4);
  },
);

storeTest("as JSON, whole and quiet", async (store) => {
  const id = await made(store);
  const { stdout } = await store.call(["history", "--format", "json", "--no-trunc", "made:1"]);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row) as Record<string, string>);
  assert.deepEqual(
    rows.map(({ CreatedBy }) => CreatedBy),
    [LONG, 'CMD ["sh"]', "ADD  [31mrootfs /"],
  );
  assert.equal(rows[2]?.["CreatedAt"], "2020-01-02T03:04:05.000Z");
  const quiet = await store.call(["history", "-q", "--no-trunc", "made:1"]);
  assert.equal(quiet.stdout, `${id}\n<missing>\n<missing>\n`);
});

storeTest("what cannot be told is an error that says why", async (store) => {
  await made(store);
  for (const [args, reason] of [
    [["nosuch:1"], /no image 'nosuch:1'/],
    [[], /'history' needs an image/],
    [["a", "b"], /takes one image/],
    [["--format", "xml", "a"], /unknown format 'xml'.*table or json/],
  ] as const) {
    const { status, stderr } = await store.call(["history", ...args]);
    assert.equal(status, 125);
    assert.match(stderr, reason);
  }
});
