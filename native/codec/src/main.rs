//! Archives for mycontainer. `mycontainer-codec unpack|split` reads an archive from descriptor 0, `pack` writes one there, `sum`
//! tells the digests of files. It works
//! in the current directory, and answers with JSON on descriptor 1, or with one line on descriptor 2 and an exit status (failure.rs).
//!
//! It trusts nothing that it reads and needs nothing but its descriptors: src/image/confine.ts has put it into an empty root,
//! without network and without privileges that it does not need. It decides nothing about containers.

mod archive;
mod attributes;
mod entry;
mod failure;
mod header;
mod json;
mod limits;
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
use output::{Compression, Output};
use pack::Rules;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;
use stream::{Expected, Stream};

const DIGEST_DIGITS: usize = 64;

/// Where `pack` of a layer finds the names of opaque directories, and of what was made to be mounted on; each ended by a NUL.
const OPAQUE_FD: i32 = 3;
const PLACES_FD: i32 = 4;
const LIST_LIMIT_BYTES: u64 = 64 << 20;

struct Options {
    expected: Expected,
    limits: Limits,
    compression: Compression,
    /// Whether what is packed is the upper directory of an overlay.
    is_layer: bool,
    prefix: Vec<u8>,
    owners: Option<(u32, u32)>,
}

fn number(text: &str) -> Result<u64> {
    sparse::decimal(text.as_bytes())
        .ok_or_else(|| Failure::new(Kind::Usage, format!("'{text}' is no number")))
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut expected = Expected::default();
    let mut limits = Limits {
        entries: 0,
        bytes: 0,
        depth: 0,
    };
    let mut compression = Compression::None;
    let mut is_layer = false;
    let mut prefix = Vec::new();
    let mut owners = None;
    while let (Some(name), value) = (args.next(), args.next().unwrap_or_default()) {
        match name.as_str() {
            "--max-entries" => limits.entries = number(&value)?,
            "--max-bytes" => limits.bytes = number(&value)?,
            "--max-depth" => limits.depth = number(&value)? as usize,
            "--size" => expected.size = Some(number(&value)?),
            "--compress" => compression = compression_of(&value)?,
            "--layer" => is_layer = value == "yes",
            "--owners" => owners = Some(pair(&value)?),
            "--prefix" => prefix = value.into_bytes(),
            "--digest" if value.len() == DIGEST_DIGITS => expected.digest = Some(value),
            _ => return Err(Failure::new(Kind::Usage, format!("bad option {name}"))),
        }
    }
    expected.limit = limits.bytes;
    Ok(Options {
        expected,
        limits,
        compression,
        is_layer,
        prefix,
        owners,
    })
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

/// Names that the caller has found.
fn list_on(fd: i32) -> Result<BTreeSet<Vec<u8>>> {
    // SAFETY: the caller has put the list there for us, and it is read once.
    let list = unsafe { File::from_raw_fd(fd) };
    let mut bytes = Vec::new();
    list.take(LIST_LIMIT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| system("read", b"the list", &error))?;
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
        entries: options.limits.entries,
        depth: options.limits.depth,
    };
    let mut out = Output::start(out, options.compression);
    let done = pack::pack(root, &mut out, &rules)?;
    Ok(json::packed(&done, &out.finish()?))
}

fn run() -> Result<String> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let options = options(args)?;
    sys::clear_umask();
    let here = File::open(".").map_err(|error| system("open", b".", &error))?;
    let here = OwnedFd::from(here);
    // SAFETY: descriptor 0 is the caller's archive, and nobody else's here.
    let input = unsafe { File::from_raw_fd(0) };
    if command == "sum" {
        return Ok(json::sums_of(&sum::sums(&here)?));
    }
    if command == "pack" {
        return pack(&here, input, options);
    }
    let Options {
        expected, limits, ..
    } = options;
    let needs_end = expected.digest.is_none();
    let mut archive = archive::Archive::new(Stream::start(input, expected), needs_end);
    match command.as_str() {
        "unpack" => {
            let done = unpack::unpack(&mut archive, here, &limits)?;
            Ok(json::unpacked(&done, &archive.finish()?))
        }
        "split" => {
            let members = split::split(&mut archive, &here, &limits)?;
            Ok(json::members(&members, &archive.finish()?))
        }
        _ => Err(Failure::new(
            Kind::Usage,
            "usage: mycontainer-codec unpack|split|pack|sum OPTIONS",
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
