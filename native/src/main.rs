#![no_main]
//! The host: starts QuickJS-ng, gives it the door to the kernel, and runs `main.js` of the embedded bytecode.
//! It decides nothing about containers; that is what the TypeScript in src/ is for.

mod archive;
mod door;
mod modules;
mod seal;

use core::ffi::{CStr, c_char, c_int};
use rquickjs_sys::*;
use std::io::Write;

/// The exit status for what is our own failure, as docker and podman have it.
const EXIT_OWN_FAILURE: c_int = 125;
/// How src/main.ts knows that the OCI face is called.
const RUNTIME_NAME: &[u8] = b"mycontainer-runtime";
/// Memory that the engine may use before it looks for garbage first: more than a short command ever needs.
const COLLECT_AFTER_BYTES: usize = 4 << 20;

fn fail(message: &str) -> c_int {
    let _ = writeln!(std::io::stderr(), "mycontainer: {message}");
    EXIT_OWN_FAILURE
}

/// Whether one of the arguments is a command that starts processes in containers; the bundle says which do.
unsafe fn starts_processes(argc: c_int, argv: *const *const c_char) -> bool {
    unsafe {
        let name = (argc > 0).then(|| CStr::from_ptr(*argv).to_bytes());
        let is_runtime = name
            .and_then(|name| name.rsplit(|byte| *byte == b'/').next())
            .is_some_and(|name| name.starts_with(RUNTIME_NAME));
        let list = if is_runtime {
            "sealed-oci"
        } else {
            "sealed-cli"
        };
        let commands = modules::ARCHIVE.find(list).unwrap_or_default();
        (1..argc as usize).any(|index| {
            let argument = CStr::from_ptr(*argv.add(index)).to_bytes();
            commands
                .split(|byte| *byte == b'\n')
                .any(|command| command == argument)
        })
    }
}

unsafe fn describe_exception(ctx: *mut JSContext, error: JSValue) -> String {
    unsafe {
        let mut text = String::new();
        for value in [
            JS_DupValue(ctx, error),
            JS_GetPropertyStr(ctx, error, c"stack".as_ptr()),
        ] {
            let chars = JS_ToCString(ctx, value);
            if !chars.is_null() && !JS_IsUndefined(value) {
                text.push_str(&CStr::from_ptr(chars).to_string_lossy());
                text.push('\n');
            }
            JS_FreeCString(ctx, chars);
            JS_FreeValue(ctx, value);
        }
        text
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    unsafe {
        if starts_processes(argc, argv) {
            if let Err(reason) = seal::seal(argv) {
                return fail(reason);
            }
        }
        let runtime = JS_NewRuntime();
        JS_SetGCThreshold(runtime, COLLECT_AFTER_BYTES as _);
        modules::install(runtime);
        let ctx = JS_NewContextRaw(runtime);
        JS_AddIntrinsicBaseObjects(ctx);
        JS_AddIntrinsicRegExp(ctx);
        JS_AddIntrinsicJSON(ctx);
        JS_AddIntrinsicMapSet(ctx);
        JS_AddIntrinsicTypedArrays(ctx);
        JS_AddIntrinsicPromise(ctx);
        JS_AddIntrinsicDate(ctx);
        door::install(ctx, argv);
        let ended = modules::run(ctx, c"main.js");
        // Everything is given back by exiting: no time is spent on freeing it piece by piece.
        if JS_IsException(ended) {
            return fail(&describe_exception(ctx, JS_GetException(ctx)));
        }
        let state = JS_PromiseState(ctx, ended);
        if state == JSPromiseStateEnum_JS_PROMISE_REJECTED {
            fail(&describe_exception(ctx, JS_PromiseResult(ctx, ended)))
        } else if state == JSPromiseStateEnum_JS_PROMISE_PENDING {
            fail("internal error: the program waits for nothing")
        } else {
            0
        }
    }
}
