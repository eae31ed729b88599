//! Whom to trust as a host, and who to be for it.

use crate::message;
use crate::trouble::{Kind, Trouble, plain};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    ALL_VERSIONS, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// A list of authorities is some 250 KiB long.
const PEM_LIMIT_BYTES: u64 = 4 << 20;

fn unusable(what: &str, reason: impl std::fmt::Display) -> Trouble {
    Trouble::new(Kind::Tls, format!("{what}: {reason}"))
}

fn read(file: Option<File>, what: &str) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let file = file.ok_or_else(|| unusable(what, "is missing"))?;
    file.take(PEM_LIMIT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| unusable(what, plain(&error)))?;
    Ok(bytes)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(what, error))?;
    if found.is_empty() {
        return Err(unusable(what, "it has no certificate"));
    }
    Ok(found)
}

/// The configuration of TLS for an agent. The files are those that its message speaks of.
pub fn config(wanted: &message::Agent, files: Vec<File>) -> Result<Arc<ClientConfig>, Trouble> {
    let mut files = files.into_iter();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(ALL_VERSIONS)
        .map_err(|error| unusable("TLS", error))?;
    // Verifiers of ours: one is the library's with one case added, the other is what the user has asked for.
    let verifier: Option<Arc<dyn ServerCertVerifier>> = if wanted.verify {
        Verifier::new(wanted, &mut files, &provider)?
            .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
    } else {
        Some(Arc::new(Anybody(provider)))
    };
    let builder = match verifier {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(verifier),
        // Nobody is trusted: it is for connections without TLS.
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    if !wanted.client {
        return Ok(Arc::new(builder.with_no_client_auth()));
    }
    let what = "the client's certificate";
    let chain = certificates(&read(files.next(), what)?, what)?;
    let what = "the client's key";
    let key = PrivateKeyDer::from_pem_slice(&read(files.next(), what)?)
        .map_err(|error| unusable(what, error))?;
    let built = builder.with_client_auth_cert(chain, key);
    built.map(Arc::new).map_err(|error| unusable(what, error))
}

/// As the library verifies; and a certificate that is the host's own by its directory, exactly this one, is trusted as
/// one that nobody has signed but itself. The library refuses that if it calls itself an authority, as those of
/// `openssl req -x509` do.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// None if there is nobody to be trusted.
    fn new(
        wanted: &message::Agent,
        files: &mut impl Iterator<Item = File>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>, Trouble> {
        let what = "a file of authorities";
        let mut roots = RootCertStore::empty();
        let mut pinned = Vec::new();
        if wanted.built_in {
            let known = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
            roots.add_parsable_certificates(known.iter().cloned());
        }
        for left in (0..wanted.authorities).rev() {
            let found = certificates(&read(files.next(), what)?, what)?;
            roots.add_parsable_certificates(found.iter().cloned());
            if left < wanted.pinned {
                pinned.extend(found);
            }
        }
        if roots.is_empty() {
            return Ok(None);
        }
        let provider = Arc::clone(provider);
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable("the list of authorities", error))?;
        Ok(Some(Self { inner, pinned }))
    }
}

/// Whether nothing is wrong with a certificate but that it calls itself an authority. The library looks at its time first.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = error else {
        return false;
    };
    matches!(
        reason.downcast_ref(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let said = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match said {
            Err(error) if is_authority(&error) && self.pinned.contains(end_entity) => {
                // That it holds the key to this certificate is shown by the handshake's signature, as always.
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// For hosts that the user calls insecure: whoever answers is taken for them.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
