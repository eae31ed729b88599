//! Where the kernel begins with the executable: before the C library has prepared anything.
//!
//! A command that starts processes in containers is executed twice, the second time from a sealed executable (seal.rs). What the
//! C library does at a start would be done twice, too: it takes longer than the rest of the first start together, so this goes
//! before it. Nothing here may need the C library: no thread-local variables, no function of it, not even those that the
//! compiler puts in for copying and comparing memory.

use crate::kernel::call;
use crate::{seal, snapshot};
use core::arch::global_asm;
use core::ffi::c_char;

/// How src/main.ts knows that the OCI face is called.
const RUNTIME_NAME: &[u8] = b"mycontainer-runtime";
/// The whole name of what it may stand in for.
const STANDS_IN_FOR: &[u8] = b"runc\0";

// The stack holds argc, argv, the environment and more: System V ABI, "Initial Stack and Register State".
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl mycontainer_entry",
    "mycontainer_entry:",
    "xor ebp, ebp",
    "mov rbx, rsp",
    "mov r12, rdx",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {before}",
    "mov rsp, rbx",
    "mov rdx, r12",
    "jmp _start",
    before = sym before,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl mycontainer_entry",
    "mycontainer_entry:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x19, x0",
    "mov x0, sp",
    "bl {before}",
    "mov x0, x19",
    "b _start",
    before = sym before,
);

/// Goes on as a sealed executable if the command needs one; returns if it does not, or if this is one.
unsafe extern "C" fn before(stack: *const usize) {
    unsafe {
        let argc = *stack;
        let argv = stack.add(1).cast::<*const c_char>();
        let environment = argv.add(argc + 1);
        open_standard_streams();
        let Some(root) = snapshot::find() else {
            return;
        };
        if starts_processes(root, argv) {
            seal::seal(argv, environment);
        }
    }
}

/// `struct pollfd`: poll(2).
#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}
const POLLNVAL: i16 = 0x20;
const AT_FDCWD: isize = -100;

/// Opens /dev/null for each of the standard streams that is closed: else the next file that is opened would be it, and a
/// container's program would have that.
unsafe fn open_standard_streams() {
    let mut streams = [0, 1, 2].map(|fd| PollFd {
        fd,
        events: 0,
        revents: 0,
    });
    let no_time = [0i64; 2];
    unsafe {
        let (at, time) = (streams.as_mut_ptr() as usize, no_time.as_ptr() as usize);
        if call(libc::SYS_ppoll, [at, streams.len(), time, 0, 0, 0]) <= 0 {
            return;
        }
        for PollFd { revents, .. } in &streams {
            if revents & POLLNVAL != 0 {
                let path = c"/dev/null".as_ptr() as usize;
                call(
                    libc::SYS_openat,
                    [AT_FDCWD as usize, path, libc::O_RDWR as usize, 0, 0, 0],
                );
            }
        }
    }
}

/// Whether one of the arguments is a command that starts processes in containers; the snapshot says which do.
unsafe fn starts_processes(root: &snapshot::Root, argv: *const *const c_char) -> bool {
    unsafe {
        if (*argv).is_null() {
            return false;
        }
        let name = last_name(*argv);
        let is_runtime = begins_with(name, RUNTIME_NAME) || begins_with(name, STANDS_IN_FOR);
        let commands = root.sealed_commands(is_runtime);
        let mut argument = argv.add(1);
        while !(*argument).is_null() {
            if is_line_of(commands, *argument) {
                return true;
            }
            argument = argument.add(1);
        }
        false
    }
}

/// What comes after the last slash of a path.
unsafe fn last_name(path: *const c_char) -> *const c_char {
    unsafe {
        let (mut name, mut at) = (path, path);
        while *at != 0 {
            at = at.add(1);
            if *at.sub(1) as u8 == b'/' {
                name = at;
            }
        }
        name
    }
}

/// Whether a string begins so.
pub unsafe fn begins_with(string: *const c_char, start: &[u8]) -> bool {
    let mut index = 0;
    while index < start.len() {
        // Volatile reads: the compiler would make a call of memcmp(3) of this.
        if unsafe { string.add(index).read_volatile() } as u8 != start[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Whether a string is one of the lines of a text.
unsafe fn is_line_of(text: &[u8], string: *const c_char) -> bool {
    let mut start = 0;
    while start < text.len() {
        let mut end = start;
        while end < text.len() && text[end] != b'\n' {
            end += 1;
        }
        let line = &text[start..end];
        if unsafe { begins_with(string, line) && *string.add(line.len()) == 0 } {
            return true;
        }
        start = end + 1;
    }
    false
}
