//! The calls on files that the standard library does not have: all below a descriptor, none by a path of the host.

use std::ffi::{CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Links are followed inside the root only, and those of /proc not at all: openat2(2).
const RESOLVE_IN_ROOT: u64 = 0x10;
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;

/// `struct open_how`: include/uapi/linux/openat2.h.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

pub fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

pub fn check(result: impl Into<i64>) -> io::Result<i64> {
    let result = result.into();
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The directory of that path as a process with this root would find it.
pub fn open_directory_in(root: &OwnedFd, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    let path = c_string(if path.is_empty() { b"." } else { path })?;
    let how = OpenHow {
        flags: (libc::O_DIRECTORY | libc::O_CLOEXEC | flags) as u64,
        mode: 0,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    // SAFETY: the path and the struct live for the call; a result that is no error is a new descriptor.
    unsafe {
        let fd = check(libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<OpenHow>(),
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// Opens one name in a directory; never what a link of that name leads to.
pub fn open_at(parent: &OwnedFd, name: &[u8], flags: c_int, mode: u32) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    // SAFETY: as above.
    unsafe {
        let fd = check(libc::openat(
            parent.as_raw_fd(),
            name.as_ptr(),
            flags | libc::O_NOFOLLOW | libc::O_CLOEXEC,
            mode,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as c_int))
    }
}

/// What a name in a directory is; links are not followed.
pub fn stat_at(parent: &OwnedFd, name: &[u8]) -> io::Result<libc::stat> {
    let name = c_string(name)?;
    // SAFETY: the kernel fills the struct, for which all zeros are valid.
    unsafe {
        let mut status = std::mem::zeroed();
        check(libc::fstatat(
            parent.as_raw_fd(),
            name.as_ptr(),
            &raw mut status,
            libc::AT_SYMLINK_NOFOLLOW,
        ))?;
        Ok(status)
    }
}

macro_rules! named_call {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $call:ident($($passed:expr),*)) => {
        $(#[$doc])*
        pub fn $name(parent: &OwnedFd, name: &[u8], $($argument: $type),*) -> io::Result<()> {
            let name = c_string(name)?;
            // SAFETY: the strings live for the call.
            check(unsafe { libc::$call(parent.as_raw_fd(), name.as_ptr(), $($passed),*) }).map(drop)
        }
    };
}

named_call!(make_directory_at(mode: u32) => mkdirat(mode));
named_call!(make_node_at(mode: u32, device: libc::dev_t) => mknodat(mode, device));
named_call!(
    /// flags: 0, or AT_REMOVEDIR
    remove_at(flags: c_int) => unlinkat(flags)
);
named_call!(
    /// Of a name that is no link: there is no call that would not follow one.
    change_mode_at(mode: u32) => fchmodat(mode, 0)
);
named_call!(change_owner_at(uid: u32, gid: u32) => fchownat(uid, gid, libc::AT_SYMLINK_NOFOLLOW));
named_call!(
    set_times_at(times: &[libc::timespec; 2]) => utimensat(times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW)
);

pub fn symlink_at(target: &[u8], parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let (target, name) = (c_string(target)?, c_string(name)?);
    // SAFETY: the strings live for the call.
    check(unsafe { libc::symlinkat(target.as_ptr(), parent.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// A second name of a file; if the first is a link, of the link itself.
pub fn link_at(from: &OwnedFd, from_name: &[u8], to: &OwnedFd, to_name: &[u8]) -> io::Result<()> {
    let (from_name, to_name) = (c_string(from_name)?, c_string(to_name)?);
    // SAFETY: the strings live for the call.
    check(unsafe {
        libc::linkat(
            from.as_raw_fd(),
            from_name.as_ptr(),
            to.as_raw_fd(),
            to_name.as_ptr(),
            0,
        )
    })
    .map(drop)
}

pub fn change_owner(file: &OwnedFd, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fchown(file.as_raw_fd(), uid, gid) }).map(drop)
}

pub fn change_mode(file: &OwnedFd, mode: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fchmod(file.as_raw_fd(), mode) }).map(drop)
}

pub fn set_times(file: &OwnedFd, times: &[libc::timespec; 2]) -> io::Result<()> {
    // SAFETY: two structs, as the call wants them.
    check(unsafe { libc::futimens(file.as_raw_fd(), times.as_ptr()) }).map(drop)
}

pub fn set_xattr(file: &OwnedFd, name: &[u8], value: &[u8]) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: the name and the value live for the call.
    check(unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    })
    .map(drop)
}

/// New files get the modes that they are given.
pub fn clear_umask() {
    // SAFETY: always succeeds.
    unsafe { libc::umask(0) };
}

/// Whether a file is of a type: S_IFDIR and so on.
pub fn is_type(status: &libc::stat, kind: libc::mode_t) -> bool {
    status.st_mode & libc::S_IFMT == kind
}

/// What overlayfs takes for a name that hides what is below.
pub fn is_whiteout(status: &libc::stat) -> bool {
    is_type(status, libc::S_IFCHR) && status.st_rdev == 0
}
