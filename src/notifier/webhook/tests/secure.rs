//! TLS: a receiver needs a certificate of its name from an authority that the webhook trusts.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::receiver::{read_request, spawn};
use super::{Names, SECRET, Webhook, event};
use crate::notifier::{Notifier, NotifierError};

/// Starts a receiver with a certificate for `hooks.example`. Returns its port, and the certificate
/// of its authority as PEM.
async fn receiver() -> (u16, String, JoinSet<()>) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["hooks.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A sender that does not trust the certificate leaves here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            if read_request(&mut stream).await.is_some() {
                let answer = b"HTTP/1.1 204 It\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    };
    (port, authority.pem(), spawn(serving))
}

async fn deliver(host: &str, port: u16, roots: &[String]) -> Result<(), NotifierError> {
    let builder = Webhook::builder(format!("https://{host}:{port}/")).secret(SECRET);
    let builder = roots.iter().fold(builder.allow_private(), |builder, pem| {
        builder.root_certificates(pem.as_str())
    });
    let webhook = builder.build_with(Names::new([&["127.0.0.1"]])).unwrap();
    webhook.notify(&event(7)).await
}

#[tokio::test]
async fn a_receiver_needs_a_trusted_certificate_of_its_name() {
    let (port, authority, _serving) = receiver().await;
    let (_, other, _) = receiver().await;
    let trusted = std::slice::from_ref(&authority);
    assert_eq!(deliver("hooks.example", port, trusted).await, Ok(()));
    for (host, roots) in [
        ("hooks.example", &[other][..]),
        ("other.example", trusted),
        ("127.0.0.1", trusted),
    ] {
        let error = deliver(host, port, roots).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(
            error
                .message()
                .starts_with("no secure connection to https://"),
            "{error}"
        );
        assert!(error.message().contains("certificate"), "{error}");
    }
}
