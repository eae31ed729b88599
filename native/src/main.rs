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

/// Makes the product of an executable that has no snapshot yet: what the build calls with an archive and a path.
unsafe fn make_snapshot(argc: c_int, argv: *const *const c_char) -> c_int {
    let mut arguments = unsafe { arguments(argc, argv) }
        .skip(1)
        .map(|argument| String::from_utf8_lossy(argument).into_owned());
    let (Some(archive), Some(out)) = (arguments.next(), arguments.next()) else {
        return fail(
            "this executable has no program yet; give it an archive of modules and a path to write to",
        );
    };
    match unsafe { snapshot::make(&archive, &out) } {
        Ok(()) => 0,
        Err(reason) => fail(&format!("cannot make the snapshot: {reason}")),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    unsafe {
        let Some(root) = snapshot::find() else {
            return make_snapshot(argc, argv);
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
