//! QuickJS-ng as Rust sees it: its functions and types, under their names in C, and what build.rs has added to it.
#![no_std]
#![allow(non_upper_case_globals, non_camel_case_types, non_snake_case)]
#![allow(clippy::all)]

use ::core::ptr;

include!(concat!(env!("OUT_DIR"), "/declarations.rs"));

unsafe extern "C" {
    /// Makes the functions that the engine would make when they are first asked for (freeze.h).
    pub fn JS_FinishObjects(runtime: *mut JSRuntime);
    /// Has the engine find what lies below an address without a look at what lies above it (freeze.h).
    pub fn JS_SortTables(runtime: *mut JSRuntime, end: *const c_void);
    /// Takes what lies in the heap out of the engine's list of objects (freeze.h).
    pub fn JS_FreezeHeap(runtime: *mut JSRuntime);
    /// Makes a block immortal: it is counted and freed no more. `start` is what the allocator gave.
    pub fn JS_FreezeBlock(start: *mut c_void);
}
