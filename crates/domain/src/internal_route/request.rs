//! What starts an execution of `connect-service`.

use crate::names::ServiceName;
use crate::policy::problem::Problems;
use crate::policy::reader::{Place, Reader};
use serde_json::Value;

const FIELDS: [&str; 6] = ["service", "action", "dryRun", "force", "reason", "who"];
const ACTIONS: [(&str, bool); 2] = [("connect", false), ("undo", true)];

/// What is asked for a service's internal route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The service.
    pub service: ServiceName,
    /// Whether to remove the route instead of creating it.
    pub undo: bool,
    /// Whether to remove it although it may be in use.
    pub force: bool,
    /// Whether to say what would be done, and to do nothing.
    pub dry_run: bool,
    /// Who asks, where the request says it.
    pub who: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Decodes `{"service": "users"}`, with an optional `"action"`: `connect` (as if left out) or `undo`. `"dryRun": true`
/// changes nothing. `"force": true` undoes although the route may be in use, and needs a `"reason"`.
///
/// # Errors
/// Every problem of the document, each with its path. A field that is not known is one: `"acton": "undo"` must not
/// connect.
pub fn decode_connect_request(document: &Value) -> Result<ConnectRequest, Problems> {
    let mut reader = Reader::default();
    let request = request(&mut reader, &Place::root(document));
    reader.finish(request)
}

fn request(reader: &mut Reader, place: &Place<'_>) -> Option<ConnectRequest> {
    let object = reader.object(place, &FIELDS, "an object such as {\"service\": \"users\"}")?;
    let what = "a service's name";
    let service = reader.required(&object, "service", what);
    let service = service.and_then(|place| reader.parsed(&place, what, ServiceName::parse));
    let mut flag = |name: &str| object.get(name).map_or(Some(false), |place| reader.flag(&place));
    let (dry_run, force) = (flag("dryRun"), flag("force"));
    let mut text =
        |name: &'static str, what| object.get(name).map_or(Some(None), |place| reader.text(&place, what).map(Some));
    let (reason, who) = (text("reason", "why, in words"), text("who", "who asks"));
    let undo = object.get("action").map_or(Some(false), |place| reader.word(&place, &ACTIONS));
    let (service, dry_run, force, reason, who, undo) = (service?, dry_run?, force?, reason?, who?, undo?);
    if force && !undo {
        reader.note(object.path_of("force"), "only with action undo");
    }
    if force && reason.is_none() {
        reader.note(object.path_of("reason"), "missing: expected why it may be removed although it may be in use");
    }
    Some(ConnectRequest { service, undo, force, dry_run, who, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_small_and_what_is_wrong_with_it_is_named() {
        let users = ConnectRequest {
            service: ServiceName::parse("users").unwrap(),
            undo: false,
            force: false,
            dry_run: false,
            who: None,
            reason: None,
        };
        let check = |document: Value, expected: ConnectRequest| {
            assert_eq!(decode_connect_request(&document).unwrap(), expected, "{document}");
        };
        check(json!({"service": "users"}), users.clone());
        check(json!({"service": "users", "action": "connect"}), users.clone());
        check(json!({"service": "users", "dryRun": true}), ConnectRequest { dry_run: true, ..users.clone() });
        check(json!({"service": "users", "action": "undo"}), ConnectRequest { undo: true, ..users.clone() });
        let forced = ConnectRequest { undo: true, force: true, reason: Some("no caller".into()), ..users };
        check(json!({"service": "users", "action": "undo", "force": true, "reason": "no caller"}), forced);
        for (document, path) in [
            (json!([]), "expected an object"),
            (json!({}), "service"),
            (json!({"service": "9lives"}), "service"),
            (json!({"service": "users", "acton": "undo"}), "acton"),
            (json!({"service": "users", "action": "remove"}), "action"),
            (json!({"service": "users", "dryRun": "yes"}), "dryRun"),
            (json!({"service": "users", "force": true, "reason": "no caller"}), "force"),
            (json!({"service": "users", "action": "undo", "force": true}), "reason"),
        ] {
            let problems = decode_connect_request(&document).unwrap_err().to_string();
            assert!(problems.contains(path), "{document}: {problems}");
        }
    }
}
