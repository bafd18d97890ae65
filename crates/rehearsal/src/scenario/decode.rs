//! Decodes a scenario, and reports every problem at once.

mod expectation;
mod faults;
mod policies;
mod routes;

#[cfg(test)]
pub(super) use expectation::EXPECTATION_FIELDS;
pub(super) use expectation::words as expectation_words;
#[cfg(test)]
pub(super) use faults::{AWS_FAULT_FIELDS, FAULT_FIELDS};
#[cfg(test)]
pub(super) use routes::ROUTE_FIELDS;

use super::acts::{acts, has_act};
use super::calendars::calendar;
use super::calls::{self, call};
use super::defaults::with_defaults;
use super::fleets::{conducted, fleet};
use super::hooks::hook;
use super::reading::{list, number};
use super::retirements::retirement;
use super::{Deed, Scenario, ServiceScenario};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::problem::Problems;
use crossfade_domain::policy::reader::{Place, Reader};
use policies::{note_policy_problems, placeholder_policy, policy_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why a scenario cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not YAML.
    #[error("the scenario is not YAML: {0}")]
    Yaml(String),
    /// It is empty.
    #[error("the scenario is empty: expected `services`, a list of services that move")]
    Empty,
    /// It has problems.
    #[error("the scenario has {} problem{}", .0.0.len(), if .0.0.len() == 1 { "" } else { "s" })]
    Problems(Problems),
}

pub(super) const SCENARIO_FIELDS: [&str; 10] =
    ["seed", "scale", "defaults", "services", "fleets", "retirements", "acts", "awsFaults", "calendars", "hooks"];
pub(super) const SERVICE_FIELDS: [&str; 16] = [
    "name",
    "loadBalancers",
    "routes",
    "old",
    "new",
    "sentPerMinute",
    "drawnPerMinute",
    "calls",
    "policy",
    "alarms",
    "faults",
    "disturbances",
    "described",
    "start",
    "startMinute",
    "expect",
];
/// The most services: each has a network of its own for its new targets.
const MOST_SERVICES: usize = 256;

/// Decodes a scenario document.
///
/// # Errors
/// Every problem at once, with its path. Policies are checked as everywhere in Crossfade.
pub fn decode_scenario(yaml: &str) -> Result<Scenario, ScenarioError> {
    let document: Value = serde_yaml_ng::from_str(yaml).map_err(|error| ScenarioError::Yaml(error.to_string()))?;
    if document.is_null() {
        return Err(ScenarioError::Empty);
    }
    let document = with_defaults(document);
    let mut reader = Reader::default();
    let decoded = scenario(&mut reader, &Place::root(&document));
    reader.finish(decoded).map_err(ScenarioError::Problems)
}

fn scenario(reader: &mut Reader, root: &Place<'_>) -> Option<Scenario> {
    let fields = reader.object(root, &SCENARIO_FIELDS, "a scenario: an object with services")?;
    let seed = fields.get("seed").map_or(Some(1), |place| reader.whole(&place, 0, u32::MAX).map(u64::from));
    let scale = fields.get("scale").map_or(Some(240.0), |place| number(reader, &place, 1.0, 3600.0));
    let aws_faults = list(reader, &fields, "awsFaults", faults::aws_fault);
    let calendars = list(reader, &fields, "calendars", calendar);
    let hooks = list(reader, &fields, "hooks", hook);
    let retirements = list(reader, &fields, "retirements", retirement);
    let places = reader
        .required(&fields, "services", "a list of services")
        .and_then(|place| reader.list(&place, "a list of services"));
    let places = places?;
    if places.is_empty() {
        reader.note("services", "empty: expected at least one service");
    }
    if places.len() > MOST_SERVICES {
        reader.note("services", format!("{} services: expected {MOST_SERVICES} at most", places.len()));
    }
    let policy = json!({
        "fleet": "rehearsal",
        "services": places.iter().enumerate().map(|(index, place)| policy_of(place.value, index)).collect::<Vec<_>>(),
    });
    let policies = match decode_fleet(&policy) {
        Ok(fleet) => Some(fleet.services),
        Err(Problems(problems)) => {
            note_policy_problems(reader, problems);
            None
        }
    };
    let mut conducted = conducted(root.value);
    let has_acts = fields.has("acts");
    for field in ["fleets", "retirements"].into_iter().filter(|field| has_acts && fields.has(field)) {
        reader.note(field, "the acts do everything: expected either `acts` or this");
    }
    let policies_of_all = policy["services"].as_array().map_or(&[][..], Vec::as_slice);
    let acts = acts(reader, &fields, policies_of_all, &places);
    let by_name = |policy: &Value| Some((policy["name"].as_str()?.to_owned(), policy.clone()));
    let of_all: BTreeMap<_, _> = policy["services"].as_array().into_iter().flatten().filter_map(by_name).collect();
    let fleets = list(reader, &fields, "fleets", |reader, place| fleet(reader, place, &of_all));
    for (index, name) in conducted.iter().enumerate() {
        if conducted[..index].contains(name) {
            reader.note("fleets", format!("{name} is in two of them"));
        }
    }
    if has_act(root.value, "migrate") {
        conducted.extend(of_all.keys().map(String::as_str));
    }
    let services: Vec<Option<Unguarded>> =
        places.iter().map(|place| service(reader, place, &conducted, has_acts)).collect();
    let services = services.into_iter().collect::<Option<Vec<_>>>()?;
    let services: Vec<ServiceScenario> =
        services.into_iter().zip(policies?).map(|(service, policy)| service.with(policy)).collect();
    faults::note_strangers(reader, aws_faults.as_deref().unwrap_or_default(), &services);
    calls::note_strangers(reader, &services);
    let hooks = hooks?.into_iter().collect();
    let is_stored = |name: &str| services.iter().any(|it| it.name.as_str() == name && it.described && !it.conducted);
    let policy = json!({
        "fleet": policy["fleet"],
        "services": policy["services"].as_array().into_iter().flatten()
            .filter(|service| service["name"].as_str().is_some_and(is_stored))
            .collect::<Vec<_>>(),
    });
    Some(Scenario {
        seed: seed?,
        scale: scale?,
        services,
        policy,
        fleets: fleets?,
        retirements: retirements?,
        acts: acts?,
        aws_faults: aws_faults?,
        calendars: calendars?,
        hooks,
    })
}

/// A service before its policy has been decoded.
struct Unguarded(ServiceScenario);

impl Unguarded {
    fn with(mut self, policy: crossfade_domain::policy::service_policy::ServicePolicy) -> ServiceScenario {
        self.0.policy = policy;
        self.0
    }
}

fn service(reader: &mut Reader, place: &Place<'_>, conducted: &[&str], has_acts: bool) -> Option<Unguarded> {
    let fields = reader.object(place, &SERVICE_FIELDS, "a service")?;
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
    let sent_per_minute = fields.get("sentPerMinute").map_or(Some(50.0), |place| number(reader, &place, 0.0, 2000.0));
    let drawn_per_minute =
        fields.get("drawnPerMinute").map_or(Some(0.0), |place| number(reader, &place, 0.0, 20_000.0));
    let calls = list(reader, &fields, "calls", call);
    let existing_alarms = match fields.get("alarms") {
        Some(place) => reader.texts(&place, "the name of an alarm that exists"),
        None => Some(vec![format!("{text}-5xx")]),
    };
    let conducted = conducted.contains(&text.as_str());
    let start = fields.get("start").map_or(Some(!conducted && !has_acts), |place| reader.flag(&place));
    if (conducted || has_acts) && fields.has("start") {
        let who = if has_acts { "an act" } else { "a fleet" };
        reader.note(fields.path_of("start"), format!("{who} starts this service: remove `start`"));
    }
    let described = fields.get("described").map_or(Some(!has_acts), |place| reader.flag(&place));
    if described == Some(false) && start.unwrap_or(true) && !has_acts {
        reader.note(
            fields.path_of("described"),
            "without a policy it cannot move: expected `start: false` next to it, and no fleet",
        );
    }
    let start_minute = fields.get("startMinute").map_or(Some(0.0), |place| number(reader, &place, 0.0, 1e6));
    let faults = list(reader, &fields, "faults", faults::fault);
    let disturbances = list(reader, &fields, "disturbances", faults::disturbance);
    let expect = expectation::expectation(reader, &fields, conducted || start.unwrap_or(true));
    let load_balancers = load_balancers?;
    let routes = match fields.get("routes") {
        None => Some(vec![routes::plain(&load_balancers[0])]),
        Some(_) => list(reader, &fields, "routes", |reader, place| routes::routes(reader, place, &load_balancers))
            .map(|routes| routes.into_iter().flatten().collect()),
    }?;
    for (index, disturbance) in disturbances.iter().flatten().enumerate() {
        if let Deed::EditRoute(number) = disturbance.deed
            && number > routes.len()
        {
            let path = format!("{}.disturbances[{index}].editRoute", place.path);
            reader.note(path, format!("{number}: the service has {} routes", routes.len()));
        }
    }
    Some(Unguarded(ServiceScenario {
        name: name?,
        policy: placeholder_policy(),
        load_balancers,
        routes,
        old_targets: narrow(old_targets?),
        new_targets: narrow(new_targets?),
        sent_per_minute: sent_per_minute?,
        drawn_per_minute: drawn_per_minute?,
        calls: calls?,
        described: described?,
        start: start?,
        conducted,
        start_minute: start_minute?,
        existing_alarms: existing_alarms?,
        faults: faults?,
        disturbances: disturbances?,
        expect: expect?,
    }))
}

fn narrow(count: u32) -> u16 {
    u16::try_from(count).expect("counts of targets are at most 200")
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn the_default_scenario_is_eleven_services_within_the_machines_means() {
        let scenario = decode_scenario(super::super::DEFAULT_SCENARIO).unwrap();
        let ends: Vec<_> =
            scenario.services.iter().map(|service| (service.name.as_str(), service.expect.outcome)).collect();
        assert_eq!(
            ends[..3],
            [("users", Outcome::Migrated), ("bookings", Outcome::RolledBack), ("payments", Outcome::Migrated)]
        );
        assert_eq!(ends.len(), 11);
        assert_eq!(scenario.services[2].routes.len(), 5);
        assert_eq!(scenario.services[2].policy.old_target_groups.len(), 2);
        let live: f64 = scenario.services.iter().map(|service| service.sent_per_minute).sum();
        assert!(live <= 550.0, "{live} live requests a minute");
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let yaml = "
services:
  - name: users
    sendPerMinute: 100
    policy: { schedule: [{ weight: 101, bake: 10m }] }
    routes: [{ host: a, path: b, loadBalancer: nowhere }]
    faults:
      - { errorShare: 2, from: { weight: 25, minute: 1 } }
      - { cold: { requests: 0, share: 1 } }
      - { cold: [{ below: 100, share: 0.01 }, { below: 200, share: 0.5 }, { below: 200, share: 2 }, { share: 1 }] }
      - { cold: [{ below: 20, share: 1 }, { below: 10, share: 0.5 }] }
      - { cold: [] }
      - { cold: 2000 }
  - name: orders
    policy: { after: [nobody] }
    calls: [{ service: users, wired: 5 }, {}]
    expect: rolledback
  - name: parcels
    disturbances: [{ editRoute: 2 }]
    expect: { outcome: migrated, trigger: sweep, gate: weather, withinSecond: 5 }
awsFaults: [{ operation: ModifyRule, effect: explode }, { operation: modifyRules, effect: kill, service: users }]
calendars:
  - { name: change-freeze, closed: [{ fromMinute: 12, toMinute: 5 }, { from: 5, toMinute: 6 }, 7] }
  - { closed: [] }
hooks:
  - { name: crossfade-hook-a, warms: 0 }
  - { name: crossfade-hook-b, warms: 2000, does: ok }
  - { name: crossfade-hook-c }
";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(yaml) else { panic!("it has problems") };
        let text = problems.to_string();
        for expected in [
            "services[0].sendPerMinute: unknown field (did you mean \"sentPerMinute\"?)",
            "services[0].policy.schedule[0].weight",
            "services[0].routes[0]: expected exactly one of",
            "services[0].routes[0].loadBalancer: \"nowhere\"",
            "services[0].faults[0].errorShare",
            "services[0].faults[0].from: expected exactly one of",
            "services[0].faults[1].cold.requests",
            "services[0].faults[1].cold.share: unknown field",
            "services[0].faults[2].cold[0].share: 0.01: expected a number from 0.05 to 1",
            "services[0].faults[2].cold[2].share: 2: expected a number from 0.05 to 1",
            "services[0].faults[2].cold[3].below",
            "services[0].faults[3].cold[1].below: 10: expected more than 20, the one before",
            "services[0].faults[4].cold: expected at least one step",
            "services[0].faults[5].cold: ",
            "services[1].policy.after",
            "services[1].calls[0].wired: unknown field",
            "services[1].calls[1].service: missing",
            "services[1].expect",
            "services[2].disturbances[0].editRoute: 2: the service has 1 routes",
            "services[2].expect.withinSecond: unknown field (did you mean \"withinSeconds\"?)",
            "services[2].expect.gate",
            "services[2].expect.trigger: only a service that is expected to be `rolledBack` has one",
            "awsFaults[0].effect",
            "awsFaults[1].operation: \"modifyRules\": expected an operation that Crossfade calls, such as ModifyRule \
             (did you mean \"ModifyRule\"?)",
            "calendars[0].closed[0].toMinute: 5: expected more than fromMinute",
            "calendars[0].closed[1].from: unknown field; expected one of fromMinute, toMinute",
            "calendars[0].closed[1].fromMinute: missing",
            "calendars[0].closed[2]: 7: expected a closed time",
            "calendars[1].name: missing",
            "hooks[0].warms: 0: expected a whole number from 1 to 20000",
            "hooks[1]: expected exactly one of `does`",
            "hooks[2]: expected exactly one of `does`",
        ] {
            assert!(text.contains(expected), "{expected} is not in: {}", text.replace("; ", "\n"));
        }
        let strangers = "
services:
  - { name: users, alarms: [], policy: { alarms: [] } }
  - { name: orders, calls: [{ service: user }, { service: users }] }
awsFaults:
  - { operation: ModifyRule, effect: kill, service: nobody }
  - { operation: ModifyRule, effect: stopExecution }
  - { operation: ModifyRule, effect: alarmEvent, service: users }
";
        let Err(ScenarioError::Problems(problems)) = decode_scenario(strangers) else { panic!("it has problems") };
        let text = problems.to_string();
        for expected in [
            "awsFaults[0].service: \"nobody\" is not one of the scenario's services",
            "awsFaults[1].service: missing",
            "services[1].calls[0].service: user is not one of the scenario's services (did you mean \"users\"?)",
            "services[1].calls[1].service: users has no route by host: expected one such as { host: users.internal }",
            "awsFaults[2].service: users has no alarm that exists and guards it",
        ] {
            assert!(text.contains(expected), "{expected} is not in: {}", text.replace("; ", "\n"));
        }
        assert!(matches!(decode_scenario(""), Err(ScenarioError::Empty)));
        assert!(matches!(decode_scenario("{"), Err(ScenarioError::Yaml(_))));
    }
}
