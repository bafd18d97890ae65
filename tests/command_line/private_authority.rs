//! An endpoint whose certificate was signed by a company's own authority. It is trusted if the system trusts it, as the
//! HTTP client of the command and of every function promises.

use super::terminal::{Kept, Said, said};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const SCENARIO: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 2
    start: false
";

/// Puts TLS in front of a world; returns its address, and writes the authority's certificate to `authority.pem`.
struct Front {
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    fn of(endpoint: &str, folder: &Path) -> Self {
        let world = endpoint.trim_start_matches("http://").to_owned();
        let acceptor = TlsAcceptor::from(Arc::new(signed_by_an_authority_in(folder)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let (acceptor, world) = (acceptor.clone(), world.clone());
                tokio::spawn(async move {
                    // A client that does not trust us closes the connection here.
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let mut far = tokio::net::TcpStream::connect(world).await.unwrap();
                    let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url: format!("https://localhost:{port}"), _runtime: runtime }
    }
}

fn signed_by_an_authority_in(folder: &Path) -> ServerConfig {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.into()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap()
}

fn status(kept: &Kept, front: &Front, trusted: Option<&Path>) -> Said {
    let mut command = kept.command("status --output json");
    command.env("AWS_ENDPOINT_URL", &front.url);
    command.envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
    said(command.output().unwrap())
}

#[test]
fn an_authority_that_the_system_trusts_is_trusted_and_no_other() {
    let kept = Kept::start(SCENARIO);
    let folder = tempfile::tempdir().unwrap();
    let front = Front::of(kept.endpoint(), folder.path());

    let trusted = status(&kept, &front, Some(&folder.path().join("authority.pem")));
    assert_eq!(trusted.code, 0, "{trusted:#?}");
    assert!(trusted.stdout.trim_start().starts_with(['{', '[']), "{trusted:#?}");

    let stranger = status(&kept, &front, None);
    assert_eq!(stranger.code, 8, "{stranger:#?}");
    assert!(stranger.stderr.contains("UnknownIssuer"), "{stranger:#?}");
}
