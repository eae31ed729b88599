#![no_main]
//! The host: runs from a sealed executable (entry.rs), finds the program's heap at its place (snapshot.rs), gives it the door to
//! the kernel, and calls its `main`.
//! It decides nothing about containers; that is what the TypeScript in src/ is for.

mod archive;
mod arena;
mod door;
mod elf;
mod entry;
mod kernel;
mod layout;
mod modules;
mod seal;
mod snapshot;

use core::ffi::{CStr, c_char, c_int};
use mycontainer_engine::*;
use std::io::Write;

/// The exit status for what is our own failure, as docker and podman have it.
const EXIT_OWN_FAILURE: c_int = 125;

fn fail(message: &str) -> c_int {
    let _ = writeln!(std::io::stderr(), "mycontainer: {message}");
    EXIT_OWN_FAILURE
}

/// The arguments as bytes.
unsafe fn arguments(
    argc: c_int,
    argv: *const *const c_char,
) -> impl Iterator<Item = &'static [u8]> {
    (0..argc as usize).map(move |index| unsafe { CStr::from_ptr(*argv.add(index)).to_bytes() })
}

/// What an executable does that has no snapshot yet: `--observe RECORD ARCHIVE NAME ARGUMENTS...` runs a command of the program and
/// records what it uses; `RECORD ARCHIVE OUT` makes the product by that.
unsafe fn prepare_snapshot(argc: c_int, argv: *const *const c_char) -> c_int {
    let words: Vec<_> = unsafe { arguments(argc, argv) }
        .map(String::from_utf8_lossy)
        .collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let done = match words[..] {
        [_, "--observe", record, archive, _, ..] => unsafe { snapshot::observe(record, archive) },
        [_, record, archive, out] => unsafe { snapshot::make(record, archive, out) },
        _ => Err("this executable has no program yet; give it a record of uses, an archive of modules and a path to write to".into()),
    };
    match (done, words[..].get(1)) {
        (Err(reason), _) => fail(&format!("cannot make the snapshot: {reason}")),
        (Ok(()), Some(&"--observe")) => unsafe { run(argv.add(OBSERVED_COMMAND)) },
        (Ok(()), _) => 0,
    }
}

/// Which argument the command begins with that is observed.
const OBSERVED_COMMAND: usize = 4;

/// Runs the program of the snapshot: its exit status.
unsafe fn run(argv: *const *const c_char) -> c_int {
    unsafe {
        let Some(root) = snapshot::find() else {
            return fail("internal error: there is no program");
        };
        let ctx = root.context;
        let ended = snapshot::start(root, argv);
        // Everything is given back by exiting: no time is spent on freeing it piece by piece.
        if JS_IsException(ended) {
            return fail(&snapshot::describe(ctx, JS_GetException(ctx)));
        }
        let state = JS_PromiseState(ctx, ended);
        if state == JSPromiseStateEnum_JS_PROMISE_REJECTED {
            fail(&snapshot::describe(ctx, JS_PromiseResult(ctx, ended)))
        } else if state == JSPromiseStateEnum_JS_PROMISE_PENDING {
            fail("internal error: the program waits for nothing")
        } else {
            0
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    unsafe {
        if snapshot::find().is_some() {
            run(argv)
        } else {
            prepare_snapshot(argc, argv)
        }
    }
}
