/** Searching registries: a real one by its list, and others by what they have. */
import assert from "node:assert/strict";
import { storeTest } from "./image-store.ts";
import { startRegistry } from "./real-registry.ts";
import { type Mischief, openRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const PORT = 5712;

storeTest("a registry that lists its images is searched by their names", async (store) => {
  const registry = await startRegistry(store.directory, PORT);
  try {
    for (const name of ["team/app", "team/other", "app/tool"]) {
      const image = `${registry.host}/${name}:1`;
      await store.call(["import", store.file(tar({ name: "file", data: Buffer.from(name) })), image]);
      const { status, stderr } = await store.call(["push", "-q", image]);
      assert.equal(status, 0, stderr);
    }
    const search = async (...args: string[]) => (await store.call(["search", ...args])).stdout;
    const names = ["--format", "{{.Name}}"];
    assert.equal(
      await search(...names, `${registry.host}/app`),
      `${registry.host}/app/tool\n${registry.host}/team/app\n`,
    );
    assert.equal(await search(...names, "--limit", "1", `${registry.host}/team`), `${registry.host}/team/app\n`);
    assert.equal(await search(...names, `${registry.host}/nosuch`), "");
    assert.match(
      await search(`${registry.host}/tool`),
      /^NAME +DESCRIPTION +STARS +OFFICIAL\nlocalhost:5712\/app\/tool +0\n$/,
    );
  } finally {
    await registry.close();
  }
});

storeTest(
  "a registry that searches is asked that way, a list is read page by page, and one with neither is told",
  async (store) => {
    await store.call(["import", store.file(tar({ name: "file", data: Buffer.from("x") })), "one"]);
    const registry = await openRegistry();
    const json =
      (found: unknown, headers = {}): Mischief =>
      (_request, response) => {
        response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(found));
        return true;
      };
    const results = [
      { name: "app", description: `${"long ".repeat(20)}\u001b]0;x`, star_count: 5, is_official: true },
      { name: "team/app", description: "small", star_count: 1 },
    ];
    const search = (...args: string[]) => store.call(["search", ...args, `${registry.host}/app`]);
    try {
      registry.misbehave(
        (request, response, body) =>
          request.url?.startsWith("/v1/search?q=app&n=25") === true && json({ results })(request, response, body),
      );
      const row = "{{.Name}}|{{.StarCount}}|{{.IsOfficial}}";
      assert.equal(
        (await search("--format", row)).stdout,
        `${registry.host}/app|5|[OK]\n${registry.host}/team/app|1|\n`,
      );
      const few = await search("--filter", "stars=2", "--filter", "is-official=true", "--format", "{{.Description}}");
      assert.equal(few.stdout, `${"long ".repeat(20).slice(0, 44)}…\n`);
      assert.match((await search("--no-trunc", "-f", "is-official=true")).stdout, /(long ){20}\]0;x/);

      const pages: Record<string, unknown> = { "": ["a-app", "b"], b: ["c-app"] };
      registry.misbehave((request, response, body) => {
        const url = new URL(request.url ?? "", "http://x");
        if (url.pathname !== "/v2/_catalog") return false;
        const last = url.searchParams.get("last") ?? "";
        const more = last === "" ? { link: '<http://elsewhere.invalid/>; rel="next"' } : {};
        return json({ repositories: pages[last] }, more)(request, response, body);
      });
      assert.equal((await search("--format", "{{.Name}}")).stdout, `${registry.host}/a-app\n${registry.host}/c-app\n`);

      registry.misbehave(() => false);
      const neither = await search();
      assert.equal(neither.status, 125);
      assert.match(neither.stderr, /can neither be searched, nor does it list its images/);
      for (const [args, reason] of [
        [["search"], /'search' needs one term/],
        [["search", "--limit", "0", "x"], /bad number of images/],
        [["search", "-f", "size=1", "x"], /unknown filter 'size=1'/],
      ] as const) {
        const { status, stderr } = await store.call([...args]);
        assert.equal(status, 125);
        assert.match(stderr, reason);
      }
    } finally {
      await registry.close();
    }
  },
);
