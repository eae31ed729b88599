//! Keeps our own executable out of reach of what runs in a container (CVE-2019-5736).
//!
//! A process of a container can get hold of the executable that started it by /proc/PID/exe, and write to it if it is
//! root there. So the commands that start processes in containers run from a detached read-only view of the
//! executable; where that cannot be had, from a sealed copy in memory. It is done before anything else (entry.rs), when the
//! second execve(2) costs least (docs/decisions/0003-sealed-executable.md has the figures).

use crate::entry::begins_with;
use crate::kernel::call;
use core::ffi::{CStr, c_char};
use core::{mem, ptr};

const SELF: &CStr = c"/proc/self/exe";
const SEALS: libc::c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
const HERE: usize = libc::AT_FDCWD as usize;
/// `struct statfs` in words of a 64-bit machine (asm-generic/statfs.h), and the place of `f_flags` in it.
const STATFS_WORDS: usize = 15;
const STATFS_FLAGS: usize = 10;
const EXIT_OWN_FAILURE: usize = 125;
const REFUSAL: &[u8] = b"mycontainer: cannot run from a sealed executable: neither open_tree(2) nor memfd_create(2) allow it; is /proc there?\n";

/// The variable in which the path of the executable goes on: a sealed one has none, and finds nothing beside itself.
const NOTED: &[u8] = b"MYCONTAINER_EXECUTABLE=";
const PATH_LIMIT: usize = 4096;

/// Runs this program again from a sealed executable, unless it is in one already. Ends the process if that cannot be done.
pub unsafe fn seal(argv: *const *const c_char, environment: *const *const c_char) {
    unsafe {
        if is_sealed() {
            return;
        }
        let variables = with_note(environment);
        for open in [read_only_view, sealed_copy] {
            let fd = open();
            if fd >= 0 {
                call(
                    libc::SYS_execveat,
                    [
                        fd as usize,
                        c"".as_ptr() as usize,
                        argv as usize,
                        variables as usize,
                        libc::AT_EMPTY_PATH as usize,
                        0,
                    ],
                );
                close(fd);
            }
        }
        let text = REFUSAL.as_ptr() as usize;
        call(libc::SYS_write, [2, text, REFUSAL.len(), 0, 0, 0]);
        call(libc::SYS_exit_group, [EXIT_OWN_FAILURE, 0, 0, 0, 0, 0]);
    }
}

unsafe fn close(fd: isize) {
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

unsafe fn open_self() -> isize {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    unsafe {
        call(
            libc::SYS_openat,
            [HERE, SELF.as_ptr() as usize, flags, 0, 0, 0],
        )
    }
}

/// Whether the running executable can be reopened for writing by nobody.
unsafe fn is_sealed() -> bool {
    unsafe {
        let mut facts = mem::MaybeUninit::<[u64; STATFS_WORDS]>::uninit();
        let pointer = facts.as_mut_ptr();
        let found = call(
            libc::SYS_statfs,
            [SELF.as_ptr() as usize, pointer as usize, 0, 0, 0, 0],
        );
        if found == 0 && (*pointer)[STATFS_FLAGS] & libc::ST_RDONLY != 0 {
            return true;
        }
        let fd = open_self();
        let seals = call(
            libc::SYS_fcntl,
            [fd as usize, libc::F_GET_SEALS as usize, 0, 0, 0, 0],
        );
        close(fd);
        seals > 0 && seals & SEALS as isize == SEALS as isize
    }
}

/// A descriptor of a read-only view of the executable: a clone of what it lies on, attached nowhere (open_tree(2)).
unsafe fn read_only_view() -> isize {
    unsafe {
        const OPEN_TREE_CLONE: libc::c_int = 1;
        #[repr(C)]
        struct Attributes {
            set: u64,
            clear: u64,
            propagation: u64,
            userns_fd: u64,
        }
        const READ_ONLY: u64 = 1;
        let flags = (OPEN_TREE_CLONE | libc::O_CLOEXEC) as usize;
        let fd = call(
            libc::SYS_open_tree,
            [HERE, SELF.as_ptr() as usize, flags, 0, 0, 0],
        );
        if fd < 0 {
            return fd;
        }
        let wanted = Attributes {
            set: READ_ONLY,
            clear: 0,
            propagation: 0,
            userns_fd: 0,
        };
        let done = call(
            libc::SYS_mount_setattr,
            [
                fd as usize,
                c"".as_ptr() as usize,
                libc::AT_EMPTY_PATH as usize,
                &raw const wanted as usize,
                size_of::<Attributes>(),
                0,
            ],
        );
        if done == 0 {
            return fd;
        }
        close(fd);
        done
    }
}

/// A descriptor of a sealed copy of the executable in memory (memfd_create(2)).
unsafe fn sealed_copy() -> isize {
    unsafe {
        let from = open_self();
        let flags = (libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) as usize;
        let to = call(
            libc::SYS_memfd_create,
            [c"mycontainer".as_ptr() as usize, flags, 0, 0, 0, 0],
        );
        if from < 0 || to < 0 {
            return -1;
        }
        loop {
            match call(
                libc::SYS_sendfile,
                [to as usize, from as usize, 0, 1 << 30, 0, 0],
            ) {
                0 => break,
                length if length < 0 => return length,
                _ => {}
            }
        }
        close(from);
        let arguments = [
            to as usize,
            libc::F_ADD_SEALS as usize,
            SEALS as usize,
            0,
            0,
            0,
        ];
        match call(libc::SYS_fcntl, arguments) {
            0 => to,
            failed => failed,
        }
    }
}

/// The environment with the executable's path in it. What was given under that name is left out. As it was, if there is no
/// memory for it.
unsafe fn with_note(environment: *const *const c_char) -> *const *const c_char {
    unsafe {
        let mut count = 0;
        while !(*environment.add(count)).is_null() {
            count += 1;
        }
        let bytes = (count + 2) * size_of::<usize>() + NOTED.len() + PATH_LIMIT;
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let kind = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        let memory = call(libc::SYS_mmap, [0, bytes, protection, kind, usize::MAX, 0]);
        if memory < 0 {
            return environment;
        }
        let variables = memory as *mut *const c_char;
        let mut kept = 0;
        for index in 0..count {
            let variable = *environment.add(index);
            if !begins_with(variable, NOTED) {
                variables.add(kept).write_volatile(variable);
                kept += 1;
            }
        }
        let note = variables.add(count + 2).cast::<u8>();
        for (index, byte) in NOTED.iter().enumerate() {
            note.add(index).write_volatile(*byte);
        }
        // One byte less than there is: what follows the path is zero.
        let path = note.add(NOTED.len()) as usize;
        let arguments = [HERE, SELF.as_ptr() as usize, path, PATH_LIMIT - 1, 0, 0];
        if call(libc::SYS_readlinkat, arguments) > 0 {
            variables.add(kept).write_volatile(note.cast());
            kept += 1;
        }
        variables.add(kept).write_volatile(ptr::null());
        variables
    }
}
