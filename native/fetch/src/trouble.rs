//! What can go wrong with an exchange: a kind that the parent acts on, and a sentence for people that names the host.

use rustls::CertificateError;
use std::error::Error as _;
use std::{fmt, io};
use ureq::{Error, Timeout};

/// As `TransportTrouble` in src/registry/exchange.ts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Resolve,
    Connect,
    Tls,
    Timeout,
    Cut,
    TooLarge,
    Protocol,
    Sink,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::TooLarge => "too-large",
            Self::Protocol => "protocol",
            Self::Sink => "sink",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Trouble {
    pub kind: Kind,
    pub message: String,
    /// The number of the system's error, where it is about a sink; EPROTO of whom does not speak TLS.
    pub errno: Option<i32>,
    /// How many bytes the pipe has had in all.
    pub piped: u64,
}

/// Of a message: some of its words may be a stranger's.
const MESSAGE_LIMIT_CHARACTERS: usize = 500;

impl Trouble {
    /// `message` is one line, without what a terminal would act on.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message
                .into()
                .chars()
                .map(|letter| if letter.is_control() { '?' } else { letter })
                .take(MESSAGE_LIMIT_CHARACTERS)
                .collect(),
            errno: None,
            piped: 0,
        }
    }

    pub fn sink(what: &str, error: &io::Error) -> Self {
        Self {
            kind: Kind::Sink,
            message: format!("writing to {what}: {}", plain(error)),
            errno: error.raw_os_error(),
            piped: 0,
        }
    }

    /// As an error of the HTTP library, through which it comes back to us.
    pub fn into_error(self) -> Error {
        Error::Other(Box::new(self))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

/// An error's text without the number that Rust appends, in lower case.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

/// What an error of the HTTP library means. `host` is whom we speak to.
pub fn trouble_of(error: Error, host: &str) -> Trouble {
    let (kind, message) = match error {
        Error::Other(inner) => match inner.downcast::<Trouble>() {
            Ok(trouble) => return *trouble,
            Err(other) => (Kind::Protocol, other.to_string()),
        },
        Error::Timeout(what) => (Kind::Timeout, late(what, host)),
        Error::Io(error) => return io_trouble(&error, host),
        Error::Rustls(error) => return tls_trouble(&error, host),
        Error::Tls(reason) => (Kind::Tls, format!("TLS with {host}: {reason}")),
        Error::Pem(error) => (Kind::Tls, format!("a file is no PEM: {error}")),
        Error::HostNotFound => (Kind::Resolve, format!("there is no host {host}")),
        Error::ConnectionFailed => (Kind::Connect, format!("no connection to {host}")),
        Error::ConnectProxyFailed(reason) => (
            Kind::Connect,
            format!("the proxy makes no connection to {host}: {reason}"),
        ),
        Error::InvalidProxyUrl => (
            Kind::Connect,
            "the address of the proxy is not of the form http://host:port".into(),
        ),
        Error::LargeResponseHeader(_, limit) => (
            Kind::TooLarge,
            format!("{host} sent headers of more than {limit} bytes"),
        ),
        other => (
            Kind::Protocol,
            format!("{host} does not speak HTTP: {other}"),
        ),
    };
    Trouble::new(kind, message)
}

fn late(what: Timeout, host: &str) -> String {
    match what {
        Timeout::Resolve => format!("the name servers say nothing of {host}"),
        Timeout::Connect => format!("{host} does not take the connection in time"),
        Timeout::RecvResponse => format!("{host} does not answer in time"),
        Timeout::PerRead | Timeout::RecvBody => format!("{host} has fallen silent"),
        _ => format!("{host} takes nothing more"),
    }
}

/// An input or output error after the connection was made.
pub fn io_trouble(error: &io::Error, host: &str) -> Trouble {
    if let Some(inner) = error.get_ref() {
        if let Some(trouble) = inner.downcast_ref::<Trouble>() {
            return trouble.clone();
        }
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return tls_trouble(error, host);
        }
        if let Some(Error::Timeout(what)) = inner.downcast_ref::<Error>() {
            return Trouble::new(Kind::Timeout, late(*what, host));
        }
        if let Some(Error::Other(inner)) = inner.downcast_ref::<Error>() {
            if let Some(trouble) = inner.downcast_ref::<Trouble>() {
                return trouble.clone();
            }
        }
        if let Some(Error::Protocol(error)) = inner.downcast_ref::<Error>() {
            return Trouble::new(
                Kind::Protocol,
                format!("{host} does not speak HTTP: {error}"),
            );
        }
    }
    Trouble::new(
        Kind::Cut,
        match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("{host} has closed the connection"),
            _ => format!("the connection to {host} is broken: {}", plain(error)),
        },
    )
}

/// Errors of TLS, those of certificates in the words of who has to repair them.
pub fn tls_trouble(error: &rustls::Error, host: &str) -> Trouble {
    let reason = match error {
        rustls::Error::InvalidCertificate(reason) => {
            return Trouble::new(
                Kind::Tls,
                format!("the certificate of {host} {}", certificate_fault(reason)),
            );
        }
        // The record header of what is no TLS is read as nonsense.
        rustls::Error::InvalidMessage(_) => {
            return Trouble {
                errno: Some(libc::EPROTO),
                ..Trouble::new(Kind::Tls, format!("{host} does not speak TLS"))
            };
        }
        rustls::Error::AlertReceived(alert) => format!("it refuses us with the alert {alert:?}"),
        other => other.to_string(),
    };
    Trouble::new(Kind::Tls, format!("no TLS with {host}: {reason}"))
}

fn certificate_fault(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet; is the clock of this machine right?".into()
        }
        CertificateError::UnknownIssuer => "is signed by an authority that is not trusted".into(),
        CertificateError::NotValidForName => "is for another name".into(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented
                .iter()
                .take(3)
                .map(|name| {
                    name.strip_prefix("DnsName(\"")
                        .and_then(|name| name.strip_suffix("\")"))
                        .unwrap_or(name)
                })
                .collect();
            format!("is for another name: {}", names.join(", "))
        }
        CertificateError::Revoked => "is revoked".into(),
        CertificateError::BadSignature => "has a wrong signature".into(),
        CertificateError::Other(other)
            if matches!(
                other.0.downcast_ref(),
                Some(webpki::Error::CaUsedAsEndEntity)
            ) =>
        {
            "is its own authority, and not the one that certs.d has for this host".into()
        }
        CertificateError::Other(other) => {
            let source = other.source().map(ToString::to_string);
            format!("is not valid: {}", source.unwrap_or(other.to_string()))
        }
        other => format!("is not valid: {other}"),
    }
}
