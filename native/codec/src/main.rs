//! Archives for mycontainer. `mycontainer-codec unpack|split` reads an archive from descriptor 0, `pack` writes one there, `sum`
//! tells the digests of files, `digest` that of many together. It works in the current directory, and answers with JSON on descriptor 1, or with one line on descriptor 2 and an exit status (failure.rs).
//!
//! It trusts nothing that it reads and needs nothing but its descriptors: src/image/confine.ts has put it into an empty root,
//! without network and without privileges that it does not need. It decides nothing about containers.

mod archive;
mod attributes;
mod digest;
mod entry;
mod failure;
mod header;
mod json;
mod limits;
mod merge;
mod number;
mod output;
mod pack;
mod path;
mod pax;
mod sparse;
mod split;
mod stream;
mod sum;
mod sys;
mod unpack;

use failure::{Failure, Kind, Result, system};
use limits::Limits;
use merge::Merge;
use output::{Compression, Output};
use pack::Rules;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use stream::{Expected, Stream};

const DIGEST_DIGITS: usize = 64;

/// Where `pack` of a layer finds the names of opaque directories, and of what was made to be mounted on; each ended by a NUL.
const OPAQUE_FD: i32 = 3;
const PLACES_FD: i32 = 4;
/// Where `digest` finds what it is to read.
const LIST_FD: i32 = 3;
const LIST_LIMIT_BYTES: u64 = 64 << 20;

struct Options {
    expected: Expected,
    limits: Limits,
    compression: Compression,
    /// Whether what is packed is the upper directory of an overlay.
    is_layer: bool,
    prefix: Vec<u8>,
    owners: Option<(u32, u32)>,
    /// The directory that is worked in, below ours.
    at: Vec<u8>,
    /// Whether what is unpacked comes into what is there, and is no layer.
    merges: bool,
    only: Option<Vec<u8>>,
    skip: BTreeSet<(u64, u64)>,
    as_root: bool,
    harmless: bool,
}

fn number(text: &str) -> Result<u64> {
    sparse::decimal(text.as_bytes())
        .ok_or_else(|| Failure::new(Kind::Usage, format!("'{text}' is no number")))
}

fn options(mut args: impl Iterator<Item = Vec<u8>>) -> Result<Options> {
    let mut options = Options {
        expected: Expected::default(),
        limits: Limits {
            entries: 0,
            bytes: 0,
            depth: 0,
        },
        compression: Compression::None,
        is_layer: false,
        prefix: Vec::new(),
        owners: None,
        at: Vec::new(),
        merges: false,
        only: None,
        skip: BTreeSet::new(),
        as_root: false,
        harmless: false,
    };
    while let (Some(name), value) = (args.next(), args.next().unwrap_or_default()) {
        let text = String::from_utf8_lossy(&value);
        match &name[..] {
            b"--max-entries" => options.limits.entries = number(&text)?,
            b"--max-bytes" => options.limits.bytes = number(&text)?,
            b"--max-depth" => options.limits.depth = number(&text)? as usize,
            b"--size" => options.expected.size = Some(number(&text)?),
            b"--compress" => options.compression = compression_of(&text)?,
            b"--layer" => options.is_layer = text == "yes",
            b"--owners" => options.owners = Some(pair(&text)?),
            b"--merge" => options.merges = text == "yes",
            b"--as-root" => options.as_root = text == "yes",
            b"--harmless" => options.harmless = text == "yes",
            b"--skip" => options.skip = text.split(',').map(file_id).collect::<Result<_>>()?,
            b"--digest" if value.len() == DIGEST_DIGITS => {
                options.expected.digest = Some(text.into_owned());
            }
            b"--prefix" => options.prefix = value,
            b"--at" => options.at = value,
            b"--only" => options.only = Some(value),
            _ => {
                let name = String::from_utf8_lossy(&name);
                return Err(Failure::new(Kind::Usage, format!("bad option {name}")));
            }
        }
    }
    options.expected.limit = options.limits.bytes;
    Ok(options)
}

/// `MAJOR:MINOR:INODE`, as device and inode.
fn file_id(text: &str) -> Result<(u64, u64)> {
    let mut parts = text.splitn(3, ':').map(number);
    let mut next = || parts.next().unwrap_or_else(|| number(""));
    let (major, minor, inode) = (next()?, next()?, next()?);
    Ok((libc::makedev(major as u32, minor as u32), inode))
}

/// `FIRST:COUNT`.
fn pair(text: &str) -> Result<(u32, u32)> {
    let (first, count) = text.split_once(':').unwrap_or((text, ""));
    let id = |text| {
        u32::try_from(number(text)?)
            .map_err(|_| Failure::new(Kind::Usage, format!("'{text}' is no id")))
    };
    Ok((id(first)?, id(count)?))
}

fn compression_of(name: &str) -> Result<Compression> {
    match name {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(Failure::new(
            Kind::Usage,
            format!("no compression '{name}'"),
        )),
    }
}

fn bytes_on(fd: i32) -> Result<Vec<u8>> {
    // SAFETY: the caller has put the list there for us, and it is read once.
    let list = unsafe { File::from_raw_fd(fd) };
    let mut bytes = Vec::new();
    list.take(LIST_LIMIT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| system("read", b"the list", &error))?;
    Ok(bytes)
}

/// Names that the caller has found.
fn list_on(fd: i32) -> Result<BTreeSet<Vec<u8>>> {
    let bytes = bytes_on(fd)?;
    let mut names = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    names.next_back();
    Ok(names.collect())
}

fn pack(root: &OwnedFd, out: File, options: Options) -> Result<String> {
    let (opaque, places) = if options.is_layer {
        (Some(list_on(OPAQUE_FD)?), list_on(PLACES_FD)?)
    } else {
        (None, BTreeSet::new())
    };
    let rules = Rules {
        opaque,
        places,
        prefix: options.prefix,
        owners: options.owners,
        only: options.only,
        skip: options.skip,
        as_root: options.as_root,
        harmless: options.harmless,
        entries: options.limits.entries,
        depth: options.limits.depth,
    };
    let directory = sys::open_directory_in(root, &options.at, libc::O_RDONLY)
        .map_err(|error| system("open", &options.at, &error))?;
    let mut out = Output::start(out, options.compression);
    let done = pack::pack(&directory, &mut out, &rules)?;
    Ok(json::packed(&done, &out.finish()?))
}

fn unpack(root: OwnedFd, input: File, options: Options) -> Result<String> {
    let merge = options.merges.then_some(Merge {
        at: options.at,
        owners: options.owners,
    });
    let needs_end = options.expected.digest.is_none();
    let mut archive = archive::Archive::new(Stream::start(input, options.expected), needs_end);
    let done = unpack::unpack(&mut archive, root, &options.limits, merge.as_ref())?;
    Ok(json::unpacked(&done, &archive.finish()?))
}

fn run() -> Result<String> {
    let mut args = std::env::args_os().skip(1).map(OsString::into_vec);
    let command = args.next().unwrap_or_default();
    let options = options(args)?;
    sys::clear_umask();
    let here = File::open(".").map_err(|error| system("open", b".", &error))?;
    let here = OwnedFd::from(here);
    // SAFETY: descriptor 0 is the caller's archive, and nobody else's here.
    let input = unsafe { File::from_raw_fd(0) };
    match &command[..] {
        b"sum" => Ok(json::sums_of(&sum::sums(&here)?)),
        b"digest" => Ok(json::digested(&digest::digest(&here, &bytes_on(LIST_FD)?)?)),
        b"pack" => pack(&here, input, options),
        b"unpack" => unpack(here, input, options),
        b"split" => {
            let needs_end = options.expected.digest.is_none();
            let stream = Stream::start(input, options.expected);
            let mut archive = archive::Archive::new(stream, needs_end);
            let members = split::split(&mut archive, &here, &options.limits)?;
            Ok(json::members(&members, &archive.finish()?))
        }
        _ => Err(Failure::new(
            Kind::Usage,
            "usage: mycontainer-codec unpack|split|pack|sum|digest OPTIONS",
        )),
    }
}

fn main() -> ExitCode {
    let done = run().and_then(|answer| {
        std::io::stdout()
            .write_all(answer.as_bytes())
            .map_err(|error| system("write", b"the answer", &error))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody listens, the exit status says it.
            let _ = writeln!(std::io::stderr(), "{}", failure.message);
            ExitCode::from(failure.kind as u8)
        }
    }
}
