//! The archive of bytecode modules inside the executable: `count`, then for each module
//! `name length, data length` (u32, little endian), the name and the data.

pub struct Archive<'a>(&'a [u8]);

fn read_u32(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

impl<'a> Archive<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn find(&self, wanted: &str) -> Option<&'a [u8]> {
        let mut at = 4;
        for _ in 0..read_u32(self.0) {
            let name_end = at + 8 + read_u32(&self.0[at..]);
            let data_end = name_end + read_u32(&self.0[at + 4..]);
            if &self.0[at + 8..name_end] == wanted.as_bytes() {
                return Some(&self.0[name_end..data_end]);
            }
            at = data_end;
        }
        None
    }
}
