//! Paths of archives.

use crate::failure::{Result, Shown, malformed, too_large};

const PATH_LIMIT_BYTES: usize = 4095;
const NAME_LIMIT_BYTES: usize = 255;

/// The path as one of the root's, without what changes nothing (`/` in front, `.`, `//`); empty for the root itself.
/// `..` is refused: no archive needs it.
pub fn normalize(path: &[u8], depth_limit: usize) -> Result<Vec<u8>> {
    let shown = Shown(path);
    if path.is_empty() || path.contains(&0) {
        return malformed(format!("the path {shown} is empty or has a NUL byte"));
    }
    let mut normal = Vec::with_capacity(path.len());
    let mut depth = 0;
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return malformed(format!("the path {shown} leads upwards")),
            _ if part.len() > NAME_LIMIT_BYTES => {
                return too_large(format!("a name in the path {shown} is too long"));
            }
            _ => {}
        }
        if depth > 0 {
            normal.push(b'/');
        }
        normal.extend_from_slice(part);
        depth += 1;
    }
    if depth > depth_limit {
        return too_large(format!("the path {shown} is deeper than {depth_limit}"));
    }
    if normal.len() > PATH_LIMIT_BYTES {
        return too_large(format!("the path {shown} is too long"));
    }
    Ok(normal)
}

/// The directory and the name in it; both empty for the root.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter()
        .rposition(|byte| *byte == b'/')
        .map_or((b"", path), |slash| (&path[..slash], &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_below_the_root() {
        for (path, normal) in [
            (&b"./a//b/."[..], &b"a/b"[..]),
            (b"/etc/passwd", b"etc/passwd"),
            (b"./", b""),
            (b"...", b"..."),
        ] {
            assert_eq!(normalize(path, 10).unwrap(), normal);
        }
    }

    #[test]
    fn paths_that_lead_upwards_or_are_too_long_are_refused() {
        let name = [b'a'; 256];
        let deep = b"a/".repeat(11);
        for path in [&b".."[..], b"a/../b", b"", b"a\0", &name, &deep] {
            assert!(normalize(path, 10).is_err(), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn a_path_has_a_directory_and_a_name() {
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
    }
}
