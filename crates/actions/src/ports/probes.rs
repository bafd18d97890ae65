use crossfade_domain::names::ListenerArn;
use crossfade_domain::probe::Answer;
use std::time::Duration;

/// How long an answer to a probe may take. Users wait no longer either.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// One request of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCall {
    /// The listener that is asked.
    pub listener: ListenerArn,
    /// Its load balancer's DNS name.
    pub dns_name: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// `GET` or `HEAD`.
    pub method: &'static str,
    /// The `Host` header, and the name in the TLS handshake.
    pub host: String,
    /// The path with its query.
    pub path: String,
    /// A header with its value: the one that leads to the new side.
    pub header: Option<(&'static str, String)>,
}

/// Requests as a user sends them, past AWS's API.
#[async_trait::async_trait]
pub trait Probes: Send + Sync {
    /// A token that no one can guess, in letters and digits.
    fn token(&self) -> String;

    /// Asks once, within [`ANSWERS_WITHIN`]. Redirects are answers. Whatever came instead of an answer is evidence, so
    /// it is a text and no error.
    async fn ask(&self, call: &ProbeCall) -> Result<Answer, String>;
}
