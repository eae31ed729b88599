/**
 * The root as an overlay of an image's layers and a directory of the container's own:
 * Documentation/filesystems/overlayfs.rst.
 */
import { Failure } from "../failure.ts";
import { call, isErrno } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_PATH, openHost, removeDirectory, removeFile } from "../linux/hostpath.ts";
import {
  attach,
  cloneHostTree,
  createDetached,
  MS,
  mount,
  openFilesystem,
  setFlag,
  setOption,
} from "../linux/mount.ts";
import { CLONE, exit, fork, waitFor } from "../linux/process.ts";

export interface Overlay {
  /** Layer directories, the topmost first; all in one directory, whose path is `layersDirectory`. */
  readonly layersDirectory: string;
  readonly layers: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** Whether what is written need not survive a crash of the machine: then nothing is flushed at the end. */
  readonly volatile: boolean;
}

/** What some kernels have on, and would leave an upper directory that is no layer: entries that say where their content is. */
const WHOLE = ["redirect_dir", "metacopy"] as const;
/** fsconfig(2) takes strings of less than 256 bytes. */
const OPTION_LIMIT_BYTES = 255;
/** mount(2) takes one page of options. */
const PAGE_LIMIT_BYTES = 4095;

/** A detached mount of the overlay: nothing in the host's table of mounts, gone with its last user. */
export function openOverlay(overlay: Overlay, lowerMounts?: readonly Handle[]): Handle {
  try {
    if (lowerMounts !== undefined) return openMapped(overlay, lowerMounts);
    return inDirectory(overlay.layersDirectory, () => {
      const lower = overlay.layers.join(":");
      const longest = Math.max(overlay.upper.length, overlay.work.length);
      if (longest > OPTION_LIMIT_BYTES) return openByMount(overlay, lower);
      if (lower.length <= OPTION_LIMIT_BYTES) return openByOption(overlay, lower);
      return openByAppending(overlay) ?? openByMount(overlay, lower);
    });
  } catch (error) {
    if (isErrno(error, "ENODEV")) {
      throw new Failure("this kernel has no overlay file system", {
        hint: "load it with 'modprobe overlay', or run a plain directory with --rootfs",
        cause: error,
      });
    }
    throw error;
  }
}

/** Runs an action in another working directory, so that short relative names do. */
function inDirectory<T>(path: string, action: () => T): T {
  using here = openHost(".", O_PATH | O_DIRECTORY);
  call("chdir", path, path);
  try {
    return action();
  } finally {
    call("fchdir", "the working directory", here.fd);
  }
}

function finish(context: Handle, overlay: Overlay): Handle {
  setOption(context.fd, "upperdir", overlay.upper);
  setOption(context.fd, "workdir", overlay.work);
  for (const name of WHOLE) setOption(context.fd, name, "off");
  if (overlay.volatile) setFlag(context.fd, "volatile");
  return createDetached(context.fd, "overlay", 0);
}

function openByOption(overlay: Overlay, lower: string): Handle {
  using context = openFilesystem("overlay");
  setOption(context.fd, "source", "overlay");
  setOption(context.fd, "lowerdir", lower);
  return finish(context, overlay);
}

/** One option a layer; undefined where the kernel does not know it (before 6.7; before 6.5 only the end tells). */
function openByAppending(overlay: Overlay): Handle | undefined {
  using context = openFilesystem("overlay");
  setOption(context.fd, "source", "overlay");
  try {
    for (const layer of overlay.layers) setOption(context.fd, "lowerdir+", layer);
    return finish(context, overlay);
  } catch (error) {
    if (isErrno(error, "EINVAL")) return undefined;
    throw error;
  }
}

function openMapped(overlay: Overlay, lowerMounts: readonly Handle[]): Handle {
  try {
    return openFromMounts(overlay, lowerMounts);
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    // The attempt has marked the work directory as used; nothing was written yet.
    if (overlay.volatile) {
      const mark = `${overlay.work}/work/incompat/volatile`;
      removeFile(`${mark}/dirty`);
      removeDirectory(mark);
    }
    const opened = openFromAttached(overlay, lowerMounts);
    if (opened !== undefined) return opened;
    throw error;
  }
}

/** Layers that are idmapped mounts, given by descriptor (through /proc, which leads to the mount itself). */
function openFromMounts(overlay: Overlay, lowerMounts: readonly Handle[]): Handle {
  using context = openFilesystem("overlay");
  setOption(context.fd, "source", "overlay");
  const lower = lowerMounts.map((layer) => `/proc/self/fd/${layer.fd}`).join(":");
  if (lower.length <= OPTION_LIMIT_BYTES) setOption(context.fd, "lowerdir", lower);
  else for (const layer of lowerMounts) setOption(context.fd, "lowerdir+", `/proc/self/fd/${layer.fd}`);
  return finish(context, overlay);
}

/** More descriptors than can be told by an exit status; 254 and 255 are failures. */
const FD_LIMIT = 254;

/**
 * As `openFromMounts`, for kernels that take as layers only mounts of their caller's mount namespace (before 6.15: "failed to
 * clone lowerpath"): a child in a namespace of its own, which shares our descriptors, attaches each layer's mount over the layer
 * itself, and opens the overlay there. Undefined if that fails, too.
 */
function openFromAttached(overlay: Overlay, lowerMounts: readonly Handle[]): Handle | undefined {
  const child = fork(CLONE.newMount + CLONE.files);
  if (child === undefined) {
    try {
      mount("none", "/", null, MS.rec | MS.private);
      lowerMounts.forEach((layer, index) => {
        using place = openHost(`${overlay.layersDirectory}/${overlay.layers[index]}`, O_PATH | O_DIRECTORY);
        attach(layer.fd, place.fd, overlay.layers[index] ?? "");
      });
      exit(Math.min(openOverlay(overlay).release(), FD_LIMIT));
    } catch {
      exit(FD_LIMIT);
    }
  }
  const ending = waitFor(child);
  child.pidfd.close();
  return ending.kind === "exited" && ending.status < FD_LIMIT ? new Handle(ending.status) : undefined;
}

/**
 * mount(2), whose options may be longer. It needs a place in a mount namespace: a child in one of its own, which shares our
 * descriptors, mounts it there and leaves us a detached copy.
 */
function openByMount(overlay: Overlay, lower: string): Handle {
  const options = `lowerdir=${lower},upperdir=${overlay.upper},workdir=${overlay.work},${WHOLE.map((name) => `${name}=off`).join(",")}${overlay.volatile ? ",volatile" : ""}`;
  if (options.length > PAGE_LIMIT_BYTES) {
    throw new Failure(`an image of ${overlay.layers.length} layers is too much for this kernel`, {
      hint: "a kernel of 6.7 or newer takes more, or flatten the image",
    });
  }
  const place = overlay.upper;
  const child = fork(CLONE.newMount + CLONE.files);
  if (child === undefined) {
    try {
      mount("none", "/", null, 0x4000 | (1 << 18));
      mount("overlay", place, "overlay", 0, options);
      // The number of the descriptor is all that comes back, as the exit status: descriptors are shared and few.
      exit(cloneHostTree(place, { recursive: false }).release());
    } catch (error) {
      exit(isErrno(error, "ENODEV") ? 254 : 255);
    }
  }
  const ending = waitFor(child);
  child.pidfd.close();
  if (ending.kind === "exited" && ending.status < 254) return new Handle(ending.status);
  throw new Failure(`overlay of ${overlay.layers.length} layers could not be mounted`, {
    hint: "'dmesg' says why",
  });
}
