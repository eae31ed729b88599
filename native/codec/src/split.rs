//! An archive of blobs (`docker save`, an OCI layout in a tar) as files with numbers for names: what they are called in
//! the archive is told, and never used as a path here.

use crate::archive::Archive;
use crate::entry::Type;
use crate::failure::{Failure, Kind, Result, Shown, malformed, system, too_large};
use crate::limits::Limits;
use crate::path;
use crate::stream::hex;
use crate::sys;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

const FILE_MODE: u32 = 0o600;
/// Of all paths and targets: what is told has to fit into the answer.
const TOLD_LIMIT_BYTES: usize = 8 << 20;

pub enum Member {
    File {
        path: Vec<u8>,
        name: String,
        size: u64,
        digest: String,
    },
    Link {
        path: Vec<u8>,
        target: Vec<u8>,
    },
}

/// Writes all files of an archive into a directory; what is neither file, link nor directory is refused.
pub fn split(archive: &mut Archive, root: &OwnedFd, limits: &Limits) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut seen = HashSet::new();
    let (mut entries, mut told_bytes) = (0, 0);
    while let Some(entry) = archive.next()? {
        entries += 1;
        told_bytes += entry.path.len() + entry.target.len();
        if entries > limits.entries {
            return too_large(format!(
                "the archive has more than {} files",
                limits.entries
            ));
        }
        if told_bytes > TOLD_LIMIT_BYTES {
            return too_large("the names in the archive are too long");
        }
        let path = path::normalize(&entry.path, limits.depth)?;
        match entry.kind {
            Type::Directory => continue,
            _ if !seen.insert(path.clone()) => {
                return malformed(format!("the archive has {} twice", Shown(&path)));
            }
            Type::File if entry.segments.is_none() => {
                let name = members.len().to_string();
                let (size, digest) = write(archive, root, &name)?;
                members.push(Member::File {
                    path,
                    name,
                    size,
                    digest,
                });
            }
            Type::Symlink | Type::HardLink => members.push(Member::Link {
                path,
                target: entry.target,
            }),
            _ => {
                return Err(Failure::new(
                    Kind::NotAnArchive,
                    format!(
                        "it has {}, which is no file, link or directory",
                        Shown(&path)
                    ),
                ));
            }
        }
    }
    Ok(members)
}

fn write(archive: &mut Archive, root: &OwnedFd, name: &str) -> Result<(u64, String)> {
    let failed = |error| system("write", name.as_bytes(), &error);
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let mut file =
        File::from(sys::open_at(root, name.as_bytes(), flags, FILE_MODE).map_err(failed)?);
    let mut hash = Sha256::new();
    let mut size = 0;
    loop {
        let there = archive.data()?;
        let count = there.len();
        if count == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        hash.update(there);
        file.write_all(there).map_err(failed)?;
        size += count as u64;
        archive.consume(count);
    }
}
