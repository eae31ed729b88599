import assert from "node:assert/strict";
import { test } from "node:test";
import type { Descriptor } from "../../../src/image/manifest.ts";
import { chooseFor, ownPlatform, parsePlatform, platformText, suits } from "../../../src/image/platform.ts";

const descriptor = (os: string, architecture: string, variant?: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${`${architecture}${variant ?? ""}`.length.toString(16).padStart(64, "0")}`,
  size: 1,
  platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
  annotations: {},
});

test("a platform is an operating system, an architecture and perhaps a variant", () => {
  assert.deepEqual(parsePlatform("linux/arm64/v8"), { os: "linux", architecture: "arm64", variant: "v8" });
  assert.deepEqual(parsePlatform("linux/amd64"), { os: "linux", architecture: "amd64", variant: "" });
});

test("an architecture alone is one of linux, by any of its names", () => {
  assert.equal(platformText(parsePlatform("x86_64")), "linux/amd64");
  assert.equal(platformText(parsePlatform("aarch64")), "linux/arm64");
  assert.equal(platformText(parsePlatform("armhf")), "linux/arm/v7");
});

test("what is no platform is refused", () => {
  for (const text of ["", "linux/", "a/b/c/d", "linux/amd 64", "linux/../x/y"]) {
    assert.throws(() => parsePlatform(text), /bad platform/, text);
  }
});

test("arm64 and arm64/v8 are the same", () => {
  assert.ok(suits({ os: "linux", architecture: "arm64" }, parsePlatform("linux/arm64/v8")));
  assert.ok(suits({ os: "linux", architecture: "arm64", variant: "v8" }, parsePlatform("linux/arm64")));
  assert.ok(!suits({ os: "linux", architecture: "arm", variant: "v6" }, parsePlatform("linux/arm/v7")));
});

test("the image for this machine is chosen, wherever it stands", () => {
  const index = [descriptor("windows", "amd64"), descriptor("linux", "arm64", "v8"), descriptor("linux", "amd64")];
  assert.equal(chooseFor(index, ownPlatform("x86_64"), "x").platform?.architecture, "amd64");
  assert.equal(chooseFor(index, ownPlatform("aarch64"), "x").platform?.architecture, "arm64");
});

test("the usual variant goes before others, and any is better than none", () => {
  const index = [descriptor("linux", "arm", "v6"), descriptor("linux", "arm", "v7")];
  assert.equal(chooseFor(index, parsePlatform("linux/arm"), "x").platform?.variant, "v7");
  assert.equal(chooseFor(index.slice(0, 1), parsePlatform("linux/arm"), "x").platform?.variant, "v6");
  assert.throws(() => chooseFor(index.slice(0, 1), parsePlatform("linux/arm/v7"), "x"), /no image of x/);
});

test("the failure lists the platforms that there are, without attestations", () => {
  const index = [descriptor("linux", "s390x"), descriptor("unknown", "unknown")];
  assert.throws(
    () => chooseFor(index, ownPlatform("x86_64"), "alpine:3"),
    (error: Error & { hint?: string }) =>
      error.message === "there is no image of alpine:3 for linux/amd64" &&
      error.hint === "there are images for linux/s390x",
  );
});
