//! Reading a scenario, with every problem at once.

use super::hooks::hook;
use super::names::{NEW_PORT, new_target_id, old_group_name};
use super::{
    AwsEffect, AwsFault, Begin, Deed, Disturbance, Match, Outcome, RouteScenario, Scenario, ServiceScenario, Sides,
    TimedFault,
};
use crate::cluster::Fault;
use crossfade_domain::decode::{Object, Place, Reader};
use crossfade_domain::ids::ServiceName;
use crossfade_domain::policy_document::decode_fleet;
use crossfade_domain::problem::{Problem, Problems};
use crossfade_domain::weight::Weight;
use serde_json::{Map, Value, json};

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not YAML.
    #[error("the scenario is not YAML: {0}")]
    Yaml(String),
    /// Nothing is in it.
    #[error("the scenario is empty: expected `services`, a list of services that move")]
    Empty,
    /// It is wrong.
    #[error("the scenario has {} problem{}", .0.0.len(), if .0.0.len() == 1 { "" } else { "s" })]
    Problems(Problems),
}

pub(super) const SCENARIO_FIELDS: [&str; 5] = ["seed", "scale", "services", "awsFaults", "hooks"];
pub(super) const SERVICE_FIELDS: [&str; 10] = [
    "name",
    "loadBalancers",
    "routes",
    "old",
    "new",
    "requestsPerSecond",
    "policy",
    "alarms",
    "faults",
    "disturbances",
];
pub(super) const ROUTE_FIELDS: [&str; 8] =
    ["loadBalancer", "default", "host", "path", "oidc", "stickiness", "oldWeight", "others"];
pub(super) const FAULT_FIELDS: [&str; 9] =
    ["errorsEvery", "errorShare", "slowFactor", "refuse", "leak", "coldStart", "in", "from", "minutes"];

/// Decodes a scenario document.
///
/// # Errors
/// Every problem at once, with its path; policies are checked as `crossfade` checks them everywhere.
pub fn decode_scenario(yaml: &str) -> Result<Scenario, ScenarioError> {
    let document: Value = serde_yaml_ng::from_str(yaml).map_err(|error| ScenarioError::Yaml(error.to_string()))?;
    if document.is_null() {
        return Err(ScenarioError::Empty);
    }
    let mut reader = Reader::default();
    let decoded = scenario(&mut reader, &Place::root(&document));
    reader.finish(decoded).map_err(ScenarioError::Problems)
}

fn scenario(reader: &mut Reader, root: &Place<'_>) -> Option<Scenario> {
    let fields = reader.object(root, &SCENARIO_FIELDS, "a scenario: an object with services")?;
    let seed = fields.get("seed").map_or(Some(1), |place| reader.whole(&place, 0, u32::MAX).map(u64::from));
    let scale = fields.get("scale").map_or(Some(120.0), |place| number(reader, &place, 1.0, 3600.0));
    let aws_faults = list(reader, &fields, "awsFaults", aws_fault);
    let hooks = list(reader, &fields, "hooks", hook);
    let places = reader
        .required(&fields, "services", "a list of services")
        .and_then(|place| reader.list(&place, "a list of services"));
    let places = places?;
    if places.is_empty() {
        reader.note("services", "empty: expected at least one service");
    }
    let policy = json!({
        "fleet": "rehearsal",
        "services": places.iter().map(|place| policy_of(place.value)).collect::<Vec<_>>(),
    });
    let policies = match decode_fleet(&policy) {
        Ok(fleet) => Some(fleet.services),
        Err(Problems(problems)) => {
            note_policy_problems(reader, problems);
            None
        }
    };
    let services: Vec<Option<Unguarded>> = places.iter().map(|place| service(reader, place)).collect();
    let services = services.into_iter().collect::<Option<Vec<_>>>()?;
    let services = services.into_iter().zip(policies?).map(|(service, policy)| service.with(policy)).collect();
    let hooks = hooks?.into_iter().collect();
    Some(Scenario { seed: seed?, scale: scale?, services, policy, aws_faults: aws_faults?, hooks })
}

/// A service before its policy is known to be right.
struct Unguarded(ServiceScenario);

impl Unguarded {
    fn with(mut self, policy: crossfade_domain::policy::ServicePolicy) -> ServiceScenario {
        self.0.policy = policy;
        self.0
    }
}

/// The policy that an operator would write for a service of the scenario.
fn policy_of(service: &Value) -> Value {
    let name = service.get("name").cloned().unwrap_or(Value::Null);
    let text = name.as_str().unwrap_or_default();
    let mut policy = service.get("policy").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    let mut old: Vec<String> = balancers_of(service).iter().map(|balancer| old_group_name(text, balancer)).collect();
    if old.is_empty() {
        // The missing name is one problem, not two.
        old.push("unnamed".to_owned());
    }
    let count = service.get("new").and_then(Value::as_u64).unwrap_or(3);
    let targets: Vec<Value> =
        (1..=count).map(|number| json!({"ip": new_target_id(text, number), "port": NEW_PORT})).collect();
    policy.insert("name".to_owned(), name.clone());
    policy.entry("oldTargetGroups").or_insert_with(|| json!(old));
    policy.entry("newTargets").or_insert_with(|| json!({ "ips": targets }));
    policy.entry("alarms").or_insert_with(|| json!(["{service}-5xx"]));
    Value::Object(policy)
}

fn balancers_of(service: &Value) -> Vec<String> {
    let named = service.get("loadBalancers").and_then(Value::as_array);
    let named: Vec<String> = named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if named.is_empty() {
        service.get("name").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
    } else {
        named
    }
}

/// A policy's problem is shown where the operator of the scenario wrote it.
fn note_policy_problems(reader: &mut Reader, problems: Vec<Problem>) {
    const OWN: [&str; 1] = ["name"];
    for problem in problems {
        let path = match problem.path.split_once("].") {
            Some((service, rest)) if !OWN.contains(&rest) => format!("{service}].policy.{rest}"),
            _ => problem.path,
        };
        reader.note(path, problem.message);
    }
}

fn service(reader: &mut Reader, place: &Place<'_>) -> Option<Unguarded> {
    let known: Vec<&str> = SERVICE_FIELDS.iter().copied().chain(["expect"]).collect();
    let fields = reader.object(place, &known, "a service")?;
    let text = fields.get("name")?.value.as_str()?.to_owned();
    let name = ServiceName::parse(text.clone()).ok();
    if let Some(policy) = fields.get("policy").filter(|policy| !policy.value.is_object()) {
        reader.note(&policy.path, "expected an object with fields of a service's policy");
    }
    let load_balancers = match fields.get("loadBalancers") {
        Some(place) => reader.texts(&place, "the name of a load balancer"),
        None => Some(vec![text.clone()]),
    };
    let old_targets = fields.get("old").map_or(Some(3), |place| reader.whole(&place, 0, 200));
    let new_targets = fields.get("new").map_or(Some(3), |place| reader.whole(&place, 0, 200));
    let requests_per_second =
        fields.get("requestsPerSecond").map_or(Some(100.0), |place| number(reader, &place, 0.0, 2000.0));
    let existing_alarms = match fields.get("alarms") {
        Some(place) => reader.texts(&place, "the name of an alarm that exists"),
        None => Some(vec![format!("{text}-5xx")]),
    };
    let faults = list(reader, &fields, "faults", fault);
    let disturbances = list(reader, &fields, "disturbances", disturbance);
    let outcomes = [
        ("migrated", Outcome::Migrated),
        ("rolledBack", Outcome::RolledBack),
        ("halted", Outcome::Halted),
        ("refused", Outcome::Refused),
    ];
    let expect = fields.get("expect").map_or(Some(Outcome::Migrated), |place| reader.word(&place, &outcomes));
    let load_balancers = load_balancers?;
    let routes = match fields.get("routes") {
        None => Some(vec![plain_route(&load_balancers[0])]),
        Some(_) => list(reader, &fields, "routes", |reader, place| route(reader, place, &load_balancers)),
    };
    Some(Unguarded(ServiceScenario {
        name: name?,
        policy: placeholder_policy(),
        load_balancers,
        routes: routes?,
        old_targets: narrow(old_targets?),
        new_targets: narrow(new_targets?),
        requests_per_second: requests_per_second?,
        existing_alarms: existing_alarms?,
        faults: faults?,
        disturbances: disturbances?,
        expect: expect?,
    }))
}

/// Stands in until `Unguarded::with` puts the decoded policy in its place.
fn placeholder_policy() -> crossfade_domain::policy::ServicePolicy {
    let document = json!({"name": "service", "oldTargetGroups": "old", "newTargets": {"ips": ["10.0.0.1"]}});
    crossfade_domain::policy_document::decode_service(&document).expect("a minimal policy is right")
}

fn narrow(count: u32) -> u16 {
    u16::try_from(count).expect("counts of targets are at most 200")
}

fn plain_route(load_balancer: &str) -> RouteScenario {
    RouteScenario {
        load_balancer: load_balancer.to_owned(),
        matches: Match::Default,
        oidc: false,
        stickiness_seconds: None,
        old_weight: 1,
        others: Vec::new(),
    }
}

fn route(reader: &mut Reader, place: &Place<'_>, load_balancers: &[String]) -> Option<RouteScenario> {
    let fields = reader.object(place, &ROUTE_FIELDS, "a route")?;
    let load_balancer = match fields.get("loadBalancer") {
        None => Some(load_balancers[0].clone()),
        Some(place) => reader.text(&place, "the name of a load balancer").filter(|name| {
            let known = load_balancers.contains(name);
            if !known {
                reader.note(
                    &place.path,
                    format!("{name:?} is none of the service's load balancers: {}", load_balancers.join(", ")),
                );
            }
            known
        }),
    };
    let host = fields.get("host").map(|place| reader.text(&place, "a host name").map(Match::Host));
    let path = fields.get("path").map(|place| reader.text(&place, "a path pattern").map(Match::Path));
    let default = fields.get("default").map(|place| reader.flag(&place).map(|_| Match::Default));
    let mut matches = [host, path, default].into_iter().flatten();
    let (condition, more) = (matches.next(), matches.next().is_some());
    if condition.is_none() || more {
        reader.note(&place.path, "expected exactly one of `default: true`, `host` or `path`");
    }
    let oidc = fields.get("oidc").map_or(Some(false), |place| reader.flag(&place));
    let stickiness = fields.get("stickiness").map(|place| reader.whole(&place, 1, 604_800));
    let old_weight = fields.get("oldWeight").map_or(Some(1), |place| reader.whole(&place, 0, 999));
    let others = list(reader, &fields, "others", |reader, place| {
        let fields = reader.object(place, &["name", "weight"], "a target group beside ours")?;
        let name =
            reader.required(&fields, "name", "a target group's name").and_then(|place| reader.text(&place, "a name"));
        let weight = reader.required(&fields, "weight", "0 to 999").and_then(|place| reader.whole(&place, 0, 999));
        Some((name?, narrow(weight?)))
    });
    Some(RouteScenario {
        load_balancer: load_balancer?,
        matches: condition??,
        oidc: oidc?,
        stickiness_seconds: match stickiness {
            None => None,
            Some(seconds) => Some(seconds?),
        },
        old_weight: narrow(old_weight?),
        others: others?,
    })
}

fn fault(reader: &mut Reader, place: &Place<'_>) -> Option<TimedFault> {
    let fields = reader.object(place, &FAULT_FIELDS, "a fault of a cluster")?;
    let before = reader.count();
    let mut kinds = Vec::new();
    if let Some(place) = fields.get("errorsEvery") {
        kinds.extend(reader.whole(&place, 1, 1_000_000).map(Fault::ErrorEvery));
    }
    if let Some(place) = fields.get("errorShare") {
        kinds.extend(number(reader, &place, 0.0, 1.0).map(Fault::ErrorShare));
    }
    if let Some(place) = fields.get("slowFactor") {
        kinds.extend(number(reader, &place, 0.01, 1000.0).map(Fault::SlowFactor));
    }
    if let Some(place) = fields.get("refuse") {
        kinds.extend(reader.flag(&place).map(|_| Fault::Refuse));
    }
    if let Some(place) = fields.get("leak") {
        kinds.extend(number(reader, &place, 0.0, 1.0).map(|share_per_minute| Fault::Leak { share_per_minute }));
    }
    if let Some(place) = fields.get("coldStart") {
        let inner = reader.object(&place, &["minutes", "share"], "minutes and share of failing requests");
        if let Some(inner) = inner {
            let minutes =
                reader.required(&inner, "minutes", "minutes").and_then(|place| number(reader, &place, 0.0, 1e6));
            let share = reader.required(&inner, "share", "a share").and_then(|place| number(reader, &place, 0.0, 1.0));
            kinds.extend(minutes.zip(share).map(|(minutes, share)| Fault::ColdStart { minutes, share }));
        }
    }
    if kinds.len() != 1 && reader.count() == before {
        reader.note(&place.path, format!("expected exactly one kind of fault, found {}", kinds.len()));
    }
    let sides = [("new", Sides::New), ("old", Sides::Old), ("both", Sides::Both)];
    let sides = fields.get("in").map_or(Some(Sides::New), |place| reader.word(&place, &sides));
    let begin = fields.get("from").map_or(Some(Begin::Minute(0.0)), |place| begin(reader, &place));
    let minutes = fields.get("minutes").map(|place| number(reader, &place, 0.0, 1e6));
    Some(TimedFault {
        fault: kinds.pop()?,
        sides: sides?,
        begin: begin?,
        minutes: match minutes {
            None => None,
            Some(minutes) => Some(minutes?),
        },
    })
}

fn disturbance(reader: &mut Reader, place: &Place<'_>) -> Option<Disturbance> {
    let fields = reader.object(place, &["stopExecution", "editRoute", "from"], "something that somebody else does")?;
    let stop = fields.get("stopExecution").map(|place| reader.flag(&place).map(|_| Deed::StopExecution));
    let edit = fields.get("editRoute").map(|place| {
        reader.whole(&place, 1, 90).map(|number| Deed::EditRoute(usize::try_from(number).expect("at most 90")))
    });
    let deed = match (stop, edit) {
        (Some(deed), None) | (None, Some(deed)) => deed,
        _ => {
            reader.note(&place.path, "expected exactly one of `stopExecution: true` or `editRoute` (a route's number)");
            None
        }
    };
    let begin = fields.get("from").map_or(Some(Begin::Minute(0.0)), |place| begin(reader, &place));
    Some(Disturbance { deed: deed?, begin: begin? })
}

fn begin(reader: &mut Reader, place: &Place<'_>) -> Option<Begin> {
    let fields = reader.object(place, &["weight", "minute"], "`{weight: 25}` or `{minute: 10}`")?;
    match (fields.get("weight"), fields.get("minute")) {
        (Some(place), None) => {
            let percent = number(reader, &place, 0.0, 100.0)?;
            let weight = Weight::try_new(percent);
            if let Err(error) = &weight {
                reader.note(&place.path, error.to_string());
            }
            weight.ok().map(Begin::Weight)
        }
        (None, Some(place)) => number(reader, &place, 0.0, 1e6).map(Begin::Minute),
        _ => {
            reader.note(&place.path, "expected exactly one of `weight` or `minute`");
            None
        }
    }
}

fn aws_fault(reader: &mut Reader, place: &Place<'_>) -> Option<AwsFault> {
    let fields = reader.object(place, &["operation", "call", "by", "effect"], "a fault of AWS")?;
    let operation = reader
        .required(&fields, "operation", "an operation such as ModifyRule")
        .and_then(|place| reader.text(&place, "an operation"));
    let call = fields.get("call").map_or(Some(1), |place| reader.whole(&place, 1, 1_000_000));
    let by = fields.get("by").map(|place| reader.text(&place, "a function such as shift-weight"));
    let effects = [
        ("throttle", AwsEffect::Throttle),
        ("failBefore", AwsEffect::FailBefore),
        ("failAfter", AwsEffect::FailAfter),
        ("loseAnswer", AwsEffect::LoseAnswer),
        ("hang", AwsEffect::Hang),
        ("kill", AwsEffect::Kill),
    ];
    let effect = reader.required(&fields, "effect", "what happens").and_then(|place| reader.word(&place, &effects));
    Some(AwsFault {
        operation: operation?,
        call: call?,
        by: match by {
            None => None,
            Some(by) => Some(by?),
        },
        effect: effect?,
    })
}

fn list<T>(
    reader: &mut Reader,
    fields: &Object<'_>,
    field: &str,
    mut item: impl FnMut(&mut Reader, &Place<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(place) = fields.get(field) else { return Some(Vec::new()) };
    let places = reader.list(&place, "a list")?;
    let items: Vec<Option<T>> = places.iter().map(|place| item(reader, place)).collect();
    items.into_iter().collect()
}

fn number(reader: &mut Reader, place: &Place<'_>, least: f64, most: f64) -> Option<f64> {
    let number = place.value.as_f64().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        reader.note(&place.path, format!("{}: expected a number from {least} to {most}", place.value));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scenario_is_three_services_that_end_as_promised() {
        let scenario = decode_scenario(super::super::DEFAULT_SCENARIO).unwrap();
        let ends: Vec<_> = scenario.services.iter().map(|service| (service.name.as_str(), service.expect)).collect();
        assert_eq!(
            ends,
            [("users", Outcome::Migrated), ("bookings", Outcome::RolledBack), ("payments", Outcome::Migrated)]
        );
        assert_eq!(scenario.services[2].routes.len(), 5);
        assert_eq!(scenario.services[2].policy.old_target_groups.len(), 2);
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let yaml = "
services:
  - name: users
    requestPerSecond: 100
    policy: { schedule: [{ weight: 101, bake: 10m }] }
    routes: [{ host: a, path: b, loadBalancer: nowhere }]
    faults: [{ errorShare: 2, from: { weight: 25, minute: 1 } }]
  - name: orders
    policy: { after: [nobody] }
    expect: rolledback
awsFaults: [{ operation: ModifyRule, effect: explode }]
";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(yaml) else { panic!("it has problems") };
        let text = problems.to_string();
        for expected in [
            "services[0].requestPerSecond: unknown field (did you mean \"requestsPerSecond\"?)",
            "services[0].policy.schedule[0].weight",
            "services[0].routes[0]: expected exactly one of",
            "services[0].routes[0].loadBalancer: \"nowhere\"",
            "services[0].faults[0].errorShare",
            "services[0].faults[0].from: expected exactly one of",
            "services[1].policy.after",
            "services[1].expect",
            "awsFaults[0].effect",
        ] {
            assert!(text.contains(expected), "{expected} is not in: {}", text.replace("; ", "\n"));
        }
        assert!(matches!(decode_scenario(""), Err(ScenarioError::Empty)));
        assert!(matches!(decode_scenario("{"), Err(ScenarioError::Yaml(_))));
    }
}
