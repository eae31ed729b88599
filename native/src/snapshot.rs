//! The snapshot: the engine's heap as it is when every module of the program has been evaluated.
//!
//! `make` is what an executable without a snapshot does, at build time: it evaluates all modules, and writes a copy of
//! itself whose file has the arena as it is then. That copy, the product, finds the heap at its place when the kernel has
//! mapped its file, and begins by calling a function: it makes no engine, and reads and evaluates no module
//! (docs/decisions/0010-snapshot.md).

use crate::archive::Archive;
use crate::{arena, door, elf, layout, modules};
use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use mycontainer_engine::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Memory that the program may use before it looks for garbage first: more than a short command ever needs.
const COLLECT_AFTER_BYTES: usize = 4 << 20;
/// The module whose function `main` is called.
const ENTRY: &str = "main.js";

/// What a start needs of the snapshot. It lies in the arena.
pub struct Root {
    pub context: *mut JSContext,
    main: JSValue,
    host: JSValue,
    /// The archive's lists of commands that are sealed (main.rs).
    sealed_cli: &'static [u8],
    sealed_oci: &'static [u8],
}

impl Root {
    /// The commands of a face that start processes in containers, a line each.
    pub fn sealed_commands(&self, is_runtime: bool) -> &'static [u8] {
        if is_runtime {
            self.sealed_oci
        } else {
            self.sealed_cli
        }
    }
}

/// The snapshot of this executable, if it has one.
pub fn find() -> Option<&'static Root> {
    unsafe { arena::is_closed().then(|| &*arena::root().cast::<Root>()) }
}

/// Lets the program begin: gives it arguments and environment, and calls its function. The promise of its end.
pub unsafe fn start(root: &Root, argv: *const *const c_char) -> JSValue {
    unsafe {
        arena::open();
        let ctx = root.context;
        let runtime = JS_GetRuntime(ctx);
        JS_UpdateStackTop(runtime);
        JS_SetGCThreshold(runtime, (arena::extent().1 + COLLECT_AFTER_BYTES) as _);
        door::tell_process(ctx, root.host, argv);
        let ended = JS_Call(ctx, root.main, JS_UNDEFINED, 0, ptr::null_mut());
        modules::run_jobs(runtime);
        ended
    }
}

/// Makes the engine, with what the program may use of the language.
unsafe fn new_context() -> *mut JSContext {
    unsafe {
        let runtime = JS_NewRuntime2(&arena::FUNCTIONS, ptr::null_mut());
        JS_SetGCThreshold(runtime, usize::MAX as _);
        let ctx = JS_NewContextRaw(runtime);
        JS_AddIntrinsicBaseObjects(ctx);
        JS_AddIntrinsicRegExp(ctx);
        JS_AddIntrinsicJSON(ctx);
        JS_AddIntrinsicMapSet(ctx);
        JS_AddIntrinsicTypedArrays(ctx);
        JS_AddIntrinsicPromise(ctx);
        JS_AddIntrinsicDate(ctx);
        remove_random(ctx);
        ctx
    }
}

/// Takes Math.random away: its seed is part of the snapshot, so every start would draw the same numbers (getrandom(2)).
unsafe fn remove_random(ctx: *mut JSContext) {
    unsafe {
        let global = JS_GetGlobalObject(ctx);
        let math = JS_GetPropertyStr(ctx, global, c"Math".as_ptr());
        let name = JS_NewAtom(ctx, c"random".as_ptr());
        JS_DeleteProperty(ctx, math, name, 0);
        JS_FreeAtom(ctx, name);
        JS_FreeValue(ctx, math);
        JS_FreeValue(ctx, global);
    }
}

/// A copy in the arena of a file of the archive.
unsafe fn keep(
    ctx: *mut JSContext,
    archive: &Archive,
    name: &str,
) -> Result<&'static [u8], String> {
    unsafe {
        let bytes = archive
            .find(name)
            .ok_or(format!("the archive has no '{name}'"))?;
        let copy = js_malloc(ctx, bytes.len().max(1) as _).cast::<u8>();
        ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        Ok(core::slice::from_raw_parts(copy, bytes.len()))
    }
}

/// What an exception tells, with its stack.
pub unsafe fn describe(ctx: *mut JSContext, error: JSValue) -> String {
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

/// Evaluates every module of the archive, the entry last; the entry's function `main`.
unsafe fn evaluate(ctx: *mut JSContext, archive: &Archive) -> Result<JSValue, String> {
    unsafe {
        let mut names: Vec<&str> = archive
            .files()
            .map(|(name, _)| name)
            .filter(|name| name.ends_with(".js") && *name != ENTRY)
            .collect();
        names.push(ENTRY);
        let mut exports = JS_UNDEFINED;
        for name in names {
            JS_FreeValue(ctx, exports);
            exports = modules::evaluate(ctx, name)
                .map_err(|error| format!("{name}: {}", describe(ctx, error)))?;
        }
        let main = JS_GetPropertyStr(ctx, exports, c"main".as_ptr());
        JS_FreeValue(ctx, exports);
        if JS_IsFunction(ctx, main) {
            Ok(main)
        } else {
            Err(format!("{ENTRY} exports no function 'main'"))
        }
    }
}

/// Evaluates the program that `archive` is, so that it can be started.
unsafe fn evaluate_all(archive: &str) -> Result<(), String> {
    unsafe {
        let bytes: &'static [u8] = fs::read(archive)
            .map_err(|error| format!("{archive}: {error}"))?
            .leak();
        let archive = Archive::new(bytes);
        let ctx = new_context();
        modules::install(JS_GetRuntime(ctx), &archive);
        let host = door::install(ctx);
        let main = evaluate(ctx, &archive)?;
        let root = js_malloc(ctx, size_of::<Root>() as _).cast::<Root>();
        root.write(Root {
            context: ctx,
            main,
            host,
            sealed_cli: keep(ctx, &archive, "sealed-cli")?,
            sealed_oci: keep(ctx, &archive, "sealed-oci")?,
        });
        modules::uninstall(JS_GetRuntime(ctx));
        JS_FinishObjects(JS_GetRuntime(ctx));
        JS_RunGC(JS_GetRuntime(ctx));
        arena::close(JS_GetRuntime(ctx), root.cast::<c_void>())
    }
}

/// Gets the program that `archive` is ready for one command, and records which parts of it that uses (layout.rs).
pub unsafe fn observe(record: &str, archive: &str) -> Result<(), String> {
    layout::begin_observing(record)?;
    unsafe { evaluate_all(archive)? };
    layout::watch()
}

/// Writes this executable to `out`, with a snapshot of the program that `archive` is, laid out as `record` says.
pub unsafe fn make(record: &str, archive: &str, out: &str) -> Result<(), String> {
    unsafe {
        arena::reserve(layout::begin_placing(record)?)?;
        evaluate_all(archive)?;
        write(out)
    }
}

unsafe fn write(out: &str) -> Result<(), String> {
    unsafe {
        let own = "/proc/self/exe";
        let mut file = fs::read(own).map_err(|error| format!("{own}: {error}"))?;
        let (address, length) = arena::extent();
        let heap = core::slice::from_raw_parts(address as *const u8, length);
        elf::check_portable(&file, heap)?;
        let offset = elf::offset_of(&file, address, length)?;
        file[offset..offset + length].copy_from_slice(heap);
        fs::write(out, &file).map_err(|error| format!("{out}: {error}"))?;
        fs::set_permissions(out, fs::Permissions::from_mode(0o755))
            .map_err(|error| format!("{out}: {error}"))
    }
}
