//! The acts of a scenario: what people do, one thing after the other, and how each should end.

use super::reading::{list, number};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::reader::{Object, Place, Reader};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One act. It begins when the one before is over.
#[derive(Debug, Clone, PartialEq)]
pub struct ActScenario {
    /// What is done.
    pub deed: ActDeed,
    /// World minutes to wait before it begins.
    pub after_minutes: f64,
    /// How many executions run at a time.
    pub side_by_side: usize,
    /// The services that it is about, for `repair` and `retry`.
    pub services: Vec<ServiceName>,
    /// The policy document as it is completed, for `policy`.
    pub policy: Value,
    /// Why internal routes go whose requests cannot be counted, for `disconnect`.
    pub reason: Option<String>,
    /// What it should count, by the names of its counts. A count of failures that is not listed should be 0.
    pub expect: BTreeMap<String, u64>,
}

/// What an act does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActDeed {
    /// Reads the load balancers, and drafts a policy.
    Discover,
    /// Completes the draft, checks it and stores it.
    Policy,
    /// Gives each service with an `internalRoute` that route.
    Connect,
    /// Checks the URL of each internal route, and tells the callers.
    Wire,
    /// Applies the manifests of every service whose targets are a binding.
    Bind,
    /// Runs the fleet.
    Migrate,
    /// Ends the faults of services.
    Repair,
    /// Tries services of the fleet again.
    Retry,
    /// Retires the old side of every service.
    Retire,
    /// Tells the callers the URLs without a load balancer.
    WireDirectly,
    /// Removes the internal routes.
    Disconnect,
    /// Looks at everything, and changes nothing.
    Look,
}

/// The deeds with their words and the names of their counts. The second list is of failures, expected to be 0.
type Counted = (&'static str, ActDeed, &'static [&'static str], &'static [&'static str]);
const DEEDS: [Counted; 12] = [
    ("discover", ActDeed::Discover, &["loadBalancers", "rules", "targetGroups", "services", "toFillIn"], &["leftOut"]),
    ("policy", ActDeed::Policy, &["services", "filledIn"], &["problems"]),
    ("connect", ActDeed::Connect, &["routes", "loadBalancers", "copies"], &["refused"]),
    ("wire", ActDeed::Wire, &["services", "callers", "urls"], &["broken"]),
    ("bind", ActDeed::Bind, &["services", "bindings"], &["refused"]),
    ("migrate", ActDeed::Migrate, &["waves", "migrated", "probed", "failedProbes", "hookCalls"], &["failed", "left"]),
    ("repair", ActDeed::Repair, &["services"], &["left"]),
    ("retry", ActDeed::Retry, &["services", "migrated"], &["failed", "left"]),
    ("retire", ActDeed::Retire, &["services", "targetGroups", "targets"], &["failed"]),
    ("wireDirectly", ActDeed::WireDirectly, &["services", "callers", "urls"], &["broken"]),
    ("disconnect", ActDeed::Disconnect, &["routes", "forced"], &["refused"]),
    ("look", ActDeed::Look, &["answeredByNew"], &["answeredByOld", "oldTargets", "internalRoutes", "spoiled"]),
];

/// The fields of an act.
pub(super) const ACT_FIELDS: [&str; 8] =
    ["act", "after", "sideBySide", "services", "fleet", "rollout", "reason", "expect"];

impl ActDeed {
    /// Its word in scenarios and reports.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The names of its counts of failures.
    pub fn failures(self) -> &'static [&'static str] {
        self.row().3
    }

    fn row(self) -> &'static Counted {
        DEEDS.iter().find(|(_, deed, ..)| *deed == self).expect("every deed is in the list")
    }

    /// Whether the act takes this field.
    fn takes(self, field: &str) -> bool {
        match field {
            "sideBySide" => matches!(self, Self::Connect | Self::Retire | Self::Disconnect),
            "services" => matches!(self, Self::Repair | Self::Retry),
            "fleet" | "rollout" => self == Self::Policy,
            "reason" => self == Self::Disconnect,
            _ => true,
        }
    }

    /// The act that has to come before.
    fn needs(self) -> Option<Self> {
        match self {
            Self::Discover | Self::Repair | Self::Look => None,
            Self::Policy => Some(Self::Discover),
            Self::Connect | Self::Bind | Self::Migrate => Some(Self::Policy),
            Self::Wire | Self::Disconnect => Some(Self::Connect),
            Self::Retry | Self::Retire | Self::WireDirectly => Some(Self::Migrate),
        }
    }
}

/// Whether a document's acts move its services.
pub(super) fn has_act(document: &Value, word: &str) -> bool {
    let acts = document.get("acts").and_then(Value::as_array).into_iter().flatten();
    acts.into_iter().any(|act| act.get("act").and_then(Value::as_str) == Some(word))
}

/// Decodes the acts. `policies` are those of the scenario's services, in its order; who calls whom is added to them.
pub(super) fn acts(
    reader: &mut Reader,
    fields: &Object<'_>,
    policies: &[Value],
    services: &[Place<'_>],
) -> Option<Vec<ActScenario>> {
    let with_calls = |(policy, service): (&Value, &Place<'_>)| {
        let calls = service.value.get("calls").and_then(Value::as_array).into_iter().flatten();
        let calls: Vec<&Value> = calls.filter_map(|call| call.get("service")).collect();
        let mut policy = policy.clone();
        if !calls.is_empty() {
            policy["calls"] = json!(calls);
        }
        policy
    };
    let policies: Vec<Value> = policies.iter().zip(services).map(with_calls).collect();
    let acts = list(reader, fields, "acts", |reader, place| act(reader, place, &policies));
    note_order(reader, acts.as_deref().unwrap_or_default());
    acts
}

fn act(reader: &mut Reader, place: &Place<'_>, policies: &[Value]) -> Option<ActScenario> {
    let fields = reader.object(place, &ACT_FIELDS, "an act such as { act: discover }")?;
    let words = DEEDS.map(|(word, deed, ..)| (word, deed));
    let deed = reader.required(&fields, "act", "what is done").and_then(|place| reader.word(&place, &words))?;
    for field in ACT_FIELDS.into_iter().filter(|field| fields.has(field) && !deed.takes(field)) {
        reader.note(fields.path_of(field), format!("the act {} has no such field", deed.name()));
    }
    let after_minutes = fields.get("after").map_or(Some(0.0), |place| number(reader, &place, 0.0, 1e6));
    let side_by_side = fields.get("sideBySide").map_or(Some(4), |place| reader.whole(&place, 1, 256));
    let services = names(reader, &fields, deed, policies);
    let expect = expected(reader, &fields, deed);
    let reason = match fields.get("reason") {
        Some(place) => Some(reader.text(&place, "why internal routes go whose requests cannot be counted")?),
        None => None,
    };
    Some(ActScenario {
        deed,
        after_minutes: after_minutes?,
        side_by_side: usize::try_from(side_by_side?).unwrap_or(1),
        services: services?,
        policy: policy(reader, &fields, deed, policies)?,
        reason,
        expect: expect?,
    })
}

fn names(reader: &mut Reader, fields: &Object<'_>, deed: ActDeed, policies: &[Value]) -> Option<Vec<ServiceName>> {
    if !deed.takes("services") {
        return Some(Vec::new());
    }
    let place = reader.required(fields, "services", "the names of services of the scenario")?;
    let known = || policies.iter().filter_map(|policy| policy["name"].as_str());
    let mut found = Vec::new();
    for name in reader.texts(&place, "the name of a service")? {
        if !known().any(|known| known == name) {
            let near = did_you_mean(&name, known());
            reader.note(&place.path, format!("{name} is not one of the scenario's services{near}"));
        }
        found.extend(ServiceName::parse(name).ok());
    }
    Some(found)
}

/// What a person makes of the draft: the scenario's policies, with the fleet's name and rollout.
fn policy(reader: &mut Reader, fields: &Object<'_>, deed: ActDeed, policies: &[Value]) -> Option<Value> {
    if deed != ActDeed::Policy {
        return Some(Value::Null);
    }
    let fleet = match fields.get("fleet") {
        Some(place) => reader.text(&place, "the fleet's name")?,
        None => "new-cluster".to_owned(),
    };
    let mut document = json!({ "fleet": fleet, "services": policies });
    if let Some(place) = fields.get("rollout") {
        document["rollout"] = place.value.clone();
    }
    if let Err(problems) = crossfade_domain::policy::document::decode_fleet(&document) {
        // Those of a service are reported at the service.
        for problem in problems.0.into_iter().filter(|problem| problem.path.starts_with("rollout")) {
            reader.note(fields.path_of(&problem.path), problem.message);
        }
    }
    Some(document)
}

fn expected(reader: &mut Reader, fields: &Object<'_>, deed: ActDeed) -> Option<BTreeMap<String, u64>> {
    let Some(place) = fields.get("expect") else { return Some(BTreeMap::new()) };
    let (_, _, counts, failures) = *deed.row();
    let known = [counts, failures].concat();
    let counts = reader.object(&place, &known, "what the act counts, such as { services: 50 }")?;
    let mut expected = BTreeMap::new();
    for name in known {
        if let Some(place) = counts.get(name) {
            expected.insert(name.to_owned(), u64::from(reader.whole(&place, 0, u32::MAX)?));
        }
    }
    Some(expected)
}

/// Checks that each act comes after those that it needs.
fn note_order(reader: &mut Reader, acts: &[ActScenario]) {
    for (index, act) in acts.iter().enumerate() {
        if let Some(needed) = act.deed.needs().filter(|needed| !acts[..index].iter().any(|it| it.deed == *needed)) {
            let message = format!("{} comes after {}, which is not before it", act.deed.name(), needed.name());
            reader.note(format!("acts[{index}].act"), message);
        }
    }
}

/// What an act does and what it counts, for people.
fn about(&(word, deed, counts, failures): &Counted) -> (String, Value) {
    let does = match deed {
        ActDeed::Discover => "Reads the load balancers and drafts a policy.",
        ActDeed::Policy => "Completes the draft with the scenario's policies, checks it and stores it.",
        ActDeed::Connect => "Creates the internal route of each service that has one in its policy.",
        ActDeed::Wire => "Checks the URL of each internal route, and changes the callers.",
        ActDeed::Bind => "Applies the manifests to the new cluster.",
        ActDeed::Migrate => "Runs the fleet to the end of its run.",
        ActDeed::Repair => "Ends the faults of `services`.",
        ActDeed::Retry => "Tries `services` again in the fleet, and waits for those that come after them.",
        ActDeed::Retire => "Retires the old side of every service.",
        ActDeed::WireDirectly => "Checks the URLs in the new cluster, and changes the callers.",
        ActDeed::Disconnect => "Removes the internal routes.",
        ActDeed::Look => "Sends one request over each route, and looks for what is left.",
    };
    let counts = counts.iter().map(|count| format!("`{count}`"));
    let counts: Vec<String> = counts.chain(failures.iter().map(|count| format!("`{count}` (0)"))).collect();
    (word.to_owned(), format!("{does} It counts {}.", counts.join(", ")).into())
}

pub(super) fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["act"],
        "description": "What people do, one act after the other.",
        "properties": {
            "act": {
                "enum": DEEDS.map(|(word, ..)| word),
                "x-words": DEEDS.iter().map(about).collect::<serde_json::Map<_, _>>(),
                "description": "What is done.",
            },
            "after": {"type": "number", "minimum": 0, "description": "World minutes to wait before it begins."},
            "sideBySide": {"type": "integer", "minimum": 1, "maximum": 256, "default": 4,
                "description": "For `connect`, `retire` and `disconnect`: how many executions run at a time."},
            "services": {"type": "array", "items": {"type": "string"},
                "description": "For `repair` and `retry`: the services.",
            },
            "fleet": {"type": "string", "description": "For `policy`: the fleet's name; `new-cluster` if left out."},
            "rollout": {"type": "object", "description": "For `policy`: the policy's `rollout`."},
            "reason": {"type": "string",
                "description": "For `disconnect`: why internal routes go whose requests cannot be counted. Without \
                                it they are refused."},
            "expect": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0},
                "description": "Counts that it must have, such as `{ services: 50 }`. Those marked with 0 must be 0 \
                                if they are left out."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, ScenarioError, decode_scenario};
    use super::*;

    #[test]
    fn schema_and_decoder_know_the_same_fields() {
        let schema = schema();
        let known = schema["properties"].as_object().unwrap();
        assert!(known.len() == ACT_FIELDS.len() && ACT_FIELDS.iter().all(|field| known.contains_key(*field)));
    }

    #[test]
    fn defaults_complete_a_service_and_its_policy() {
        let yaml = "
defaults: { old: 1, policy: { judge: false, newTargets: { ips: [{ ip: 10.0.0.1, port: 80 }] } } }
services: [{ name: users, policy: { judge: true } }, { name: orders, old: 2 }]
acts: [{ act: discover, expect: { services: 2 } }, { act: policy, rollout: { concurrency: 2 } }]
";
        let scenario = decode_scenario(yaml).unwrap();
        let [users, orders] = &scenario.services[..] else { panic!() };
        assert!(users.policy.judge && !orders.policy.judge && orders.old_targets == 2 && users.old_targets == 1);
        assert!(!users.start && !users.described && users.expect.outcome == Outcome::NotStarted);
        assert_eq!(scenario.acts[0].expect, BTreeMap::from([("services".to_owned(), 2)]));
        assert_eq!(scenario.acts[1].policy["rollout"]["concurrency"], 2);
    }

    #[test]
    fn every_problem_of_an_act_is_named_with_its_place() {
        let yaml = "
services: [{ name: users, start: true }]
retirements: [{ minute: 1, service: users, expect: deregistered }]
acts:
  - { act: connect, sideBySide: 0, reason: none }
  - { act: discover, fleet: eks, expect: { service: 1 } }
  - { act: policy, rollout: { waveSize: none } }
  - { act: retry, services: [user] }
  - { act: dance }
";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(yaml) else { panic!("it has problems") };
        let text = problems.to_string();
        for expected in [
            "acts[0].sideBySide",
            "acts[0].reason: the act connect has no such field",
            "acts[1].fleet: the act discover has no such field",
            "acts[1].expect.service: unknown field (did you mean \"services\"?)",
            "acts[2].rollout.waveSize",
            "acts[3].services: user is not one of the scenario's services (did you mean \"users\"?)",
            "acts[4].act: \"dance\"",
            "services[0].start",
            "retirements: the acts do everything",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
        let order = "services: [{ name: users }]\nacts: [{ act: policy }, { act: retry, services: [users] }]";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(order) else { panic!("it has problems") };
        let text = problems.to_string();
        assert!(text.contains("acts[0].act: policy comes after discover, which is not before it"), "{text}");
        assert!(text.contains("acts[1].act: retry comes after migrate"), "{text}");
    }
}
