//! Where the body of an answer goes: a file, and at the same time a pipe.

use crate::message;
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
    piped: u64,
    limit: u64,
}

impl Sink {
    /// A sink for an answer with `status`: 206 goes on after the bytes that are there, all else starts anew.
    /// `range` is the answer's Content-Range.
    pub fn begin(
        wanted: &message::Sink,
        file: File,
        pipe: Option<File>,
        status: u16,
        range: Option<&str>,
    ) -> Result<Self, Trouble> {
        let present = wanted.present;
        let mut sink = Self {
            file,
            pipe,
            at: 0,
            piped: wanted.piped,
            limit: wanted.limit,
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

    /// The pipe gets what the file has already and it has not.
    fn replay(&mut self, present: u64) -> Result<(), Trouble> {
        let mut buffer = vec![0; COPY_BYTES];
        self.at = self.piped.min(present);
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

    /// The pipe gets the bytes at `self.at`, but for those that it has had.
    fn pass_on(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let had = usize::try_from(self.piped.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let (Some(pipe), Some(news)) = (&mut self.pipe, bytes.get(had..)) else {
            return Ok(());
        };
        pipe.write_all(news)
            .map_err(|error| Trouble::sink("the pipe", &error))?;
        self.piped = self.at + bytes.len() as u64;
        Ok(())
    }

    /// Bytes that the pipe has had, in this exchange or before.
    pub fn piped(&self) -> u64 {
        self.piped
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.expect(bytes.len() as u64)?;
        self.file
            .write_all_at(bytes, self.at)
            .map_err(|error| Trouble::sink("the file", &error))?;
        self.pass_on(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
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
