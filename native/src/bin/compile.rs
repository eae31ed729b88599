//! `mycontainer-compile OUT FILE...`: compiles bundled modules (`*.js`) to bytecode and packs them, with other files as
//! they are, into the archive that the host embeds (archive.rs).

use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use mycontainer_engine::*;
use std::ffi::CString;
use std::path::Path;

/// Stands for a module that is imported: compiling one looks whether those that it names are there.
unsafe extern "C" fn imported(
    ctx: *mut JSContext,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut JSModuleDef {
    unsafe extern "C" fn nothing(_ctx: *mut JSContext, _module: *mut JSModuleDef) -> c_int {
        0
    }
    unsafe { JS_NewCModule(ctx, name, Some(nothing)) }
}

fn compile(name: &str, source: &str) -> Result<Vec<u8>, String> {
    unsafe {
        let runtime = JS_NewRuntime();
        JS_SetModuleLoaderFunc(runtime, None, Some(imported), ptr::null_mut());
        let ctx = JS_NewContext(runtime);
        let text = CString::new(source).map_err(|_| "NUL in source".to_string())?;
        let file = CString::new(name).map_err(|_| "NUL in name".to_string())?;
        let flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
        let module = JS_Eval(
            ctx,
            text.as_ptr(),
            source.len() as _,
            file.as_ptr(),
            flags as _,
        );
        if JS_IsException(module) {
            let error = JS_ToCString(ctx, JS_GetException(ctx));
            return Err(std::ffi::CStr::from_ptr(error)
                .to_string_lossy()
                .into_owned());
        }
        let mut size = 0;
        let mut flags = JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE;
        // Positions in minified code tell nobody anything, and take time to load. import() needs its module's name.
        if !source.contains("import(") {
            flags |= JS_WRITE_OBJ_STRIP_DEBUG;
        }
        let bytes = JS_WriteObject(ctx, &mut size, module, flags as _);
        if bytes.is_null() {
            return Err("cannot write bytecode".to_string());
        }
        Ok(std::slice::from_raw_parts(bytes, size as usize).to_vec())
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments
        .next()
        .ok_or("usage: mycontainer-compile OUT FILE...")?;
    let files: Vec<String> = arguments.collect();
    let mut archive = (files.len() as u32).to_le_bytes().to_vec();
    for file in &files {
        let path = Path::new(file);
        let name = path
            .file_name()
            .ok_or("a file has no name")?
            .to_string_lossy();
        let source = std::fs::read(path).map_err(|error| format!("{file}: {error}"))?;
        let data = if name.ends_with(".js") {
            let text = String::from_utf8(source).map_err(|_| format!("{file}: not UTF-8"))?;
            compile(&name, &text).map_err(|error| format!("{file}: {error}"))?
        } else {
            source
        };
        archive.extend((name.len() as u32).to_le_bytes());
        archive.extend((data.len() as u32).to_le_bytes());
        archive.extend(name.as_bytes());
        archive.extend(data);
    }
    std::fs::write(&out, archive).map_err(|error| format!("{out}: {error}"))
}
