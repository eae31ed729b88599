//! Numbers in the fields of a header: octal digits (ustar), or binary where they do not suffice (GNU, star). What does not
//! fit is refused: readers that drop the upper bytes, as some do, find another size, and so another next entry.

use std::ops::Range;

pub const MODE: Range<usize> = 100..108;
pub const UID: Range<usize> = 108..116;
pub const GID: Range<usize> = 116..124;
pub const SIZE: Range<usize> = 124..136;
pub const MODIFIED: Range<usize> = 136..148;
pub const MAJOR: Range<usize> = 329..337;
pub const MINOR: Range<usize> = 337..345;

const BINARY: u8 = 0x80;
const NEGATIVE: u8 = 0xff;
const U64_BYTES: usize = size_of::<u64>();

/// A number that is not negative.
pub fn unsigned(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & BINARY == 0 {
        return octal(field);
    }
    let (above, low) = rest.split_at(rest.len().saturating_sub(U64_BYTES));
    (*first == BINARY && above.iter().all(|byte| *byte == 0)).then(|| low.iter().fold(0, next_byte))
}

/// A time, which may be before 1970.
pub fn signed(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if *first != NEGATIVE {
        return i64::try_from(unsigned(field)?).ok();
    }
    let (above, low) = rest.split_at(rest.len().saturating_sub(U64_BYTES));
    let value = low.iter().fold(u64::MAX, next_byte) as i64;
    (value < 0 && above.iter().all(|byte| *byte == NEGATIVE)).then_some(value)
}

fn next_byte(sum: u64, byte: &u8) -> u64 {
    sum << 8 | u64::from(*byte)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = field.split(|byte| *byte == 0).next()?.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = matches!(byte, b'0'..=b'7').then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_digits_end_with_a_nul_or_a_blank() {
        assert_eq!(unsigned(b"0000644\0"), Some(0o644));
        assert_eq!(unsigned(b"   644 \0"), Some(0o644));
        assert_eq!(unsigned(b"777777777777"), Some(0o777_777_777_777));
        for field in [&b"00008\0"[..], b"-1\0", b"+1\0", b"\0\0", b"1 1\0", b""] {
            assert_eq!(unsigned(field), None, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn binary_numbers_lose_no_bytes() {
        assert_eq!(unsigned(b"\x80\0\0\0\0\0\x01\x02"), Some(258));
        assert_eq!(unsigned(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), Some(1 << 63));
        for field in [
            &b"\x81\0\0\0\0\0\0\0"[..],
            b"\x80\0\0\x01\0\0\0\0\0\0\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(unsigned(field), None, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn times_may_be_negative() {
        assert_eq!(signed(&[0xff; 12]), Some(-1));
        assert_eq!(signed(b"00000000001\0"), Some(1));
        assert_eq!(signed(b"\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0"), None);
        assert_eq!(signed(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), None);
    }
}
