//! The engine's memory: an arena at a fixed address, which lies in the executable's file; a heap for the process's small
//! blocks, whose first pages are asked for at once; and the C library's heap for what is large.
//!
//! While the snapshot is made (snapshot.rs) everything comes from the arena, by layout.rs. Blocks of the arena that the program
//! frees later are left as they are: each can be freed once, so what is lost has a limit.

use crate::layout;
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use mycontainer_engine::{
    JS_FreezeBlock, JS_FreezeHeap, JS_SortTables, JSMallocFunctions, JSRuntime, size_t,
};

/// What the arena can hold, in bytes. The file of the executable has it whole, zeros where nothing is.
pub const CAPACITY: usize = 8 << 20;
/// Blocks begin at multiples of this: the engine needs no more (quickjs.c, JS_ARENA_ALIGN).
const ALIGNMENT: usize = 8;
/// Blocks of up to this many bytes are handed out in steps of ALIGNMENT, larger ones in powers of two.
const SMALL_LIMIT: usize = 1 << 10;
/// Larger blocks come from the C library when the snapshot has been made.
const BLOCK_LIMIT: usize = 256 << 10;
const SMALL_SIZES: usize = SMALL_LIMIT / ALIGNMENT + 1;
const LARGE_SIZES: usize = (BLOCK_LIMIT / SMALL_LIMIT).ilog2() as usize;
/// What the process's own blocks can take before they come from the C library, too.
const HEAP_CAPACITY: usize = 16 << 20;
/// What nearly every command uses of it. To ask for these pages in one call is a fifth of the price of a fault for each.
const HEAP_AT_ONCE: usize = 96 << 10;
const MADV_POPULATE_WRITE: i32 = 23;

/// Stands before each block.
#[repr(C)]
pub struct Header {
    /// Bytes of the block after the header, a multiple of ALIGNMENT.
    size: usize,
}

/// What a freed block begins with.
#[repr(C)]
struct Freed {
    header: Header,
    /// The next one of this size.
    next: *mut Freed,
}

#[repr(C, align(4096))]
struct Arena {
    /// Whether the snapshot has been made: nothing more comes from the arena then.
    closed: bool,
    /// Bytes from the start of this that the snapshot has.
    used: usize,
    /// What the snapshot's maker keeps for the start (snapshot.rs).
    root: *mut c_void,
    bytes: [u8; CAPACITY],
}

/// Blocks that are free again, by size.
type FreeLists = [*mut Freed; SMALL_SIZES + LARGE_SIZES];

const NONE_FREE: FreeLists = [ptr::null_mut(); SMALL_SIZES + LARGE_SIZES];

#[repr(C, align(4096))]
struct Heap {
    used: usize,
    freed: FreeLists,
    bytes: [u8; HEAP_CAPACITY],
}

static mut HEAP: Heap = Heap {
    used: 0,
    freed: NONE_FREE,
    bytes: [0; HEAP_CAPACITY],
};

/// In a section of its own, which the file of the executable holds byte by byte, and at an address that never changes.
#[unsafe(link_section = ".snapshot")]
static mut ARENA: Arena = Arena {
    closed: false,
    used: 0,
    root: ptr::null_mut(),
    bytes: [0; CAPACITY],
};

/// Whether this executable has its snapshot.
pub fn is_closed() -> bool {
    // Volatile: the compiler sees a constant here, but the file is changed after it.
    unsafe { ptr::read_volatile(&raw const ARENA.closed) }
}

/// Where blocks can begin in the arena, in bytes from its start.
pub const FIRST_BLOCK: usize = core::mem::offset_of!(Arena, bytes);

/// Where a block of the snapshot is put (layout.rs), in bytes from the arena's start.
pub unsafe fn at(offset: usize) -> *mut Header {
    unsafe { (&raw mut ARENA).cast::<u8>().add(offset).cast() }
}

/// Says where the snapshot ends, in bytes from the arena's start.
pub unsafe fn reserve(end: usize) -> Result<(), String> {
    if end > size_of::<Arena>() {
        return Err(format!(
            "the program takes {end} bytes, the arena has {CAPACITY}"
        ));
    }
    unsafe { ARENA.used = end };
    Ok(())
}

/// Ends the making of the snapshot: all that is to be written to the executable's file, which begins at `extent().0`. The engine
/// counts references to nothing of it from now on, so that its pages stay as they are in the file.
pub unsafe fn close(runtime: *mut JSRuntime, root: *mut c_void) -> Result<(), String> {
    unsafe {
        JS_SortTables(runtime, layout::end_of_used());
        JS_FreezeHeap(runtime);
        layout::complete(|block| JS_FreezeBlock(block))?;
        ARENA.root = root;
        ARENA.closed = true;
        Ok(())
    }
}

/// Prepares the heap of a process.
pub unsafe fn open() {
    unsafe {
        // Kernels before 5.14 refuse it: then there is a fault for each page.
        libc::madvise(
            (&raw mut HEAP).cast::<c_void>(),
            HEAP_AT_ONCE,
            MADV_POPULATE_WRITE,
        );
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
        (&raw const ARENA as usize, used)
    }
}

enum Place {
    Arena,
    Heap,
    Library,
}

fn place_of(block: *const c_void) -> Place {
    let is_in = |start: usize, length| (block as usize).wrapping_sub(start) < length;
    if is_in(&raw const HEAP as usize, size_of::<Heap>()) {
        Place::Heap
    } else if is_in(&raw const ARENA as usize, size_of::<Arena>()) || layout::holds(block) {
        Place::Arena
    } else {
        Place::Library
    }
}

unsafe fn header_of(block: *mut c_void) -> *mut Header {
    unsafe { block.cast::<Header>().sub(1) }
}

/// The size that a block of at least so many bytes has, and the place of its list.
fn class_of(size: usize) -> (usize, usize) {
    if size <= SMALL_LIMIT {
        let size = size.max(ALIGNMENT).next_multiple_of(ALIGNMENT);
        return (size, size / ALIGNMENT);
    }
    let size = size.next_power_of_two();
    let power = (size / SMALL_LIMIT).ilog2() as usize;
    (size, SMALL_SIZES + power - 1)
}

/// A block that is free again, or null.
unsafe fn reuse(freed: *mut FreeLists, list: usize) -> *mut c_void {
    unsafe {
        let block = (*freed)[list];
        if block.is_null() {
            return ptr::null_mut();
        }
        (*freed)[list] = (*block).next;
        (&raw mut (*block).next).cast()
    }
}

/// A new block of the bytes at `start`, of which `used` are taken, all zeros; null if there is no room.
unsafe fn begin(size: usize, start: *mut u8, used: *mut usize, capacity: usize) -> *mut c_void {
    unsafe {
        let end = *used + size_of::<Header>() + size;
        if end > capacity {
            return ptr::null_mut();
        }
        let header = start.add(*used).cast::<Header>();
        *used = end;
        (*header).size = size;
        header.add(1).cast()
    }
}

/// A block, and whether it is known to be all zeros.
unsafe fn take(size: usize) -> (*mut c_void, bool) {
    unsafe {
        if !is_closed() {
            let size = size.max(ALIGNMENT).next_multiple_of(ALIGNMENT);
            let header = layout::take(size);
            if !header.is_null() {
                (*header).size = size;
                return (header.add(1).cast(), true);
            }
        }
        if size <= BLOCK_LIMIT {
            let (size, list) = class_of(size);
            let block = reuse(&raw mut HEAP.freed, list);
            if !block.is_null() {
                return (block, false);
            }
            let start = (&raw mut HEAP.bytes).cast();
            let block = begin(size, start, &raw mut HEAP.used, HEAP_CAPACITY);
            if !block.is_null() {
                return (block, true);
            }
        }
        (libc::malloc(size), false)
    }
}

unsafe extern "C" fn malloc(_opaque: *mut c_void, size: size_t) -> *mut c_void {
    unsafe { take(size as usize).0 }
}

unsafe extern "C" fn calloc(_opaque: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    unsafe {
        let total = (count as usize).saturating_mul(size as usize);
        let (block, is_zero) = take(total);
        if !block.is_null() && !is_zero {
            ptr::write_bytes(block.cast::<u8>(), 0, total);
        }
        block
    }
}

/// Keeps a freed block for the next of its size.
unsafe fn keep(freed: *mut FreeLists, list: usize, header: *mut Header) {
    unsafe {
        let block = header.cast::<Freed>();
        (*block).next = (*freed)[list];
        (*freed)[list] = block;
    }
}

unsafe extern "C" fn free(_opaque: *mut c_void, block: *mut c_void) {
    unsafe {
        if block.is_null() {
            return;
        }
        let header = header_of(block);
        match place_of(block) {
            Place::Arena if !is_closed() => layout::freed(header),
            Place::Arena => {}
            Place::Heap => keep(&raw mut HEAP.freed, class_of((*header).size).1, header),
            Place::Library => libc::free(block),
        }
    }
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: size_t) -> *mut c_void {
    unsafe {
        if block.is_null() {
            return malloc(opaque, size);
        }
        if matches!(place_of(block), Place::Library) {
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
        match place_of(block) {
            Place::Library => libc::malloc_usable_size(block.cast_mut()) as size_t,
            _ => (*header_of(block.cast_mut())).size as size_t,
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
