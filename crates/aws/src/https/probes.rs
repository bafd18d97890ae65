//! Requests to a load balancer as a user sends them.
//!
//! A connection goes to the load balancer that AWS names, with the route's own host in the handshake. Its certificate
//! is not verified: it need not name a host that a route without a host is probed by, it may be of an authority that
//! only the company's clients trust, and a probe carries nothing but a token that is of use while its rule exists: for
//! a minute, or for ten where a command outside sends the requests.

use crossfade_actions::ports::{ANSWERS_WITHIN, ProbeCall, Probes};
use crossfade_clock::DrivenClock;
use crossfade_domain::probe::{Answer, LONGEST_BODY};
use http::Request;
use http::header::{HOST, USER_AGENT};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

/// HTTP/1.1, one connection to a request.
pub(crate) struct HttpProbes;

type Failure = Box<dyn Error + Send + Sync>;

#[async_trait::async_trait]
impl Probes for HttpProbes {
    fn token(&self) -> String {
        Uuid::new_v4().simple().to_string()
    }

    async fn ask(&self, call: &ProbeCall) -> Result<Answer, String> {
        match tokio::time::timeout(ANSWERS_WITHIN, ask(call)).await {
            Ok(answer) => answer.map_err(|error| chain(error.as_ref())),
            Err(_) => Err(too_late()),
        }
    }
}

/// The same on a rehearsal's machine, where no name server knows a load balancer.
pub(crate) struct LocalProbes {
    /// The clock of a function: the world stands still while it asks, so an answer takes no time. None for a command,
    /// which the world does not wait for.
    clock: Option<DrivenClock>,
    /// By the ARN of the listener.
    addresses: BTreeMap<String, SocketAddr>,
}

impl LocalProbes {
    /// `listeners` has an `ARN=ADDRESS` for each, with commas between them.
    pub(crate) fn new(clock: Option<DrivenClock>, listeners: &str) -> Self {
        let pairs = listeners.split(',').filter_map(|pair| pair.split_once('='));
        let addresses = pairs.filter_map(|(arn, address)| Some((arn.to_owned(), address.parse().ok()?))).collect();
        Self { clock, addresses }
    }
}

#[async_trait::async_trait]
impl Probes for LocalProbes {
    fn token(&self) -> String {
        HttpProbes.token()
    }

    async fn ask(&self, call: &ProbeCall) -> Result<Answer, String> {
        let address = self.addresses.get(call.listener.as_str());
        let address = address.ok_or_else(|| "its listener is not on this machine".to_owned())?;
        let answer = async { exchange(call, TcpStream::connect(address).await?).await };
        let Some(clock) = &self.clock else {
            let answer = tokio::time::timeout(ANSWERS_WITHIN, answer).await;
            return answer.unwrap_or_else(|_| Err(too_late().into())).map_err(|error| chain(error.as_ref()));
        };
        let _under_way = clock.begin_call();
        answer.await.map_err(|error| chain(error.as_ref()))
    }
}

fn too_late() -> String {
    format!("no answer within {} s", ANSWERS_WITHIN.as_secs())
}

async fn ask(call: &ProbeCall) -> Result<Answer, Failure> {
    let stream = TcpStream::connect((call.dns_name.as_str(), call.port)).await?;
    if !call.tls {
        return exchange(call, stream).await;
    }
    let name = ServerName::try_from(call.host.clone())?;
    exchange(call, TlsConnector::from(tls()?).connect(name, stream).await?).await
}

async fn exchange<S>(call: &ProbeCall, stream: S) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(call.method)
        .uri(&call.path)
        .header(HOST, &call.host)
        .header(USER_AGENT, concat!("crossfade/", env!("CARGO_PKG_VERSION")));
    if let Some((name, value)) = &call.header {
        request = request.header(*name, value);
    }
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = response.status().as_u16();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = response.headers().iter().map(header).collect();
    let (body, cut) = beginning_of(response.into_body()).await?;
    Ok(Answer { status, headers, body, cut })
}

/// The beginning of a body, and whether there is more of it.
async fn beginning_of(mut body: Incoming) -> Result<(Vec<u8>, bool), Failure> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > LONGEST_BODY {
            read.truncate(LONGEST_BODY);
            return Ok((read, true));
        }
    }
    Ok((read, false))
}

fn tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let trusting = Arc::new(AnyCertificate(provider));
    Ok(Arc::new(config.dangerous().with_custom_certificate_verifier(trusting).with_no_client_auth()))
}

/// Takes every certificate, for the reasons above.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::names::ListenerArn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn call(port: u16) -> ProbeCall {
        let arn =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/public/50dc6c495c0c9188/f2f7dc8efc52";
        ProbeCall {
            listener: ListenerArn::parse(arn).unwrap(),
            dns_name: "127.0.0.1".to_owned(),
            port,
            tls: false,
            method: "GET",
            host: "users.example.com".to_owned(),
            path: "/ping?a=b".to_owned(),
            header: Some(("x-crossfade-probe", "token".to_owned())),
        }
    }

    /// Answers one request with this text; returns the port, and what was asked.
    async fn answering(text: String) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            // The client may hang up early, when it has read enough.
            let _ignored = stream.write_all(text.as_bytes()).await;
            String::from_utf8(asked).unwrap()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_probe_is_asked_as_a_user_asks() {
        let text = "HTTP/1.1 302 Found\r\nLocation: /log-in\r\nContent-Length: 4\r\n\r\nmove";
        let (port, asked) = answering(text.to_owned()).await;
        let answer = HttpProbes.ask(&call(port)).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.cut), (302, b"move".as_slice(), false));
        assert!(answer.headers.contains(&("location".to_owned(), "/log-in".to_owned())), "{answer:?}");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /ping?a=b HTTP/1.1\r\n"), "{asked}");
        assert!(
            asked.contains("host: users.example.com\r\n") && asked.contains("x-crossfade-probe: token\r\n"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_long_body_is_cut_and_a_closed_port_is_told() {
        let body = "a".repeat(LONGEST_BODY + 1);
        let (port, _asked) =
            answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        let answer = HttpProbes.ask(&call(port)).await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (LONGEST_BODY, true));
        let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
        let refused = HttpProbes.ask(&call(closed)).await.unwrap_err();
        assert!(refused.contains("refused"), "{refused}");
    }

    #[test]
    fn tokens_differ_and_fit_into_a_condition() {
        let (one, other) = (HttpProbes.token(), HttpProbes.token());
        assert!(one != other && one.len() == 32 && one.chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn tls_can_be_set_up() {
        tls().unwrap();
    }
}
