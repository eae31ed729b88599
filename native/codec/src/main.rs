//! Archives for mycontainer. `mycontainer-codec unpack|split` reads an archive from descriptor 0, works in the current
//! directory, and answers with JSON on descriptor 1, or with one line on descriptor 2 and an exit status (failure.rs).
//!
//! It trusts nothing that it reads and needs nothing but its descriptors: src/image/confine.ts has put it into an empty root,
//! without network and without privileges that it does not need. It decides nothing about containers.

mod archive;
mod attributes;
mod failure;
mod json;
mod path;
mod pax;
mod sparse;
mod split;
mod stream;
mod sys;
mod unpack;

use failure::{Failure, Kind, Result, system};
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;
use stream::{Expected, Stream};
use unpack::Limits;

const DIGEST_DIGITS: usize = 64;

struct Options {
    expected: Expected,
    limits: Limits,
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
    while let (Some(name), value) = (args.next(), args.next().unwrap_or_default()) {
        match name.as_str() {
            "--max-entries" => limits.entries = number(&value)?,
            "--max-bytes" => limits.bytes = number(&value)?,
            "--max-depth" => limits.depth = number(&value)? as usize,
            "--size" => expected.size = Some(number(&value)?),
            "--digest" if value.len() == DIGEST_DIGITS => expected.digest = Some(value),
            _ => return Err(Failure::new(Kind::Usage, format!("bad option {name}"))),
        }
    }
    expected.limit = limits.bytes;
    Ok(Options { expected, limits })
}

fn run() -> Result<String> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let Options { expected, limits } = options(args)?;
    sys::clear_umask();
    let here = File::open(".").map_err(|error| system("open", b".", &error))?;
    let here = OwnedFd::from(here);
    let needs_end = expected.digest.is_none();
    // SAFETY: descriptor 0 is the caller's archive, and nobody else's here.
    let input = unsafe { File::from_raw_fd(0) };
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
            "usage: mycontainer-codec unpack|split OPTIONS < ARCHIVE",
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
