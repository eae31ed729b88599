//! One exchange, from the request to the last byte of the answer.

use crate::agent::{Agent, host_of};
use crate::message::{Answer, Channel, Exchange, Limits, Part};
use crate::sink::Sink;
use crate::trouble::{Kind, Trouble, io_trouble, trouble_of};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Body, SendBody};

const READ_BYTES: usize = 128 * 1024;
/// Of a body that travels in answers: below what a packet of a socket holds.
const PIECE_BYTES: usize = 48 * 1024;
/// Progress is told no more often.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Performs an exchange and tells its end.
pub fn perform(
    channel: &Channel,
    agent: Result<Agent, Trouble>,
    asked: Exchange,
    files: Vec<File>,
) {
    let id = asked.id;
    let piped = asked.sink.as_ref().map_or(0, |sink| sink.piped);
    match agent.and_then(|agent| run(channel, &agent, asked, files)) {
        Ok(()) => channel.send(id, Answer::End),
        Err(mut trouble) => {
            trouble.piped = trouble.piped.max(piped);
            channel.send(id, Answer::Trouble(&trouble));
        }
    }
}

fn run(channel: &Channel, agent: &Agent, asked: Exchange, files: Vec<File>) -> Result<(), Trouble> {
    let mut files = files.into_iter();
    let uri = address(&asked.url)?;
    let host = host_of(&uri);
    let missing = || Trouble::new(Kind::Protocol, "a descriptor is missing");
    let body = match &asked.body {
        Some(part) => Some(FilePart::new(files.next().ok_or_else(missing)?, part)),
        None => None,
    };
    let mut response =
        request(agent, &asked, uri, body).map_err(|error| trouble_of(error, &host))?;
    let status = response.status().as_u16();
    channel.send(
        asked.id,
        Answer::Head {
            status,
            headers: &texts(response.headers()),
        },
    );
    let mut into = match asked.sink {
        Some(sink) if response.status().is_success() => {
            let file = files.next().ok_or_else(missing)?;
            let pipe = match sink.pipe {
                true => Some(files.next().ok_or_else(missing)?),
                false => None,
            };
            let range = response.headers().get("content-range");
            let range = range.and_then(|value| value.to_str().ok());
            let sink = Sink::begin(&sink, file, pipe, status, range)?;
            if let Some(length) = response.body().content_length() {
                sink.expect(length)?;
            }
            Into::Sink(sink)
        }
        _ => Into::Answers {
            left: asked.body_limit,
        },
    };
    // Ends that nobody writes to any more are closed, or their readers would wait for us.
    drop(files);
    let done = pour(
        channel,
        asked.id,
        &mut response,
        &mut into,
        &agent.limits,
        &host,
    );
    done.map_err(|mut trouble| {
        if let Into::Sink(sink) = &into {
            trouble.piped = sink.piped();
        }
        trouble
    })
}

/// A URL that is http or https, and has no credentials: they would go into messages and logs.
fn address(url: &str) -> Result<Uri, Trouble> {
    let bad =
        |reason: &str| Trouble::new(Kind::Protocol, format!("the address is refused: {reason}"));
    let uri: Uri = url.parse().map_err(|_| bad("it is none"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad("it is neither http nor https"));
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err(bad("it has credentials")),
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(bad("it has no host")),
    }
}

fn request(
    agent: &Agent,
    asked: &Exchange,
    uri: Uri,
    body: Option<FilePart>,
) -> Result<Response<Body>, ureq::Error> {
    let method = Method::from_bytes(asked.method.as_bytes()).map_err(ureq::http::Error::from)?;
    let takes_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in &asked.headers {
        builder = builder.header(name, value);
    }
    match body {
        Some(part) => {
            let request = builder.header("content-length", part.left);
            let request = request.body(SendBody::from_owned_reader(part))?;
            agent.http.run(request)
        }
        None if takes_body => {
            let request = builder.header("content-length", 0);
            agent.http.run(request.body(&[] as &[u8])?)
        }
        None => agent.http.run(builder.body(())?),
    }
}

/// Names are in lower case already; what is no text is read as Latin-1, as all of HTTP once was.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let text = value.as_bytes().iter().map(|byte| char::from(*byte));
            (name.as_str().to_owned(), text.collect())
        })
        .collect()
}

/// Where a body goes.
enum Into {
    Sink(Sink),
    Answers { left: u64 },
}

fn pour(
    channel: &Channel,
    id: u64,
    response: &mut Response<Body>,
    into: &mut Into,
    limits: &Limits,
    host: &str,
) -> Result<(), Trouble> {
    let mut from = response.body_mut().as_reader();
    let mut buffer = vec![0; READ_BYTES];
    let mut pace = Pace::new(limits);
    // The first piece is told at once.
    let mut told: Option<Instant> = None;
    let mut untold = 0;
    loop {
        let started = Instant::now();
        let count = match from.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io_trouble(&error, host)),
        };
        if count == 0 {
            break;
        }
        if pace.is_too_slow(started.elapsed(), count as u64) {
            return Err(Trouble::new(
                Kind::Timeout,
                format!(
                    "{host} sends fewer than {} bytes in {} s",
                    limits.slow_bytes,
                    limits.slow_ms / 1000
                ),
            ));
        }
        let bytes = &buffer[..count];
        match into {
            Into::Sink(sink) => sink.write(bytes)?,
            Into::Answers { left } => {
                *left = left.checked_sub(count as u64).ok_or_else(|| {
                    Trouble::new(
                        Kind::TooLarge,
                        format!("the answer of {host} is larger than it may be"),
                    )
                })?;
                for piece in bytes.chunks(PIECE_BYTES) {
                    channel.send_body(id, piece);
                }
                continue;
            }
        }
        untold += count as u64;
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            channel.send(id, Answer::Progress(std::mem::take(&mut untold)));
            told = Some(Instant::now());
        }
    }
    if untold > 0 {
        channel.send(id, Answer::Progress(untold));
    }
    Ok(())
}

/// Finds bodies that come so slowly that they would never end. Only time in which we waited for them counts.
struct Pace {
    waited: Duration,
    came: u64,
    every: Duration,
    least: u64,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        Self {
            waited: Duration::ZERO,
            came: 0,
            every: Duration::from_millis(limits.slow_ms),
            least: limits.slow_bytes,
        }
    }

    fn is_too_slow(&mut self, waited: Duration, came: u64) -> bool {
        self.waited += waited;
        self.came += came;
        if self.waited < self.every {
            return false;
        }
        let slow = self.came < self.least;
        self.waited = Duration::ZERO;
        self.came = 0;
        slow
    }
}

/// A part of a file, whoever else reads other parts of it at the same time.
struct FilePart {
    file: File,
    at: u64,
    left: u64,
}

impl FilePart {
    fn new(file: File, part: &Part) -> Self {
        Self {
            file,
            at: part.offset,
            left: part.size,
        }
    }
}

impl Read for FilePart {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut into[..wanted], self.at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
