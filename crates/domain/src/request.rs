//! What starts a migration: the input of `plan-migration`, small and forgiving.

use crate::decode::{Place, Reader, wrong};
use crate::ids::ServiceName;
use crate::policy::ServicePolicy;
use crate::policy_document::{read_fleet, read_service};
use crate::problem::{Problems, did_you_mean};
use serde_json::Value;

const REQUEST_FIELDS: [&str; 3] = ["service", "policy", "dryRun"];

/// Which service to plan, and by which policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRequest {
    /// The service.
    pub service: ServiceName,
    /// Its policy, where the request brought one; else the stored policy holds.
    pub policy: Option<ServicePolicy>,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
}

/// Decodes a request: `{"service": "users"}` where a policy is stored, `{"service": "users", "policy": {a fleet's
/// policy}}`, or `{"service": {one service's policy}}`; each with an optional `"dryRun": true`.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn decode_request(document: &Value) -> Result<PlanRequest, Problems> {
    let mut reader = Reader::default();
    let request = request(&mut reader, &Place::root(document));
    reader.finish(request)
}

fn request(reader: &mut Reader, place: &Place<'_>) -> Option<PlanRequest> {
    let object = reader.object(place, &REQUEST_FIELDS, "an object such as {\"service\": \"users\"}")?;
    let dry_run = match object.get("dryRun") {
        Some(place) => reader.flag(&place),
        None => Some(false),
    };
    let fleet = object.get("policy").map(|place| read_fleet(reader, &place));
    let what = "a service's name, or one service's policy";
    let service = reader.required(&object, "service", what)?;
    match service.value {
        Value::Object(_) => {
            if fleet.is_some() {
                reader.note(
                    object.path_of("policy"),
                    "service is a policy already: expected its name there, or no policy here",
                );
            }
            let policy = read_service(reader, &service)?;
            Some(PlanRequest { service: policy.name.clone(), policy: Some(policy), dry_run: dry_run? })
        }
        Value::String(_) => {
            let name = reader.parsed(&service, what, ServiceName::parse)?;
            let policy = match fleet {
                None => None,
                Some(fleet) => {
                    let fleet = fleet?;
                    let known = fleet.services.iter().map(|service| service.name.as_str());
                    let near = did_you_mean(name.as_str(), known);
                    let found = fleet.services.into_iter().find(|service| service.name == name);
                    if found.is_none() {
                        let message = format!("\"{name}\" is no service of fleet {:?}{near}", fleet.fleet);
                        reader.note(&service.path, message);
                    }
                    Some(found?)
                }
            };
            Some(PlanRequest { service: name, policy, dry_run: dry_run? })
        }
        other => {
            reader.note(&service.path, wrong(other, what));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users() -> Value {
        json!({ "name": "users", "oldTargetGroups": "users-swarm", "newTargets": { "instances": ["i-1"] } })
    }

    #[test]
    fn a_request_comes_in_three_forms() {
        let stored = decode_request(&json!({ "service": "users", "dryRun": true })).unwrap();
        assert_eq!((stored.service.as_str(), stored.policy, stored.dry_run), ("users", None, true));
        let fleet = decode_request(&json!({ "service": "users", "policy": { "fleet": "f", "services": [users()] } }));
        let inline = decode_request(&json!({ "service": users() }));
        assert_eq!(fleet, inline);
        assert_eq!(inline.unwrap().policy.unwrap().name.as_str(), "users");
    }

    #[test]
    fn every_problem_of_a_request_has_its_path() {
        #[track_caller]
        fn check(request: &Value, expected: &[&str]) {
            let problems = decode_request(request).unwrap_err().0;
            let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected);
        }
        check(&json!(null), &["null: expected an object such as {\"service\": \"users\"}"]);
        check(&json!({}), &["service: missing: expected a service's name, or one service's policy"]);
        check(&json!({ "service": "" }), &["service: empty: expected a service's name, or one service's policy"]);
        check(
            &json!({ "service": 7, "dry_run": true, "dryRun": "yes" }),
            &[
                "dry_run: unknown field (did you mean \"dryRun\"?)",
                "dryRun: \"yes\": expected true or false",
                "service: 7: expected a service's name, or one service's policy",
            ],
        );
        check(
            &json!({ "service": "user", "policy": { "fleet": "f", "services": [users()] } }),
            &["service: \"user\" is no service of fleet \"f\" (did you mean \"users\"?)"],
        );
        check(
            &json!({ "service": users(), "policy": { "fleet": "f", "services": [users()] } }),
            &["policy: service is a policy already: expected its name there, or no policy here"],
        );
        check(
            &json!({ "service": { "name": "users", "oldTargetGroups": "g" }, "policy": { "fleet": "" } }),
            &[
                "policy.fleet: empty: expected the fleet's name",
                "policy.services: missing: expected a list of services",
                "policy: service is a policy already: expected its name there, or no policy here",
                "service.newTargets: missing: expected one of binding, instances, ips",
            ],
        );
    }
}
