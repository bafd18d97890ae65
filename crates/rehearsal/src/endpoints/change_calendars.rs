//! Systems Manager: `GetCalendarState`, which says whether a change calendar is open.

use crate::clock::WorldClock;
use crate::endpoints::aws_service::AwsService;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::calendars::ChangeCalendars;
use http::{Request, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The change calendars of a local world, at the time of its clock.
pub struct ChangeCalendarsApi {
    calendars: Arc<Mutex<ChangeCalendars>>,
    clock: WorldClock,
}

impl ChangeCalendarsApi {
    /// Serves these calendars.
    pub fn new(calendars: Arc<Mutex<ChangeCalendars>>, clock: WorldClock) -> Self {
        Self { calendars, clock }
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Value, AwsError> {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if target != "AmazonSSM.GetCalendarState" {
            let message = format!("the local world has no operation {target:?} of Systems Manager");
            return Err(AwsError::bad_request("UnknownOperationException", message));
        }
        let body: Value = serde_json::from_slice(request.body())
            .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))?;
        let unknown = body.as_object().into_iter().flatten().find(|(name, _)| *name != "CalendarNames");
        if let Some((name, _)) = unknown {
            return Err(AwsError::bad_request(
                "ValidationException",
                format!("the local world reads no member {name} of GetCalendarState"),
            ));
        }
        let names: Vec<&str> =
            body["CalendarNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let now = self.clock.now();
        let calendars = self.calendars.lock().expect("no holder of the lock panics");
        let read = names.iter().map(|name| calendars.calendar_state(name, now)).collect::<Result<Vec<_>, _>>()?;
        let [only] = read[..] else {
            let message = format!("{} calendars: the local world answers about one at a time", names.len());
            return Err(AwsError::bad_request("ValidationException", message));
        };
        let whole = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut answer = json!({"State": if only.open { "OPEN" } else { "CLOSED" }, "AtTime": whole(now)});
        if let Some(next) = only.next_transition {
            answer["NextTransitionTime"] = json!(whole(next));
        }
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl AwsService for ChangeCalendarsApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.answer(&request) {
            Ok(answer) => Response::builder()
                .header("content-type", "application/x-amz-json-1.1")
                .body(Bytes::from(answer.to_string()))
                .expect("a plain header makes a response"),
            Err(error) => self.refusal(&error),
        }
    }
}
