//! Modules: bytecode from the archive, by name, when they are first imported.

use crate::archive::Archive;
use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use rquickjs_sys::*;

pub static ARCHIVE: Archive<'static> = Archive::new(include_bytes!(env!("MYCONTAINER_MODULES")));

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

unsafe extern "C" fn load(
    ctx: *mut JSContext,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut JSModuleDef {
    unsafe {
        let bytecode = CStr::from_ptr(name)
            .to_str()
            .ok()
            .and_then(|name| ARCHIVE.find(name));
        let Some(bytecode) = bytecode else {
            JS_ThrowReferenceError(ctx, c"no module '%s' in this executable".as_ptr(), name);
            return ptr::null_mut();
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

pub unsafe fn install(runtime: *mut JSRuntime) {
    unsafe { JS_SetModuleLoaderFunc(runtime, Some(normalize), Some(load), ptr::null_mut()) }
}

/// Evaluates a module of the archive and all that it awaits; the promise of its end.
pub unsafe fn run(ctx: *mut JSContext, name: &CStr) -> JSValue {
    unsafe {
        let definition = load(ctx, name.as_ptr(), ptr::null_mut());
        if definition.is_null() {
            return JS_EXCEPTION;
        }
        let module = JS_MKPTR(JS_TAG_MODULE, definition.cast());
        if JS_ResolveModule(ctx, module) != 0 {
            return JS_EXCEPTION;
        }
        let promise = JS_EvalFunction(ctx, module);
        let mut job_context = ptr::null_mut();
        while JS_ExecutePendingJob(JS_GetRuntime(ctx), &mut job_context) > 0 {}
        promise
    }
}
