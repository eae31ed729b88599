//! One digest of many files of a tree: of what is told of each, and of what is in those that are to be read. It names what `COPY` of
//! a build copies, without a copy being made.

use crate::failure::{Result, Shown, malformed};
use crate::stream::hex;
use crate::sum;
use sha2::{Digest, Sha256};
use std::os::fd::OwnedFd;

/// The first byte of a note whose file is read.
const READ: u8 = b'f';

struct Item<'a> {
    path: &'a [u8],
    note: &'a [u8],
}

pub struct Digested {
    pub digest: String,
    pub size: u64,
}

/// Paths and notes by turns, each ended by a NUL.
fn items(list: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut fields = list.split(|byte| *byte == 0);
    while let (Some(path), Some(note)) = (fields.next(), fields.next()) {
        items.push(Item { path, note });
    }
    items
}

/// The digest of a list's files, in the list's order.
pub fn digest(root: &OwnedFd, list: &[u8]) -> Result<Digested> {
    let items = items(list);
    let read: Vec<Vec<u8>> = items
        .iter()
        .filter(|item| item.note.first() == Some(&READ))
        .map(|item| item.path.to_vec())
        .collect();
    let sums = sum::sums_of(root, read)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    for item in &items {
        for field in [item.path, item.note] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        if item.note.first() == Some(&READ) {
            let Some(sum) = sums.get(item.path) else {
                return malformed(format!("{} went while it was read", Shown(item.path)));
            };
            hash.update(sum.digest.as_bytes());
            size += sum.size;
        }
    }
    Ok(Digested {
        digest: hex(&hash.finalize()),
        size,
    })
}
