//! The engine's memory: an arena at a fixed address, which lies in the executable's file, and the C library's heap.
//!
//! While the snapshot is made (snapshot.rs) everything comes from the arena. What the program allocates later comes from
//! the heap; blocks of the arena that it frees are left as they are: each can be freed once, so what is lost has a limit.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use mycontainer_engine::{JS_FreezeBlock, JS_FreezeHeap, JSMallocFunctions, JSRuntime, size_t};

/// What the arena can hold, in bytes. The file of the executable has it whole, zeros where nothing is.
pub const CAPACITY: usize = 8 << 20;
/// Blocks begin at multiples of this, as malloc(3)'s do on 64-bit machines.
const ALIGNMENT: usize = 16;
/// Freed blocks of up to this many bytes are used again while the snapshot is made.
const REUSED_LIMIT: usize = 8 << 10;

/// Stands before each block.
#[repr(C, align(16))]
struct Header {
    /// Bytes of the block after the header, a multiple of ALIGNMENT.
    size: usize,
    /// In a freed block: the next one of this size.
    next: *mut Header,
}

#[repr(C, align(4096))]
struct Arena {
    /// Whether the snapshot has been made: nothing more comes from the arena then.
    closed: bool,
    /// Bytes that are taken of `bytes`.
    used: usize,
    /// What the snapshot's maker keeps for the start (snapshot.rs).
    root: *mut c_void,
    freed: [*mut Header; REUSED_LIMIT / ALIGNMENT + 1],
    bytes: [u8; CAPACITY],
}

/// In a section of its own, which the file of the executable holds byte by byte, and at an address that never changes.
#[unsafe(link_section = ".snapshot")]
static mut ARENA: Arena = Arena {
    closed: false,
    used: 0,
    root: ptr::null_mut(),
    freed: [ptr::null_mut(); REUSED_LIMIT / ALIGNMENT + 1],
    bytes: [0; CAPACITY],
};

/// Whether this executable has its snapshot.
pub fn is_closed() -> bool {
    // Volatile: the compiler sees a constant here, but the file is changed after it.
    unsafe { ptr::read_volatile(&raw const ARENA.closed) }
}

/// Ends the making of the snapshot: all that is to be written to the executable's file, which begins at `extent().0`.
pub unsafe fn close(runtime: *mut JSRuntime, root: *mut c_void) {
    unsafe {
        freeze(runtime);
        ARENA.root = root;
        ARENA.freed = [ptr::null_mut(); REUSED_LIMIT / ALIGNMENT + 1];
        ARENA.closed = true;
    }
}

/// Has the engine count references to nothing that lies here: the pages stay as they are in the file.
unsafe fn freeze(runtime: *mut JSRuntime) {
    unsafe {
        JS_FreezeHeap(runtime);
        let start = (&raw mut ARENA.bytes).cast::<u8>();
        let mut at = 0;
        while at < ARENA.used {
            let header = start.add(at).cast::<Header>();
            JS_FreezeBlock(header.add(1).cast());
            at += size_of::<Header>() + (*header).size;
        }
    }
}

/// What `close` was given.
pub fn root() -> *mut c_void {
    unsafe { ptr::read_volatile(&raw const ARENA.root) }
}

/// Address and length of the part of the arena that is in use.
pub fn extent() -> (usize, usize) {
    unsafe {
        let used = ptr::read_volatile(&raw const ARENA.used);
        (
            &raw const ARENA as usize,
            core::mem::offset_of!(Arena, bytes) + used,
        )
    }
}

unsafe fn is_inside(block: *const c_void) -> bool {
    let start = &raw const ARENA as usize;
    (start..start + size_of::<Arena>()).contains(&(block as usize))
}

unsafe fn header_of(block: *mut c_void) -> *mut Header {
    unsafe { block.cast::<Header>().sub(1) }
}

unsafe fn take(size: usize) -> *mut c_void {
    unsafe {
        let size = size.next_multiple_of(ALIGNMENT);
        if size <= REUSED_LIMIT {
            let list = &raw mut ARENA.freed[size / ALIGNMENT];
            let header = *list;
            if !header.is_null() {
                *list = (*header).next;
                return header.add(1).cast();
            }
        }
        let end = ARENA.used + size_of::<Header>() + size;
        if end > CAPACITY {
            return ptr::null_mut();
        }
        let header = (&raw mut ARENA.bytes)
            .cast::<u8>()
            .add(ARENA.used)
            .cast::<Header>();
        ARENA.used = end;
        (*header).size = size;
        header.add(1).cast()
    }
}

unsafe extern "C" fn malloc(_opaque: *mut c_void, size: size_t) -> *mut c_void {
    unsafe {
        if is_closed() {
            libc::malloc(size as usize)
        } else {
            take(size as usize)
        }
    }
}

unsafe extern "C" fn calloc(_opaque: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    unsafe {
        if is_closed() {
            return libc::calloc(count as usize, size as usize);
        }
        let total = (count * size) as usize;
        let block = take(total);
        if !block.is_null() {
            ptr::write_bytes(block.cast::<u8>(), 0, total);
        }
        block
    }
}

unsafe extern "C" fn free(_opaque: *mut c_void, block: *mut c_void) {
    unsafe {
        if block.is_null() {
            return;
        }
        if !is_inside(block) {
            return libc::free(block);
        }
        let header = header_of(block);
        if !is_closed() && (*header).size <= REUSED_LIMIT {
            let list = &raw mut ARENA.freed[(*header).size / ALIGNMENT];
            (*header).next = *list;
            *list = header;
        }
    }
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: size_t) -> *mut c_void {
    unsafe {
        if block.is_null() {
            return malloc(opaque, size);
        }
        if !is_inside(block) {
            return libc::realloc(block, size as usize);
        }
        let old = (*header_of(block)).size;
        if size as usize <= old {
            return block;
        }
        let moved = malloc(opaque, size);
        if !moved.is_null() {
            ptr::copy_nonoverlapping(block.cast::<u8>(), moved.cast::<u8>(), old);
            free(opaque, block);
        }
        moved
    }
}

unsafe extern "C" fn usable_size(block: *const c_void) -> size_t {
    unsafe {
        if is_inside(block) {
            (*header_of(block.cast_mut())).size as size_t
        } else {
            libc::malloc_usable_size(block.cast_mut()) as size_t
        }
    }
}

pub const FUNCTIONS: JSMallocFunctions = JSMallocFunctions {
    js_calloc: Some(calloc),
    js_malloc: Some(malloc),
    js_free: Some(free),
    js_realloc: Some(realloc),
    js_malloc_usable_size: Some(usable_size),
};
