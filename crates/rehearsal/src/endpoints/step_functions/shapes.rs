//! The API's responses, in the shapes of its model.

use crate::wiring::ACCOUNT;
use crossfade_world::states::{Description, HistoryEvent, StoredMachine};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Seconds since 1970 with milliseconds, the protocol's form of timestamps.
pub(super) fn epoch_seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit exactly")]
    let milliseconds = at.as_millisecond() as f64;
    milliseconds / 1000.0
}

pub(super) fn describe_execution(shown: &Description) -> Value {
    let mut shape = execution_item(shown);
    shape["input"] = json!(shown.input.to_string());
    shape["inputDetails"] = json!({ "included": true });
    shape["redriveCount"] = json!(0);
    shape["redriveStatus"] = json!("NOT_REDRIVABLE");
    if let Some(output) = &shown.output {
        shape["output"] = json!(output.to_string());
        shape["outputDetails"] = json!({ "included": true });
    }
    for (name, text) in [("error", &shown.error), ("cause", &shown.cause)] {
        if let Some(text) = text {
            shape[name] = json!(text);
        }
    }
    shape
}

pub(super) fn execution_item(shown: &Description) -> Value {
    let mut shape = json!({
        "executionArn": shown.execution_arn,
        "stateMachineArn": shown.state_machine_arn,
        "name": shown.name,
        "status": shown.status.as_str(),
        "startDate": epoch_seconds(shown.start_date),
    });
    if let Some(stopped) = shown.stop_date {
        shape["stopDate"] = json!(epoch_seconds(stopped));
    }
    shape
}

/// `with_data` is the request's `includeExecutionData`. Without it, inputs, outputs and parameters are left out.
pub(super) fn history_event(event: &HistoryEvent, with_data: bool) -> Value {
    let mut shape = json!({
        "timestamp": epoch_seconds(event.timestamp),
        "type": event.event_type,
        "id": event.id,
        "previousEventId": event.previous_event_id,
    });
    if let Some((name, details)) = &event.details {
        let mut details = details.clone();
        if let Some(fields) = details.as_object_mut().filter(|_| !with_data) {
            fields.retain(|field, _| !matches!(field.as_str(), "input" | "output"));
        }
        shape[*name] = details;
    }
    shape
}

pub(super) fn describe_machine(stored: &StoredMachine) -> Value {
    let mut shape = machine_item(stored);
    shape["status"] = json!("ACTIVE");
    shape["definition"] = json!(stored.definition.to_string());
    shape["roleArn"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/{}", stored.name));
    shape["loggingConfiguration"] = json!({ "level": "OFF", "includeExecutionData": false });
    shape
}

pub(super) fn machine_item(stored: &StoredMachine) -> Value {
    json!({
        "stateMachineArn": stored.arn,
        "name": stored.name,
        "type": "STANDARD",
        "creationDate": epoch_seconds(stored.created),
    })
}
