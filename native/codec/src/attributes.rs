//! What files have besides their content: owner, mode, times, extended attributes.

use crate::entry::{Entry, Type};
use crate::failure::{Failure, Kind, Result, Shown, malformed, system, too_large};
use crate::sys;
use std::io;
use std::os::fd::OwnedFd;

const XATTR_VALUE_LIMIT_BYTES: usize = 65536;
/// What mknod(2) takes: it drops the bits above, and 4096:0 would become 0:0, a whiteout.
const MAJOR_LIMIT: u64 = 1 << 12;
const MINOR_LIMIT: u64 = 1 << 20;

/// Sets those of an open file or directory. The owner comes first: changing it takes set-id bits and capabilities away.
pub fn of_file(entry: &Entry, file: &OwnedFd, dropped: &mut u64) -> Result<()> {
    let failed = |error: io::Error| system("set attributes of", &entry.path, &error);
    sys::change_owner(file, entry.uid, entry.gid).map_err(failed)?;
    set_xattrs(entry, file, dropped)?;
    sys::change_mode(file, entry.mode).map_err(failed)?;
    sys::set_times(file, &times(entry)).map_err(failed)
}

/// Sets those of a link, a device or a fifo, which is not opened. They have no extended attributes that an image may set.
pub fn of_name(entry: &Entry, parent: &OwnedFd, name: &[u8], dropped: &mut u64) -> Result<()> {
    let failed = |error: io::Error| system("set attributes of", &entry.path, &error);
    *dropped += entry.xattrs.len() as u64;
    sys::change_owner_at(parent, name, entry.uid, entry.gid).map_err(failed)?;
    if entry.kind != Type::Symlink {
        sys::change_mode_at(parent, name, entry.mode).map_err(failed)?;
    }
    sys::set_times_at(parent, name, &times(entry)).map_err(failed)
}

/// Sets those that belong to files; those of the host's (labels, and what steers overlayfs) are dropped.
fn set_xattrs(entry: &Entry, file: &OwnedFd, dropped: &mut u64) -> Result<()> {
    for (name, value) in &entry.xattrs {
        if !belongs_to_file(name) {
            *dropped += 1;
            continue;
        }
        if value.len() > XATTR_VALUE_LIMIT_BYTES {
            return too_large(format!(
                "an attribute of {} is too large",
                Shown(&entry.path)
            ));
        }
        match sys::set_xattr(file, name, value) {
            Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => *dropped += 1,
            // Capabilities and access lists have a form of their own.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                return malformed(format!(
                    "the attribute {} of {} is damaged",
                    Shown(name),
                    Shown(&entry.path)
                ));
            }
            // A full block of attributes is no full disk, whatever the error's name says.
            other => other.map_err(|error| Failure {
                kind: Kind::System,
                ..system("setxattr", &entry.path, &error)
            })?,
        }
    }
    Ok(())
}

/// What an image may set: user's own attributes, capabilities of programs, access lists.
pub fn belongs_to_file(name: &[u8]) -> bool {
    (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
        || matches!(
            name,
            b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default"
        )
}

/// Of access and modification: archives keep the second only.
pub fn times(entry: &Entry) -> [libc::timespec; 2] {
    let time = libc::timespec {
        tv_sec: entry.modified.0,
        tv_nsec: i64::from(entry.modified.1),
    };
    [time, time]
}

/// The type of a device or fifo, for mknod(2).
pub fn node_type(entry: &Entry) -> Result<u32> {
    match entry.kind {
        // It would be a whiteout.
        Type::Character | Type::Block
            if entry.device.0 >= MAJOR_LIMIT || entry.device.1 >= MINOR_LIMIT =>
        {
            malformed(format!(
                "the device {} has the number {}:{}, which is out of range",
                Shown(&entry.path),
                entry.device.0,
                entry.device.1
            ))
        }
        Type::Character if entry.device == (0, 0) => malformed(format!(
            "the device {} has the number 0:0",
            Shown(&entry.path)
        )),
        Type::Character => Ok(libc::S_IFCHR),
        Type::Block => Ok(libc::S_IFBLK),
        _ => Ok(libc::S_IFIFO),
    }
}

/// What a device stands for, after `node_type` has looked at its number.
pub fn device(entry: &Entry) -> libc::dev_t {
    match entry.kind {
        Type::Fifo => 0,
        _ => libc::makedev(entry.device.0 as u32, entry.device.1 as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_the_host_does_not_belong_to_files() {
        for name in [
            &b"trusted.overlay.opaque"[..],
            b"user.overlay.opaque",
            b"security.selinux",
            b"security.ima",
            b"system.other",
            b"userx",
        ] {
            assert!(!belongs_to_file(name), "{}", name.escape_ascii());
        }
        assert!(belongs_to_file(b"user.overlays"));
        assert!(belongs_to_file(b"security.capability"));
    }
}
