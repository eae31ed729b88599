/**
 * The security modules' labels of a container's program: AppArmor's profile, SELinux's context. Nothing is set unless asked for.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { exists, readTextIfThere } from "../linux/hostpath.ts";
import { writeOwn } from "./procfs.ts";

export interface Labels {
  /** The name of a loaded profile, or `unconfined`. */
  readonly apparmorProfile?: string | undefined;
  /** `user:role:type:level`. */
  readonly selinuxLabel?: string | undefined;
  /** The same, of the files of mounts. */
  readonly mountLabel?: string | undefined;
}

/** Which of the modules the host's kernel enforces. */
export interface LabelFacts {
  readonly apparmor: boolean;
  readonly selinux: boolean;
}

/** A page: what the kernel takes in one write to these files. */
const LABEL_LIMIT = 4095;
const UNCONFINED = "unconfined";

/** Asks the host; for `checkLabels`, and only where a label is asked for. */
export function labelFacts(): LabelFacts {
  return {
    apparmor: readTextIfThere("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") === true,
    selinux: exists("/sys/fs/selinux/enforce"),
  };
}

export function asksForLabels({ apparmorProfile = "", selinuxLabel = "", mountLabel = "" }: Labels): boolean {
  return apparmorProfile !== "" || selinuxLabel !== "" || mountLabel !== "";
}

/** Refuses a label that the kernel would not enforce: whoever asks for one relies on it. */
export function checkLabels(
  { apparmorProfile = "", selinuxLabel = "", mountLabel = "" }: Labels,
  facts: LabelFacts,
): void {
  checkText(apparmorProfile, "AppArmor profile");
  checkText(selinuxLabel, "SELinux label");
  checkText(mountLabel, "SELinux label of mounts");
  if (apparmorProfile !== "" && apparmorProfile !== UNCONFINED && !facts.apparmor) {
    throw new Failure(`AppArmor profile '${apparmorProfile}' is asked for, and AppArmor is not active on this host`, {
      hint: "leave out '--security-opt apparmor=', or boot with apparmor=1",
    });
  }
  const label = selinuxLabel || mountLabel;
  if (label !== "" && !facts.selinux) {
    throw new Failure(`SELinux label '${label}' is asked for, and SELinux is not active on this host`, {
      hint: "leave out '--security-opt label='",
    });
  }
}

function checkText(label: string, what: string): void {
  if (label.length > LABEL_LIMIT || /[\0\n]/.test(label)) throw new Failure(`the ${what} is malformed`);
}

/**
 * Has the next execve(2) of this process set the labels.
 * @param procfs a procfs of its own (procfs.ts): what is mounted on /proc may belong to the container
 */
export function setExecLabels(procfs: Handle, labels: Labels, facts: LabelFacts): void {
  const { apparmorProfile = "", selinuxLabel = "" } = labels;
  if (apparmorProfile !== "" && facts.apparmor) setAppArmor(procfs, apparmorProfile);
  if (selinuxLabel !== "") setSelinux(procfs, selinuxLabel);
}

function setAppArmor(procfs: Handle, profile: string): void {
  try {
    writeAppArmor(procfs, `exec ${profile}`);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "EINVAL", "EACCES")) throw error;
    throw new Failure(`AppArmor profile '${profile}' cannot be set: ${error.code}`, {
      hint: "is it loaded? 'aa-status' lists the profiles, 'apparmor_parser -r FILE' loads one",
      cause: error,
    });
  }
}

/** With several security modules, `attr/exec` is another's: AppArmor has a directory of its own since Linux 5.8. */
function writeAppArmor(procfs: Handle, text: string): void {
  try {
    writeOwn(procfs, "attr/apparmor/exec", text);
  } catch (error) {
    // Also what the kernel says of a profile that is not loaded; then the other file says it again.
    if (!isErrno(error, "ENOENT")) throw error;
    writeOwn(procfs, "attr/exec", text);
  }
}

function setSelinux(procfs: Handle, label: string): void {
  try {
    writeOwn(procfs, "attr/exec", label);
  } catch (error) {
    if (!isErrno(error, "EINVAL", "EACCES", "EPERM")) throw error;
    throw new Failure(`SELinux label '${label}' cannot be set: ${error.code}`, {
      hint: "does the policy have its user, role and type?",
      cause: error,
    });
  }
}
