//! TLS on a connection, with errors that say what is wrong with the certificate.

use crate::agent::host_of;
use crate::trouble::{Kind, Trouble, tls_trouble};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// The last connector: makes TLS of what needs it. The HTTP library's own takes no verifier of ours.
#[derive(Debug)]
pub struct Secure(pub Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Secure {
    type Out = Either<In, Secured>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = host_of(details.uri);
        self.shake_hands(details, transport.boxed())
            .map(|secured| Some(Either::B(secured)))
            .map_err(|error| secured(&error, &host).into_error())
    }
}

impl Secure {
    fn shake_hands(
        &self,
        details: &ConnectionDetails,
        transport: Box<dyn Transport>,
    ) -> io::Result<Secured> {
        let host = details.uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let mut conn =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let mut sock = TransportAdapter::new(transport, details.current_time.clone());
        sock.set_timeout(details.timeout);
        conn.complete_io(&mut sock)?;
        let sizes = details.config;
        Ok(Secured {
            buffers: LazyBuffers::new(sizes.input_buffer_size(), sizes.output_buffer_size()),
            stream: StreamOwned { conn, sock },
        })
    }
}

/// An error of the handshake.
fn secured(error: &io::Error, host: &str) -> Trouble {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref()) {
        return tls_trouble(error, host);
    }
    if let Some(trouble) = inner.and_then(|inner| inner.downcast_ref::<Trouble>()) {
        return trouble.clone();
    }
    Trouble::new(
        Kind::Cut,
        format!("the connection to {host} ended before TLS was agreed on"),
    )
}

/// A connection with TLS.
pub struct Secured {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, count: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..count])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secured")
    }
}
