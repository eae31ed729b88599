//! Files with holes: what of them an archive has.

use crate::failure::{Result, malformed, too_large};

/// More parts than a file of an image could have.
pub const SEGMENT_LIMIT: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    pub length: u64,
}

/// Whether a map is in order, lies within the file, and stands for exactly the data that there is.
pub fn check(map: &[Segment], size: u64, stored: u64) -> Result<()> {
    let (mut end, mut sum) = (0u64, 0u64);
    for segment in map {
        let next = segment.offset.checked_add(segment.length);
        match next {
            Some(next) if segment.offset >= end && next <= size => end = next,
            _ => return malformed("the parts of a sparse file overlap or lie outside of it"),
        }
        sum += segment.length;
    }
    if sum != stored {
        return malformed("the parts of a sparse file are not its data");
    }
    Ok(())
}

/// Pairs of numbers as segments.
pub fn pairs(numbers: &[u64]) -> Result<Vec<Segment>> {
    if !numbers.len().is_multiple_of(2) {
        return malformed("the map of a sparse file is damaged");
    }
    Ok(numbers
        .chunks_exact(2)
        .map(|pair| Segment {
            offset: pair[0],
            length: pair[1],
        })
        .collect())
}

/// More than the numbers of SEGMENT_LIMIT parts take.
const MAP_LIMIT_BYTES: usize = 4 << 20;

/// The map of pax format 1.0 (GNU tar manual, "Storing Sparse Files") as it comes: each byte is looked at once, however
/// many blocks there are.
#[derive(Default)]
pub struct MapText {
    numbers: Vec<u64>,
    /// The line that has not ended yet, and the bytes of all lines.
    line: Vec<u8>,
    bytes: usize,
    /// How many numbers follow the first, which tells it.
    count: Option<usize>,
}

impl MapText {
    /// Takes one more block; the map, when it is complete. What follows it in its last block has no meaning.
    pub fn take(&mut self, block: &[u8]) -> Result<Option<Vec<Segment>>> {
        self.bytes += block.len();
        if self.bytes > MAP_LIMIT_BYTES {
            return too_large("a sparse file has too many parts");
        }
        for byte in block {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let Some(number) = decimal(&std::mem::take(&mut self.line)) else {
                return malformed("the map of a sparse file is damaged");
            };
            match self.count {
                None if number > SEGMENT_LIMIT as u64 => {
                    return too_large("a sparse file has too many parts");
                }
                None => self.count = Some(2 * number as usize),
                Some(_) => self.numbers.push(number),
            }
            if self.count == Some(self.numbers.len()) {
                return pairs(&self.numbers).map(Some);
            }
        }
        Ok(None)
    }
}

/// Digits and nothing else, as a number.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_needs_all_of_its_lines() {
        let mut text = MapText::default();
        assert_eq!(text.take(b"1\n51").unwrap(), None);
        let map = text.take(b"2\n10\n\0\0").unwrap().unwrap();
        assert_eq!(
            map,
            [Segment {
                offset: 512,
                length: 10
            }]
        );
    }

    #[test]
    fn a_map_of_no_numbers_is_refused() {
        for text in [
            &b"x\n"[..],
            b"\n",
            b"1\n-1\n",
            b"99999999999999999999\n",
            b"65537\n",
        ] {
            assert!(
                MapText::default().take(text).is_err(),
                "{}",
                text.escape_ascii()
            );
        }
        assert_eq!(MapText::default().take(b"0\n").unwrap(), Some(vec![]));
    }

    #[test]
    fn parts_that_overlap_or_overflow_are_refused() {
        let part = |offset, length| Segment { offset, length };
        assert!(check(&[part(0, 10), part(5, 10)], 100, 20).is_err());
        assert!(check(&[part(u64::MAX, 2)], u64::MAX, 2).is_err());
        assert!(check(&[part(0, 10)], 100, 20).is_err());
        assert!(check(&[part(0, 10), part(90, 10)], 100, 20).is_ok());
    }
}
