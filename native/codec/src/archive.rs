//! Reads tar archives (POSIX.1-2001 pax, GNU, and what came before them) strictly: what two readers could understand in
//! two ways is refused, and so is what is damaged; nothing is skipped.

use crate::entry::{Entry, Type, field, link_target, owner, told};
use crate::failure::{Result, malformed, too_large};
use crate::number;
use crate::pax::{Attributes, SparseFormat};
use crate::sparse::{self, MapText, Segment};
use crate::stream::Stream;
use tar::{EntryType, Header};

pub const BLOCK_BYTES: usize = 512;
/// A long name or the attributes of one entry.
const EXTENSION_LIMIT_BYTES: u64 = 1 << 20;
/// The largest number that eleven octal digits hold.
const OCTAL_LIMIT: u64 = 0o77_777_777_777;
const PERMISSIONS: u32 = 0o7777;

pub struct Archive {
    stream: Stream,
    /// What of the current entry's data has not been read, and how much padding follows it.
    left: u64,
    padding: usize,
    /// Whether an end marker is needed: where no digest vouches for the whole.
    needs_end: bool,
    blocks: u64,
}

impl Archive {
    pub fn new(stream: Stream, needs_end: bool) -> Self {
        Self {
            stream,
            left: 0,
            padding: 0,
            needs_end,
            blocks: 0,
        }
    }

    /// The next entry; None after the last. The data of the one before need not have been read.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        self.skip_data()?;
        let mut attributes = Attributes::default();
        let mut long_path = None;
        let mut long_target = None;
        let mut pax = false;
        loop {
            let Some(header) = self.header()? else {
                if pax || long_path.is_some() || long_target.is_some() {
                    return malformed("the archive ends after an extension, before its entry");
                }
                return Ok(None);
            };
            let twice = match header.entry_type() {
                EntryType::GNULongName => long_path.replace(self.long_name(&header)?).is_some(),
                EntryType::GNULongLink => long_target.replace(self.long_name(&header)?).is_some(),
                EntryType::XHeader => {
                    attributes = Attributes::parse(&self.extension(&header)?)?;
                    std::mem::replace(&mut pax, true)
                }
                EntryType::XGlobalHeader => {
                    Attributes::parse(&self.extension(&header)?)?.refuse_as_global()?;
                    false
                }
                _ => {
                    return self
                        .entry(&header, attributes, long_path, long_target)
                        .map(Some);
                }
            };
            if twice {
                return malformed("an entry has the same extension twice");
            }
        }
    }

    fn header(&mut self) -> Result<Option<Header>> {
        let mut block = [0; BLOCK_BYTES];
        match self.stream.read_full(&mut block)? {
            BLOCK_BYTES => {}
            0 if !self.needs_end && self.blocks > 0 => return Ok(None),
            0 if self.blocks == 0 => {
                return Err(crate::failure::Failure::new(
                    crate::failure::Kind::NotAnArchive,
                    "it is empty",
                ));
            }
            0 => return malformed("the archive is cut off: it has no end marker"),
            _ if self.blocks == 0 => return Err(not_an_archive()),
            _ => return malformed("the archive is cut off in a header"),
        }
        self.blocks += 1;
        if block.iter().all(|byte| *byte == 0) {
            self.only_zeros()?;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            if self.blocks == 1 {
                return Err(not_an_archive());
            }
            return malformed("the checksum of a header is wrong");
        }
        Ok(Some(header))
    }

    /// After the end marker nothing may follow but padding: other readers would find another archive there.
    fn only_zeros(&mut self) -> Result<()> {
        loop {
            let rest = self.stream.fill()?;
            if rest.is_empty() {
                return Ok(());
            }
            if rest.iter().any(|byte| *byte != 0) {
                return malformed("there is something after the end of the archive");
            }
            let count = rest.len();
            self.stream.consume(count);
        }
    }

    fn begin_data(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK_BYTES - (size % BLOCK_BYTES as u64) as usize) % BLOCK_BYTES;
    }

    fn skip_data(&mut self) -> Result<()> {
        loop {
            let count = self.data()?.len();
            if count == 0 {
                break;
            }
            self.consume(count);
        }
        let mut padding = [0; BLOCK_BYTES];
        let wanted = std::mem::take(&mut self.padding);
        if self.stream.read_full(&mut padding[..wanted])? != wanted {
            return malformed("the archive is cut off after a file");
        }
        Ok(())
    }

    /// What is there of the current entry's data; empty after the last byte.
    pub fn data(&mut self) -> Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let left = self.left;
        let there = self.stream.fill()?;
        if there.is_empty() {
            return malformed("the archive is cut off in a file");
        }
        let count = usize::try_from(left).map_or(there.len(), |left| left.min(there.len()));
        Ok(&there[..count])
    }

    pub fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.stream.consume(count);
    }

    /// All data of an entry that is part of the archive's own structure.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>> {
        let size = field(header, number::SIZE, "size")?;
        if size > EXTENSION_LIMIT_BYTES {
            return too_large("the name or the attributes of an entry are too large");
        }
        self.begin_data(size);
        let mut whole = vec![0; size as usize];
        self.read_exact(&mut whole)?;
        self.skip_data()?;
        Ok(whole)
    }

    fn read_exact(&mut self, into: &mut [u8]) -> Result<()> {
        if self.left < into.len() as u64 || self.stream.read_full(into)? != into.len() {
            return malformed("the archive is cut off in an extension");
        }
        self.left -= into.len() as u64;
        Ok(())
    }

    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>> {
        let mut name = self.extension(header)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn entry(
        &mut self,
        header: &Header,
        attributes: Attributes,
        long_path: Option<Vec<u8>>,
        long_target: Option<Vec<u8>>,
    ) -> Result<Entry> {
        // GNU tar and star each have a way to tell what does not fit into a header: who tells it by both says two things.
        let has_two = |one: &Option<_>, other: &Option<_>| one.is_some() && other.is_some();
        if has_two(&attributes.path, &long_path) || has_two(&attributes.target, &long_target) {
            return malformed("an entry has two names");
        }
        let mut path = attributes
            .path
            .or(long_path)
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let old_sparse = header.entry_type().is_gnu_sparse();
        let kind = match header.entry_type() {
            // Before POSIX, directories were files whose names end with a slash.
            EntryType::Regular if path.last() == Some(&b'/') => Type::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Type::File,
            EntryType::Link => Type::HardLink,
            EntryType::Symlink => Type::Symlink,
            EntryType::Char => Type::Character,
            EntryType::Block => Type::Block,
            EntryType::Directory => Type::Directory,
            EntryType::Fifo => Type::Fifo,
            other => {
                return malformed(format!(
                    "an entry is of the unknown type '{}'",
                    other.as_byte().escape_ascii()
                ));
            }
        };
        let announced = field(header, number::SIZE, "size")?;
        let stored = attributes.size.unwrap_or(announced);
        // Readers differ in which of the two they take, and so in where the next entry begins.
        if stored != announced && stored <= OCTAL_LIMIT {
            return malformed("an entry has two sizes");
        }
        if kind != Type::File && stored != 0 {
            return malformed("an entry that is no file has data");
        }
        self.begin_data(stored);
        let mut size = stored;
        let mut segments = None;
        if old_sparse {
            let (real, map) = self.old_sparse_map(header)?;
            (size, segments) = (real, Some(map));
        } else if let Some(format) = attributes.sparse {
            if kind != Type::File {
                return malformed("an entry that is no file is sparse");
            }
            path = attributes.sparse_name.unwrap_or(path);
            let real = attributes.sparse_size;
            let map = match format {
                SparseFormat::InAttributes(map) => map,
                SparseFormat::InData => self.sparse_map_in_data()?,
            };
            let Some(real) = real else {
                return malformed("a sparse file has no size");
            };
            (size, segments) = (real, Some(map));
        }
        if let Some(map) = &segments {
            sparse::check(map, size, self.left)?;
        }
        let uid = attributes
            .uid
            .map_or_else(|| field(header, number::UID, "owner"), Ok);
        let gid = attributes
            .gid
            .map_or_else(|| field(header, number::GID, "group"), Ok);
        let modified = match attributes.modified {
            Some(modified) => modified,
            None => (
                told(number::signed(&header.as_bytes()[number::MODIFIED]), "time")?,
                0,
            ),
        };
        // Others leave the fields empty, or without meaning.
        let device = match kind {
            Type::Character | Type::Block => (
                field(header, number::MAJOR, "device")?,
                field(header, number::MINOR, "device")?,
            ),
            _ => (0, 0),
        };
        Ok(Entry {
            path,
            kind,
            target: match kind {
                Type::HardLink | Type::Symlink => link_target(
                    attributes
                        .target
                        .or(long_target)
                        .or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
                        .unwrap_or_default(),
                )?,
                _ => Vec::new(),
            },
            mode: field(header, number::MODE, "mode")? as u32 & PERMISSIONS,
            uid: owner(uid?)?,
            gid: owner(gid?)?,
            modified,
            size,
            segments,
            device,
            xattrs: attributes.xattrs,
        })
    }

    /// The map of an old GNU sparse file: in the header, and in blocks between it and the data.
    fn old_sparse_map(&mut self, header: &Header) -> Result<(u64, Vec<Segment>)> {
        let Some(gnu) = header.as_gnu() else {
            return malformed("a sparse file has no GNU header");
        };
        let mut map = Vec::new();
        let mut push = |part: &tar::GnuSparseHeader| -> Result<()> {
            if !part.is_empty() {
                map.push(Segment {
                    offset: told(number::unsigned(&part.offset), "sparse map")?,
                    length: told(number::unsigned(&part.numbytes), "sparse map")?,
                });
            }
            if map.len() > sparse::SEGMENT_LIMIT {
                return too_large("a sparse file has too many parts");
            }
            Ok(())
        };
        gnu.sparse.iter().try_for_each(&mut push)?;
        let mut more = gnu.is_extended();
        while more {
            let mut block = tar::GnuExtSparseHeader::new();
            // These blocks are not part of the size.
            if self.stream.read_full(block.as_mut_bytes())? != BLOCK_BYTES {
                return malformed("the archive is cut off in a sparse map");
            }
            block.sparse().iter().try_for_each(&mut push)?;
            more = block.is_extended();
        }
        Ok((told(number::unsigned(&gnu.realsize), "size")?, map))
    }

    /// The map of a sparse file of pax format 1.0: decimal numbers, a line each, at the beginning of the data.
    fn sparse_map_in_data(&mut self) -> Result<Vec<Segment>> {
        let mut text = MapText::default();
        let mut block = [0; BLOCK_BYTES];
        loop {
            self.read_exact(&mut block)?;
            if let Some(map) = text.take(&block)? {
                return Ok(map);
            }
        }
    }

    pub fn finish(self) -> Result<crate::stream::Sums> {
        self.stream.finish()
    }
}

fn not_an_archive() -> crate::failure::Failure {
    crate::failure::Failure::new(
        crate::failure::Kind::NotAnArchive,
        "it is neither tar, nor tar compressed with gzip or zstd",
    )
}
