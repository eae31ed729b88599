//! The bytes of an archive: unpacked, hashed and counted in a thread of its own, so that the reader never waits for
//! one processor to do both that and the writing of files.

use crate::failure::{Failure, Kind, Result, malformed, too_large};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS_AHEAD: usize = 8;
/// What decoders of zstd have to support is 8 MiB; `zstd --long` goes up to 128 MiB unless asked for more.
const ZSTD_WINDOW_LIMIT_LOG: u32 = 27;
const MAGICS: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
];

/// What is known of the bytes beforehand, and what they must not exceed.
#[derive(Default)]
pub struct Expected {
    pub digest: Option<String>,
    pub size: Option<u64>,
    /// Of the unpacked stream.
    pub limit: u64,
}

/// What the bytes were.
pub struct Sums {
    pub digest: String,
    pub size: u64,
    pub diff_id: String,
    pub unpacked_size: u64,
    pub compression: &'static str,
}

/// The compressed bytes on their way through: hashed, counted, and refused past the announced size.
struct Counted {
    file: File,
    hash: Sha256,
    count: u64,
    limit: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.hash.update(&into[..count]);
        self.count += count as u64;
        if self.count > self.limit {
            return Err(io::Error::other(Excess));
        }
        Ok(count)
    }
}

/// More bytes came than were announced.
#[derive(Debug)]
struct Excess;

impl std::error::Error for Excess {}

impl std::fmt::Display for Excess {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("it has more bytes than were announced")
    }
}

/// The unpacked bytes, in order.
pub struct Stream {
    chunks: Receiver<Vec<u8>>,
    used: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    worker: Option<JoinHandle<Result<Sums>>>,
    failed: Option<Failure>,
    sums: Option<Sums>,
}

impl Stream {
    pub fn start(file: File, expected: Expected) -> Self {
        let (send, chunks) = sync_channel(CHUNKS_AHEAD);
        let (used, free) = channel();
        Self {
            chunks,
            used,
            current: Vec::new(),
            at: 0,
            worker: Some(std::thread::spawn(move || {
                produce(file, &expected, &send, &free)
            })),
            failed: None,
            sums: None,
        }
    }

    /// The bytes that are there next; none at the end. A failure of the decoder comes out here, once.
    pub fn fill(&mut self) -> Result<&[u8]> {
        if self.at == self.current.len() && self.worker.is_some() {
            let done = std::mem::take(&mut self.current);
            self.at = 0;
            // The worker may have ended; then nobody needs the buffer any more.
            let _ = self.used.send(done);
            match self.chunks.recv() {
                Ok(chunk) => self.current = chunk,
                Err(_) => self.end(),
            }
        }
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        Ok(&self.current[self.at..])
    }

    fn end(&mut self) {
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(Ok(sums))) => self.sums = Some(sums),
            Some(Ok(Err(failure))) => self.failed = Some(failure),
            _ => self.failed = Some(Failure::new(Kind::System, "the decoder stopped")),
        }
    }

    pub fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// Fills a buffer; how much of it there was before the end.
    pub fn read_full(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let there = self.fill()?;
            if there.is_empty() {
                break;
            }
            let count = there.len().min(into.len() - done);
            into[done..done + count].copy_from_slice(&there[..count]);
            self.consume(count);
            done += count;
        }
        Ok(done)
    }

    /// What the bytes were, after all of them have been read.
    pub fn finish(mut self) -> Result<Sums> {
        loop {
            let count = self.fill()?.len();
            if count == 0 {
                break;
            }
            self.consume(count);
        }
        self.sums
            .take()
            .ok_or_else(|| Failure::new(Kind::System, "the decoder stopped"))
    }
}

/// What goes to the reader: hashed and counted.
struct Output<'a> {
    send: &'a SyncSender<Vec<u8>>,
    free: &'a Receiver<Vec<u8>>,
    hash: Option<Sha256>,
    count: u64,
    limit: u64,
}

impl Output<'_> {
    /// Passes on all that a decoder gives. Returns false if the reader has gone.
    fn pump(&mut self, mut from: impl Read) -> Result<bool> {
        loop {
            let mut chunk = self.free.try_recv().unwrap_or_default();
            chunk.resize(CHUNK_BYTES, 0);
            let mut length = 0;
            while length < CHUNK_BYTES {
                match from.read(&mut chunk[length..]) {
                    Ok(0) => break,
                    Ok(count) => length += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(undecodable(&error)),
                }
            }
            if length == 0 {
                return Ok(true);
            }
            chunk.truncate(length);
            self.count += length as u64;
            if self.count > self.limit {
                return too_large(format!(
                    "the archive unpacks to more than {} bytes",
                    self.limit
                ));
            }
            if let Some(hash) = &mut self.hash {
                hash.update(&chunk);
            }
            if self.send.send(chunk).is_err() {
                return Ok(false);
            }
        }
    }
}

fn undecodable(error: &io::Error) -> Failure {
    if error.get_ref().is_some_and(|inner| inner.is::<Excess>()) {
        return Failure::new(Kind::Mismatch, error.to_string());
    }
    match (error.raw_os_error(), error.kind()) {
        (Some(_), _) => Failure::new(Kind::System, format!("reading the archive: {error}")),
        (_, io::ErrorKind::UnexpectedEof) => {
            Failure::new(Kind::Malformed, "the archive is cut off")
        }
        _ => Failure::new(
            Kind::Malformed,
            format!("the compression is damaged: {error}"),
        ),
    }
}

fn produce(
    file: File,
    expected: &Expected,
    send: &SyncSender<Vec<u8>>,
    free: &Receiver<Vec<u8>>,
) -> Result<Sums> {
    let counted = Counted {
        file,
        hash: Sha256::new(),
        count: 0,
        limit: expected.size.unwrap_or(u64::MAX),
    };
    let mut input = BufReader::with_capacity(CHUNK_BYTES, counted);
    let head = input.fill_buf().map_err(|error| undecodable(&error))?;
    let compression = compression_of(head, expected.digest.is_none());
    let mut output = Output {
        send,
        free,
        hash: (compression != "none").then(Sha256::new),
        count: 0,
        limit: expected.limit,
    };
    let heard = match compression {
        "gzip" => output.pump(MultiGzDecoder::new(&mut input))?,
        "zstd" => output.pump(zstd_decoder(&mut input)?)?,
        "bzip2" => output.pump(MultiBzDecoder::new(&mut input))?,
        "xz" => output.pump(XzReader::new(&mut input, true))?,
        _ => output.pump(&mut input)?,
    };
    if heard {
        // Decoders stop where their format ends: what follows would be neither checked nor unpacked.
        let mut rest = [0; 1];
        if input.read(&mut rest).map_err(|error| undecodable(&error))? != 0 {
            return malformed("there is something after the end of the compressed archive");
        }
    }
    let counted = input.into_inner();
    let digest = hex(&counted.hash.finalize());
    let sums = Sums {
        diff_id: output
            .hash
            .map_or_else(|| digest.clone(), |hash| hex(&hash.finalize())),
        digest,
        size: counted.count,
        unpacked_size: output.count,
        compression,
    };
    if heard {
        verify(&sums, expected)?;
    }
    Ok(sums)
}

fn verify(sums: &Sums, expected: &Expected) -> Result<()> {
    if let Some(size) = expected.size.filter(|size| *size != sums.size) {
        return Err(Failure::new(
            Kind::Mismatch,
            format!("it has {} bytes, {size} were announced", sums.size),
        ));
    }
    match &expected.digest {
        Some(digest) if *digest != sums.digest => Err(Failure::new(
            Kind::Mismatch,
            format!("its digest is sha256:{}, not sha256:{digest}", sums.digest),
        )),
        _ => Ok(()),
    }
}

/// What the first bytes say. Layers of images are never of the last two (image-spec layer.md, "+gzip", "+zstd").
fn compression_of(head: &[u8], is_any_archive: bool) -> &'static str {
    let all = MAGICS
        .iter()
        .take(if is_any_archive { MAGICS.len() } else { 2 });
    all.copied()
        .find(|(magic, _)| head.starts_with(magic))
        .map_or("none", |(_, name)| name)
}

/// All frames of a zstd file (RFC 8878, section 3).
fn zstd_decoder<R: BufRead>(input: R) -> Result<zstd::Decoder<'static, R>> {
    let mut decoder = zstd::Decoder::with_buffer(input).map_err(|error| undecodable(&error))?;
    decoder
        .window_log_max(ZSTD_WINDOW_LIMIT_LOG)
        .map_err(|error| undecodable(&error))?;
    Ok(decoder)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
