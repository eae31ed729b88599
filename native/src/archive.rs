//! The archive of bytecode modules that the snapshot is made from: `count`, then for each module
//! `name length, data length` (u32, little endian), the name and the data.

pub struct Archive<'a>(&'a [u8]);

fn read_u32(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

impl<'a> Archive<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Name and data of each file.
    pub fn files(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let bytes = self.0;
        let mut at = 4;
        (0..read_u32(bytes)).map(move |_| {
            let name_end = at + 8 + read_u32(&bytes[at..]);
            let data_end = name_end + read_u32(&bytes[at + 4..]);
            let name = core::str::from_utf8(&bytes[at + 8..name_end]).unwrap_or_default();
            at = data_end;
            (name, &bytes[name_end..data_end])
        })
    }

    pub fn find(&self, wanted: &str) -> Option<&'a [u8]> {
        self.files()
            .find_map(|(name, data)| (name == wanted).then_some(data))
    }
}
