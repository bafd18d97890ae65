//! What starts a migration: the input of `plan-migration`, small and forgiving.

use crate::names::ServiceName;
use crate::policy::calling::ProbeFrom;
use crate::policy::document::{read_fleet, read_service};
use crate::policy::problem::{Problems, did_you_mean};
use crate::policy::reader::{Object, Place, Reader, wrong};
use crate::policy::service_policy::ServicePolicy;
use serde_json::Value;

const REQUEST_FIELDS: [&str; 10] =
    ["service", "policy", "dryRun", "resume", "acceptDrift", "ignoreAfter", "now", "probeFrom", "reason", "who"];
const PROBE_FROM: [(&str, ProbeFrom); 2] = [("function", ProbeFrom::Function), ("caller", ProbeFrom::Caller)];
/// The most characters of a reason, or of a name of who asks.
pub const MOST_REASON: usize = 1_024;

/// Which service to plan, and by which policy; or which halted migration to take up again.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRequest {
    /// The service.
    pub service: ServiceName,
    /// Its policy, where the request brought one; else the stored policy holds.
    pub policy: Option<ServicePolicy>,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
    /// Continues the service's halted migration with its own plan.
    pub resume: Option<ResumeRequest>,
    /// Whether it starts although a service that it comes after has not migrated.
    pub ignore_after: bool,
    /// Whether the migration does not wait for the windows of its policy.
    pub now: bool,
    /// Who sends the requests of the policy's probes.
    pub probe_from: ProbeFrom,
    /// Why, for the journal; there is one with `ignore_after` and `now`.
    pub reason: Option<String>,
    /// Who asks, for the journal, where the request says so.
    pub who: Option<String>,
}

impl PlanRequest {
    /// A request for nothing but the plan of a service.
    pub fn dry_run(service: &ServiceName) -> Self {
        Self {
            service: service.clone(),
            policy: None,
            dry_run: true,
            resume: None,
            ignore_after: false,
            now: false,
            probe_from: ProbeFrom::Function,
            reason: None,
            who: None,
        }
    }
}

/// How a halted migration continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResumeRequest {
    /// Whether what others did to routes becomes part of their baselines.
    pub accept_drift: bool,
}

/// Decodes a request: `{"service": "users"}` where a policy is stored, `{"service": "users", "policy": {a fleet's
/// policy}}`, or `{"service": {one service's policy}}`; each with an optional `"dryRun": true`. A halted migration
/// continues with `{"service": "users", "resume": true}` and an optional `"acceptDrift": true`. With `"ignoreAfter":
/// true, "reason": "..."` a service starts before those that it comes after have migrated. With `"now": true, "reason":
/// "..."` its migration waits for no window. With `"probeFrom": "caller"` a command outside sends its probes.
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
    let mut flag = |name: &str| object.get(name).map_or(Some(false), |place| reader.flag(&place));
    let (dry_run, resume, accept_drift) = (flag("dryRun"), flag("resume"), flag("acceptDrift"));
    let (ignore_after, now) = (flag("ignoreAfter"), flag("now"));
    if let (Some(dry_run), Some(resume), Some(accept_drift)) = (dry_run, resume, accept_drift) {
        check_together(reader, &object, dry_run, resume, accept_drift);
    }
    let probe_from = match object.get("probeFrom") {
        Some(place) => reader.word(&place, &PROBE_FROM),
        None => Some(ProbeFrom::Function),
    };
    let mut said = |name: &str, what: &str| object.get(name).and_then(|place| said(reader, &place, what));
    let (reason, who) = (said("reason", "why, in a sentence"), said("who", "who asks"));
    if let (Some(resume), Some(ignore_after), Some(now)) = (resume, ignore_after, now) {
        check_said(reader, &object, resume, ignore_after, now);
    }
    let resume =
        resume.zip(accept_drift).map(|(resume, accept_drift)| resume.then_some(ResumeRequest { accept_drift }));
    let planned = |service: ServiceName, policy: Option<ServicePolicy>| {
        Some(PlanRequest {
            service,
            policy,
            dry_run: dry_run?,
            resume: resume?,
            ignore_after: ignore_after?,
            now: now?,
            probe_from: probe_from?,
            reason,
            who,
        })
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
            planned(policy.name.clone(), Some(policy))
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
            planned(name, policy)
        }
        other => {
            reader.note(&service.path, wrong(other, what));
            None
        }
    }
}

/// A text for the journal, of which every event has to carry a copy.
fn said(reader: &mut Reader, place: &Place<'_>, what: &str) -> Option<String> {
    let text = reader.text(place, what)?;
    let length = text.chars().count();
    if length > MOST_REASON {
        reader.note(&place.path, format!("{length} characters: expected {MOST_REASON} at most"));
        return None;
    }
    Some(text)
}

/// A start that ignores the order or the windows is recorded with its reason, and nothing else of a start is.
fn check_said(reader: &mut Reader, object: &Object<'_>, resume: bool, ignore_after: bool, now: bool) {
    if ignore_after && resume {
        let message = "true next to resume: a halted migration has started already, so leave it out";
        reader.note(object.path_of("ignoreAfter"), message);
    }
    for (field, _) in [("ignoreAfter", ignore_after), ("now", now)].into_iter().filter(|(_, is_given)| *is_given) {
        if !object.has("reason") {
            reader.note(object.path_of("reason"), format!("missing: expected why, next to {field}"));
        }
    }
    let is_recorded = ignore_after || now || resume;
    for field in ["reason", "who"].into_iter().filter(|field| object.has(field) && !is_recorded) {
        let message = "recorded for ignoreAfter, now and resume only: expected one of them next to it";
        reader.note(object.path_of(field), message);
    }
}

/// A resume uses the migration's own plan and cannot be a dry run.
fn check_together(reader: &mut Reader, object: &Object<'_>, dry_run: bool, resume: bool, accept_drift: bool) {
    if !resume {
        if accept_drift {
            reader.note(object.path_of("acceptDrift"), "true without resume: expected \"resume\": true next to it");
        }
        return;
    }
    if dry_run {
        reader.note(object.path_of("dryRun"), "true next to resume: expected one of the two");
    }
    let by_plan = "a resumed migration keeps the policy of its plan: expected";
    if object.has("probeFrom") {
        let message = "next to resume: a resumed migration sends its probes as it was started, so leave it out";
        reader.note(object.path_of("probeFrom"), message);
    }
    if object.has("policy") {
        reader.note(object.path_of("policy"), format!("{by_plan} no policy next to resume"));
    }
    if object.get("service").is_some_and(|service| service.value.is_object()) {
        reader.note(object.path_of("service"), format!("{by_plan} the service's name alone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users() -> Value {
        json!({ "name": "users", "oldTargetGroups": "users-swarm", "newTargets": { "instances": ["i-1", "i-2"] } })
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
    fn a_halted_migration_goes_on_by_its_own_plan() {
        let resumed = |request: Value| decode_request(&request).unwrap().resume;
        assert_eq!(resumed(json!({ "service": "users" })), None);
        assert_eq!(resumed(json!({ "service": "users", "resume": false })), None);
        let plain = Some(ResumeRequest { accept_drift: false });
        assert_eq!(resumed(json!({ "service": "users", "resume": true })), plain);
        let accepting = Some(ResumeRequest { accept_drift: true });
        assert_eq!(resumed(json!({ "service": "users", "resume": true, "acceptDrift": true })), accepting);
    }

    #[test]
    fn the_function_sends_the_probes_unless_the_caller_does() {
        let from = |request: Value| decode_request(&request).unwrap().probe_from;
        assert_eq!(from(json!({ "service": "users" })), ProbeFrom::Function);
        assert_eq!(from(json!({ "service": "users", "probeFrom": "function" })), ProbeFrom::Function);
        assert_eq!(from(json!({ "service": users(), "probeFrom": "caller" })), ProbeFrom::Caller);
    }

    #[test]
    fn a_start_that_ignores_the_order_says_why() {
        let request = json!({ "service": "users", "ignoreAfter": true, "reason": "sessions stays", "who": "ana" });
        let request = decode_request(&request).unwrap();
        assert!(request.ignore_after);
        assert_eq!((request.reason.as_deref(), request.who.as_deref()), (Some("sessions stays"), Some("ana")));
        let resumed = decode_request(&json!({ "service": "users", "resume": true, "reason": "repaired" })).unwrap();
        assert_eq!((resumed.ignore_after, resumed.reason.as_deref()), (false, Some("repaired")));
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
            &json!({ "service": "users", "acceptDrift": true }),
            &["acceptDrift: true without resume: expected \"resume\": true next to it"],
        );
        check(
            &json!({ "service": "users", "ignoreAfter": true }),
            &["reason: missing: expected why, next to ignoreAfter"],
        );
        check(&json!({ "service": "users", "now": true }), &["reason: missing: expected why, next to now"]);
        check(
            &json!({ "service": "users", "probeFrom": "here" }),
            &["probeFrom: \"here\": expected one of function, caller"],
        );
        check(
            &json!({ "service": "users", "probeFrom": "caller", "resume": true }),
            &["probeFrom: next to resume: a resumed migration sends its probes as it was started, so leave it out"],
        );
        check(
            &json!({ "service": "users", "reason": "a", "who": "ana" }),
            &[
                "reason: recorded for ignoreAfter, now and resume only: expected one of them next to it",
                "who: recorded for ignoreAfter, now and resume only: expected one of them next to it",
            ],
        );
        check(
            &json!({ "service": "users", "resume": true, "ignoreAfter": true, "reason": "a".repeat(1_025) }),
            &[
                "reason: 1025 characters: expected 1024 at most",
                "ignoreAfter: true next to resume: a halted migration has started already, so leave it out",
            ],
        );
        check(
            &json!({ "service": users(), "policy": { "fleet": "f", "services": [users()] }, "dryRun": true,
                "resume": true }),
            &[
                "dryRun: true next to resume: expected one of the two",
                "policy: a resumed migration keeps the policy of its plan: expected no policy next to resume",
                "service: a resumed migration keeps the policy of its plan: expected the service's name alone",
                "policy: service is a policy already: expected its name there, or no policy here",
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
                "service.newTargets: missing: expected one of binding, instances, ips, autoScalingGroup",
            ],
        );
    }
}
