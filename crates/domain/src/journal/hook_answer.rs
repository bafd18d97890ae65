//! The one field of a hook's answer that Crossfade reads: `warmed`, the requests that each new target has answered
//! before its first user.

use super::hook::HookPoint;
use super::{Event, EventKind};
use serde_json::Value;

/// The field's name.
const WARMED: &str = "warmed";

/// A hook's answer whose `warmed` is no number of requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{WARMED}: expected a whole number of requests, 0 or more, found {found}")]
pub struct WrongWarmed {
    /// What the answer has instead, as JSON.
    found: String,
}

/// Returns the requests that each new target has answered, if the answer of a hook says it. The rest of the answer is
/// the hook's own matter, and so is one that is no object.
///
/// # Errors
/// `warmed` is there and is no whole number of at least 0.
pub fn warmed_of(answer: &Value) -> Result<Option<u64>, WrongWarmed> {
    match answer.get(WARMED) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| WrongWarmed { found: value.to_string() }),
    }
}

/// Returns the requests that each new target had answered before its first user, as the latest `beforeFirstShift` hook
/// of an attempt says it; 0 if none says it. `events` is the attempt's journal.
pub fn warmed_requests(events: &[Event]) -> u64 {
    let warmed = |event: &Event| match event.kind {
        EventKind::HookAnswered { point: HookPoint::BeforeFirstShift, warmed, .. } => warmed,
        _ => None,
    };
    events.iter().rev().find_map(warmed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Head;
    use crate::names::ServiceName;
    use jiff::Timestamp;
    use serde_json::json;

    #[test]
    fn only_warmed_is_read_and_only_as_a_number_of_requests() {
        for answer in [json!(null), json!("done"), json!([1]), json!({}), json!({"warmed": null, "sent": -1})] {
            assert_eq!(warmed_of(&answer), Ok(None), "{answer}");
        }
        assert_eq!(warmed_of(&json!({"warmed": 0})), Ok(Some(0)));
        assert_eq!(warmed_of(&json!({"warmed": 2000, "reason": "sent"})), Ok(Some(2_000)));
        for wrong in [json!(-1), json!(0.5), json!("2000"), json!(true), json!([2000])] {
            let error = warmed_of(&json!({"warmed": wrong})).unwrap_err().to_string();
            assert_eq!(error, format!("warmed: expected a whole number of requests, 0 or more, found {wrong}"));
        }
    }

    #[test]
    fn the_latest_hook_before_the_first_shift_that_says_it_counts() {
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "execution".into(), Timestamp::UNIX_EPOCH);
        let answered = |(point, warmed)| {
            let kind = EventKind::HookAnswered { point, step: 1, function: "crossfade-hook-warm".into(), warmed };
            head.next_event(kind, Timestamp::UNIX_EPOCH)
        };
        let warmed = |answers: &[(HookPoint, Option<u64>)]| {
            warmed_requests(&answers.iter().copied().map(answered).collect::<Vec<_>>())
        };
        let (first, each) = (HookPoint::BeforeFirstShift, HookPoint::AfterEachShift);
        assert_eq!(warmed(&[]), 0);
        assert_eq!(warmed(&[(first, None), (each, Some(7))]), 0, "a later hook warms no target before its first user");
        assert_eq!(warmed(&[(first, Some(500)), (first, Some(2_000)), (first, None), (each, Some(7))]), 2_000);
    }
}
