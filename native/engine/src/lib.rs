//! QuickJS-ng as Rust sees it: its functions and types, under their names in C, and what build.rs has added to it.
#![no_std]
#![allow(non_upper_case_globals, non_camel_case_types, non_snake_case)]
#![allow(clippy::all)]

use ::core::ptr;

include!(concat!(env!("OUT_DIR"), "/declarations.rs"));

unsafe extern "C" {
    /// Makes the functions that the engine would make when they are first asked for (freeze.h).
    pub fn JS_FinishObjects(runtime: *mut JSRuntime);
    /// Makes all objects in small blocks immortal: they are counted and freed no more (freeze.h).
    pub fn JS_FreezeHeap(runtime: *mut JSRuntime);
    /// The same for what may be a large block: `start` is what the allocator gave.
    pub fn JS_FreezeBlock(start: *mut c_void);
}
