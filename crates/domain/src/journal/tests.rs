use super::*;
use crate::journal::cursor::NextStep;
use crate::journal::probe_round::{OfferedRequest, OfferedRule, ProbeReport, ReportedAnswer};
use crate::journal::request_counts::{HARMED, RequestCounts};
use crate::load_balancer::route::RouteId;
use crate::names::{ListenerArn, RuleArn, ServiceName, TargetGroupArn};
use crate::routing::drift::Drift;
use crate::weight::Weight;
use jiff::Timestamp;

fn head() -> Head {
    Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH)
}

fn after(head: &Head, kind: EventKind) -> Result<Head, TransitionError> {
    head.apply(&head.next_event(kind, Timestamp::UNIX_EPOCH))
}

#[test]
fn the_first_rollback_raises_the_generation_and_later_ones_join_it() {
    let moving = after(&head(), EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }).unwrap();
    let begun = EventKind::RollbackBegun {
        trigger: Trigger::Operator,
        cause: "asked".into(),
        caused_at: Timestamp::UNIX_EPOCH,
    };
    let rolling = after(&moving, begun.clone()).unwrap();
    assert_eq!((rolling.phase, rolling.generation), (Phase::RollingBack, 2));
    assert!(after(&rolling, begun).is_err(), "a rollback is begun once");
}

#[test]
fn nothing_can_happen_after_the_end() {
    let refused = after(&head(), EventKind::Refused { reason: "no".into() }).unwrap();
    assert!(refused.phase.is_over());
    assert!(after(&refused, EventKind::Finished { listed: None }).is_err());
    assert!(after(&refused, EventKind::ShiftIntended { step: 1, weight: Weight::FULL }).is_err());
}

#[test]
fn only_the_requests_are_recorded_after_an_end_and_they_change_nothing() {
    let counts = EventKind::RequestsNotCounted { reason: "throttled".into() };
    assert!(after(&moving(), counts.clone()).is_err(), "the traffic still moves");
    let ended = after(&moving(), EventKind::Finished { listed: None }).unwrap();
    let counted = after(&ended, counts).unwrap();
    assert_eq!(counted, Head { sequence: ended.sequence + 1, ..ended });
    let refused = after(&head(), EventKind::Refused { reason: "no".into() }).unwrap();
    let none = RequestCounts { harmed: HARMED.into(), settled_until: Timestamp::UNIX_EPOCH, spans: vec![] };
    assert!(after(&refused, EventKind::RequestsCounted { counts: none }).is_err(), "there was no traffic");
}

fn moving() -> Head {
    let moving = after(&head(), EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }).unwrap();
    let attached = after(&moving, EventKind::Shifted { step: 0, weight: Weight::ZERO }).unwrap();
    let shifting = after(&attached, EventKind::ShiftIntended { step: 1, weight: Weight::FULL }).unwrap();
    after(&shifting, EventKind::Shifted { step: 1, weight: Weight::FULL }).unwrap()
}

fn halted() -> EventKind {
    EventKind::Halted { reason: "drift".into() }
}

fn resumed(accepted: Vec<Drift>) -> EventKind {
    EventKind::Resumed { execution: "second".into(), who: "a person".into(), accepted }
}

#[test]
fn a_resume_raises_the_generation_and_clears_what_the_halt_left() {
    let mut before = after(&moving(), halted()).unwrap();
    before.held_since = Some(Timestamp::UNIX_EPOCH);
    before.rollback_decided = Some("alarms: users-5xx fires".to_owned());
    before.commands = Commands { paused: true, abort: true, approved_step: Some(1), ignore_windows: false };
    let now = Timestamp::from_second(900).unwrap();
    let head = before.apply(&before.next_event(resumed(vec![]), now)).unwrap();
    assert_eq!((head.phase, head.generation, head.execution.as_str()), (Phase::Moving, 2, "second"));
    assert_eq!((head.verified_step, head.intended_step, head.plan_revision), (Some(1), None, None));
    assert_eq!((head.verified_at, head.resumed_at), (Some(now), Some(now)), "the step bakes anew");
    assert_eq!((head.held_since, head.rollback_decided, head.reason), (None, None, None));
    assert_eq!(head.commands, Commands { approved_step: Some(1), ..Commands::default() });
    assert_eq!(head.commanded.as_deref(), Some("Resume by a person"));
}

#[test]
fn accepted_drift_puts_a_revision_in_force_and_the_recorded_step_is_written_again() {
    let route = RouteId::parse("arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/1/2/3").unwrap();
    let drift = Drift {
        route,
        requests: String::new(),
        expected: "old".into(),
        seen: "other".into(),
        taken_out: vec![],
        owner: None,
    };
    let head = after(&after(&moving(), halted()).unwrap(), resumed(vec![drift])).unwrap();
    assert_eq!((head.plan_revision, head.accepting), (Some(2), true));
    assert_eq!((head.verified_step, head.intended_step), (Some(1), Some(1)));
    let shifted = after(&head, EventKind::Shifted { step: 1, weight: Weight::FULL }).unwrap();
    assert!(!shifted.accepting, "from then on it is drift again");
    assert_eq!(shifted.plan_revision, Some(2));
}

#[test]
fn only_a_halt_on_the_way_up_is_resumed() {
    assert!(after(&moving(), resumed(vec![])).is_err());
    let begun = EventKind::RollbackBegun {
        trigger: Trigger::Operator,
        cause: "asked".into(),
        caused_at: Timestamp::UNIX_EPOCH,
    };
    let rolling = after(&moving(), begun).unwrap();
    assert!(after(&after(&rolling, halted()).unwrap(), resumed(vec![])).is_err());
}

#[test]
fn heads_that_were_stored_before_resume_was_known_are_readable() {
    let stored = serde_json::json!({"version": 1, "service": "users", "migration": "users-1", "attempt": 1,
        "generation": 1, "sequence": 4, "phase": "halted", "execution": "arn", "since": "2026-01-01T00:00:00Z"});
    let head: Head = serde_json::from_value(stored).unwrap();
    assert_eq!((head.resumed_at, head.plan_revision, head.accepting), (None, None, false));
}

#[test]
fn a_hold_lasts_until_a_bake_or_a_shift_and_not_until_an_advance() {
    let judged = |head: &Head, verdict| after(head, EventKind::Judged { verdict, reason: "a reason".into() }).unwrap();
    let held = judged(&moving(), NextStep::Hold);
    assert!(held.held_since.is_some());
    assert_eq!(judged(&held, NextStep::Advance).held_since, held.held_since, "the shift may be held again");
    assert_eq!(judged(&held, NextStep::Bake).held_since, None);
    let begun = after(&held, EventKind::ShiftIntended { step: 2, weight: Weight::FULL }).unwrap();
    assert_eq!(begun.held_since, held.held_since);
    assert_eq!(after(&begun, EventKind::Shifted { step: 2, weight: Weight::FULL }).unwrap().held_since, None);
}

#[test]
fn a_decided_rollback_keeps_the_name_under_which_it_was_first_stored() {
    let decided = Head { rollback_decided: Some("judge: a sentence".into()), ..head() };
    let stored = serde_json::to_value(&decided).unwrap();
    assert_eq!(stored["condemned"], "judge: a sentence");
    assert_eq!(serde_json::from_value::<Head>(stored).unwrap(), decided);
}

#[test]
fn a_probe_that_begins_again_forgets_no_listener_and_a_resume_before_the_first_user_probes_again() {
    let arn = |id: char| {
        let balancer = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/public/50dc6c495c0c9188";
        ListenerArn::parse(format!("{balancer}/{id}2f7dc8efc522ab2")).unwrap()
    };
    let passed = || EventKind::Probed { passed: true, reason: String::new() };
    let begun = |head: &Head, listeners| after(head, EventKind::ProbesBegun { listeners }).unwrap();
    let attached = after(&head(), EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }).unwrap();
    let attached = after(&attached, EventKind::Shifted { step: 0, weight: Weight::ZERO }).unwrap();
    let twice = begun(&begun(&attached, vec![arn('a'), arn('b')]), vec![arn('c'), arn('b')]);
    assert_eq!(twice.probing, [arn('a'), arn('b'), arn('c')]);
    let probed = after(&twice, passed()).unwrap();
    assert!(probed.probed && probed.probing.is_empty(), "{probed:?}");
    let resumed_from = |head: &Head| after(&after(head, halted()).unwrap(), resumed(vec![])).unwrap();
    assert!(!resumed_from(&probed).probed, "much may have changed since");
    let with_users = after(&begun(&moving(), vec![arn('a')]), passed()).unwrap();
    assert!(resumed_from(&with_users).probed, "users have reached the new side");
}

#[test]
fn a_report_is_taken_for_the_round_that_is_open_and_once() {
    let arn =
        |kind| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{kind}/app/public/50dc6c495c0c9188/f2f7dc8efc52");
    let offered = |rule: &str| OfferedRule {
        listener: ListenerArn::parse(arn("listener")).unwrap(),
        rule: RuleArn::parse(format!("{}/{rule}", arn("listener-rule"))).unwrap(),
        group: TargetGroupArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-1a2b3c4d/0ab")
            .unwrap(),
        dns_name: "public.example.com".into(),
        port: 443,
        tls: true,
        requests: vec![
            OfferedRequest { probe: 0, host: "a.test".into() },
            OfferedRequest { probe: 1, host: "a.test".into() },
        ],
    };
    let offer = |rule| EventKind::ProbesOffered { rules: vec![offered(rule)], left_out: vec![] };
    let answer = |probe, rounds, same| ReportedAnswer { rule: offered("9683b2d02a6cabee").rule, probe, rounds, same };
    let report = |answers| ProbeReport { who: "ana".into(), answers, reason: "alike".into() };
    let complete = report(vec![answer(0, 5, true), answer(1, 5, true)]);
    let reported = |round| EventKind::ProbesReported { round, report: complete.clone() };

    let open = after(&moving(), offer("9683b2d02a6cabee")).unwrap();
    let round = open.probe_round.clone().unwrap();
    assert_eq!((round.number, round.report.is_none()), (open.sequence, true));
    let known = after(&open, reported(round.number)).unwrap();
    assert_eq!(known.probe_round.as_ref().unwrap().report.as_ref(), Some(&complete));
    assert!(after(&known, reported(round.number)).is_err(), "one report counts");
    let later = Timestamp::from_second(300).unwrap();
    let again = known.apply(&known.next_event(offer("0683b2d02a6cabee"), later)).unwrap();
    let second = again.probe_round.clone().unwrap();
    assert!(second.report.is_none() && second.since == round.since, "the time of the first round counts");
    assert!(after(&again, reported(round.number)).is_err(), "it is late");
    let ended = after(&known, EventKind::Probed { passed: true, reason: String::new() }).unwrap();
    assert_eq!((ended.probe_round, ended.probed), (None, true));

    let missing =
        |answers| round.missing_in(&report(answers), 5).into_iter().map(|(_, probe)| probe).collect::<Vec<_>>();
    assert_eq!(missing(complete.answers.clone()), [0; 0]);
    assert_eq!(missing(vec![answer(0, 5, true)]), [1]);
    assert_eq!(missing(vec![answer(0, 4, true), answer(1, 1, false)]), [0], "what differs needs no further round");
    assert_eq!(second.missing_in(&complete, 5).len(), 2, "another rule");
    assert!(complete.is_alike() && !report(vec![]).is_alike() && !report(vec![answer(0, 1, false)]).is_alike());
}
