//! The TLS of requests: which certificates are trusted, and the handshake.
//!
//! The connection below is left to `connection`.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::target::{Host, Target};
use crate::notifier::NotifierError;

/// Returns the configuration that trusts the authorities of this machine, and those of the given
/// PEM texts.
///
/// # Errors
/// Returns what is wrong with the certificates.
pub(super) fn config(own_roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for pem in own_roots {
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("not PEM: {error}"))?;
            let added = roots.add(certificate);
            added.map_err(|error| format!("not a certificate of an authority: {error}"))?;
            count = count.saturating_add(1);
        }
        if count == 0 {
            return Err("there is no certificate in it".to_owned());
        }
    }
    // A certificate that cannot be read leaves the others in place, as in any browser.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "this machine trusts no authority: install its package of certificates, or add one"
                .to_owned(),
        );
    }
    // The provider of the process is the choice of the host, and may be missing.
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Starts TLS on a connection, and checks that the certificate is that of the host.
///
/// # Errors
/// Returns a retryable error: certificates are renewed.
pub(super) async fn handshake(
    config: &Arc<ClientConfig>,
    target: &Target,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, NotifierError> {
    let name = match &target.host {
        Host::Address(address) => ServerName::from(*address),
        Host::Name(name) => ServerName::try_from(name.clone())?,
    };
    let connector = TlsConnector::from(Arc::clone(config));
    let connected = connector.connect(name, stream).await;
    connected.map_err(|error| {
        NotifierError::retryable(format!("no secure connection to {target}: {error}"))
    })
}
