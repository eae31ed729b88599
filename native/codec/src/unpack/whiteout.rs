//! What a layer hides of those below it (image-spec layer.md, "Whiteouts").

use super::Target;
use crate::entry::{Entry, Type};
use crate::failure::{Result, Shown, malformed, system, too_large};
use crate::sys;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

pub const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const TOLD_LIMIT_BYTES: usize = 8 << 20;

impl Target<'_> {
    /// What is told of has to fit into the answer.
    pub(super) fn tell(&mut self, path: &[u8]) -> Result<()> {
        self.told_bytes += path.len() + 1;
        if self.told_bytes > TOLD_LIMIT_BYTES {
            return too_large(
                "the archive has too many opaque directories, or lacks too many directories",
            );
        }
        Ok(())
    }

    pub(super) fn make_opaque(&mut self, directory: &[u8]) -> Result<()> {
        self.tell(directory)?;
        self.done.opaque.insert(directory.to_vec());
        Ok(())
    }

    /// A name that hides what the layers below have.
    pub(super) fn whiteout(
        &mut self,
        entry: &Entry,
        parent: &OwnedFd,
        directory: &[u8],
        name: &[u8],
    ) -> Result<()> {
        let shown = Shown(&entry.path);
        if entry.kind != Type::File {
            return malformed(format!("the whiteout {shown} is no file"));
        }
        if name == OPAQUE {
            return self.make_opaque(directory);
        }
        let hidden = &name[WHITEOUT.len()..];
        if matches!(hidden, b"" | b"." | b"..") || hidden.starts_with(WHITEOUT) {
            return malformed(format!("the whiteout {shown} hides nothing that can be"));
        }
        match sys::stat_at(parent, hidden) {
            // What the layer has itself is seen; a directory must not be merged with that below.
            Ok(status) if sys::is_type(&status, libc::S_IFDIR) => {
                self.make_opaque(&[directory, hidden].join(&b'/'))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                sys::make_node_at(parent, hidden, libc::S_IFCHR, 0)
                    .map_err(|error| system("mknod", &entry.path, &error))
            }
            Err(error) => Err(system("stat", &entry.path, &error)),
        }
    }
}
