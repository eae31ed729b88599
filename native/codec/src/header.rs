//! Headers of the archives that are made: POSIX.1-2001 (pax), with those attributes that GNU tar and star have added. Where
//! ustar's fields are large enough, there is nothing but them.

/// What an entry's header says.
pub struct Header<'a> {
    /// Without a slash at its end.
    pub path: &'a [u8],
    pub kind: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of what follows the header.
    pub size: u64,
    pub modified: (i64, u32),
    /// Where a link leads.
    pub target: &'a [u8],
    pub device: (u32, u32),
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
    /// Of a sparse file in GNU's format 1.0: what its size is really.
    pub real_size: Option<u64>,
}

pub const FILE: u8 = b'0';
pub const HARD_LINK: u8 = b'1';
pub const SYMLINK: u8 = b'2';
pub const CHARACTER: u8 = b'3';
pub const BLOCK: u8 = b'4';
pub const DIRECTORY: u8 = b'5';
pub const FIFO: u8 = b'6';
const PAX: u8 = b'x';

pub const BLOCK_BYTES: usize = 512;
const NAME_BYTES: usize = 100;
const PAX_NAME: &[u8] = b"PaxHeader";
const SPARSE_NAME: &[u8] = b"GNUSparseFile.0";
/// What fields of seven and of eleven octal digits hold.
const SEVEN_DIGITS: u64 = 1 << 21;
const ELEVEN_DIGITS: u64 = 1 << 33;

/// Zeros up to the next whole block.
pub fn padding(size: u64) -> &'static [u8] {
    let rest = (size % BLOCK_BYTES as u64) as usize;
    &[0; BLOCK_BYTES][..(BLOCK_BYTES - rest) % BLOCK_BYTES]
}

fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(text.as_bytes());
}

fn text(field: &mut [u8], value: &[u8]) {
    let length = field.len().min(value.len());
    field[..length].copy_from_slice(&value[..length]);
}

/// `12 size=1000\n`: the length counts its own digits.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// `-1.5` for (-2, 500000000).
fn time((seconds, nanoseconds): (i64, u32)) -> String {
    let (sign, seconds, nanoseconds) = match (seconds < 0, nanoseconds) {
        (true, 0) => ("-", -seconds, 0),
        (true, _) => ("-", -seconds - 1, 1_000_000_000 - nanoseconds),
        (false, _) => ("", seconds, nanoseconds),
    };
    if nanoseconds == 0 {
        return format!("{sign}{seconds}");
    }
    let fraction = format!("{nanoseconds:09}");
    format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
}

impl Header<'_> {
    /// All that comes before the content.
    pub fn bytes(&self) -> Vec<u8> {
        let records = self.records();
        let mut out = Vec::with_capacity(BLOCK_BYTES * 4);
        if !records.is_empty() {
            let size = records.len() as u64;
            out.extend_from_slice(&block(PAX_NAME, PAX, 0o644, (0, 0), size, 0, b"", (0, 0)));
            out.extend_from_slice(&records);
            out.extend_from_slice(padding(size));
        }
        let name = self.name();
        let ids = (
            within(u64::from(self.uid), SEVEN_DIGITS),
            within(u64::from(self.gid), SEVEN_DIGITS),
        );
        let modified = u64::try_from(self.modified.0).map_or(0, |time| within(time, ELEVEN_DIGITS));
        let size = within(self.size, ELEVEN_DIGITS);
        out.extend_from_slice(&block(
            &name,
            self.kind,
            self.mode,
            ids,
            size,
            modified,
            self.target,
            self.device,
        ));
        out
    }

    /// As the header's own field has it: of a sparse file a name that tells readers who do not know the format what it is.
    fn name(&self) -> Vec<u8> {
        let mut name = match self.real_size {
            Some(_) => [SPARSE_NAME, self.path].join(&b'/'),
            None => self.path.to_vec(),
        };
        if self.kind == DIRECTORY {
            name.push(b'/');
        }
        name
    }

    /// What the fields of the header cannot say.
    fn records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut add = |key: &[u8], value: &[u8]| record(&mut out, key, value);
        if let Some(size) = self.real_size {
            add(b"GNU.sparse.major", b"1");
            add(b"GNU.sparse.minor", b"0");
            add(b"GNU.sparse.name", self.path);
            add(b"GNU.sparse.realsize", size.to_string().as_bytes());
        } else if self.name().len() > NAME_BYTES {
            add(b"path", &self.name());
        }
        if self.target.len() > NAME_BYTES {
            add(b"linkpath", self.target);
        }
        for (key, value) in [(&b"uid"[..], self.uid), (b"gid", self.gid)] {
            if u64::from(value) >= SEVEN_DIGITS {
                add(key, value.to_string().as_bytes());
            }
        }
        if self.size >= ELEVEN_DIGITS {
            add(b"size", self.size.to_string().as_bytes());
        }
        let (seconds, nanoseconds) = self.modified;
        if nanoseconds != 0 || !(0..ELEVEN_DIGITS as i64).contains(&seconds) {
            add(b"mtime", time(self.modified).as_bytes());
        }
        for (name, value) in self.xattrs {
            add(&[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
        out
    }
}

/// What does not fit is told by a record, and the field is 0.
fn within(value: u64, limit: u64) -> u64 {
    if value < limit { value } else { 0 }
}

#[allow(clippy::too_many_arguments)]
fn block(
    name: &[u8],
    kind: u8,
    mode: u32,
    (uid, gid): (u64, u64),
    size: u64,
    modified: u64,
    target: &[u8],
    (major, minor): (u32, u32),
) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    text(&mut block[..NAME_BYTES], name);
    octal(&mut block[100..108], u64::from(mode & 0o7777));
    octal(&mut block[108..116], uid);
    octal(&mut block[116..124], gid);
    octal(&mut block[124..136], size);
    octal(&mut block[136..148], modified);
    block[156] = kind;
    text(&mut block[157..257], target);
    text(&mut block[257..265], b"ustar\x0000");
    octal(&mut block[329..337], u64::from(major));
    octal(&mut block[337..345], u64::from(minor));
    // The sum of all bytes, with blanks in place of the sum.
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut block[148..155], sum);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        for length in [0, 1, 80, 90, 91, 92, 93, 94, 95, 985, 986, 990, 9980] {
            let mut out = Vec::new();
            record(&mut out, b"path", &vec![b'x'; length]);
            let digits = out.iter().position(|byte| *byte == b' ').unwrap();
            let told: usize = std::str::from_utf8(&out[..digits])
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(told, out.len());
        }
    }

    #[test]
    fn times_are_told_to_the_nanosecond() {
        assert_eq!(time((1, 500_000_000)), "1.5");
        assert_eq!(time((-2, 500_000_000)), "-1.5");
        assert_eq!(time((-3, 0)), "-3");
        assert_eq!(time((0, 1)), "0.000000001");
    }
}
