import assert from "node:assert/strict";
import { test } from "node:test";
import { type ListEntry, listJson, listTable } from "../../../src/oci/list-table.ts";

const entry: ListEntry = {
  ociVersion: "1.2.1",
  id: "web-container",
  pid: 15687,
  status: "running",
  bundle: "/srv/web",
  rootfs: "/srv/web/rootfs",
  created: "2026-11-24T01:30:59.611136886Z",
  owner: "root",
};

test("columns are three wider than their widest cell and at least twelve wide", () => {
  assert.equal(
    listTable([entry]),
    "ID              PID         STATUS      BUNDLE      CREATED                          OWNER\n" +
      "web-container   15687       running     /srv/web    2026-11-24T01:30:59.611136886Z   root\n",
  );
});

test("without containers there are headings, and null for programs", () => {
  assert.equal(listTable([]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
  assert.equal(listJson([]), "null");
});

test("a character counts as one, however it is encoded", () => {
  const [, line = ""] = listTable([{ ...entry, id: "x", bundle: "/srv/🐳" }]).split("\n");
  assert.ok(line.includes("/srv/🐳      2026"), line);
});

test("programs get the fields in runc's order, and annotations where there are any", () => {
  assert.equal(
    listJson([{ ...entry, annotations: {} }]),
    '[{"ociVersion":"1.2.1","id":"web-container","pid":15687,"status":"running","bundle":"/srv/web",' +
      '"rootfs":"/srv/web/rootfs","created":"2026-11-24T01:30:59.611136886Z","owner":"root"}]',
  );
  assert.match(listJson([{ ...entry, annotations: { a: "b" } }]), /Z","annotations":\{"a":"b"\},"owner"/);
});
