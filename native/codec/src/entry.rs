//! An entry of an archive: what it is, and what its fields may say.

use crate::failure::{Result, Shown, malformed, too_large};
use crate::number;
use crate::sparse::Segment;
use std::ops::Range;
use tar::Header;

/// As long as a path may be.
const TARGET_LIMIT_BYTES: usize = 4095;
/// No user has this number: (uid_t) -1 means "leave it" to chown(2).
const NO_ID: u64 = 0xffff_ffff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// An entry, after all extensions before it have been taken in.
pub struct Entry {
    pub path: Vec<u8>,
    pub kind: Type,
    /// Where a link leads.
    pub target: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, u32),
    /// Of the file, with its holes.
    pub size: u64,
    /// What of it is in the archive; all of it, if None.
    pub segments: Option<Vec<Segment>>,
    pub device: (u64, u64),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

pub fn told<T>(value: Option<T>, what: &str) -> Result<T> {
    value.map_or_else(
        || malformed(format!("the {what} of an entry is no number")),
        Ok,
    )
}

pub fn field(header: &Header, at: Range<usize>, what: &str) -> Result<u64> {
    told(number::unsigned(&header.as_bytes()[at]), what)
}

pub fn link_target(target: Vec<u8>) -> Result<Vec<u8>> {
    if target.len() > TARGET_LIMIT_BYTES {
        return too_large(format!(
            "a link leads to {}, which is too long",
            Shown(&target)
        ));
    }
    if target.is_empty() || target.contains(&0) {
        return malformed("a link leads to nothing, or to a name with a NUL byte");
    }
    Ok(target)
}

pub fn owner(id: u64) -> Result<u32> {
    if id >= NO_ID {
        return malformed("the owner of an entry is out of range");
    }
    Ok(id as u32)
}
