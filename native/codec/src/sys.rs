//! The calls on files that the standard library does not have: all below a descriptor, none by a path of the host.

use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

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

/// How often openat2(2) is asked again when something else renames in the same moment (EAGAIN).
const RACE_RETRIES: usize = 128;

/// The directory of that path as a process with this root would find it.
pub fn open_directory_in(root: &OwnedFd, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    let path = c_string(if path.is_empty() { b"." } else { path })?;
    let how = OpenHow {
        flags: (libc::O_DIRECTORY | libc::O_CLOEXEC | flags) as u64,
        mode: 0,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    let mut tries = 0;
    loop {
        // SAFETY: the path and the struct live for the call.
        let result = check(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        });
        tries += 1;
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && tries < RACE_RETRIES => {}
            // SAFETY: a result that is no error is a new descriptor.
            other => return other.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as c_int) }),
        }
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

/// What an open file is.
pub fn stat_of(file: &OwnedFd) -> io::Result<libc::stat> {
    // SAFETY: the kernel fills the struct, for which all zeros are valid.
    unsafe {
        let mut status = std::mem::zeroed();
        check(libc::fstat(file.as_raw_fd(), &raw mut status))?;
        Ok(status)
    }
}

/// The names in a directory, in no order, without "." and "..".
pub fn names_in(directory: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    // The stream has a descriptor of its own, which it closes.
    let own = open_at(directory, b".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    // SAFETY: the stream is used here only, and closed once.
    unsafe {
        let stream = libc::fdopendir(own.into_raw_fd());
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut names = Vec::new();
        let ended = loop {
            *libc::__errno_location() = 0;
            let entry = libc::readdir(stream);
            if entry.is_null() {
                break io::Error::last_os_error();
            }
            let name = CStr::from_ptr((*entry).d_name.as_ptr()).to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        };
        libc::closedir(stream);
        match ended.raw_os_error() {
            Some(0) | None => Ok(names),
            Some(_) => Err(ended),
        }
    }
}

pub fn read_link_at(parent: &OwnedFd, name: &[u8]) -> io::Result<Vec<u8>> {
    let name = c_string(name)?;
    let mut buffer = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the buffer is as long as is said.
    let length = check(unsafe {
        libc::readlinkat(
            parent.as_raw_fd(),
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    } as i64)?;
    buffer.truncate(length as usize);
    Ok(buffer)
}

const XATTR_LIST_LIMIT_BYTES: usize = 64 * 1024;
const XATTR_LIMIT_BYTES: usize = 64 * 1024;

/// The names of a file's extended attributes; none where the file system has none.
pub fn xattr_names(file: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0u8; XATTR_LIST_LIMIT_BYTES];
    // SAFETY: the buffer is as long as is said.
    let result = check(unsafe {
        libc::flistxattr(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len())
    } as i64);
    let length = match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => 0,
        other => other? as usize,
    };
    Ok(buffer[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// The value of an extended attribute; None if it has gone meanwhile.
pub fn get_xattr(file: &OwnedFd, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let name = c_string(name)?;
    let mut buffer = vec![0u8; XATTR_LIMIT_BYTES];
    // SAFETY: the buffer is as long as is said.
    let result = check(unsafe {
        libc::fgetxattr(
            file.as_raw_fd(),
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    } as i64);
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) => Ok(None),
        Err(error) => Err(error),
        Ok(length) => {
            buffer.truncate(length as usize);
            Ok(Some(buffer))
        }
    }
}

/// The parts of a file that are no holes: start and length (lseek(2), SEEK_DATA).
pub fn data_of(file: &OwnedFd, size: u64) -> io::Result<Vec<(u64, u64)>> {
    let seek = |offset: u64, whence: c_int| {
        // SAFETY: no pointers.
        check(unsafe { libc::lseek(file.as_raw_fd(), offset as i64, whence) })
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(at, libc::SEEK_DATA) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => break,
            other => other? as u64,
        };
        let end = (seek(start, libc::SEEK_HOLE)? as u64).min(size);
        if start >= end {
            break;
        }
        parts.push((start, end - start));
        at = end;
    }
    seek(0, libc::SEEK_SET)?;
    Ok(parts)
}

pub fn seek_to(file: &std::fs::File, offset: u64) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::lseek(file.as_raw_fd(), offset as i64, libc::SEEK_SET) }).map(drop)
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
