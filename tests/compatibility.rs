//! What was stored once stays readable: an item of each kind as version 1 wrote it. A change of a format keeps these
//! files and adds others.

use crate::repository::root;
use crossfade_domain::fleet::cursor::FleetCursor;
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::{FleetHead, RunOutcome, RunState};
use crossfade_domain::fleet::service_run::{Hold, ServiceState};
use crossfade_domain::internal_route::{Connection, ConnectionState};
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::journal::{Event, EventKind, Head, Phase, Trigger};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::policy::calling::ProbeFrom;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::rollout::Rollout;
use crossfade_domain::policy::service_policy::FleetPolicy;
use crossfade_domain::retirement::{Retirement, RetirementCursor, RetirementEvent, RetirementPhase};
use crossfade_domain::rollback::{WayBack, revise_after_the_end, way_back};
use crossfade_domain::routing::route_edit::at_step;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn stored(name: &str) -> Value {
    let file = root().join("tests/compatibility").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .unwrap()
}

/// Reads a stored item; nothing that stands in it is lost when it is written again.
#[track_caller]
fn check<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let before = stored(name);
    assert_eq!(before["version"], json!(1), "{name} has no version");
    let read: T = serde_json::from_value(before.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    holds(&before, &serde_json::to_value(&read).unwrap(), name);
    read
}

/// Every field of `before` stands in `after` with the same value.
#[track_caller]
fn holds(before: &Value, after: &Value, path: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                holds(value, after.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"));
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                holds(before, after, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(before, after, "{path}"),
    }
}

#[test]
fn heads_plans_and_cursors_of_version_1_are_read() {
    assert_eq!(check::<Head>("head").phase, Phase::RolledBack);
    check::<Head>("head-resumed");
    let hooked = check::<Head>("head-hook");
    assert!(hooked.guarded && hooked.hook.is_some_and(|call| !call.answered));
    check::<Plan>("plan");
    assert_eq!(check::<Plan>("plan-guarded").alarms().len(), 3 + check::<Plan>("plan").alarms().len());
    let measured = check::<Plan>("plan-measured");
    assert_eq!((measured.dispersion.len(), measured.guards[0].percent), (3, Some(28)));
    let before = check::<Plan>("plan-guarded");
    assert_eq!((before.dispersion.len(), before.guards[0].percent), (0, None));
    check::<Cursor>("cursor");
    assert!(check::<Cursor>("cursor-hook").hook.is_some());
}

#[test]
fn a_migration_that_is_probed_is_read_and_one_from_before_probes_has_none() {
    let probing = check::<Head>("head-probing");
    assert_eq!((probing.probing.len(), probing.probed), (1, false));
    let before = check::<Head>("head-resumed");
    assert_eq!((before.probing.len(), before.probed), (0, false));
    assert_eq!((probing.probe_round, check::<Plan>("plan").probe_from), (None, ProbeFrom::Function));
}

#[test]
fn a_migration_that_a_command_probes_is_read() {
    let round = check::<Head>("head-probed-from-outside").probe_round.unwrap();
    assert_eq!((round.rules.len(), round.rules[0].requests.len(), round.left_out.len()), (1, 2, 1));
    let report = round.report.as_ref().unwrap();
    assert!(round.missing_in(report, 5).is_empty() && !report.is_alike());
    let mut plan = stored("plan");
    plan["probeFrom"] = json!("caller");
    let read: Plan = serde_json::from_value(plan.clone()).unwrap();
    assert_eq!(read.probe_from, ProbeFrom::Caller);
    holds(&plan, &serde_json::to_value(&read).unwrap(), "plan");
}

#[test]
fn internal_routes_of_version_1_are_read() {
    assert_eq!(check::<Connection>("connection").state, ConnectionState::Connected);
}

#[test]
fn what_migrated_under_version_1_can_be_rolled_back() {
    let (head, plan) = (check::<Head>("head-migrated"), check::<Plan>("plan"));
    assert_eq!((head.phase, &head.migration), (Phase::Migrated, &plan.migration));
    let begun =
        EventKind::RollbackBegun { trigger: Trigger::Operator, cause: "slow".to_owned(), caused_at: head.since };
    let back = head.apply(&head.next_event(begun, head.since)).unwrap();
    assert_eq!((back.phase, back.generation), (Phase::RollingBack, head.generation + 1));
    let revised = revise_after_the_end(&plan, &head.new_groups, &[], back.generation);
    assert_eq!(back.plan_revision, revised.revision.map(|revision| revision.generation));
    for route in &plan.routes {
        let new = &head.new_groups[&route.old];
        let at_the_end = at_step(route, new, plan.last_step()).unwrap();
        let way = way_back(route, &at_the_end, Some(new)).unwrap();
        assert_eq!(way, WayBack::Restore(route.baseline.clone()));
    }
}

#[test]
fn every_event_of_version_1_is_read() {
    let events = ["events", "events-probes", "events-probes-from-outside", "events-requests"].map(stored);
    let events: Vec<&Value> = events.iter().flat_map(|events| events.as_array().unwrap()).collect();
    let kinds: BTreeSet<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(kinds.len() >= 24, "{kinds:?}");
    for event in events {
        assert_eq!(event["version"], json!(1));
        let read: Event = serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{event}: {error}"));
        holds(event, &serde_json::to_value(&read).unwrap(), "event");
    }
}

#[test]
fn a_lock_of_version_1_is_read() {
    let lock = stored("lock");
    let read: RouteHolder = serde_json::from_value(lock.clone()).unwrap();
    holds(&lock, &serde_json::to_value(&read).unwrap(), "lock");
}

#[test]
fn a_policy_with_and_without_its_version_is_the_same_policy() {
    let first = stored("policy-without-version");
    let mut second = first.clone();
    second["version"] = json!(1);
    assert_eq!(decode_fleet(&first).unwrap(), decode_fleet(&second).unwrap());
    for later in [json!(2), json!("1"), json!(null)] {
        second["version"] = later.clone();
        let problems = decode_fleet(&second).unwrap_err().to_string();
        assert!(problems.starts_with(&format!("version: {later}: expected 1")), "{problems}");
    }
}

#[test]
fn a_fleets_head_of_version_1_is_read_with_and_without_its_optional_fields() {
    let head = check::<FleetHead>("fleet-head");
    let of = |name: &str| head.service(&ServiceName::parse(name).unwrap());
    assert_eq!((head.state, head.size(), head.windows_ignored), (RunState::Stopped, 5, true));
    assert!(of("bookings").pardoned && of("payments").unreturned && of("search").hold == Hold::Asked);
    assert_eq!(of("orders").state, ServiceState::Waiting, "a service that is not in the item waits");

    let first = check::<FleetHead>("fleet-head-first");
    let users = first.service(&ServiceName::parse("users").unwrap());
    assert_eq!((first.outcome, users.state, users.tries), (Some(RunOutcome::Incomplete), ServiceState::Refused, 0));
    assert_eq!((first.baking_since, first.pardoned_at, first.windows_ignored), (None, None, false));
    assert!(first.requests.is_empty() && first.room.is_empty() && first.room_at.is_none());
    assert!(users.size.is_none() && users.hold == Hold::None && !users.moved);
}

#[test]
fn every_entry_of_version_1_of_a_fleets_journal_is_read_and_leads_to_a_head() {
    let entries = stored("fleet-entries");
    let mut head = check::<FleetHead>("fleet-head-first");
    let mut kinds = BTreeSet::new();
    for entry in entries.as_array().unwrap() {
        assert_eq!(entry["version"], json!(1));
        kinds.extend(entry["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()));
        let read: FleetEntry = serde_json::from_value(entry.clone()).unwrap_or_else(|error| panic!("{entry}: {error}"));
        holds(entry, &serde_json::to_value(&read).unwrap(), "entry");
        head = head.apply(&read);
    }
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    assert_eq!((head.sequence, head.state, head.outcome), (4, RunState::Over, Some(RunOutcome::Aborted)));
}

#[test]
fn a_retirement_of_version_1_is_read_with_and_without_its_optional_fields() {
    let head = check::<Retirement>("retirement-head");
    assert_eq!((head.phase, head.lock_id().as_str()), (RetirementPhase::Undone, "users.retirement-1"));
    assert!(head.no_traffic_accepted && head.proved.is_some() && head.undo.is_some());
    let mut first = stored("retirement-head");
    let least = ["version", "service", "number", "generation", "sequence", "phase", "phaseSince", "since", "who"];
    first.as_object_mut().unwrap().retain(|field, _| least.contains(&field.as_str()) || field == "plan");
    let first: Retirement = serde_json::from_value(first).unwrap();
    assert_eq!((&first.proved, &first.undo, first.deletion_approved), (&None, &None, false));
    assert_eq!((first.is_run(), first.entered_at), (false, None), "the sweep does not know who runs it");
    let event = json!({
        "version": 1, "number": 1, "sequence": 2, "generation": 1, "at": "2027-01-23T00:00:00Z",
        "event": "detachIntended", "proof": "no request",
    });
    let read: RetirementEvent = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), event);
    let continued = json!({
        "version": 1, "number": 1, "sequence": 3, "generation": 1, "at": "2027-01-23T00:00:00Z",
        "event": "continued", "execution": "arn:2", "why": "execution 1 died",
    });
    let read: RetirementEvent = serde_json::from_value(continued.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), continued);
    let cursor = json!({
        "version": 1, "service": "users", "number": 1, "phase": "watching", "verdict": "wait", "waitSeconds": 60,
        "reason": "detached", "looks": 7,
    });
    let read: RetirementCursor = serde_json::from_value(cursor.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), cursor);
}

#[test]
fn a_fleets_cursor_of_version_1_is_read() {
    check::<FleetCursor>("fleet-cursor");
}

#[test]
fn a_policy_of_version_1_with_a_rollout_and_windows_is_read_and_its_decoded_form_too() {
    let policy = decode_fleet(&stored("policy-fleet")).unwrap();
    let rollout = &policy.rollout;
    assert_eq!((rollout.canary_bake_seconds, rollout.concurrency, rollout.most_routes()), (43_200, 4, 80));
    assert!(policy.services.iter().all(|service| service.windows.is_some()), "a fleet's windows are its services'");
    // A plan has the decoded policy of its service.
    let written = serde_json::to_value(&policy).unwrap();
    assert_eq!(serde_json::from_value::<FleetPolicy>(written).unwrap(), policy);

    let before = decode_fleet(&stored("policy-without-version")).unwrap();
    assert_eq!(before.rollout, Rollout::default());
    assert!(before.services.iter().all(|service| service.windows.is_none()));
}
