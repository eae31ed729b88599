// For esbuild: fills src/isolation/seccomp/prebuilt.ts with the default seccomp filters, by running their compiler now.
// They are those of the building machine's architecture; an executable that is built for another compiles its own when it runs.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../src/isolation/seccomp/prebuild.ts", import.meta.url));

export const prebuiltFilters = {
  name: "prebuilt-filters",
  setup(bundling) {
    bundling.onLoad({ filter: /isolation\/seccomp\/prebuilt\.ts$/ }, async () => {
      const { outputFiles } = await build({
        entryPoints: [source],
        bundle: true,
        write: false,
        format: "esm",
        target: "es2023",
        logLevel: "warning",
      });
      const code = Buffer.from(outputFiles[0].contents).toString("base64");
      const { prebuiltModule } = await import(`data:text/javascript;base64,${code}`);
      return { contents: prebuiltModule(process.arch === "arm64" ? "aarch64" : "x86_64"), loader: "js" };
    });
  },
};
