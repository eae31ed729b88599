//! The extended attributes of pax archives (POSIX.1-2017, pax, "pax Extended Header"), with those of GNU tar and star.

use crate::failure::{Result, malformed, too_large};
use crate::sparse::{self, Segment, decimal};

const XATTR: &[u8] = b"SCHILY.xattr.";
const NANOSECOND_DIGITS: usize = 9;

/// Where the map of a sparse file is.
pub enum SparseFormat {
    /// Formats 0.0 and 0.1.
    InAttributes(Vec<Segment>),
    /// Format 1.0.
    InData,
}

#[derive(Default)]
pub struct Attributes {
    pub path: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub modified: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Option<SparseFormat>,
    pub sparse_name: Option<Vec<u8>>,
    pub sparse_size: Option<u64>,
    /// Whether there is anything that says something about files.
    telling: bool,
}

impl Attributes {
    /// Reads `length keyword=value\n` records; any record that is not of this form makes the whole malformed.
    pub fn parse(mut text: &[u8]) -> Result<Self> {
        let mut attributes = Self::default();
        let mut numbers = Vec::new();
        let mut sparse_major = None;
        while !text.is_empty() {
            let (key, value, rest) = record(text)?;
            text = rest;
            attributes.telling |= key != b"comment";
            match key {
                b"path" => attributes.path = Some(value.to_vec()),
                b"linkpath" => attributes.target = Some(value.to_vec()),
                b"size" => attributes.size = Some(number(value)?),
                b"uid" => attributes.uid = Some(number(value)?),
                b"gid" => attributes.gid = Some(number(value)?),
                b"mtime" => attributes.modified = Some(time(value)?),
                b"GNU.sparse.major" => sparse_major = Some(number(value)?),
                b"GNU.sparse.name" => attributes.sparse_name = Some(value.to_vec()),
                b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                    attributes.sparse_size = Some(number(value)?);
                }
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => numbers.push(number(value)?),
                b"GNU.sparse.map" => {
                    for part in value.split(|byte| *byte == b',') {
                        numbers.push(number(part)?);
                    }
                }
                _ => {
                    if let Some(name) = key.strip_prefix(XATTR) {
                        attributes.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
            if numbers.len() > 2 * sparse::SEGMENT_LIMIT {
                return too_large("a sparse file has too many parts");
            }
        }
        attributes.sparse = match sparse_major {
            Some(1) => Some(SparseFormat::InData),
            Some(major) if major > 1 => {
                return malformed("a sparse file is of an unknown format");
            }
            _ if !numbers.is_empty() => Some(SparseFormat::InAttributes(sparse::pairs(&numbers)?)),
            _ => None,
        };
        Ok(attributes)
    }

    /// Attributes of all entries that follow: some readers apply them, some do not, so only remarks are taken.
    pub fn refuse_as_global(&self) -> Result<()> {
        if self.telling {
            return malformed("the archive has attributes for all of its entries");
        }
        Ok(())
    }
}

/// The first record: its keyword and value, and what follows it.
fn record(text: &[u8]) -> Result<(&[u8], &[u8], &[u8])> {
    let parts = || {
        let space = text.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(&text[..space])?).ok()?;
        let body = text.get(space + 1..length)?;
        let (newline, body) = body.split_last()?;
        let equals = body.iter().position(|byte| *byte == b'=')?;
        (*newline == b'\n' && equals > 0)
            .then(|| (&body[..equals], &body[equals + 1..], &text[length..]))
    };
    parts().map_or_else(|| malformed("the attributes of an entry are damaged"), Ok)
}

fn number(text: &[u8]) -> Result<u64> {
    decimal(text).map_or_else(|| malformed("an attribute of an entry is no number"), Ok)
}

/// `-12.345` as seconds (rounded down) and nanoseconds.
fn time(text: &[u8]) -> Result<(i64, u32)> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds = parts.next().and_then(decimal);
    let fraction = parts.next().unwrap_or(b"0");
    let Some(seconds) = seconds.and_then(|seconds| i64::try_from(seconds).ok()) else {
        return malformed("the time of an entry is no number");
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return malformed("the time of an entry is no number");
    }
    let nanoseconds = (0..NANOSECOND_DIGITS).fold(0, |sum, at| {
        sum * 10 + u32::from(fraction.get(at).map_or(0, |byte| byte - b'0'))
    });
    Ok(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_any_bytes() {
        let attributes =
            Attributes::parse(b"29 SCHILY.xattr.user.x=a\n=b\0\n14 path=a=b/\xff\n").unwrap();
        assert_eq!(
            attributes.xattrs,
            [(b"user.x".to_vec(), b"a\n=b\0".to_vec())]
        );
        assert_eq!(attributes.path.as_deref(), Some(&b"a=b/\xff"[..]));
    }

    #[test]
    fn records_that_lie_about_their_length_are_refused() {
        for text in [
            &b"9 path=ab\n"[..],
            b"99 path=ab\n",
            b"11 path=abc",
            b"-1 path=a\n",
            b"6 path\n",
            b"4 =a\n",
            b"\0\0\0",
        ] {
            assert!(Attributes::parse(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn times_before_1970_are_rounded_down() {
        assert_eq!(time(b"1.5").unwrap(), (1, 500_000_000));
        assert_eq!(time(b"-1.5").unwrap(), (-2, 500_000_000));
        assert_eq!(time(b"-3").unwrap(), (-3, 0));
        assert_eq!(time(b"7.1234567899").unwrap(), (7, 123_456_789));
        assert!(time(b"1.x").is_err());
    }
}
