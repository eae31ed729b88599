/**
 * `load`: the images of an archive, as `docker save`, `podman save`, `skopeo copy` and `buildctl` write it.
 */
import { Failure } from "../failure.ts";
import { arch } from "../linux/door.ts";
import { openSource } from "./arrive.ts";
import { splitArchive } from "./codec.ts";
import { commitImages } from "./commit.ts";
import { DOCKER_MANIFEST, imagesOfDockerArchive } from "./docker-archive.ts";
import { ownArchitecture } from "./manifest.ts";
import { Members } from "./members.ts";
import { imagesOfOciArchive, OCI_INDEX } from "./oci-archive.ts";
import { openStaging } from "./staging.ts";
import { type ImageRecord, storeFailure } from "./store.ts";

/** Loads all images of an archive ("-": standard input). Throws a Failure if it is none, or is not what it says it is. */
export function loadArchive(images: string, path: string): ImageRecord[] {
  const source = openSource(path);
  using _file = source.handle;
  try {
    using staging = openStaging(images);
    const directory = staging.newDirectory();
    const { members: list } = splitArchive(source.handle, directory, source.about);
    const members = new Members(list, directory, source.about);
    // Docker writes both; its own names all tags of an image.
    if (members.has(DOCKER_MANIFEST)) return commitImages(images, staging, imagesOfDockerArchive(members));
    if (members.has(OCI_INDEX)) {
      return commitImages(images, staging, imagesOfOciArchive(members, ownArchitecture(arch)));
    }
    if (members.has("repositories")) {
      throw new Failure(`${source.about} was written by a docker older than 1.10`, {
        hint: "load it into a newer docker, and save it again",
      });
    }
    throw new Failure(`${source.about} is no archive of images: it has neither ${DOCKER_MANIFEST} nor ${OCI_INDEX}`, {
      hint: "the archive of a root file system is taken by 'mycontainer import'",
    });
  } catch (error) {
    throw storeFailure(images, error);
  }
}
