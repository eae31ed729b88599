//! Answers as JSON. Bytes that are not UTF-8 become lone surrogates, as native/src/door.rs has it.

use crate::digest::Digested;
use crate::pack::Packed;
use crate::split::Member;
use crate::stream::Sums;
use crate::sum::Sum;
use crate::unpack::Unpacked;
use std::fmt::Write;

fn string(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                '\0'..='\x1f' | '\x7f' => escape(&mut text, u32::from(character)),
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            escape(&mut text, 0xdc00 + u32::from(*byte));
        }
    }
    text.push('"');
    text
}

fn escape(text: &mut String, unit: u32) {
    // Writing into a string does not fail.
    let _ = write!(text, "\\u{unit:04x}");
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

fn sums(sums: &Sums) -> String {
    format!(
        r#""digest":"sha256:{}","size":{},"diffId":"sha256:{}","unpackedSize":{},"compression":"{}""#,
        sums.digest, sums.size, sums.diff_id, sums.unpacked_size, sums.compression
    )
}

pub fn unpacked(done: &Unpacked, of: &Sums) -> String {
    format!(
        r#"{{{},"entries":{},"fileBytes":{},"droppedXattrs":{},"opaque":{},"implied":{}}}"#,
        sums(of),
        done.entries,
        done.file_bytes,
        done.dropped_xattrs,
        list(done.opaque.iter().map(|path| string(path))),
        list(done.implied.iter().map(|path| string(path)))
    )
}

pub fn packed(done: &Packed, of: &Sums) -> String {
    format!(
        r#"{{{},"entries":{},"fileBytes":{},"skipped":{}}}"#,
        sums(of),
        done.entries,
        done.file_bytes,
        done.skipped
    )
}

pub fn digested(done: &Digested) -> String {
    format!(
        r#"{{"digest":"sha256:{}","size":{}}}"#,
        done.digest, done.size
    )
}

pub fn sums_of(files: &[Sum]) -> String {
    list(files.iter().map(|file| {
        format!(
            r#"{{"file":{},"digest":"sha256:{}","size":{}}}"#,
            string(&file.name),
            file.digest,
            file.size
        )
    }))
}

pub fn members(members: &[Member], of: &Sums) -> String {
    let items = members.iter().map(|member| match member {
        Member::File {
            path,
            name,
            size,
            digest,
        } => format!(
            r#"{{"path":{},"file":"{name}","size":{size},"digest":"sha256:{digest}"}}"#,
            string(path)
        ),
        Member::Link { path, target } => {
            format!(r#"{{"path":{},"target":{}}}"#, string(path), string(target))
        }
    });
    format!(r#"{{{},"members":{}}}"#, sums(of), list(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_valid_json_whatever_the_bytes_are() {
        assert_eq!(
            string(b"a\"\\\n\xff\xc3\xa4"),
            "\"a\\\"\\\\\\u000a\\udcffä\""
        );
    }
}
