//! What stands between the SDK and the endpoints.

use super::Answer;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What stands between the SDK and the endpoints: it records, and later plays changed answers instead.
#[derive(Debug, Default)]
pub(super) struct Wire {
    inner: Mutex<Option<SharedHttpClient>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl Wire {
    pub(super) fn record(&self, inner: SharedHttpClient) {
        *self.inner.lock().unwrap() = Some(inner);
    }

    pub(super) fn recorded(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.answers.lock().unwrap()).into()
    }

    /// Plays these answers, one for each call; after the last one there is none.
    pub(super) fn replay(&self, answers: Vec<Answer>) {
        *self.inner.lock().unwrap() = None;
        *self.answers.lock().unwrap() = answers.into();
    }
}

#[derive(Debug)]
pub(super) struct WireClient(pub(super) Arc<Wire>);

#[derive(Debug)]
struct WireConnector(Arc<Wire>, Option<SharedHttpConnector>);

impl HttpClient for WireClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.0.inner.lock().unwrap().clone();
        let inner = inner.map(|inner| inner.http_connector(settings, components));
        SharedHttpConnector::new(WireConnector(self.0.clone(), inner))
    }
}

impl HttpConnector for WireConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (wire, inner) = (self.0.clone(), self.1.clone());
        HttpConnectorFuture::new(async move {
            let Some(inner) = inner else {
                let next = wire.answers.lock().unwrap().pop_front();
                return next
                    .map_or_else(|| Err(ConnectorError::io("no more answers".into())), |answer| Ok(answer.played()));
            };
            let mut answer = inner.call(request).await?;
            let body = ByteStream::new(answer.take_body()).collect().await;
            let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
            let headers = answer.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let kept = Answer { status: answer.status().as_u16(), headers, body: body.to_vec() };
            wire.answers.lock().unwrap().push_back(kept.clone());
            Ok(kept.played())
        })
    }
}

impl Answer {
    fn played(self) -> HttpResponse {
        let status = StatusCode::try_from(self.status).expect("it was a status");
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        for (name, value) in self.headers.into_iter().filter(|(name, _)| name != "content-length") {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Pauses between attempts, which are drawn, take no time. Time-outs, of whole milliseconds, are never reached.
#[derive(Debug)]
pub(super) struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration.subsec_nanos().is_multiple_of(1_000_000) && duration >= Duration::from_secs(1) {
            return Sleep::new(std::future::pending());
        }
        Sleep::new(std::future::ready(()))
    }
}
