//! Keeps our own executable out of reach of what runs in a container (CVE-2019-5736).
//!
//! A process of a container can get hold of the executable that started it by /proc/PID/exe, and write to it if it is
//! root there. So the commands that start processes in containers run from a detached read-only view of the
//! executable; where that cannot be had, from a sealed copy in memory. It is done before the engine starts, when the
//! second execve(2) costs least (docs/decisions/0003-sealed-executable.md has the figures).

use core::ffi::{CStr, c_char};
use core::ptr;

const SELF: *const c_char = c"/proc/self/exe".as_ptr();
const SEALS: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether the running executable can be reopened for writing by nobody.
unsafe fn is_sealed() -> bool {
    unsafe {
        let mut facts: libc::statvfs = core::mem::zeroed();
        if libc::statvfs(SELF, &mut facts) == 0 && facts.f_flag & libc::ST_RDONLY != 0 {
            return true;
        }
        let fd = libc::open(SELF, libc::O_RDONLY | libc::O_CLOEXEC);
        let seals = libc::fcntl(fd, libc::F_GET_SEALS);
        libc::close(fd);
        seals != -1 && seals & SEALS == SEALS
    }
}

/// A descriptor of a read-only view of the executable: a clone of what it lies on, attached nowhere (open_tree(2)).
unsafe fn read_only_view() -> libc::c_int {
    unsafe {
        const OPEN_TREE_CLONE: libc::c_uint = 1;
        #[repr(C)]
        struct Attributes {
            set: u64,
            clear: u64,
            propagation: u64,
            userns_fd: u64,
        }
        const READ_ONLY: u64 = 1;
        let fd = libc::syscall(
            libc::SYS_open_tree,
            libc::AT_FDCWD,
            SELF,
            OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint,
        ) as libc::c_int;
        if fd < 0 {
            return -1;
        }
        let wanted = Attributes {
            set: READ_ONLY,
            clear: 0,
            propagation: 0,
            userns_fd: 0,
        };
        let done = libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &wanted,
            size_of::<Attributes>(),
        );
        if done == 0 { fd } else { -1 }
    }
}

/// A descriptor of a sealed copy of the executable in memory (memfd_create(2)).
unsafe fn sealed_copy() -> libc::c_int {
    unsafe {
        let from = libc::open(SELF, libc::O_RDONLY | libc::O_CLOEXEC);
        let to = libc::memfd_create(
            c"mycontainer".as_ptr(),
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING,
        );
        if from < 0 || to < 0 {
            return -1;
        }
        loop {
            match libc::sendfile(to, from, ptr::null_mut(), 1 << 30) {
                0 => break,
                length if length < 0 => return -1,
                _ => {}
            }
        }
        libc::close(from);
        if libc::fcntl(to, libc::F_ADD_SEALS, SEALS) == 0 {
            to
        } else {
            -1
        }
    }
}

/// The variable in which the path of the executable goes on: a sealed one has none, and finds nothing beside itself.
const NOTED: &[u8] = b"MYCONTAINER_EXECUTABLE=";
const PATH_LIMIT: usize = 4096;

/// The environment with the executable's path in it. What was given under that name is left out.
unsafe fn environment(note: &mut [u8; PATH_LIMIT + 32]) -> Vec<*const c_char> {
    unsafe {
        let mut variables = Vec::new();
        let mut at = environ;
        while !(*at).is_null() {
            if !CStr::from_ptr(*at).to_bytes().starts_with(NOTED) {
                variables.push(*at);
            }
            at = at.add(1);
        }
        note[..NOTED.len()].copy_from_slice(NOTED);
        let path = note[NOTED.len()..].as_mut_ptr().cast();
        // One byte less than there is: the rest are zeros, and so is the last.
        if libc::readlink(SELF, path, PATH_LIMIT) > 0 {
            variables.push(note.as_ptr().cast());
        }
        variables.push(ptr::null());
        variables
    }
}

/// Runs this program again from a sealed executable, unless it is in one already.
/// Returns an explanation if that could not be done.
pub unsafe fn seal(argv: *const *const c_char) -> Result<(), &'static str> {
    unsafe {
        if is_sealed() {
            return Ok(());
        }
        let mut note = [0; PATH_LIMIT + 32];
        let variables = environment(&mut note);
        for open in [read_only_view, sealed_copy] {
            let fd = open();
            if fd >= 0 {
                libc::syscall(
                    libc::SYS_execveat,
                    fd,
                    c"".as_ptr(),
                    argv,
                    variables.as_ptr(),
                    libc::AT_EMPTY_PATH,
                );
                libc::close(fd);
            }
        }
        Err(
            "cannot run from a sealed executable: neither open_tree(2) nor memfd_create(2) allow it; is /proc there?",
        )
    }
}
