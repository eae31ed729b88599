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

/// The map of pax format 1.0 (GNU tar manual, "Storing Sparse Files"); None if more of the text is needed.
pub fn parse_map(text: &[u8]) -> Result<Option<Vec<Segment>>> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let whole_lines = text.iter().filter(|byte| **byte == b'\n').count();
    if whole_lines == 0 {
        return Ok(None);
    }
    let count = lines.next().and_then(decimal);
    let Some(count) = count.and_then(|count| usize::try_from(count).ok()) else {
        return malformed("the map of a sparse file is damaged");
    };
    if count > SEGMENT_LIMIT {
        return too_large("a sparse file has too many parts");
    }
    if whole_lines < 1 + count * 2 {
        return Ok(None);
    }
    let numbers: Option<Vec<u64>> = lines.take(count * 2).map(decimal).collect();
    numbers.map_or_else(
        || malformed("the map of a sparse file is damaged"),
        |numbers| pairs(&numbers).map(Some),
    )
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
        assert_eq!(parse_map(b"2\n0\n10\n").unwrap(), None);
        let map = parse_map(b"1\n512\n10\n\0\0").unwrap().unwrap();
        assert_eq!(
            map,
            [Segment {
                offset: 512,
                length: 10
            }]
        );
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
