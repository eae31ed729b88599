//! Where an archive goes that is being made: hashed, compressed by a thread of its own, and hashed again.

use crate::failure::{Failure, Kind, Result, system};
use crate::stream::{Sums, hex};
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS_AHEAD: usize = 8;
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

#[derive(Clone, Copy)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// The compressed bytes on their way into the file.
struct Counted {
    file: File,
    hash: Sha256,
    count: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Encoder {
    None(Counted),
    Gzip(GzEncoder<Counted>),
    Zstd(zstd::Encoder<'static, Counted>),
}

impl Encoder {
    fn new(file: File, compression: Compression) -> io::Result<Self> {
        let counted = Counted {
            file,
            hash: Sha256::new(),
            count: 0,
        };
        Ok(match compression {
            Compression::None => Self::None(counted),
            // Its header holds neither time nor name: the same files make the same bytes.
            Compression::Gzip => Self::Gzip(GzEncoder::new(
                counted,
                flate2::Compression::new(GZIP_LEVEL),
            )),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(counted, ZSTD_LEVEL)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::None(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Counted> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(out) => out.finish(),
            Self::Zstd(out) => out.finish(),
        }
    }
}

/// The bytes of an archive, as they are made.
pub struct Output {
    chunk: Vec<u8>,
    hash: Sha256,
    count: u64,
    send: Option<SyncSender<Vec<u8>>>,
    worker: Option<JoinHandle<io::Result<Counted>>>,
    compression: Compression,
}

fn failed(error: &io::Error) -> Failure {
    system("write", b"the archive", error)
}

impl Output {
    pub fn start(file: File, compression: Compression) -> Self {
        let (send, chunks) = sync_channel::<Vec<u8>>(CHUNKS_AHEAD);
        let worker = std::thread::spawn(move || {
            let mut encoder = Encoder::new(file, compression)?;
            for chunk in chunks {
                encoder.write_all(&chunk)?;
            }
            encoder.finish()
        });
        Self {
            chunk: Vec::with_capacity(CHUNK_BYTES),
            hash: Sha256::new(),
            count: 0,
            send: Some(send),
            worker: Some(worker),
            compression,
        }
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.count += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == CHUNK_BYTES {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> Result<()> {
        let chunk = mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.hash.update(&chunk);
        match self.send.as_ref().map(|send| send.send(chunk)) {
            Some(Ok(())) => Ok(()),
            // The worker has ended before its time, and knows why.
            _ => self.join().map(drop),
        }
    }

    fn join(&mut self) -> Result<Counted> {
        self.send = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(done)) => done.map_err(|error| failed(&error)),
            _ => Err(Failure::new(Kind::System, "the encoder stopped")),
        }
    }

    /// Ends the archive: what its bytes were.
    pub fn finish(mut self) -> Result<Sums> {
        self.pass_on()?;
        let counted = self.join()?;
        Ok(Sums {
            digest: hex(&counted.hash.finalize()),
            size: counted.count,
            diff_id: hex(&self.hash.finalize()),
            unpacked_size: self.count,
            compression: match self.compression {
                Compression::None => "none",
                Compression::Gzip => "gzip",
                Compression::Zstd => "zstd",
            },
        })
    }
}
