//! A layer's archive as a directory that overlayfs takes as a lower one (Documentation/filesystems/overlayfs.rst), by the
//! rules of the OCI image specification (layer.md).
//!
//! Everything happens below a descriptor of the target, whose path is resolved in it as in a root of its own; besides,
//! the caller has made the target the root of this process. What only the host may set (trusted.overlay.opaque) and
//! what depends on lower layers (directories that the archive needs and does not have) is told, not done.

mod link;
mod whiteout;

use crate::archive::Archive;
use crate::attributes;
use crate::entry::{Entry, Type};
use crate::failure::{Result, Shown, malformed, system, too_large, unusable};
use crate::limits::Limits;
use crate::merge::{self, Merge};
use crate::sys;
use crate::{path, sparse};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use whiteout::WHITEOUT;

const IMPLIED_MODE: u32 = 0o755;
const PRIVATE_MODE: u32 = 0o600;
/// Of the paths of all directories: images have some ten thousand, of less than a hundred bytes each.
const DIRECTORIES_LIMIT_BYTES: usize = 32 << 20;

pub struct Unpacked {
    pub entries: u64,
    /// Of all files, without holes.
    pub file_bytes: u64,
    /// Directories of which nothing below may be seen.
    pub opaque: BTreeSet<Vec<u8>>,
    /// Directories that had to be made without an entry of their own; the root is the empty path.
    pub implied: BTreeSet<Vec<u8>>,
    pub dropped_xattrs: u64,
}

/// Unpacks all entries into a directory, which is empty unless they are to be merged into what is there.
pub fn unpack(
    archive: &mut Archive,
    root: OwnedFd,
    limits: &Limits,
    merge: Option<&Merge>,
) -> Result<Unpacked> {
    let mut target = Target {
        root,
        limits,
        merge,
        parent: None,
        directories: HashMap::new(),
        directory_bytes: 0,
        told_bytes: 0,
        done: Unpacked {
            entries: 0,
            file_bytes: 0,
            opaque: BTreeSet::new(),
            implied: BTreeSet::from([Vec::new()]),
            dropped_xattrs: 0,
        },
    };
    while let Some(entry) = archive.next()? {
        target.done.entries += 1;
        if target.done.entries > limits.entries {
            return too_large(format!(
                "the archive has more than {} entries",
                limits.entries
            ));
        }
        let entry = match merge {
            Some(merge) => merge.own(entry)?,
            None => entry,
        };
        target.take(archive, &entry)?;
    }
    target.finish()
}

struct Target<'a> {
    root: OwnedFd,
    limits: &'a Limits,
    /// How what is there is dealt with, if it is no layer that is made.
    merge: Option<&'a Merge>,
    /// The directory of the entry before, which mostly is that of the next as well.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Directories get their times last, when nothing is made in them any more.
    directories: HashMap<Vec<u8>, [libc::timespec; 2]>,
    directory_bytes: usize,
    told_bytes: usize,
    done: Unpacked,
}

/// What became of a name that was there already.
enum Former {
    Removed,
    /// It is a directory, and so is the new one.
    Kept,
    /// It is bound there, and cannot be removed: it takes the new content.
    InUse,
}

impl Target<'_> {
    /// A directory of the tree, with links followed inside the root.
    fn open_in(&self, path: &[u8], flags: i32) -> io::Result<OwnedFd> {
        let place = self.merge.map(|merge| merge.place(path));
        sys::open_directory_in(&self.root, place.as_deref().unwrap_or(path), flags)
    }

    fn take(&mut self, archive: &mut Archive, entry: &Entry) -> Result<()> {
        let path = path::normalize(&entry.path, self.limits.depth)?;
        let (directory, name) = path::split(&path);
        if name.is_empty() {
            if entry.kind != Type::Directory {
                return malformed("the archive's root is no directory");
            }
            // A directory that something is copied into stays what it is.
            return match self.merge {
                Some(_) => Ok(()),
                None => self.directory_attributes(entry, &path),
            };
        }
        let is_layer = self.merge.is_none();
        if is_layer
            && directory
                .split(|byte| *byte == b'/')
                .any(|part| part.starts_with(WHITEOUT))
        {
            return malformed(format!("{} lies in a whiteout", Shown(&path)));
        }
        let parent = self.open_parent(directory)?;
        let done = if is_layer && name.starts_with(WHITEOUT) {
            self.whiteout(entry, &parent, directory, name)
        } else {
            self.make(archive, entry, &parent, &path, name)
        };
        self.parent.get_or_insert((directory.to_vec(), parent));
        done
    }

    /// The directory in which an entry goes, made if the archive did not have it.
    /// It is taken out of the cache, where the caller puts it back.
    fn open_parent(&mut self, directory: &[u8]) -> Result<OwnedFd> {
        match self.parent.take() {
            Some((path, fd)) if path == directory => return Ok(fd),
            _ => {}
        }
        match self.open_in(directory, libc::O_PATH) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.imply(directory),
            other => other.map_err(|error| unusable(directory, &error)),
        }
    }

    fn imply(&mut self, directory: &[u8]) -> Result<OwnedFd> {
        let (above, name) = path::split(directory);
        if name.is_empty() {
            // The directory itself has gone.
            return Err(system("open", b".", &io::ErrorKind::NotFound.into()));
        }
        let parent = self.open_parent(above)?;
        sys::make_directory_at(&parent, name, IMPLIED_MODE)
            .map_err(|error| unusable(directory, &error))?;
        match self.merge {
            Some(merge) => sys::change_owner_at(&parent, name, merge.root(), merge.root())
                .map_err(|error| system("chown", directory, &error))?,
            None => {
                self.tell(directory)?;
                self.done.implied.insert(directory.to_vec());
            }
        }
        sys::open_at(&parent, name, libc::O_PATH | libc::O_DIRECTORY, 0)
            .map_err(|error| system("open", directory, &error))
    }

    fn make(
        &mut self,
        archive: &mut Archive,
        entry: &Entry,
        parent: &OwnedFd,
        path: &[u8],
        name: &[u8],
    ) -> Result<()> {
        let mut cleared = false;
        loop {
            let made = match entry.kind {
                Type::File => sys::open_at(
                    parent,
                    name,
                    libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
                    PRIVATE_MODE,
                )
                .map(Some),
                Type::Directory => {
                    sys::make_directory_at(parent, name, PRIVATE_MODE).map(|()| None)
                }
                Type::Symlink => sys::symlink_at(&entry.target, parent, name).map(|()| None),
                Type::HardLink => self.link(entry, parent, name)?.map(|()| None),
                Type::Character | Type::Block | Type::Fifo => sys::make_node_at(
                    parent,
                    name,
                    attributes::node_type(entry)? | PRIVATE_MODE,
                    attributes::device(entry),
                )
                .map(|()| None),
            };
            match made {
                Ok(Some(file)) => return self.fill(archive, entry, file),
                Ok(None) => return self.attributes(entry, parent, path, name),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && !cleared => {
                    match self.give_way(entry, parent, path, name)? {
                        Former::Kept => return self.directory_attributes(entry, path),
                        Former::InUse => {
                            let bytes = merge::write_into(archive, entry, parent, name)?;
                            self.done.file_bytes += bytes;
                            return Ok(());
                        }
                        Former::Removed => cleared = true,
                    }
                }
                Err(error) => return Err(system("make", path, &error)),
            }
        }
    }

    /// Removes what is there, unless that is a directory, and so is the new one.
    fn give_way(
        &mut self,
        entry: &Entry,
        parent: &OwnedFd,
        path: &[u8],
        name: &[u8],
    ) -> Result<Former> {
        let failed = |error: io::Error| system("replace", path, &error);
        let status = sys::stat_at(parent, name).map_err(failed)?;
        let was_directory = sys::is_type(&status, libc::S_IFDIR);
        if was_directory && entry.kind == Type::Directory {
            return Ok(Former::Kept);
        }
        if self.merge.is_some() {
            merge::check_replacement(entry, path, was_directory)?;
        }
        if entry.kind == Type::Directory
            && sys::is_type(&status, libc::S_IFCHR)
            && status.st_rdev == 0
        {
            self.make_opaque(path)?;
        }
        match sys::remove_at(
            parent,
            name,
            if was_directory { libc::AT_REMOVEDIR } else { 0 },
        ) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => malformed(format!(
                "{} is a directory with files first and something else later",
                Shown(path)
            )),
            Err(error) if self.merge.is_some() && merge::is_in_use(entry, &status, &error) => {
                Ok(Former::InUse)
            }
            other => {
                other.map_err(failed)?;
                if was_directory {
                    // What was to be done for it would be done to something else: to what a link there leads to.
                    self.done.opaque.remove(path);
                    self.done.implied.remove(path);
                    self.directories.remove(path);
                }
                Ok(Former::Removed)
            }
        }
    }

    fn fill(&mut self, archive: &mut Archive, entry: &Entry, file: OwnedFd) -> Result<()> {
        let mut file = File::from(file);
        let failed = |error: io::Error| system("write", &entry.path, &error);
        if let Some(segments) = &entry.segments {
            if entry.size > self.limits.bytes {
                return too_large(format!("the file {} is too large", Shown(&entry.path)));
            }
            for sparse::Segment { offset, length } in segments {
                file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
                self.copy(archive, &mut file, *length, &entry.path)?;
            }
            file.set_len(entry.size).map_err(failed)?;
        } else {
            self.copy(archive, &mut file, entry.size, &entry.path)?;
        }
        attributes::of_file(entry, &file.into(), &mut self.done.dropped_xattrs)
    }

    fn copy(
        &mut self,
        archive: &mut Archive,
        file: &mut File,
        length: u64,
        path: &[u8],
    ) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let there = archive.data()?;
            let count = usize::try_from(left).map_or(there.len(), |left| left.min(there.len()));
            file.write_all(&there[..count])
                .map_err(|error| system("write", path, &error))?;
            archive.consume(count);
            left -= count as u64;
        }
        self.done.file_bytes += length;
        Ok(())
    }

    fn directory_attributes(&mut self, entry: &Entry, path: &[u8]) -> Result<()> {
        let directory = self
            .open_made(path)
            .map_err(|error| system("open", path, &error))?;
        attributes::of_file(entry, &directory, &mut self.done.dropped_xattrs)?;
        self.done.implied.remove(path);
        self.remember(path, entry)
    }

    /// Keeps the times of a directory for the end.
    fn remember(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let times = attributes::times(entry);
        if self.directories.insert(path.to_vec(), times).is_none() {
            self.directory_bytes += path.len();
        }
        if self.directory_bytes > DIRECTORIES_LIMIT_BYTES {
            return too_large("the paths of the archive's directories are too long");
        }
        Ok(())
    }

    fn attributes(
        &mut self,
        entry: &Entry,
        parent: &OwnedFd,
        path: &[u8],
        name: &[u8],
    ) -> Result<()> {
        match entry.kind {
            // It is another name of a file that has its attributes.
            Type::HardLink => Ok(()),
            Type::Directory => {
                let directory = sys::open_at(parent, name, libc::O_DIRECTORY, 0)
                    .map_err(|error| system("open", path, &error))?;
                attributes::of_file(entry, &directory, &mut self.done.dropped_xattrs)?;
                self.remember(path, entry)
            }
            _ => attributes::of_name(entry, parent, name, &mut self.done.dropped_xattrs),
        }
    }

    /// A directory of the layer, and never what a link of that name leads to.
    fn open_made(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let (directory, name) = path::split(path);
        if name.is_empty() {
            return self.open_in(b"", libc::O_RDONLY);
        }
        let parent = self.open_in(directory, libc::O_PATH)?;
        sys::open_at(&parent, name, libc::O_DIRECTORY, 0)
    }

    fn finish(self) -> Result<Unpacked> {
        for (path, times) in &self.directories {
            if let Ok(directory) = self.open_made(path) {
                sys::set_times(&directory, times)
                    .map_err(|error| system("set the time of", path, &error))?;
            }
        }
        Ok(self.done)
    }
}
