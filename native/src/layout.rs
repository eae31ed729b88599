//! Where the blocks of the snapshot lie: those that commands use beside each other.
//!
//! A start maps the pages of the snapshot that it touches, and the kernel maps their neighbours with them: what is used must
//! be dense. So the program is evaluated twice, and asks for the same blocks in the same order each time. The first time each
//! block has pages of its own, and the program then runs a few commands, each page of which is closed until it is touched:
//! what was used is recorded. The second time the record says where a block belongs (docs/decisions/0025-layout.md).
//!
//! Nothing here is used in the product.

use crate::arena::{self, Header};
use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use libc::{
    MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, PROT_NONE, PROT_READ,
    PROT_WRITE,
};
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;

const PAGE: usize = 4096;
/// Addresses for blocks that are not in the snapshot's file; memory is only taken for what is touched.
const SPACE: usize = 2 << 30;
/// The most blocks that can be recorded.
const BLOCKS: usize = 1 << 20;

/// What is known of a block: the n-th that the program has asked for.
#[repr(C)]
struct Use {
    /// In bytes; 0 for those that were never asked for.
    size: u32,
    /// READ, WRITTEN and FREED.
    how: u32,
    /// How many blocks had been used when this was used for the first time.
    order: u64,
}

/// The file that is made by observing.
#[repr(C)]
struct Record {
    /// How many blocks have been used, in all commands together.
    used: AtomicU64,
    blocks: [Use; BLOCKS],
}

const READ: u32 = 1;
const WRITTEN: u32 = 2;
/// Before the snapshot was complete: it is no part of it.
const FREED: u32 = 4;

/// The parts of the snapshot, in their order: what is written to, what is read, and the rest.
const PARTS: usize = 3;

/// In which part a block lies.
fn part_of(how: u32) -> usize {
    if how & WRITTEN != 0 {
        0
    } else if how & READ != 0 {
        1
    } else {
        2
    }
}

/// Where everything goes.
struct Places {
    /// Of each block that is kept, in bytes from the arena's start.
    of: Vec<usize>,
    /// Where the parts end that are used, and where the last one does.
    end_of_used: usize,
    end: usize,
}

/// Places the blocks part by part, each in the order of use.
fn place(blocks: &[Use]) -> Places {
    let mut kept: Vec<usize> = (0..blocks.len())
        .filter(|number| blocks[*number].how & FREED == 0)
        .collect();
    kept.sort_by_key(|number| (part_of(blocks[*number].how), blocks[*number].order));
    let mut of = vec![0; blocks.len()];
    let mut at = arena::FIRST_BLOCK;
    let mut end_of_used = at;
    let mut part = 0;
    for number in kept {
        if part_of(blocks[number].how) != part {
            part = part_of(blocks[number].how);
            at = at.next_multiple_of(PAGE);
        }
        of[number] = at;
        at += size_of::<Header>() + blocks[number].size as usize;
        if part < PARTS - 1 {
            end_of_used = at;
        }
    }
    Places {
        of,
        end_of_used,
        end: at,
    }
}

struct Layout {
    /// Whether commands are observed, and not the snapshot made.
    observes: bool,
    /// Whether the program is evaluated, and blocks still belong to the snapshot.
    is_making: bool,
    record: &'static mut Record,
    /// How many blocks the record has, if it is complete.
    known: usize,
    /// How many blocks have been asked for.
    count: usize,
    space: *mut u8,
    space_used: usize,
    places: Places,
    /// The blocks of the snapshot, by their number.
    blocks: Vec<*mut Header>,
    /// While observing: the block that each page of the space is for, and how often it has been opened.
    pages: Vec<(u32, u8)>,
    trouble: Option<String>,
}

static mut LAYOUT: Option<Layout> = None;

#[allow(static_mut_refs)]
fn layout() -> Option<&'static mut Layout> {
    unsafe { LAYOUT.as_mut() }
}

fn map(length: usize, protection: c_int, flags: c_int, file: c_int) -> Result<*mut u8, String> {
    let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, file, 0) };
    if start == MAP_FAILED {
        return Err(format!("mmap: {}", std::io::Error::last_os_error()));
    }
    Ok(start.cast())
}

fn begin(
    observes: bool,
    record: &'static mut Record,
    known: usize,
) -> Result<&'static Layout, String> {
    let space = map(
        SPACE,
        PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        -1,
    )?;
    let places = place(&record.blocks[..known]);
    let layout = Layout {
        observes,
        is_making: true,
        record,
        known,
        count: 0,
        space,
        space_used: 0,
        places,
        blocks: Vec::new(),
        pages: Vec::new(),
        trouble: None,
    };
    unsafe { LAYOUT = Some(layout) };
    self::layout()
        .map(|layout| &*layout)
        .ok_or_else(String::new)
}

fn open_record(path: &str) -> Result<&'static mut Record, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .and_then(|file| file.set_len(size_of::<Record>() as u64).map(|()| file))
        .map_err(|error| format!("{path}: {error}"))?;
    let start = map(
        size_of::<Record>(),
        PROT_READ | PROT_WRITE,
        MAP_SHARED,
        file.as_raw_fd(),
    )?;
    Ok(unsafe { &mut *start.cast::<Record>() })
}

/// From now on blocks are spread, and what a command uses is added to the file `record`.
pub fn begin_observing(record: &str) -> Result<(), String> {
    begin(true, open_record(record)?, 0).map(|_| ())
}

/// From now on blocks are placed as the file `record` says. Where the last one ends, in bytes from the arena's start.
pub fn begin_placing(record: &str) -> Result<usize, String> {
    let record = open_record(record)?;
    let known = record
        .blocks
        .iter()
        .take_while(|block| block.size > 0)
        .count();
    begin(false, record, known).map(|layout| layout.places.end)
}

impl Layout {
    fn fail(&mut self, what: &str) {
        self.trouble.get_or_insert_with(|| {
            format!("the program is not evaluated as it was when it was observed: {what}")
        });
    }

    /// A block outside of the arena, on pages of its own or behind the last one.
    fn take_outside(&mut self, size: usize, is_apart: bool) -> *mut Header {
        if is_apart {
            self.space_used = self.space_used.next_multiple_of(PAGE);
        }
        let start = unsafe { self.space.add(self.space_used) };
        self.space_used += size_of::<Header>() + size;
        assert!(
            self.space_used <= SPACE,
            "the program needs more memory than its layout can be made in"
        );
        start.cast()
    }

    fn take(&mut self, size: usize) -> *mut Header {
        let number = self.count;
        self.count += 1;
        assert!(
            number < BLOCKS,
            "the program needs more blocks than can be recorded"
        );
        if self.observes {
            self.record.blocks[number].size = size as u32;
            let block = self.take_outside(size, true);
            let end = self.space_used.div_ceil(PAGE);
            self.pages.resize(end, (number as u32, 0));
            self.blocks.push(block);
            return block;
        }
        let known = &self.record.blocks[number];
        let (known_size, how) = (known.size as usize, known.how);
        if number >= self.known || known_size != size {
            self.fail(&format!(
                "block {number} has {size} bytes, not {known_size}"
            ));
        }
        if how & FREED != 0 || self.trouble.is_some() {
            return self.take_outside(size, false);
        }
        let block = unsafe { arena::at(self.places.of[number]) };
        self.blocks.push(block);
        block
    }
}

/// The header of a new block of the snapshot, its size not yet told; null if the snapshot is complete. The block is all zeros.
pub fn take(size: usize) -> *mut Header {
    match layout() {
        Some(layout) if layout.is_making => layout.take(size),
        _ => ptr::null_mut(),
    }
}

/// Where the parts of the snapshot end that commands use; as long as they are observed, all may be.
pub fn end_of_used() -> *const c_void {
    match layout() {
        Some(layout) if !layout.observes => unsafe { arena::at(layout.places.end_of_used).cast() },
        _ => usize::MAX as *const c_void,
    }
}

/// Whether a block lies outside of the arena and the heap, in the memory that only the making needs.
pub fn holds(block: *const c_void) -> bool {
    layout().is_some_and(|layout| (block as usize).wrapping_sub(layout.space as usize) < SPACE)
}

/// Says that a block is not needed any more.
pub fn freed(header: *mut Header) {
    let Some(layout) = layout().filter(|layout| layout.is_making) else {
        return;
    };
    if layout.observes {
        let page = (header as usize - layout.space as usize) / PAGE;
        let (number, _) = layout.pages[page];
        layout.record.blocks[number as usize].how |= FREED;
    } else if !holds(header.cast()) {
        layout.fail("a block that was kept is freed");
    }
}

/// Ends the evaluation: calls `freeze` with each block of the snapshot. Why it cannot be used, if it cannot.
pub fn complete(freeze: impl Fn(*mut c_void)) -> Result<(), String> {
    let Some(layout) = layout() else {
        return Ok(());
    };
    layout.is_making = false;
    if !layout.observes && layout.count != layout.known {
        layout.fail(&format!(
            "it has {} blocks, not {}",
            layout.count, layout.known
        ));
    }
    for block in &layout.blocks {
        freeze(unsafe { block.add(1) }.cast());
    }
    layout.trouble.take().map_or(Ok(()), Err)
}

/// From now on the blocks that the process touches are recorded, and those that its children do.
pub fn watch() -> Result<(), String> {
    let Some(layout) = layout() else {
        return Ok(());
    };
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut());
        let length = layout.space_used.next_multiple_of(PAGE);
        if libc::mprotect(layout.space.cast(), length, PROT_NONE) != 0 {
            return Err(format!("mprotect: {}", std::io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// A page is touched for the first time: it is opened for reading; or written to: then for that, too.
unsafe extern "C" fn on_fault(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    let address = unsafe { (*info).si_addr() } as usize;
    let known = layout().and_then(|layout| {
        let page = address.wrapping_sub(layout.space as usize) / PAGE;
        let (number, opened) = layout.pages.get_mut(page)?;
        (*opened < 2).then(|| {
            *opened += 1;
            let (how, protection) = if *opened == 1 {
                (READ, PROT_READ)
            } else {
                (WRITTEN, PROT_READ | PROT_WRITE)
            };
            let block = &mut layout.record.blocks[*number as usize];
            if block.how & (READ | WRITTEN) == 0 {
                block.order = layout.record.used.fetch_add(1, Ordering::Relaxed);
            }
            block.how |= how;
            unsafe { libc::mprotect(layout.space.add(page * PAGE).cast(), PAGE, protection) };
        })
    });
    if known.is_none() {
        // A fault of the program's own: it comes again, and ends the process.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    }
}

/// The kernel is given these bytes: it cannot be told to wait until they are there.
pub fn lend(start: *mut u8, length: usize) {
    if !holds(start.cast()) {
        return;
    }
    for at in (0..length).step_by(PAGE).chain(length.checked_sub(1)) {
        unsafe {
            let byte = start.add(at);
            byte.write_volatile(byte.read_volatile());
        }
    }
}

/// After a system call: a fault has to be seen, whatever signals the program holds back.
pub fn after(number: i64) {
    if number == libc::SYS_rt_sigprocmask && layout().is_some() {
        unsafe {
            let mut faults: libc::sigset_t = core::mem::zeroed();
            libc::sigaddset(&mut faults, libc::SIGSEGV);
            libc::sigprocmask(libc::SIG_UNBLOCK, &faults, ptr::null_mut());
        }
    }
}
