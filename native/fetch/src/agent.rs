//! Agents: how hosts are reached and whom to trust. Each has a pool of connections that are kept alive.

use crate::secure::Secure;
use crate::trouble::{Kind, Trouble, plain, trouble_of};
use crate::{message, trust};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Error, Proxy, Timeout};

const BUFFER_BYTES: usize = 128 * 1024;

/// An agent with what of its limits is ours to watch.
#[derive(Clone)]
pub struct Agent {
    pub http: ureq::Agent,
    pub limits: message::Limits,
}

pub fn open(wanted: &message::Agent, files: Vec<File>) -> Result<Agent, Trouble> {
    let limits = wanted.limits;
    let time = |ms| Some(Duration::from_millis(ms));
    let proxy = match &wanted.proxy {
        Some(proxy) => Some(Proxy::new(proxy).map_err(|error| trouble_of(error, "the proxy"))?),
        None => None,
    };
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Headers are the parent's alone.
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .proxy(proxy)
        .timeout_resolve(time(limits.resolve_ms))
        .timeout_connect(time(limits.connect_ms))
        .timeout_recv_response(time(limits.first_byte_ms))
        .timeout_per_read(time(limits.silence_ms))
        .timeout_per_write(time(limits.silence_ms))
        .max_response_header_size(limits.header_bytes as usize)
        .max_idle_connections(limits.idle_connections as usize)
        .max_idle_connections_per_host(limits.idle_connections as usize)
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(Dial::default())
            .chain(Secure(trust::config(wanted, files)?));
    let http = ureq::Agent::with_parts(config, connector, Names::default());
    Ok(Agent { http, limits })
}

/// Whom a connection is to, for messages.
pub fn host_of(uri: &Uri) -> String {
    uri.authority()
        .map_or_else(String::new, |authority| authority.as_str().to_owned())
}

/// Names to addresses, by /etc/hosts and DNS.
#[derive(Debug, Default)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        // RFC 6761, section 6.3: never asked for in the network.
        if host == "localhost" || host.ends_with(".localhost") {
            let https = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
            let mut found = self.empty();
            for address in [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ] {
                found.push(SocketAddr::new(address, port));
            }
            return Ok(found);
        }
        self.0
            .resolve(uri, config, timeout)
            .map_err(|error| match error {
                Error::Io(error) => Trouble::new(
                    Kind::Resolve,
                    format!("the host {host} is not found: {}", plain(&error)),
                )
                .into_error(),
                Error::HostNotFound => Trouble::new(
                    Kind::Resolve,
                    format!("the host {host} is not found: it has no address"),
                )
                .into_error(),
                other => other,
            })
    }
}

/// TCP, with errors that say that there was no connection yet.
#[derive(Debug, Default)]
struct Dial(TcpConnector);

impl<In: Transport> Connector<In> for Dial {
    type Out = <TcpConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let host = host_of(details.uri);
        self.0
            .connect(details, chained)
            .map_err(|error| match error {
                Error::Io(error) => Trouble::new(
                    Kind::Connect,
                    format!("no connection to {host}: {}", plain(&error)),
                )
                .into_error(),
                Error::Timeout(Timeout::Connect) => Trouble::new(
                    Kind::Connect,
                    format!("no connection to {host}: it does not answer"),
                )
                .into_error(),
                other => other,
            })
    }
}
