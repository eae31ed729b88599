import assert from "node:assert/strict";
import { test } from "node:test";
import { dangerousMounts } from "../../../src/isolation/no-pivot.ts";

const MOUNTINFO = `22 1 0:2 / / rw - rootfs rootfs rw
23 22 0:20 / /sys rw,nosuid shared:1 - sysfs sysfs rw
24 22 0:21 / /proc rw - proc proc rw
25 24 0:22 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
26 22 0:21 / /srv/a\\040b/proc rw master:1 - proc none rw
`;

test("what shows the kernel's inside is found wherever it is mounted, the last first", () => {
  assert.deepEqual(dangerousMounts(MOUNTINFO), ["/srv/a b/proc", "/proc", "/sys"]);
});

test("an empty table has none", () => {
  assert.deepEqual(dangerousMounts(""), []);
});
