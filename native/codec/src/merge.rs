//! An archive into a tree that is in use: by the rules of `docker cp`, which are those of tar but for directories, of which
//! nothing becomes one and which become nothing else.

use crate::archive::Archive;
use crate::entry::{Entry, Type};
use crate::failure::{Failure, Kind, Result, Shown, malformed, system};
use crate::sys;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// How the tree is found, and whose ids the archive's are.
#[derive(Default)]
pub struct Merge {
    /// The directory that the archive's root is, as a path of ours.
    pub at: Vec<u8>,
    /// The owners on disk that are the archive's from 0 on, if those are a user namespace's: the first, and how many there are.
    pub owners: Option<(u32, u32)>,
}

impl Merge {
    /// A path of the archive as one of ours.
    pub fn place(&self, path: &[u8]) -> Vec<u8> {
        match (self.at.is_empty(), path.is_empty()) {
            (true, _) => path.to_vec(),
            (_, true) => self.at.clone(),
            _ => [&self.at[..], path].join(&b'/'),
        }
    }

    /// Who owns what the archive's root owns.
    pub fn root(&self) -> u32 {
        self.owners.map_or(0, |(first, _)| first)
    }

    fn owner(&self, id: u32, entry: &Entry) -> Result<u32> {
        match self.owners {
            Some((first, count)) if id < count => Ok(first + id),
            Some((_, count)) => malformed(format!(
                "the owner {id} of {} is none of the {count} that there are",
                Shown(&entry.path)
            )),
            None => Ok(id),
        }
    }

    /// The entry with the owners that it is to have on disk.
    pub fn own(&self, entry: Entry) -> Result<Entry> {
        Ok(Entry {
            uid: self.owner(entry.uid, &entry)?,
            gid: self.owner(entry.gid, &entry)?,
            ..entry
        })
    }
}

/// Fails where a directory would become something else, or something else a directory.
pub fn check_replacement(entry: &Entry, path: &[u8], was_directory: bool) -> Result<()> {
    let (what, by) = match (was_directory, entry.kind == Type::Directory) {
        (true, false) => ("a directory", "what is none"),
        (false, true) => ("no directory", "one"),
        _ => return Ok(()),
    };
    let message = format!("{} is {what}, and is not replaced by {by}", Shown(path));
    Err(Failure::new(Kind::Conflict, message))
}

/// Whether a name could not be removed since a file is bound there, which can take the new content.
pub fn is_in_use(entry: &Entry, status: &libc::stat, error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBUSY)
        && entry.kind == Type::File
        && entry.segments.is_none()
        && sys::is_type(status, libc::S_IFREG)
}

/// Gives a file that is bound there another content; it keeps its attributes. Returns how many bytes.
pub fn write_into(
    archive: &mut Archive,
    entry: &Entry,
    parent: &OwnedFd,
    name: &[u8],
) -> Result<u64> {
    let failed = |error: io::Error| system("write", &entry.path, &error);
    // Whatever it is by now: it must not make us wait.
    let flags = libc::O_WRONLY | libc::O_NONBLOCK;
    let file = sys::open_at(parent, name, flags, 0).map_err(failed)?;
    if !sys::is_type(&sys::stat_of(&file).map_err(failed)?, libc::S_IFREG) {
        return Err(failed(io::Error::from_raw_os_error(libc::EBUSY)));
    }
    let mut file = File::from(file);
    file.set_len(0).map_err(failed)?;
    let mut done = 0;
    loop {
        let there = archive.data()?;
        if there.is_empty() {
            return Ok(done);
        }
        let count = there.len();
        file.write_all(there).map_err(failed)?;
        archive.consume(count);
        done += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_archive_are_below_the_directory() {
        let at = |at: &[u8]| Merge {
            at: at.to_vec(),
            owners: None,
        };
        assert_eq!(at(b"").place(b"a/b"), b"a/b");
        assert_eq!(at(b"etc").place(b"a/b"), b"etc/a/b");
        assert_eq!(at(b"/etc").place(b""), b"/etc");
        assert_eq!(at(b"").place(b""), b"");
    }
}
