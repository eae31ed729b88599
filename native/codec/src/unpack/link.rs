//! Hard links: other names of what the archive has had before.

use super::Target;
use crate::entry::Entry;
use crate::failure::{Result, Shown, malformed};
use crate::path;
use crate::sys;
use std::io;
use std::os::fd::OwnedFd;

impl Target<'_> {
    /// A hard link; the outer failure is the archive's, the inner one the call's.
    pub(super) fn link(
        &mut self,
        entry: &Entry,
        parent: &OwnedFd,
        name: &[u8],
    ) -> Result<io::Result<()>> {
        let target = path::normalize(&entry.target, self.limits.depth)?;
        let (directory, target_name) = path::split(&target);
        let missing = || {
            malformed(format!(
                "{} is a link to {}, which the archive does not have before it",
                Shown(&entry.path),
                Shown(&entry.target)
            ))
        };
        let from = match self.open_in(directory, libc::O_PATH) {
            Err(_) => return missing(),
            Ok(from) => from,
        };
        match sys::stat_at(&from, target_name) {
            Ok(status) if sys::is_type(&status, libc::S_IFDIR) || sys::is_whiteout(&status) => {
                missing()
            }
            Ok(_) => Ok(sys::link_at(&from, target_name, parent, name)),
            Err(_) => missing(),
        }
    }
}
