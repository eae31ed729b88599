//! What an archive must not have more of.

pub struct Limits {
    pub entries: u64,
    pub bytes: u64,
    pub depth: usize,
}
