//! What the parent asks for (src/registry/messages.ts has the same shapes), and how that travels: one packet a message,
//! JSON, with the descriptors that it speaks of.

use crate::trouble::Trouble;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The longest message that is taken: a request's headers may have tokens of several KiB.
const MESSAGE_LIMIT_BYTES: usize = 256 * 1024;
/// The most descriptors that come with one message.
const DESCRIPTORS_LIMIT: usize = 16;

pub enum Message {
    Agent(Agent),
    Exchange(Exchange),
}

/// What many exchanges have in common; they share its connections.
pub struct Agent {
    pub agent: u64,
    pub verify: bool,
    /// Whether the authorities that are built in are trusted.
    pub built_in: bool,
    /// Descriptors of files in PEM: this many of authorities,
    pub authorities: u64,
    /// of which the last ones are this host's own,
    pub pinned: u64,
    /// and then a client's certificate and its key.
    pub client: bool,
    pub proxy: Option<String>,
    pub limits: Limits,
}

/// Times in milliseconds.
#[derive(Clone, Copy)]
pub struct Limits {
    pub resolve_ms: u64,
    /// With TLS.
    pub connect_ms: u64,
    pub first_byte_ms: u64,
    /// Between two pieces of a body, either way.
    pub silence_ms: u64,
    /// A body that brings fewer bytes than `slow_bytes` in `slow_ms` is given up.
    pub slow_bytes: u64,
    pub slow_ms: u64,
    pub header_bytes: u64,
    pub idle_connections: u64,
}

pub struct Exchange {
    pub id: u64,
    pub agent: u64,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// A part of the file that is the first descriptor.
    pub body: Option<Part>,
    /// Descriptors: a file, and perhaps a pipe.
    pub sink: Option<Sink>,
    /// Of a body that goes into answers.
    pub body_limit: u64,
}

pub struct Part {
    pub offset: u64,
    pub size: u64,
}

pub struct Sink {
    /// Bytes that the file has,
    pub present: u64,
    /// and that the pipe has had.
    pub piped: u64,
    pub limit: u64,
    pub pipe: bool,
}

/// A member that has to be there.
fn bad(name: &str) -> io::Error {
    io::Error::other(format!("a message without a usable '{name}'"))
}

fn number(value: &Value, name: &str) -> io::Result<u64> {
    value[name].as_u64().ok_or_else(|| bad(name))
}

fn flag(value: &Value, name: &str) -> io::Result<bool> {
    value[name].as_bool().ok_or_else(|| bad(name))
}

fn text(value: &Value, name: &str) -> io::Result<String> {
    let text = value[name].as_str().map(str::to_owned);
    text.ok_or_else(|| bad(name))
}

/// A member that may be missing.
fn optional<T>(
    value: &Value,
    name: &str,
    read: impl Fn(&Value) -> io::Result<T>,
) -> io::Result<Option<T>> {
    value.get(name).map(read).transpose()
}

impl Message {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let value: Value = serde_json::from_slice(bytes)?;
        match value["kind"].as_str() {
            Some("agent") => Agent::read(&value).map(Self::Agent),
            Some("exchange") => Exchange::read(&value).map(Self::Exchange),
            _ => Err(bad("kind")),
        }
    }
}

impl Agent {
    fn read(value: &Value) -> io::Result<Self> {
        let limits = &value["limits"];
        Ok(Self {
            agent: number(value, "agent")?,
            verify: flag(value, "verify")?,
            built_in: flag(value, "builtIn")?,
            authorities: number(value, "authorities")?,
            pinned: number(value, "pinned")?,
            client: flag(value, "client")?,
            proxy: optional(value, "proxy", |_| text(value, "proxy"))?,
            limits: Limits {
                resolve_ms: number(limits, "resolveMs")?,
                connect_ms: number(limits, "connectMs")?,
                first_byte_ms: number(limits, "firstByteMs")?,
                silence_ms: number(limits, "silenceMs")?,
                slow_bytes: number(limits, "slowBytes")?,
                slow_ms: number(limits, "slowMs")?,
                header_bytes: number(limits, "headerBytes")?,
                idle_connections: number(limits, "idleConnections")?,
            },
        })
    }
}

impl Exchange {
    fn read(value: &Value) -> io::Result<Self> {
        let headers = value["headers"].as_array().ok_or_else(|| bad("headers"))?;
        let header = |pair: &Value| match (pair[0].as_str(), pair[1].as_str()) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            _ => Err(bad("headers")),
        };
        Ok(Self {
            id: number(value, "id")?,
            agent: number(value, "agent")?,
            method: text(value, "method")?,
            url: text(value, "url")?,
            headers: headers.iter().map(header).collect::<io::Result<_>>()?,
            body: optional(value, "body", |body| {
                Ok(Part {
                    offset: number(body, "offset")?,
                    size: number(body, "size")?,
                })
            })?,
            sink: optional(value, "sink", |sink| {
                Ok(Sink {
                    present: number(sink, "present")?,
                    piped: number(sink, "piped")?,
                    limit: number(sink, "limit")?,
                    pipe: flag(sink, "pipe")?,
                })
            })?,
            body_limit: number(value, "bodyLimit")?,
        })
    }
}

/// One answer; those of an exchange come in order, and the last is `End` or `Trouble`.
pub enum Answer<'a> {
    Head {
        status: u16,
        headers: &'a [(String, String)],
    },
    /// Bytes of the body that have been written since the one before.
    Progress(u64),
    /// A piece of the body: how many bytes of it follow in this packet, after a newline.
    Body(usize),
    End,
    Trouble(&'a Trouble),
}

impl Answer<'_> {
    fn text(&self, id: u64) -> String {
        match self {
            Self::Head { status, headers } => {
                json!({ "id": id, "head": { "status": status, "headers": headers } })
            }
            Self::Progress(count) => json!({ "id": id, "progress": count }),
            Self::Body(length) => json!({ "id": id, "body": length }),
            Self::End => json!({ "id": id, "end": true }),
            Self::Trouble(trouble) => json!({
                "id": id,
                "trouble": {
                    "kind": trouble.kind.name(),
                    "message": trouble.message,
                    "errno": trouble.errno,
                    "piped": trouble.piped,
                },
            }),
        }
        .to_string()
    }
}

/// Our end of the socket pair. A packet is sent by one call, so that threads need no lock.
pub struct Channel(OwnedFd);

/// Room for the descriptors of a message, aligned as `cmsghdr` has to be.
#[repr(C, align(8))]
struct Control([u8; 16 + 4 * DESCRIPTORS_LIMIT]);

impl Channel {
    /// # Safety
    /// The descriptor is the parent's socket, and nobody else's here.
    pub unsafe fn from_descriptor(fd: RawFd) -> Self {
        Self(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The next message and its descriptors; None when the parent has gone.
    pub fn receive(&self) -> io::Result<Option<(Message, Vec<File>)>> {
        let mut bytes = vec![0u8; MESSAGE_LIMIT_BYTES];
        let mut control = Control([0; 16 + 4 * DESCRIPTORS_LIMIT]);
        let mut piece = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: all zeros is a valid msghdr; its pointers lead to buffers that live for the call.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = &raw mut piece;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control.0.len() as _;
        let length = loop {
            // SAFETY: see above.
            let length = unsafe {
                libc::recvmsg(self.0.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC)
            };
            if length >= 0 {
                break length as usize;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        };
        let files = descriptors(&header);
        if header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
            return Err(io::Error::other("a message is too long"));
        }
        if length == 0 {
            return Ok(None);
        }
        Ok(Some((Message::parse(&bytes[..length])?, files)))
    }

    /// Sends one answer. If nobody hears it, the parent has gone, and this process is about to end.
    pub fn send(&self, id: u64, answer: Answer<'_>) {
        self.send_with(id, answer, &[]);
    }

    /// Sends a piece of a body.
    pub fn send_body(&self, id: u64, bytes: &[u8]) {
        self.send_with(id, Answer::Body(bytes.len()), bytes);
    }

    fn send_with(&self, id: u64, answer: Answer<'_>, bytes: &[u8]) {
        let mut packet = answer.text(id).into_bytes();
        packet.push(b'\n');
        packet.extend_from_slice(bytes);
        // SAFETY: the buffer lives for the call.
        unsafe {
            libc::send(
                self.0.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                libc::MSG_NOSIGNAL,
            )
        };
    }
}

/// Takes over all descriptors that came with a message.
fn descriptors(header: &libc::msghdr) -> Vec<File> {
    let mut files = Vec::new();
    // SAFETY: the kernel has filled the buffer with whole control messages, and the macros walk within it; the
    // descriptors are new and ours.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*at).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(at).cast::<RawFd>();
                for index in 0..bytes / size_of::<RawFd>() {
                    files.push(File::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    files
}
