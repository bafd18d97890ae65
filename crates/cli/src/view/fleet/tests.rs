use super::{Foreseen, Limit, findings, foreseen, object, render};
use crate::ending::fleet::{FleetEnding, FleetOutcome};
use crate::exit_code::ExitCode;
use crate::stack::fleets::{Conductor, FleetReading, StoredFleet};
use crate::stack::position::Position;
use crate::view::parts::page::Page;
use crossfade_domain::fleet::forecast::{Progress, Relief, forecast};
use crossfade_domain::fleet::head::{FleetHead, RunOutcome, RunState};
use crossfade_domain::fleet::service_run::{Hold, ServiceRun, ServiceState};
use crossfade_domain::fleet::waves::waves;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::room::{Added, Room, Use};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Finding, FindingCode, Severity};
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BEGUN: &str = "2026-11-02T03:00:00Z";
const READ: &str = "2026-11-02T05:30:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn name(number: usize) -> ServiceName {
    // Long and short names beside each other, as in any company.
    let long = if number.is_multiple_of(7) { "-reservations" } else { "" };
    ServiceName::parse(format!("service-{number:03}{long}")).unwrap()
}

fn stored(services: usize) -> StoredFleet {
    let listed: Vec<Value> = (0..services)
        .map(|number| {
            let name = name(number);
            json!({
                "name": name, "oldTargetGroups": format!("g-{number}"), "newTargets": {"ips": ["10.0.0.1", "10.0.0.2"]},
            })
        })
        .collect();
    let rollout = json!({"canary": [name(0)], "waveSize": 10, "failures": 1});
    let policy = decode_fleet(&json!({"fleet": "eks-2026", "rollout": rollout, "services": listed})).unwrap();
    StoredFleet { name: "eks-2026".to_owned(), policy, problem: None }
}

/// A run in its second wave (the first after the canary) with something of everything.
fn reading(services: usize) -> FleetReading {
    let fleet = stored(services);
    let requests: BTreeMap<ServiceName, u64> = (0..services).map(|number| (name(number), 1_000)).collect();
    let execution = "arn:aws:states:eu-west-1:111122223333:execution:crossfade-migrate-fleet:eks-2026-start-1";
    let mut head = FleetHead::first("eks-2026", None, execution, time(BEGUN));
    head.waves = waves(&fleet.policy, &requests);
    head.requests = requests;
    head.wave = 1;
    let mut reading = FleetReading {
        now: time(READ),
        fleet,
        head,
        conductor: Conductor::Runs,
        end: None,
        positions: BTreeMap::new(),
        retirements: BTreeMap::new(),
    };
    set(&mut reading, 0, ServiceState::Migrated, "all traffic is on the new cluster");
    for (number, state, why) in [
        (1, ServiceState::Moving, "started by the fleet, try 1"),
        (2, ServiceState::Halted, "drift: rule 10 of public: expected 25 % on users-eks, found 40 %"),
        (3, ServiceState::RolledBack, "alarm service-003-5xx fires: 3 of the last 3 data points are above 1.0"),
        (4, ServiceState::Blocked, "it comes after service-003, which is rolled back"),
        (5, ServiceState::Waiting, ""),
    ] {
        set(&mut reading, number, state, why);
    }
    reading.positions.insert(name(1), position(1, Phase::Moving, 25.0));
    reading.positions.insert(name(2), position(2, Phase::Halted, 25.0));
    // A wave and more are blocked in a large fleet.
    for number in 120..services {
        set(&mut reading, number, ServiceState::Blocked, "it comes after service-003, which is rolled back");
    }
    reading
}

fn set(reading: &mut FleetReading, number: usize, state: ServiceState, why: &str) {
    let run = ServiceRun::waiting(time(BEGUN)).turned(state, time(BEGUN), why);
    let tries = if number == 3 { 2 } else { 1 };
    reading.head.services.insert(name(number), ServiceRun { tries, ..run });
}

fn position(number: usize, phase: Phase, percent: f64) -> Position {
    let mut head = Head::first(name(number), 1, 1, "arn".to_owned(), time(BEGUN));
    head.phase = phase;
    head.verified_step = Some(2);
    Position {
        head,
        plan: None,
        weight: Some(Weight::try_new(percent).unwrap()),
        step: Some((2, 4)),
        seconds_left: Some(1_354),
        seconds_to_next_step: Some(754),
        shifting_to: None,
        waits_for_approval: false,
    }
}

#[test]
fn every_line_fits_whatever_the_terminal_and_the_fleet() {
    for services in [6, 50, 200] {
        for columns in [60, 80, 160] {
            let mut reading = reading(services);
            reading.head.state = RunState::Stopped;
            reading.head.reason = Some("2 failed and 1 failure is tolerated: ".to_owned() + &"x".repeat(300));
            reading.conductor = Conductor::Ended("someone stopped it: Stopped: by mistake".to_owned());
            reading.fleet.problem = Some("the stored policy cannot be used: ".to_owned() + &"y ".repeat(100));
            let shown = render(&reading, Page::plain(columns));
            for line in shown.lines() {
                let wide = line.chars().count();
                assert!(wide <= columns, "{services} services, {columns} columns, {wide}: {line}");
                assert_eq!(line, line.trim_end(), "{services} services, {columns} columns");
            }
            assert!(shown.lines().count() < 90, "{services} services, {columns} columns:\n{shown}");
        }
    }
}

#[test]
fn what_needs_a_person_comes_first_then_what_moves_and_the_rest_is_counted() {
    insta::assert_snapshot!("six_services_on_80_columns", render(&reading(6), Page::plain(80)));
    insta::assert_snapshot!("six_services_on_60_columns", render(&reading(6), Page::plain(60)));
    insta::assert_snapshot!("fifty_services_on_160_columns", render(&reading(50), Page::plain(160)));
    insta::assert_snapshot!("two_hundred_services_on_80_columns", render(&reading(200), Page::plain(80)));
}

#[test]
fn a_run_that_goes_on_says_how_long_it_still_takes() {
    let mut reading = reading(6);
    reading.end = Some(time("2026-11-02T08:50:20Z"));
    let shown = render(&reading, Page::plain(80));
    assert!(shown.contains("\ntime left: 3h21m if nothing fails, until Mon 2026-11-02 08:50 UTC\n"), "{shown}");
    assert_eq!(object(&reading)["secondsLeft"], 12_020);
}

#[test]
fn what_comes_after_a_skipped_service_has_a_way_on() {
    let mut reading = reading(6);
    let way = "crossfade fleet skip service-003 eks-2026 --release-dependants";
    assert!(!render(&reading, Page::plain(120)).contains(way));
    reading.fleet.policy.services[4].after = vec![name(3)];
    set(&mut reading, 3, ServiceState::Skipped, "skip by me");
    let shown = render(&reading, Page::plain(120));
    assert!(shown.contains(&format!("  -> to start what comes after service-003: {way}")), "{shown}");
    reading.head.outcome = Some(RunOutcome::Aborted);
    assert!(!render(&reading, Page::plain(120)).contains(way), "nothing starts any more in a run that was ended");
}

#[test]
fn a_plan_during_a_run_shows_what_moves_with_its_weight() {
    let mut plan = unstarted(8);
    plan.refused.clear();
    plan.under_way = vec![(name(1), "at 25 %".to_owned())];
    let shown = foreseen(&plan, 100);
    assert!(shown.contains("  moving already: service-001 at 25 %\n"), "{shown}");
    assert!(shown.ends_with("To follow what moves: crossfade fleet watch eks-2026"), "{shown}");
}

#[test]
fn a_stopped_fleet_says_why_and_both_ways_on_above_everything() {
    let mut reading = reading(6);
    reading.head.state = RunState::Stopped;
    reading.head.reason = Some("2 failed and 1 failure is tolerated: orders (halted), users (rolled back)".to_owned());
    reading.conductor = Conductor::NotNeeded;
    let shown = render(&reading, Page::plain(100));
    let lines: Vec<&str> = shown.lines().collect();
    let stopped = lines.iter().position(|line| line.starts_with("STOPPED: 2 failed")).unwrap();
    assert!(lines[stopped + 1..].iter().any(|line| line.contains("crossfade fleet resume eks-2026")), "{shown}");
    assert!(lines[stopped + 1..].iter().any(|line| line.contains("crossfade fleet abort eks-2026")), "{shown}");
    assert!(stopped < lines.iter().position(|line| *line == "NEEDS A PERSON").unwrap(), "{shown}");
}

#[test]
fn a_conductor_that_is_gone_is_said_with_the_command_that_goes_on() {
    for (state, way_on) in [
        (RunState::Running, "crossfade fleet start eks-2026"),
        (RunState::Aborting, "crossfade fleet abort eks-2026"),
        (RunState::Returning, "crossfade fleet rollback --all eks-2026"),
    ] {
        let mut reading = reading(6);
        reading.head.state = state;
        reading.conductor = Conductor::Ended("someone stopped it: Stopped: by mistake".to_owned());
        let shown = render(&reading, Page::plain(120));
        assert!(shown.contains("NOBODY CONDUCTS: execution eks-2026-start-1: someone stopped it"), "{shown}");
        assert!(shown.contains(way_on), "{shown}");
    }
    assert!(!render(&reading(6), Page::plain(120)).contains("NOBODY"));
}

#[test]
fn a_service_that_moves_says_what_it_waits_for() {
    let mut reading = reading(6);
    let shown = |reading: &FleetReading| {
        let text = render(reading, Page::plain(160));
        text.lines().find(|line| line.contains("service-001")).unwrap().to_owned()
    };
    assert!(shown(&reading).contains("25 %  2/4  12m34s"), "{}", shown(&reading));
    reading.positions.get_mut(&name(1)).unwrap().waits_for_approval = true;
    assert!(shown(&reading).contains("waits for crossfade approve service-001"), "{}", shown(&reading));
    reading.positions.get_mut(&name(1)).unwrap().head.commands.paused = true;
    assert!(shown(&reading).contains("someone has paused it: crossfade continue service-001"), "{}", shown(&reading));
    reading.head.services.get_mut(&name(1)).unwrap().hold = Hold::Held;
    assert!(shown(&reading).contains("held by the fleet"), "{}", shown(&reading));
    reading.positions.clear();
    assert!(shown(&reading).contains(" ? "), "an unknown weight is not shown as 0: {}", shown(&reading));
}

#[test]
fn the_object_has_every_service_whatever_the_screen_leaves_out() {
    let object = object(&reading(200));
    let services: usize =
        object["waves"].as_array().unwrap().iter().map(|wave| wave["services"].as_array().unwrap().len()).sum();
    assert_eq!(services, 200);
    assert_eq!(object["version"], 1);
    assert_eq!(object["needAPerson"].as_array().unwrap().len(), 3 + 80);
    let moving = &object["waves"][1]["services"][0];
    assert_eq!(moving["service"], "service-001");
    assert_eq!((&moving["weight"], &moving["step"], &moving["steps"]), (&json!(25.0), &json!(2), &json!(4)));
}

#[test]
fn the_exit_code_of_a_run_says_who_has_to_act() {
    use ServiceState as S;
    let code = |state, outcome: Option<RunOutcome>, services: &[ServiceState]| {
        let mut reading = reading(6);
        for (number, state) in services.iter().enumerate() {
            set(&mut reading, number, *state, "why");
        }
        reading.head.state = state;
        reading.head.outcome = outcome;
        FleetEnding::of_head(&reading.head).map(|ending| (ending.exit_code, ending.as_asked().exit_code))
    };
    let all = |state| [state; 6];
    let over = |outcome, services: &[ServiceState]| code(RunState::Over, Some(outcome), services);
    let rest = |state| [S::Migrated, S::Migrated, S::Migrated, S::Migrated, S::Migrated, state];
    for state in [RunState::Running, RunState::Paused, RunState::Draining, RunState::Aborting, RunState::Returning] {
        assert_eq!(code(state, None, &all(S::Migrated)), None, "{state:?}");
    }
    let both = |code| Some((code, code));
    assert_eq!(over(RunOutcome::Migrated, &all(S::Migrated)), both(ExitCode::Done));
    assert_eq!(over(RunOutcome::Incomplete, &rest(S::RolledBack)), both(ExitCode::RolledBack));
    assert_eq!(over(RunOutcome::Incomplete, &rest(S::Alarmed)), both(ExitCode::RolledBack));
    assert_eq!(over(RunOutcome::Incomplete, &rest(S::Halted)), both(ExitCode::Halted));
    assert_eq!(over(RunOutcome::Incomplete, &rest(S::Refused)), both(ExitCode::BadInput));
    assert_eq!(over(RunOutcome::Incomplete, &rest(S::Skipped)), both(ExitCode::Aborted));
    assert_eq!(code(RunState::Stopped, None, &rest(S::RolledBack)), both(ExitCode::Halted));
    // Whoever asked for it gets 0, a watcher 4; but never 0 while a service is not back.
    let asked = Some((ExitCode::Aborted, ExitCode::Done));
    assert_eq!(over(RunOutcome::Aborted, &rest(S::Aborted)), asked);
    assert_eq!(over(RunOutcome::Returned, &all(S::Aborted)), asked);
    assert_eq!(over(RunOutcome::Returned, &rest(S::Halted)), both(ExitCode::Halted));
    assert_eq!(FleetOutcome::Stopped.words(), "STOPPED");
}

/// A run of fifty services that has not begun, with findings of several kinds.
fn unstarted(services: usize) -> Foreseen {
    let policy = stored(services).policy;
    let requests: BTreeMap<ServiceName, u64> = (0..services).map(|number| (name(number), 86_400)).collect();
    let finding = |severity, code, message: &str| Finding {
        severity,
        code,
        subject: "oldTargetGroups".to_owned(),
        message: message.to_owned(),
    };
    let crowded =
        finding(Severity::Warning, FindingCode::NewSideSmaller, "the new side has less than half of the targets");
    let refused = finding(Severity::Refusal, FindingCode::OldSideUnhealthy, "no healthy target: expected 1 or more");
    let found = (0..services).map(|number| (name(number), if number == 7 { &refused } else { &crowded }));
    let found: Vec<(ServiceName, Vec<&Finding>)> = found.map(|(name, finding)| (name, vec![finding])).collect();
    Foreseen {
        forecast: forecast(&policy, &BTreeMap::new(), &requests, &Progress::default(), time(BEGUN), |at| at),
        limits: vec![Limit {
            load_balancer: "public".to_owned(),
            room: Room {
                targets: Some(Use { used: 640, most: 1_000 }),
                rules: Some(Use { used: 57, most: 100 }),
                ..Room::of_groups(50)
            },
            added: Added { groups: 50, targets: 150 },
            relief: Relief::Full { wave: 5 },
        }],
        retirements: Vec::new(),
        refused: vec![(name(7), "oldTargetGroups: no healthy target".to_owned())],
        under_way: Vec::new(),
        migrated: vec![(name(3), "it has migrated".to_owned())],
        findings: findings(found.iter().map(|(name, all)| (name, all.clone()))),
        now: time(BEGUN),
        policy,
    }
}

#[test]
fn a_plan_of_fifty_services_has_its_waves_limits_and_findings_worst_first() {
    insta::assert_snapshot!("plan_of_fifty_services_on_100_columns", foreseen(&unstarted(50), 100));
    for services in [8, 50, 200] {
        for columns in [60, 80, 160] {
            for line in foreseen(&unstarted(services), columns).lines() {
                assert!(line.chars().count() <= columns, "{services} services, {columns} columns: {line}");
            }
        }
    }
    let object = unstarted(50).object(ExitCode::BadInput);
    assert_eq!((object["findings"].as_array().unwrap().len(), &object["exitCode"]), (50, &json!(2)));
    assert_eq!(object["findings"][0]["refuses"], true, "the worst comes first");
}
