//! AWS as a function of a rehearsal sees it: a response takes the world time that it states, and every wait is in world
//! time.

use aws_config::SdkConfig;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use crossfade_clock::DrivenClock;
use std::time::Duration;

/// Tells a local world that the caller waits in world time for its answers.
const ASKS: &str = "x-crossfade-driven";
/// In which a local world says how long its answer takes, in world milliseconds, or that it never comes.
const TAKES: &str = "x-crossfade-takes";
const NEVER: &str = "never";

/// The configuration with calls, pauses and time-outs in the time of a local world.
pub(crate) fn driven(config: &SdkConfig, clock: &DrivenClock) -> SdkConfig {
    let config = crate::clients::with_https(config);
    let inner = config.http_client().expect("it was set just now");
    config
        .to_builder()
        .http_client(SharedHttpClient::new(DrivenClient { inner, clock: clock.clone() }))
        .sleep_impl(SharedAsyncSleep::new(DrivenSleep(clock.clone())))
        .build()
}

/// The SDK's pauses between attempts, and its time-outs.
#[derive(Debug)]
struct DrivenSleep(DrivenClock);

impl AsyncSleep for DrivenSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.0.clone();
        Sleep::new(async move { clock.wait(duration).await })
    }
}

#[derive(Debug)]
struct DrivenClient {
    inner: SharedHttpClient,
    clock: DrivenClock,
}

impl HttpClient for DrivenClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(DrivenConnector { inner, clock: self.clock.clone() })
    }
}

#[derive(Debug)]
struct DrivenConnector {
    inner: SharedHttpConnector,
    clock: DrivenClock,
}

impl HttpConnector for DrivenConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        request.headers_mut().insert(ASKS, "1");
        let (under_way, clock) = (self.clock.begin_call(), self.clock.clone());
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = received(answer.await?).await?;
            drop(under_way);
            match answer.headers().get(TAKES) {
                Some(NEVER) => std::future::pending().await,
                Some(milliseconds) => clock.wait(Duration::from_millis(milliseconds.parse().unwrap_or(0))).await,
                None => {}
            }
            Ok(answer)
        })
    }
}

/// The answer with its whole body: what is still on its way would arrive while the world's time runs.
async fn received(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = ByteStream::new(answer.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?;
    *answer.body_mut() = SdkBody::from(body.into_bytes());
    Ok(answer)
}
