//! A directory as an archive: all of it, or, if it is the upper directory of an overlay, what it changes, by the rules of the
//! OCI image specification (layer.md).
//!
//! The same files make the same bytes: names come in the order of their bytes, and nothing of the moment goes in.

use crate::attributes::belongs_to_file;
use crate::failure::{Result, Shown, system, too_large};
use crate::header::{self, Header, padding};
use crate::output::Output;
use crate::sys::{self, is_type};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::os::fd::OwnedFd;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const COPY_BYTES: usize = 256 * 1024;
/// Fewer bytes in holes than this are written as zeros.
const HOLES_LEAST_BYTES: u64 = 64 * 1024;

pub struct Rules {
    /// Directories that hide those below them, if it is an upper directory; the root is "".
    pub opaque: Option<BTreeSet<Vec<u8>>>,
    /// What is left out as long as it is empty: it was made to be mounted on.
    pub places: BTreeSet<Vec<u8>>,
    /// What the entries are called: "" for the directory itself, or a name that stands before all.
    pub prefix: Vec<u8>,
    /// The owners that the container's are on disk, if its ids are mapped: the first of them, and how many there are.
    pub owners: Option<(u32, u32)>,
    /// The one entry of the directory that is packed, under the prefix as its name; all, if None.
    pub only: Option<Vec<u8>>,
    /// Directories of which nothing below is packed: device and inode.
    pub skip: BTreeSet<(u64, u64)>,
    /// Whether all belongs to root, whoever owns it.
    pub as_root: bool,
    /// Whether programs lose what gives privileges to who runs them: set-id bits and capabilities.
    pub harmless: bool,
    pub entries: u64,
    pub depth: usize,
}

impl Rules {
    /// What a user or group of the disk is in the container; of somebody else's files there are none in it, but for mistakes.
    fn owner(&self, id: u32) -> u32 {
        match self.owners {
            _ if self.as_root => 0,
            Some((first, count)) if id.wrapping_sub(first) < count => id - first,
            _ => id,
        }
    }
}

#[derive(Default)]
pub struct Packed {
    pub entries: u64,
    /// Of all files, without holes.
    pub file_bytes: u64,
    /// Sockets, which no archive can hold.
    pub skipped: u64,
}

struct Packing<'a> {
    out: &'a mut Output,
    rules: &'a Rules,
    /// The first name of files that have several.
    named: BTreeMap<(u64, u64), Vec<u8>>,
    done: Packed,
}

/// Writes a directory and all below it.
pub fn pack(root: &OwnedFd, out: &mut Output, rules: &Rules) -> Result<Packed> {
    let mut packing = Packing {
        out,
        rules,
        named: BTreeMap::new(),
        done: Packed::default(),
    };
    if let Some(name) = &rules.only {
        packing.entry(root, name, b"", 0)?;
        return packing.end();
    }
    let status = sys::stat_of(root).map_err(|error| system("stat", b".", &error))?;
    // A layer says something of the root only if there is something to say; a tree begins with its directory.
    let path = if rules.prefix.is_empty() {
        b".".to_vec()
    } else {
        rules.prefix.clone()
    };
    if rules.opaque.is_none() {
        packing.directory_entry(root, &path, &status)?;
    }
    packing.directory(root, b"", 0)?;
    packing.end()
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        name.to_vec()
    } else {
        [directory, name].join(&b'/')
    }
}

impl Packing<'_> {
    fn end(self) -> Result<Packed> {
        if self.rules.only.is_some() && self.done.entries == 0 {
            let gone = io::Error::from_raw_os_error(libc::ENOENT);
            return Err(system("open", &self.rules.prefix, &gone));
        }
        self.out.write(&[0; 2 * header::BLOCK_BYTES])?;
        Ok(self.done)
    }

    /// What a path below the directory is called in the archive.
    fn shown(&self, path: &[u8]) -> Vec<u8> {
        if path.is_empty() {
            return self.rules.prefix.clone();
        }
        join(&self.rules.prefix, path)
    }

    fn begin(&mut self, header: &Header) -> Result<()> {
        let header = &Header {
            uid: self.rules.owner(header.uid),
            gid: self.rules.owner(header.gid),
            ..*header
        };
        self.done.entries += 1;
        if self.done.entries > self.rules.entries {
            return too_large(format!("there are more than {} files", self.rules.entries));
        }
        self.out.write(&header.bytes())
    }

    fn directory_entry(&mut self, at: &OwnedFd, path: &[u8], status: &libc::stat) -> Result<()> {
        let xattrs = xattrs_of(at, path)?;
        self.begin(&header_of(path, header::DIRECTORY, status, &xattrs))
    }

    /// What is in a directory, whose own entry is written.
    fn directory(&mut self, at: &OwnedFd, path: &[u8], depth: usize) -> Result<()> {
        if depth > self.rules.depth {
            return too_large(format!("{} is too deep", Shown(path)));
        }
        if self
            .rules
            .opaque
            .as_ref()
            .is_some_and(|opaque| opaque.contains(path))
        {
            self.mark(&join(path, OPAQUE))?;
        }
        if !self.rules.skip.is_empty() {
            let status = sys::stat_of(at).map_err(|error| system("stat", path, &error))?;
            if self.rules.skip.contains(&(status.st_dev, status.st_ino)) {
                return Ok(());
            }
        }
        let mut names = sys::names_in(at).map_err(|error| system("read", path, &error))?;
        names.sort();
        for name in names {
            self.entry(at, &name, &join(path, &name), depth)?;
        }
        Ok(())
    }

    /// An empty file that says something of what is below.
    fn mark(&mut self, path: &[u8]) -> Result<()> {
        let path = self.shown(path);
        self.begin(&Header {
            path: &path,
            kind: header::FILE,
            mode: 0,
            uid: 0,
            gid: 0,
            size: 0,
            modified: (0, 0),
            target: b"",
            device: (0, 0),
            xattrs: &[],
            real_size: None,
        })
    }

    fn entry(&mut self, parent: &OwnedFd, name: &[u8], path: &[u8], depth: usize) -> Result<()> {
        let status = match sys::stat_at(parent, name) {
            Ok(status) => status,
            // It has been removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(system("stat", path, &error)),
        };
        if self.rules.opaque.is_some() && sys::is_whiteout(&status) {
            let (directory, _) = crate::path::split(path);
            return self.mark(&join(directory, &[WHITEOUT, name].concat()));
        }
        if self.rules.places.contains(path) && is_empty(parent, name, &status) {
            return Ok(());
        }
        let shown = self.shown(path);
        if status.st_nlink > 1 && !is_type(&status, libc::S_IFDIR) {
            let key = (status.st_dev, status.st_ino);
            if let Some(first) = self.named.get(&key) {
                let first = first.clone();
                return self.begin(&Header {
                    target: &first,
                    size: 0,
                    ..header_of(&shown, header::HARD_LINK, &status, &[])
                });
            }
            self.named.insert(key, shown.clone());
        }
        match status.st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                let at = sys::open_at(parent, name, libc::O_RDONLY | libc::O_DIRECTORY, 0)
                    .map_err(|error| system("open", path, &error))?;
                self.directory_entry(&at, &shown, &status)?;
                self.directory(&at, path, depth + 1)
            }
            libc::S_IFREG => self.file(parent, name, path, &shown),
            libc::S_IFLNK => {
                let target = sys::read_link_at(parent, name)
                    .map_err(|error| system("readlink", path, &error))?;
                self.begin(&Header {
                    target: &target,
                    ..header_of(&shown, header::SYMLINK, &status, &[])
                })
            }
            libc::S_IFCHR => self.node(&shown, header::CHARACTER, &status),
            libc::S_IFBLK => self.node(&shown, header::BLOCK, &status),
            libc::S_IFIFO => self.begin(&header_of(&shown, header::FIFO, &status, &[])),
            _ => {
                self.done.skipped += 1;
                Ok(())
            }
        }
    }

    fn node(&mut self, path: &[u8], kind: u8, status: &libc::stat) -> Result<()> {
        let device = (libc::major(status.st_rdev), libc::minor(status.st_rdev));
        self.begin(&Header {
            device,
            ..header_of(path, kind, status, &[])
        })
    }

    fn file(&mut self, parent: &OwnedFd, name: &[u8], path: &[u8], shown: &[u8]) -> Result<()> {
        let failed = |error: io::Error| system("read", path, &error);
        // Whatever it is by now: it must not make us wait.
        let file =
            sys::open_at(parent, name, libc::O_RDONLY | libc::O_NONBLOCK, 0).map_err(failed)?;
        let status = sys::stat_of(&file).map_err(failed)?;
        if !is_type(&status, libc::S_IFREG) {
            return Ok(());
        }
        let mut xattrs = xattrs_of(&file, path)?;
        let mut status = status;
        if self.rules.harmless {
            status.st_mode &= !(libc::S_ISUID | libc::S_ISGID);
            xattrs.retain(|(name, _)| name != b"security.capability");
        }
        let size = status.st_size as u64;
        let parts = if (status.st_blocks as u64) * 512 + HOLES_LEAST_BYTES <= size {
            sys::data_of(&file, size).map_err(failed)?
        } else {
            vec![(0, size)]
        };
        let plain = parts == [(0, size)];
        let map = if plain {
            Vec::new()
        } else {
            sparse_map(&parts, size)
        };
        let data: u64 = parts.iter().map(|(_, length)| length).sum();
        self.done.file_bytes += data;
        self.begin(&Header {
            size: map.len() as u64 + data,
            real_size: (!plain).then_some(size),
            ..header_of(shown, header::FILE, &status, &xattrs)
        })?;
        self.out.write(&map)?;
        let mut file = std::fs::File::from(file);
        for (start, length) in parts {
            if !plain {
                sys::seek_to(&file, start).map_err(failed)?;
            }
            self.copy(&mut file, length, path)?;
        }
        self.out.write(padding(map.len() as u64 + data))
    }

    /// So many bytes from here on. What is missing since the file became shorter is zeros: the header has been written.
    fn copy(&mut self, file: &mut std::fs::File, length: u64, path: &[u8]) -> Result<()> {
        let mut buffer = vec![0; COPY_BYTES.min(length as usize)];
        let mut left = length;
        while left > 0 {
            let most = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match file.read(&mut buffer[..most]) {
                Ok(0) => {
                    buffer[..most].fill(0);
                    most
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(system("read", path, &error)),
            };
            self.out.write(&buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }
}

/// Whether it is a file without content, or a directory without entries.
fn is_empty(parent: &OwnedFd, name: &[u8], status: &libc::stat) -> bool {
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG => status.st_size == 0,
        libc::S_IFDIR => sys::open_at(parent, name, libc::O_RDONLY | libc::O_DIRECTORY, 0)
            .and_then(|directory| sys::names_in(&directory))
            .is_ok_and(|names| names.is_empty()),
        _ => false,
    }
}

fn header_of<'a>(
    path: &'a [u8],
    kind: u8,
    status: &libc::stat,
    xattrs: &'a [(Vec<u8>, Vec<u8>)],
) -> Header<'a> {
    Header {
        path,
        kind,
        mode: status.st_mode & 0o7777,
        uid: status.st_uid,
        gid: status.st_gid,
        size: 0,
        modified: (status.st_mtime, status.st_mtime_nsec as u32),
        target: b"",
        device: (0, 0),
        xattrs,
        real_size: None,
    }
}

/// Those that belong to files, by name.
fn xattrs_of(file: &OwnedFd, path: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let failed = |error: io::Error| system("read attributes of", path, &error);
    let mut names = sys::xattr_names(file).map_err(failed)?;
    names.retain(|name| belongs_to_file(name));
    names.sort();
    let mut found = Vec::new();
    for name in names {
        if let Some(value) = sys::get_xattr(file, &name).map_err(failed)? {
            found.push((name, value));
        }
    }
    Ok(found)
}

/// The map of GNU's sparse format 1.0: the number of parts, then start and length of each, a line each, in whole blocks.
fn sparse_map(parts: &[(u64, u64)], size: u64) -> Vec<u8> {
    let mut text = String::new();
    // A hole at the end is told by an empty part there.
    let ends = parts.last().map_or(0, |(start, length)| start + length);
    let tail: &[(u64, u64)] = if ends < size { &[(size, 0)] } else { &[] };
    text.push_str(&format!("{}\n", parts.len() + tail.len()));
    for (start, length) in parts.iter().chain(tail) {
        text.push_str(&format!("{start}\n{length}\n"));
    }
    let mut map = text.into_bytes();
    map.extend_from_slice(padding(map.len() as u64));
    map
}
