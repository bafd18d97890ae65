//! The HTTP client of all SDK clients: which certificates it trusts, and what that costs at a cold start.
//!
//! Reading the system's whole store of about 140 roots takes 70 % of a function's time before its first poll, and each
//! client reads it again. AWS's own endpoints have certificates of Amazon's five roots, which are compiled in and tried
//! first. If they do not know an issuer (an inspecting proxy, another partition, a private endpoint), the system's
//! store decides. So nothing is refused that the system trusts. A failed handshake has sent nothing of its request, so
//! a retry is safe for any request.

pub(crate) mod probes;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector as SdkConnector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Amazon Trust Services' roots, as Amazon publishes them and as every system's store has them.
const AMAZON_ROOTS: &str = include_str!("https/amazon_roots.pem");

/// The client for every service.
pub(crate) fn https() -> SharedHttpClient {
    let amazon = trusting(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS));
    let system = trusting(TrustStore::default());
    SharedHttpClient::new(AmazonThenSystem { amazon, system, strangers: Arc::default() })
}

/// As the SDK's own client, proxies of the environment included, but for whom it trusts and whose cryptography it uses:
/// `ring` is smaller in a binary, and quicker to build.
fn trusting(roots: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(roots).build().expect("roots are all that is set");
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = SdkConnector::builder()
            .tls_provider(Provider::rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// Both clients build their connectors, and with them their roots, at their first request.
#[derive(Debug)]
struct AmazonThenSystem {
    amazon: SharedHttpClient,
    system: SharedHttpClient,
    /// Whether an issuer was met that is not Amazon's; from then on the system decides.
    strangers: Arc<AtomicBool>,
}

// `validate_base_client_config` stays at its default, which does nothing: the wrapped one would build a connector for
// each SDK client only to drop it.
impl HttpClient for AmazonThenSystem {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            amazon: self.amazon.http_connector(settings, components),
            system: Later { client: self.system.clone(), settings: settings.clone(), components: components.clone() },
            strangers: Arc::clone(&self.strangers),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.amazon.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    amazon: SharedHttpConnector,
    system: Later,
    strangers: Arc<AtomicBool>,
}

/// A connector that is built where it is needed; its client keeps it.
#[derive(Debug, Clone)]
struct Later {
    client: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl Later {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.client.http_connector(&self.settings, &self.components).call(request)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // A body that cannot be cloned is a stream, which none of our requests is.
        let again = if self.strangers.load(Ordering::Relaxed) { None } else { request.try_clone() };
        let Some(again) = again else { return self.system.call(request) };
        let (first, system, strangers) = (self.amazon.call(request), self.system.clone(), Arc::clone(&self.strangers));
        HttpConnectorFuture::new(async move {
            match first.await {
                Err(error) if is_unknown_issuer(&error) => {
                    strangers.store(true, Ordering::Relaxed);
                    system.call(again).await
                }
                answered => answered,
            }
        })
    }
}

/// Whether the handshake failed because no trusted root has signed the certificate.
fn is_unknown_issuer(error: &ConnectorError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<rustls::Error>().is_some_and(is_about_the_issuer) {
            return true;
        }
        // An `io::Error` gives its inner error's source as its own, so the inner error itself has to be asked for.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

fn is_about_the_issuer(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use aws_smithy_types::config_bag::ConfigBag;

    fn error(source: impl Into<Box<dyn Error + Send + Sync>>) -> ConnectorError {
        ConnectorError::io(source.into())
    }

    #[test]
    fn all_five_roots_can_be_read() {
        assert_eq!(AMAZON_ROOTS.matches("BEGIN CERTIFICATE").count(), 5);
        let amazon = trusting(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS));
        // Builds a connector, which panics at a root that it cannot read.
        amazon.validate_base_client_config(&RuntimeComponentsBuilder::new("test"), &ConfigBag::base()).unwrap();
    }

    #[test]
    fn only_an_unknown_issuer_leads_to_the_systems_store() {
        let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let expired = || rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert!(is_unknown_issuer(&error(unknown())));
        assert!(is_unknown_issuer(&error(std::io::Error::other(unknown()))), "as hyper hands it on");
        assert!(is_unknown_issuer(&error(std::io::Error::other(std::io::Error::other(unknown())))));
        assert!(!is_unknown_issuer(&error(expired())));
        assert!(!is_unknown_issuer(&error(std::io::Error::other("connection refused"))));
    }
}
