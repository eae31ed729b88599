//! Modules: bytecode from the archive, by name, while the snapshot is made.

use crate::archive::Archive;
use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use mycontainer_engine::*;
use std::ffi::CString;

/// Imports name modules as `./name.js`; the archive has them as `name.js`.
unsafe extern "C" fn normalize(
    ctx: *mut JSContext,
    _base: *const c_char,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut c_char {
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes();
        let plain = bytes.strip_prefix(b"./").unwrap_or(bytes);
        js_strndup(ctx, plain.as_ptr().cast(), plain.len() as _)
    }
}

/// The loader of a program that runs: every module that there is has been loaded.
unsafe extern "C" fn refuse(
    ctx: *mut JSContext,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut JSModuleDef {
    unsafe {
        JS_ThrowReferenceError(ctx, c"no module '%s' in this executable".as_ptr(), name);
        ptr::null_mut()
    }
}

unsafe extern "C" fn load(
    ctx: *mut JSContext,
    name: *const c_char,
    opaque: *mut c_void,
) -> *mut JSModuleDef {
    unsafe {
        let archive = &*opaque.cast::<Archive>();
        let bytecode = CStr::from_ptr(name)
            .to_str()
            .ok()
            .and_then(|name| archive.find(name));
        let Some(bytecode) = bytecode else {
            return refuse(ctx, name, opaque);
        };
        let module = JS_ReadObject(
            ctx,
            bytecode.as_ptr(),
            bytecode.len() as _,
            JS_READ_OBJ_BYTECODE as _,
        );
        if JS_IsException(module) {
            return ptr::null_mut();
        }
        let definition = JS_VALUE_GET_PTR(module).cast();
        JS_FreeValue(ctx, module);
        definition
    }
}

/// Has the engine load modules from the archive.
pub unsafe fn install(runtime: *mut JSRuntime, archive: &Archive) {
    unsafe {
        let opaque = ptr::from_ref(archive).cast_mut().cast();
        JS_SetModuleLoaderFunc(runtime, Some(normalize), Some(load), opaque);
    }
}

/// Has the engine load no more modules.
pub unsafe fn uninstall(runtime: *mut JSRuntime) {
    unsafe { JS_SetModuleLoaderFunc(runtime, Some(normalize), Some(refuse), ptr::null_mut()) }
}

/// Runs what waits to be run, until nothing does.
pub unsafe fn run_jobs(runtime: *mut JSRuntime) {
    let mut ctx = ptr::null_mut();
    unsafe { while JS_ExecutePendingJob(runtime, &mut ctx) > 0 {} }
}

/// Loads and evaluates a module of the archive and what it imports: its exports, or the exception.
pub unsafe fn evaluate(ctx: *mut JSContext, name: &str) -> Result<JSValue, JSValue> {
    unsafe {
        let name = CString::new(name).unwrap_or_default();
        let promise = JS_LoadModule(ctx, c"".as_ptr(), name.as_ptr());
        if JS_IsException(promise) {
            return Err(JS_GetException(ctx));
        }
        run_jobs(JS_GetRuntime(ctx));
        let result = JS_PromiseResult(ctx, promise);
        let state = JS_PromiseState(ctx, promise);
        JS_FreeValue(ctx, promise);
        if state == JSPromiseStateEnum_JS_PROMISE_FULFILLED {
            return Ok(result);
        }
        if state == JSPromiseStateEnum_JS_PROMISE_REJECTED {
            return Err(result);
        }
        JS_ThrowTypeError(ctx, c"its top level waits for something".as_ptr());
        Err(JS_GetException(ctx))
    }
}
