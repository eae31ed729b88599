//! Where the body of an answer goes: a file, and at the same time a pipe.

use crate::trouble::{Kind, Trouble, plain};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

const COPY_BYTES: usize = 128 * 1024;

pub struct Sink {
    file: File,
    pipe: Option<File>,
    /// Bytes of the file so far.
    at: u64,
    limit: u64,
}

impl Sink {
    /// A sink for an answer with `status`: 206 goes on after the bytes that are there, all else starts anew.
    /// `range` is the answer's Content-Range.
    pub fn begin(
        file: File,
        pipe: Option<File>,
        present: u64,
        limit: u64,
        status: u16,
        range: Option<&str>,
    ) -> Result<Self, Trouble> {
        let mut sink = Self {
            file,
            pipe,
            at: 0,
            limit,
        };
        if status == 206 {
            if range.and_then(first_byte) != Some(present) {
                return Err(Trouble::new(
                    Kind::Protocol,
                    format!("another part was sent than the one from byte {present} on"),
                ));
            }
            sink.replay(present)?;
        } else {
            let emptied = sink.file.set_len(0);
            emptied.map_err(|error| Trouble::sink("the file", &error))?;
        }
        Ok(sink)
    }

    /// The pipe gets what the file has already.
    fn replay(&mut self, present: u64) -> Result<(), Trouble> {
        let mut buffer = vec![0; COPY_BYTES];
        while self.pipe.is_some() && self.at < present {
            let wanted = (present - self.at).min(COPY_BYTES as u64) as usize;
            let count = self
                .file
                .read_at(&mut buffer[..wanted], self.at)
                .and_then(|count| match count {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    count => Ok(count),
                })
                .map_err(|error| {
                    Trouble::new(Kind::Sink, format!("reading the file: {}", plain(&error)))
                })?;
            self.pass_on(&buffer[..count])?;
            self.at += count as u64;
        }
        self.at = present;
        Ok(())
    }

    fn pass_on(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        match &mut self.pipe {
            Some(pipe) => pipe
                .write_all(bytes)
                .map_err(|error| Trouble::sink("the pipe", &error)),
            None => Ok(()),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.expect(bytes.len() as u64)?;
        self.file
            .write_all_at(bytes, self.at)
            .map_err(|error| Trouble::sink("the file", &error))?;
        self.at += bytes.len() as u64;
        self.pass_on(bytes)
    }

    /// Whether so many bytes more are allowed.
    pub fn expect(&self, more: u64) -> Result<(), Trouble> {
        if self.at.saturating_add(more) <= self.limit {
            return Ok(());
        }
        Err(Trouble::new(
            Kind::TooLarge,
            format!("more than the announced {} bytes were sent", self.limit),
        ))
    }
}

/// The first byte of `bytes 5-9/10` (RFC 9110, section 14.4).
fn first_byte(range: &str) -> Option<u64> {
    let rest = range.strip_prefix("bytes ")?.trim_start();
    rest.split_once('-')?.0.parse().ok()
}
