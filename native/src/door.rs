//! What scripts see of the process they run in: the global `host`.
//!
//! `host.syscall(number, ...arguments)` is the whole way to the kernel. Arguments are integers (numbers or
//! BigInts), strings (passed as NUL-terminated bytes that live for the call), array buffers and typed arrays (passed as
//! pointers), booleans, and null or undefined (0). The result is the kernel's: a value, or `-errno`.
//!
//! Bytes that are not UTF-8 survive the way into a string and back: byte 0x80..0xFF becomes the lone surrogate
//! U+DC80..U+DCFF, as Python's "surrogateescape" does.

use crate::{arena, layout};
use core::ffi::{c_char, c_int};
use core::{ptr, slice};
use mycontainer_engine::*;

const MAX_ARGUMENTS: usize = 6;

/// A string that was lent to a system call, until the call has returned.
enum Lent {
    Nothing,
    Engine(*const c_char),
    Own(#[allow(dead_code)] Vec<u8>),
}

/// Undoes the surrogate escapes in the engine's encoding of a string (lone surrogates come as three bytes).
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == 0xED && at + 2 < bytes.len() && matches!(bytes[at + 1], 0xB2 | 0xB3) {
            let low = ((u16::from(bytes[at + 1]) & 0x3F) << 6) | (u16::from(bytes[at + 2]) & 0x3F);
            // U+DC80..U+DCFF carry a byte each; other lone surrogates have none.
            if (0xC80..=0xCFF).contains(&low) {
                out.push((low & 0xFF) as u8);
                at += 3;
                continue;
            }
        }
        out.push(bytes[at]);
        at += 1;
    }
    out
}

/// The bytes of a buffer argument: an ArrayBuffer, or any view of one.
unsafe fn bytes_of(ctx: *mut JSContext, value: JSValue) -> Option<(*mut u8, usize)> {
    unsafe {
        if JS_GetTypedArrayType(value) >= 0 {
            let (mut offset, mut length, mut element) = (0, 0, 0);
            let buffer = JS_GetTypedArrayBuffer(ctx, value, &mut offset, &mut length, &mut element);
            if JS_IsException(buffer) {
                return None;
            }
            let mut size = 0;
            let base = JS_GetArrayBuffer(ctx, &mut size, buffer);
            JS_FreeValue(ctx, buffer);
            return (!base.is_null() || length == 0)
                .then(|| (base.wrapping_add(offset as usize), length as usize));
        }
        let mut size = 0;
        let base = JS_GetArrayBuffer(ctx, &mut size, value);
        if base.is_null() && JS_HasException(ctx) {
            return None;
        }
        Some((base, size as usize))
    }
}

unsafe fn lend_string(ctx: *mut JSContext, value: JSValue) -> Result<(i64, Lent), &'static str> {
    unsafe {
        let mut length = 0;
        let text = JS_ToCStringLen(ctx, &mut length, value);
        if text.is_null() {
            return Err("out of memory");
        }
        let bytes = slice::from_raw_parts(text.cast::<u8>(), length);
        if bytes.contains(&0) {
            JS_FreeCString(ctx, text);
            return Err("a string with a NUL byte cannot be passed to the kernel");
        }
        if !bytes.contains(&0xED) {
            return Ok((text as i64, Lent::Engine(text)));
        }
        let mut own = unescape(bytes);
        JS_FreeCString(ctx, text);
        if own.contains(&0) {
            return Err("a string with a NUL byte cannot be passed to the kernel");
        }
        own.push(0);
        Ok((own.as_ptr() as i64, Lent::Own(own)))
    }
}

unsafe fn argument(ctx: *mut JSContext, value: JSValue) -> Result<(i64, Lent), &'static str> {
    unsafe {
        match JS_VALUE_GET_NORM_TAG(value) {
            JS_TAG_INT | JS_TAG_BOOL => Ok((i64::from(JS_VALUE_GET_INT(value)), Lent::Nothing)),
            JS_TAG_NULL | JS_TAG_UNDEFINED => Ok((0, Lent::Nothing)),
            JS_TAG_FLOAT64 => {
                let number = JS_VALUE_GET_FLOAT64(value);
                if number.fract() != 0.0 || number.abs() > 9_007_199_254_740_992.0 {
                    return Err("a number that is no safe integer cannot be passed to the kernel");
                }
                Ok((number as i64, Lent::Nothing))
            }
            JS_TAG_STRING | JS_TAG_STRING_ROPE => lend_string(ctx, value),
            JS_TAG_OBJECT => bytes_of(ctx, value)
                .map(|(base, size)| {
                    layout::lend(base, size);
                    (base as i64, Lent::Nothing)
                })
                .ok_or("an object that is no buffer cannot be passed to the kernel"),
            _ if JS_IsBigInt(value) => {
                let mut number = 0;
                JS_ToBigInt64(ctx, &mut number, value);
                Ok((number, Lent::Nothing))
            }
            _ => Err("a value of this type cannot be passed to the kernel"),
        }
    }
}

/// A number: an integer of the engine where it fits, as a double where it does not.
fn new_number(value: i64) -> JSValue {
    i32::try_from(value).map_or_else(
        |_| JS_NewFloat64(value as f64),
        |small| JS_MKVAL(JS_TAG_INT, small),
    )
}

unsafe fn throw(ctx: *mut JSContext, message: &str) -> JSValue {
    unsafe {
        let message = std::ffi::CString::new(message).unwrap_or_default();
        JS_ThrowTypeError(ctx, c"%s".as_ptr(), message.as_ptr())
    }
}

unsafe extern "C" fn syscall(
    ctx: *mut JSContext,
    _this: JSValue,
    count: c_int,
    values: *mut JSValue,
) -> JSValue {
    unsafe {
        if !arena::is_closed() {
            return throw(ctx, "the top level of a module makes no system calls");
        }
        let values = slice::from_raw_parts(values, count as usize);
        if values.is_empty() || values.len() > MAX_ARGUMENTS + 1 {
            return throw(ctx, "syscall takes a number and up to six arguments");
        }
        let mut raw = [0i64; MAX_ARGUMENTS + 1];
        let mut lent = [const { Lent::Nothing }; MAX_ARGUMENTS + 1];
        let mut refused = None;
        for (index, value) in values.iter().enumerate() {
            match argument(ctx, *value) {
                Ok((number, keep)) => (raw[index], lent[index]) = (number, keep),
                Err(reason) => {
                    refused = Some(reason);
                    break;
                }
            }
        }
        let result = if refused.is_some() {
            0
        } else {
            match libc::syscall(raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6]) {
                -1 => -i64::from(*libc::__errno_location()),
                value => value,
            }
        };
        layout::after(raw[0]);
        for keep in lent {
            if let Lent::Engine(text) = keep {
                JS_FreeCString(ctx, text);
            }
        }
        match refused {
            Some(reason) => throw(ctx, reason),
            None => new_number(result),
        }
    }
}

/// `addressOf(buffer)`: where its first byte lies, for structs that hold pointers. Valid as long as the buffer lives.
unsafe extern "C" fn address_of(
    ctx: *mut JSContext,
    _this: JSValue,
    _count: c_int,
    values: *mut JSValue,
) -> JSValue {
    unsafe {
        match bytes_of(ctx, *values) {
            Some((base, size)) => {
                layout::lend(base, size);
                new_number(base as i64)
            }
            None => throw(ctx, "addressOf takes an array buffer or a typed array"),
        }
    }
}

/// `encode(string)`: its bytes, as an ArrayBuffer.
unsafe extern "C" fn encode(
    ctx: *mut JSContext,
    _this: JSValue,
    _count: c_int,
    values: *mut JSValue,
) -> JSValue {
    unsafe {
        let mut length = 0;
        let text = JS_ToCStringLen(ctx, &mut length, *values);
        if text.is_null() {
            return JS_EXCEPTION;
        }
        let bytes = slice::from_raw_parts(text.cast::<u8>(), length);
        let own = bytes.contains(&0xED).then(|| unescape(bytes));
        let bytes = own.as_deref().unwrap_or(bytes);
        let buffer = JS_NewArrayBufferCopy(ctx, bytes.as_ptr(), bytes.len() as _);
        JS_FreeCString(ctx, text);
        buffer
    }
}

unsafe fn new_string(ctx: *mut JSContext, bytes: &[u8]) -> JSValue {
    unsafe {
        if core::str::from_utf8(bytes).is_ok() {
            return JS_NewStringLen(ctx, bytes.as_ptr().cast(), bytes.len() as _);
        }
        let mut units = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            units.extend(chunk.valid().encode_utf16());
            units.extend(chunk.invalid().iter().map(|byte| 0xDC00 | u16::from(*byte)));
        }
        JS_NewStringUTF16(ctx, units.as_ptr(), units.len() as _)
    }
}

/// `decode(buffer, start, end)`: the string that those bytes are.
unsafe extern "C" fn decode(
    ctx: *mut JSContext,
    _this: JSValue,
    count: c_int,
    values: *mut JSValue,
) -> JSValue {
    unsafe {
        let values = slice::from_raw_parts(values, count as usize);
        let Some((base, size)) = bytes_of(ctx, values[0]) else {
            return throw(ctx, "decode takes an array buffer or a typed array");
        };
        let mut bound = [0, size as i64];
        for (index, value) in values.iter().skip(1).take(2).enumerate() {
            if !JS_IsUndefined(*value) && JS_ToInt64(ctx, &mut bound[index], *value) != 0 {
                return JS_EXCEPTION;
            }
        }
        let [start, end] = bound;
        if start < 0 || start > end || end > size as i64 {
            return throw(ctx, "decode was given a range outside of the buffer");
        }
        if start == end {
            return new_string(ctx, &[]);
        }
        new_string(
            ctx,
            slice::from_raw_parts(base.add(start as usize), (end - start) as usize),
        )
    }
}

unsafe fn new_list(ctx: *mut JSContext, mut strings: *const *const c_char) -> JSValue {
    unsafe {
        let list = JS_NewArray(ctx);
        let mut index = 0;
        while !(*strings).is_null() {
            let bytes = core::ffi::CStr::from_ptr(*strings).to_bytes();
            JS_DefinePropertyValueUint32(
                ctx,
                list,
                index,
                new_string(ctx, bytes),
                JS_PROP_C_W_E as _,
            );
            index += 1;
            strings = strings.add(1);
        }
        list
    }
}

/// Makes the global `host`, without what differs from process to process.
pub unsafe fn install(ctx: *mut JSContext) -> JSValue {
    unsafe {
        let host = JS_NewObject(ctx);
        let functions: [(&core::ffi::CStr, JSCFunction, c_int); 4] = [
            (c"syscall", Some(syscall), 7),
            (c"addressOf", Some(address_of), 1),
            (c"encode", Some(encode), 1),
            (c"decode", Some(decode), 3),
        ];
        for (name, function, length) in functions {
            let value = JS_NewCFunction2(
                ctx,
                function,
                name.as_ptr(),
                length,
                JSCFunctionEnum_JS_CFUNC_generic,
                0,
            );
            JS_SetPropertyStr(ctx, host, name.as_ptr(), value);
        }
        let arch = new_string(ctx, std::env::consts::ARCH.as_bytes());
        JS_SetPropertyStr(ctx, host, c"arch".as_ptr(), arch);
        let global = JS_GetGlobalObject(ctx);
        JS_SetPropertyStr(ctx, global, c"host".as_ptr(), JS_DupValue(ctx, host));
        JS_FreeValue(ctx, global);
        host
    }
}

/// Gives `host` the process's arguments and environment.
pub unsafe fn tell_process(ctx: *mut JSContext, host: JSValue, argv: *const *const c_char) {
    unsafe {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        JS_SetPropertyStr(ctx, host, c"args".as_ptr(), new_list(ctx, argv));
        let none: *const c_char = ptr::null();
        let environment = if environ.is_null() {
            &raw const none
        } else {
            environ
        };
        JS_SetPropertyStr(ctx, host, c"environ".as_ptr(), new_list(ctx, environment));
    }
}
