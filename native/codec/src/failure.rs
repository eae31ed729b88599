//! Why an archive could not be taken, as an exit status and one line.

use std::{fmt, io};

/// What went wrong; `Kind` is the exit status, the message one line for people.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
}

/// Exit statuses; src/image/codec.ts has the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Usage = 2,
    /// It is no archive at all.
    NotAnArchive = 3,
    /// It is one, and it is damaged, ambiguous or hostile.
    Malformed = 4,
    /// The kernel refused a call.
    System = 5,
    /// There is no space left, or no inodes, or the quota is used up.
    Full = 6,
    /// The bytes are not those that were announced.
    Mismatch = 7,
    /// A limit was passed.
    TooLarge = 8,
    /// Nobody reads the archive that is being written.
    Unread = 9,
    /// What is there is not overwritten by that.
    Conflict = 10,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

pub fn malformed<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::new(Kind::Malformed, message))
}

pub fn too_large<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::new(Kind::TooLarge, message))
}

/// The failure of a system call: what was attempted, on what.
pub fn system(call: &str, path: &[u8], error: &io::Error) -> Failure {
    let kind = match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => Kind::Full,
        Some(libc::EPIPE) => Kind::Unread,
        _ => Kind::System,
    };
    Failure::new(kind, format!("{call} {}: {error}", Shown(path)))
}

/// The failure of a directory that an entry is to go into.
pub fn unusable(directory: &[u8], error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::ENOTDIR | libc::EEXIST | libc::ELOOP) => Failure::new(
            Kind::Malformed,
            format!("{} is used as a directory and is none", Shown(directory)),
        ),
        _ => system("open", directory, error),
    }
}

const SHOWN_BYTES: usize = 200;

/// A path of an archive as it may be shown on a terminal: one line, no control characters, not too long.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, cut) = match self.0.get(..SHOWN_BYTES) {
            Some(head) => (head, "..."),
            None => (self.0, ""),
        };
        write!(out, "'{}{cut}'", head.escape_ascii())
    }
}
