//! Probes whose requests a command sends from outside.

use super::super::stage::Stage;
use super::{probe_rules, probed_users, rules_of_probes, stage};
use crate::simulation::PortFault;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_actions::operator::probe_from_here::{Sent, open_round, send_probes};
use crossfade_actions::ports::Ledger as _;
use crossfade_domain::journal::probe_round::ProbeReport;
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::ServiceName;
use crossfade_domain::probe::Answer;
use crossfade_world::world::{EVERY_GROUP, ServiceOnBalancer};
use jiff::SignedDuration;
use serde_json::{Value, json};

const WHO: &str = "arn:aws:iam::123456789012:user/ana";

fn from_here() -> Value {
    let mut request = probed_users();
    request["probeFrom"] = json!("caller");
    request
}

/// A migration that waits for a report.
fn waiting() -> (Stage, ServiceOnBalancer) {
    waiting_on(stage())
}

fn waiting_on((mut stage, service): (Stage, ServiceOnBalancer)) -> (Stage, ServiceOnBalancer) {
    stage.start("first", from_here());
    for _ in 0..100 {
        stage.run_for(SignedDuration::from_secs(2));
        if !stage.heads().is_empty() && open_round(&stage.head("users")).is_some() {
            return (stage, service);
        }
    }
    panic!("no round begins\n{}", stage.told());
}

/// As a command does, by what it has read before.
fn try_send(stage: &Stage, head: &Head) -> Option<Result<Sent, ActionError>> {
    let plan = stage.plan("users");
    stage.alone("start", |ports| async move { send_probes(&ports, head, &plan, WHO).await })
}

fn send(stage: &Stage) -> Sent {
    try_send(stage, &stage.head("users")).unwrap().unwrap()
}

fn delete_rules(stage: &Stage, service: &ServiceOnBalancer) {
    for rule in probe_rules(&stage.world, &service.listener) {
        let RouteId::Rule(arn) = rule.id else { panic!("a probe has a rule") };
        stage.world.someone_deletes_rule(arn.as_str()).unwrap();
    }
}

fn last_reason(stage: &Stage) -> String {
    stage.visits("Probe service").last().unwrap().answer.clone().unwrap()["reason"].as_str().unwrap().to_owned()
}

fn says(body: &str) -> Vec<Answer> {
    vec![Answer { status: 200, headers: vec![], body: body.into(), cut: false }]
}

#[test]
fn a_command_sends_the_requests_and_the_migration_goes_on() {
    let (mut stage, service) = waiting();
    let before = probe_rules(&stage.world, &service.listener);
    stage.run_for(SignedDuration::from_secs(60));
    assert_eq!(probe_rules(&stage.world, &service.listener), before, "the rules stay while it waits");
    assert!(last_reason(&stage).contains("`crossfade wait users --probe-from-here`"), "{}", stage.told());
    let head = stage.head("users");
    assert!(!serde_json::to_string(&head).unwrap().contains("0123456789abcdef"), "the token is in the rule alone");

    let Sent::Reported { passed: true, reason } = send(&stage) else { panic!("{}", stage.told()) };
    assert_eq!(reason, "5 GETs on 1 path answered alike. POST, load and data written by the new side were not tested.");
    let written = stage.events("users").len();
    let late = try_send(&stage, &head).unwrap().unwrap();
    assert_eq!(late, Sent::Another { who: WHO.to_owned() }, "one report wins");
    assert_eq!(stage.events("users").len(), written);
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!((rules_of_probes(&stage, &service), stage.head("users").probe_round), (0, None));
    let result = stage.recorded("users", |event| match &event.kind {
        EventKind::Probed { passed, reason } => Some((*passed, reason.clone())),
        _ => None,
    });
    assert_eq!(result, [(true, format!("{}; asked by {WHO}.", reason.trim_end_matches('.')))]);
    stage.assert_at_rest("users");
}

#[test]
fn a_side_that_answers_otherwise_to_a_command_gets_no_user() {
    let (mut stage, service) = waiting();
    stage.world.group_answers("users-swarm", "/ping", says("old"));
    stage.world.group_answers(EVERY_GROUP, "/ping", says("new"));
    let Sent::Reported { passed: false, reason } = send(&stage) else { panic!("{}", stage.told()) };
    assert!(reason.contains("GET /ping through port 80 of internal: body is old on the old side"), "{reason}");
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert!(stage.head("users").reason.unwrap().contains("body is old on the old side"));
    assert_eq!(rules_of_probes(&stage, &service), 0);
    stage.assert_at_rest("users");
}

#[test]
fn a_migration_whose_probes_no_one_sends_ends_after_ten_minutes() {
    let (mut stage, service) = waiting();
    let since = stage.world.now();
    stage.run_for(SignedDuration::from_secs(590));
    assert_eq!(rules_of_probes(&stage, &service), 1, "{}", stage.told());
    stage.run();
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    let begun = head.rollback.clone().unwrap().begun_at.duration_since(since).as_secs();
    assert!((590..=610).contains(&begun), "{begun} s");
    let reason = head.reason.unwrap();
    assert!(reason.contains("no command has sent them and reported within 10 minutes"), "{reason}");
    assert!(reason.contains("`crossfade start users --wait --probe-from-here`"), "{reason}");
    assert_eq!(rules_of_probes(&stage, &service), 0);
    stage.assert_at_rest("users");
}

/// Both sides stay silent, so the fault is more likely to be here.
#[test]
fn a_machine_that_reaches_no_listener_reports_nothing_and_another_one_can() {
    let (mut stage, _) = waiting();
    stage.calls.always("ask", PortFault::FailsBefore);
    let Sent::Unreachable { listeners } = send(&stage) else { panic!("{}", stage.told()) };
    assert!(listeners.len() == 1 && listeners[0].starts_with("port 80 of internal ("), "{listeners:?}");
    assert!(open_round(&stage.head("users")).is_some(), "it still waits");
    stage.calls.clear();
    assert!(matches!(send(&stage), Sent::Reported { passed: true, .. }));
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
}

#[test]
fn a_rule_that_someone_deletes_makes_its_report_worthless_and_another_round_begins() {
    let (mut stage, service) = waiting();
    let first = stage.head("users");
    assert!(matches!(send(&stage), Sent::Reported { passed: true, .. }));
    delete_rules(&stage, &service);
    stage.run_for(SignedDuration::from_secs(6));
    let second = open_round(&stage.head("users")).expect("another round").clone();
    let earlier = first.probe_round.as_ref().unwrap();
    assert!(second.number > earlier.number && second.since == earlier.since, "the ten minutes go on");
    assert_eq!(rules_of_probes(&stage, &service), 1);
    assert_eq!(try_send(&stage, &first).unwrap().unwrap(), Sent::Over, "a command that still knows the first one");
    assert!(matches!(send(&stage), Sent::Reported { passed: true, .. }));
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
}

#[test]
fn a_report_of_an_earlier_round_is_refused_even_if_its_requests_were_sent_in_time() {
    let (mut stage, service) = waiting();
    let head = stage.head("users");
    delete_rules(&stage, &service);
    stage.run_for(SignedDuration::from_secs(6));
    let round = head.probe_round.clone().unwrap();
    let report = ProbeReport { who: WHO.to_owned(), answers: vec![], reason: String::new() };
    let now = stage.head("users");
    let late = now.next_event(EventKind::ProbesReported { round: round.number, report }, stage.world.now());
    assert!(now.apply(&late).is_err());
}

/// Someone sends what the rule takes to the old side. Its answers are alike, of course.
#[test]
fn a_rule_that_leads_elsewhere_proves_nothing() {
    let (mut stage, service) = waiting();
    let rule = probe_rules(&stage.world, &service.listener).remove(0);
    let RouteId::Rule(arn) = rule.id else { panic!("a probe has a rule") };
    stage.world.someone_sets_weight(arn.as_str(), &service.old_group, 1).unwrap();
    assert_eq!(send(&stage), Sent::Over);
    stage.run_for(SignedDuration::from_secs(6));
    assert!(matches!(send(&stage), Sent::Reported { passed: true, .. }), "{}", stage.told());
}

#[test]
fn a_report_that_leaves_something_out_passes_nothing() {
    let (mut stage, service) = waiting();
    let head = stage.head("users");
    let round = head.probe_round.clone().unwrap().number;
    let report = ProbeReport { who: WHO.to_owned(), answers: vec![], reason: "all is well".to_owned() };
    let event = head.next_event(EventKind::ProbesReported { round, report }, stage.world.now());
    let after = head.apply(&event).unwrap();
    crate::simulation::at_once(stage.ledger.record(&head, &event, &after)).unwrap();
    stage.run();
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("has not enough answers to GET /ping through port 80 of internal"), "{reason}");
    assert_eq!((stage.head("users").phase, rules_of_probes(&stage, &service)), (Phase::RolledBack, 0));
}

#[test]
fn an_abort_ends_the_wait_and_no_report_is_taken_after_it() {
    let (mut stage, service) = waiting();
    let users = ServiceName::parse("users").unwrap();
    stage.alone("command", |ports| async move { command(&ports, &users, Command::Abort, WHO).await }).unwrap().unwrap();
    assert_eq!(send(&stage), Sent::Over);
    stage.run();
    assert_eq!((stage.head("users").phase, rules_of_probes(&stage, &service)), (Phase::RolledBack, 0));
    assert_eq!(send(&stage), Sent::Over, "{}", stage.told());
}

/// Killed after each of its calls in turn, the command leaves nothing that the next one cannot take over.
#[test]
fn a_command_that_is_stopped_anywhere_is_taken_over_by_the_next() {
    let calls = {
        let (stage, _) = waiting();
        let from = stage.calls.made().len();
        send(&stage);
        from..stage.calls.made().len()
    };
    assert!(calls.len() > 15, "it asks");
    for call in calls {
        for fault in [PortFault::DiesBefore, PortFault::DiesAfter, PortFault::FailsBefore, PortFault::FailsAfter] {
            let (mut stage, service) = waiting();
            stage.calls.at(call, fault);
            let _cut_off = try_send(&stage, &stage.head("users"));
            stage.calls.clear();
            let second = send(&stage);
            stage.run();
            let told = || format!("{fault:?} at {call}: {second:?}\n{}", stage.told());
            // One answer that does not come is evidence, and rolls back as it does where the function asks.
            assert!(matches!(stage.head("users").phase, Phase::Migrated | Phase::RolledBack), "{}", told());
            if matches!(fault, PortFault::DiesBefore | PortFault::DiesAfter) {
                assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", told());
            }
            assert_eq!(rules_of_probes(&stage, &service), 0, "{}", told());
            stage.assert_at_rest("users");
        }
    }
}
