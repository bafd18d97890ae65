//! Fleets of a scenario: services that a conductor moves, and what people ask of it.

use super::reading::{list, number};
use crossfade_domain::fleet::request::decode_fleet_request;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::reader::{Object, Place, Reader};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetScenario {
    /// Its name.
    pub name: String,
    /// Its services, which are services of the scenario too.
    pub services: Vec<ServiceName>,
    /// Its policy, as an operator would store it.
    pub policy: Value,
    /// When its run begins, in world minutes after the load began.
    pub start_minute: f64,
    /// What people ask of it, in order.
    pub commands: Vec<FleetOrder>,
    /// How its run should end.
    pub expect: FleetExpectation,
}

/// What a person asks of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetOrder {
    /// When, in world minutes after the load began.
    pub minute: f64,
    /// The input of the execution that brings it.
    pub input: Value,
}

/// How a fleet's run should end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetExpectation {
    /// The outcome.
    pub outcome: FleetOutcome,
    /// Where these services should be in the run.
    pub services: BTreeMap<ServiceName, ServiceState>,
    /// The limit in world seconds from the first fault of its services until the run has stopped by itself.
    pub stopped_within_seconds: Option<f64>,
}

/// How a fleet's run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FleetOutcome {
    /// Every service has migrated.
    #[default]
    Migrated,
    /// Every wave is over, and not every service has migrated.
    Incomplete,
    /// It has stopped by itself.
    Stopped,
    /// A person has ended it.
    Aborted,
    /// A person has returned everything.
    Returned,
    /// It did not begin, or it was not over when the rehearsal ended.
    NotOver,
}

pub(super) const FLEET_FIELDS: [&str; 7] =
    ["name", "services", "rollout", "windows", "startMinute", "commands", "expect"];
pub(super) const FLEET_COMMAND_FIELDS: [&str; 5] = ["minute", "action", "drain", "service", "reason"];
pub(super) const FLEET_EXPECTATION_FIELDS: [&str; 3] = ["outcome", "services", "stoppedWithinSeconds"];
/// The words of a fleet's outcome in a scenario.
pub(super) const FLEET_OUTCOMES: [(&str, FleetOutcome); 5] = [
    ("migrated", FleetOutcome::Migrated),
    ("incomplete", FleetOutcome::Incomplete),
    ("stopped", FleetOutcome::Stopped),
    ("aborted", FleetOutcome::Aborted),
    ("returned", FleetOutcome::Returned),
];

impl FleetOutcome {
    /// Returns its name in scenarios and reports.
    pub fn name(self) -> &'static str {
        FLEET_OUTCOMES.iter().find(|(_, outcome)| *outcome == self).map_or("notOver", |(name, _)| name)
    }
}

/// The names that the fleets of a document list as their services.
pub(super) fn conducted(document: &Value) -> Vec<&str> {
    let fleets = document.get("fleets").and_then(Value::as_array).into_iter().flatten();
    let listed = fleets.filter_map(|fleet| fleet.get("services")?.as_array()).flatten();
    listed.filter_map(Value::as_str).collect()
}

/// Decodes a fleet. `policies` are those of all services of the scenario, by name.
pub(super) fn fleet(
    reader: &mut Reader,
    place: &Place<'_>,
    policies: &BTreeMap<String, Value>,
) -> Option<FleetScenario> {
    let fields = reader.object(place, &FLEET_FIELDS, "a fleet: its name and the services that it moves")?;
    let what = "the fleet's name";
    let name = reader.required(&fields, "name", what).and_then(|place| reader.text(&place, what));
    let what = "the names of services of the scenario";
    let listed = reader.required(&fields, "services", what).and_then(|place| reader.texts(&place, what))?;
    let mut services = Vec::new();
    for (index, service) in listed.iter().enumerate() {
        match (ServiceName::parse(service.clone()), policies.contains_key(service)) {
            (Ok(known), true) => services.push(known),
            _ => reader.note(
                format!("{}[{index}]", fields.path_of("services")),
                format!("{service:?} is not one of the scenario's services"),
            ),
        }
    }
    let start_minute = fields.get("startMinute").map_or(Some(0.0), |place| number(reader, &place, 0.0, 1e6));
    let mut policy = json!({
        "fleet": name.clone()?,
        "services": listed.iter().filter_map(|service| policies.get(service)).collect::<Vec<_>>(),
    });
    for field in ["rollout", "windows"] {
        if let Some(place) = fields.get(field) {
            policy[field] = place.value.clone();
        }
    }
    if let Err(problems) = crossfade_domain::policy::document::decode_fleet(&policy) {
        for problem in problems.0 {
            reader.note(format!("{}.{}", place.path, problem.path), problem.message);
        }
        return None;
    }
    let name = name?;
    let commands = list(reader, &fields, "commands", |reader, place| command(reader, place, &name));
    let expect = expectation(reader, &fields);
    Some(FleetScenario { name, services, policy, start_minute: start_minute?, commands: commands?, expect: expect? })
}

/// `{ minute: 40, action: retry, service: users, reason: repaired }`
fn command(reader: &mut Reader, place: &Place<'_>, fleet: &str) -> Option<FleetOrder> {
    let fields = reader.object(place, &FLEET_COMMAND_FIELDS, "a command: when it is given, and its action")?;
    let minute = reader.required(&fields, "minute", "world minutes after the load began");
    let minute = minute.and_then(|place| number(reader, &place, 0.0, 1e6));
    let mut input = json!({ "fleet": fleet });
    for field in FLEET_COMMAND_FIELDS.iter().filter(|field| **field != "minute") {
        if let Some(place) = fields.get(field) {
            input[*field] = place.value.clone();
        }
    }
    if let Err(problems) = decode_fleet_request(&input) {
        for problem in problems.0 {
            reader.note(format!("{}.{}", place.path, problem.path), problem.message);
        }
        return None;
    }
    Some(FleetOrder { minute: minute?, input })
}

/// An outcome alone, or an object with more about it.
fn expectation(reader: &mut Reader, fleet: &Object<'_>) -> Option<FleetExpectation> {
    let Some(place) = fleet.get("expect") else { return Some(FleetExpectation::default()) };
    if !place.value.is_object() {
        let outcome = reader.word(&place, &FLEET_OUTCOMES)?;
        return Some(FleetExpectation { outcome, ..FleetExpectation::default() });
    }
    let fields = reader.object(&place, &FLEET_EXPECTATION_FIELDS, "an outcome, or an object with one")?;
    let outcome = reader.required(&fields, "outcome", "how the run ends");
    let outcome = outcome.and_then(|place| reader.word(&place, &FLEET_OUTCOMES));
    let services = match fields.get("services").map(|place| (serde_json::from_value(place.value.clone()), place.path)) {
        None => Some(BTreeMap::new()),
        Some((Ok(services), _)) => Some(services),
        Some((Err(error), path)) => {
            reader.note(path, format!("expected services with their states: {error}"));
            None
        }
    };
    let stopped_within_seconds = match fields.get("stoppedWithinSeconds") {
        None => None,
        Some(place) => Some(number(reader, &place, 0.0, 1e6)?),
    };
    Some(FleetExpectation { outcome: outcome?, services: services?, stopped_within_seconds })
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, ScenarioError, decode_scenario};
    use super::*;

    #[test]
    fn a_fleet_has_a_policy_of_its_own_and_the_scenario_starts_none_of_its_services() {
        let yaml = "
services:
  - { name: users }
  - { name: orders, policy: { after: [users] } }
  - { name: alone }
fleets:
  - name: eks
    services: [users, orders]
    rollout: { waveBake: 5m }
    commands: [{ minute: 20, action: retry, service: users, reason: repaired }]
    expect: { outcome: incomplete, services: { users: rolledBack, orders: blocked }, stoppedWithinSeconds: 200 }
";
        let scenario = decode_scenario(yaml).unwrap();
        let started: Vec<bool> = scenario.services.iter().map(|service| service.start).collect();
        assert_eq!(started, [false, false, true]);
        assert_eq!(scenario.services[0].expect.outcome, Outcome::Migrated);
        let names = |policy: &Value| -> Vec<String> {
            let services = policy["services"].as_array().unwrap().iter();
            services.map(|service| service["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&scenario.policy), ["alone"]);
        let fleet = &scenario.fleets[0];
        assert_eq!(names(&fleet.policy), ["users", "orders"]);
        assert_eq!((&fleet.policy["fleet"], &fleet.policy["rollout"]["waveBake"]), (&"eks".into(), &"5m".into()));
        let asked = json!({"fleet": "eks", "action": "retry", "service": "users", "reason": "repaired"});
        assert_eq!(fleet.commands[0].input, asked);
        assert_eq!(fleet.expect.services.len(), 2);
    }

    #[test]
    fn every_problem_of_a_fleet_is_named_with_its_place() {
        let yaml = "
services: [{ name: users, start: true }, { name: orders }]
fleets:
  - { name: eks, services: [users, nobody], rollot: {} }
  - { name: two, services: [users], rollout: { waveSize: none } }
  - name: three
    services: [orders]
    commands: [{ minute: 1, action: explode }, { minute: 1, action: retry }]
    expect: { outcome: gone, services: { orders: lost } }
";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(yaml) else { panic!("it has problems") };
        let text = problems.to_string();
        for expected in [
            "fleets[0].services[1]: \"nobody\" is not one of the scenario's services",
            "fleets[0].rollot: unknown field (did you mean \"rollout\"?)",
            "fleets: users is in two of them",
            "fleets[1].rollout.waveSize",
            "services[0].start: a fleet starts this service",
            "fleets[2].commands[0].action",
            "fleets[2].commands[1].service",
            "fleets[2].expect.outcome",
            "fleets[2].expect.services",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
}
