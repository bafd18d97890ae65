use super::render;
use crate::stack::reading::Reading;
use crate::view::fixture::{READ, head, name, plan, time};
use crate::view::parts::lines::width;
use crate::view::parts::page::Page;
use crossfade_actions::operator::observe::{Observation, RouteSeen, TargetsSeen};
use crossfade_domain::alarms::alarm::{Alarm, AlarmState};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::policy::retire::Retire;
use crossfade_domain::retirement::{Retirement, RetirementPhase, RetirementPlan};
use crossfade_domain::windows::Calendars;
use serde_json::{Value, json};

/// A reading of a service in the middle of a schedule.
fn reading(schedule: &Value, phase: Phase, change: impl FnOnce(&mut Head)) -> Reading {
    let service = name(7);
    let plan = plan(&service, schedule);
    let mut head = head(&service, phase);
    change(&mut head);
    let live = Some(25.0);
    let seen = |(place, route): (usize, &crossfade_domain::plan::PlannedRoute)| RouteSeen {
        id: route.id.clone(),
        live_percent: live,
        changed: (phase == Phase::Halted && place == 1).then(|| "g 600 + g-eks 400".to_owned()),
    };
    let group = |name: &str| {
        TargetGroupArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1")).unwrap()
    };
    let observation = Observation {
        routes: Ok(plan.routes.iter().enumerate().map(seen).collect()),
        targets: Ok(vec![
            TargetsSeen { group: group("g-eks"), new: true, healthy: 3, registered: 3 },
            TargetsSeen { group: group("g"), new: false, healthy: 3, registered: 3 },
        ]),
        alarms: Ok(vec![Alarm {
            name: format!("{service}-5xx"),
            state: AlarmState::Ok,
            since: time("2026-11-01T05:30:00Z"),
            reason: String::new(),
            actions_enabled: true,
        }]),
        calendars: Calendars::default(),
    };
    Reading {
        now: time(READ),
        head,
        plan,
        observation: Some(observation),
        left: None,
        retirement: None,
        answer: Ok(None),
    }
}

/// A migrated service whose old side is retired so far.
fn retired(phase: RetirementPhase) -> Reading {
    let mut migrated = reading(&json!("canary"), Phase::Migrated, |_| {});
    let plan = RetirementPlan {
        migration: migrated.head.migration.clone(),
        zero_since: time(READ),
        terms: Retire::default(),
        hook: None,
        hook_after: None,
        windows: None,
        groups: Vec::new(),
        routes: Vec::new(),
        watch_seconds: 300,
        registrars: Vec::new(),
        internal_route: false,
    };
    let mut retirement = Retirement::first(migrated.head.service.clone(), None, plan, "ana", time(READ));
    retirement.phase = phase;
    migrated.retirement = Some(Box::new(retirement));
    migrated
}

#[test]
fn the_way_back_depends_on_how_far_the_old_side_is_retired() {
    use RetirementPhase as P;
    let way_back = |reading: &Reading| {
        let text = render(reading, Page::plain(400));
        let way = text.split("to roll back: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        way.replace("service-007-reservations", "users")
    };
    assert_eq!(way_back(&reading(&json!("canary"), Phase::Migrated, |_| {})), "crossfade rollback users");
    for phase in [P::Proving, P::Undone, P::Refused] {
        assert_eq!(way_back(&retired(phase)), "crossfade rollback users", "{phase:?}");
    }
    for phase in [P::Detaching, P::Watching, P::Deregistering, P::Deregistered] {
        let expected = "crossfade retire users --undo --wait, then crossfade rollback users";
        assert_eq!(way_back(&retired(phase)), expected, "{phase:?}");
    }
    assert_eq!(way_back(&retired(P::Undoing)), "when the old side is back: crossfade rollback users");
    for phase in [P::Deleting, P::Deleted] {
        let way = way_back(&retired(phase));
        assert!(way.starts_with("nothing: the old target groups are deleted") && !way.contains("rollback"), "{way}");
    }
    let halted = way_back(&retired(P::Halted));
    assert!(halted.ends_with("what is missing: crossfade retire users --status"), "{halted}");
}

fn halted() -> Reading {
    let drift = "drift: default action of listener b3466f8a12345678 of internal: expected g 750 + g-eks 250, found g \
                 600 + g-eks 400";
    reading(&json!("canary"), Phase::Halted, |head| head.reason = Some(drift.to_owned()))
}

#[test]
fn a_migration_on_narrow_and_on_wide_pages() {
    for columns in [60, 80, 160] {
        let moving = reading(&json!("canary"), Phase::Moving, |_| {});
        for (what, reading) in [("moving", moving), ("halted", halted())] {
            let text = render(&reading, Page::plain(columns));
            insta::assert_snapshot!(format!("{what}_on_{columns}_columns"), text);
        }
    }
}

#[test]
fn no_line_is_wider_than_its_page() {
    for columns in [40, 50, 60, 80, 120, 160] {
        for reading in [reading(&json!("linear"), Phase::Moving, |_| {}), halted()] {
            let text = render(&reading, Page::plain(columns));
            for line in text.lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
            assert!(text.contains("service-007-reservations"), "{text}");
            assert!(text.contains("internal:80 default"), "{text}");
            assert!(!text.contains("b3466f8a12345678"), "a route is named by what it takes: {text}");
        }
    }
}

/// The lines of the steps, with one space between their words and without bars.
fn steps(schedule: &Value, phase: Phase, change: impl FnOnce(&mut Head)) -> Vec<String> {
    let text = render(&reading(schedule, phase, change), Page::plain(80));
    let all = text.lines().skip_while(|line| *line != "  steps").skip(1);
    let words = |line: &str| {
        let is_bar = |word: &&str| word.contains(['\u{2588}', '\u{2591}']);
        line.split_whitespace().filter(|word| !is_bar(word)).collect::<Vec<_>>().join(" ")
    };
    all.take_while(|line| !line.starts_with("  routes")).map(words).collect()
}

#[test]
fn the_steps_show_where_a_migration_stands() {
    let steps_of = |phase, change: &dyn Fn(&mut Head)| {
        let schedule = json!([
            {"weight": 10, "bake": "5m", "approve": true}, {"weight": 50, "bake": "10m", "approve": true},
            {"weight": 100, "bake": "10m"},
        ]);
        steps(&schedule, phase, |head| {
            head.verified_step = Some(1);
            change(head);
        })
    };
    let baking = ["> 10 % 5m 3m12s of it, then an approval", "50 % 10m then an approval", "100 % 10m"];
    assert_eq!(steps_of(Phase::Moving, &|_| {}), baking);
    let shifting = ["10 % 5m done", "> 50 % 10m being shifted to, then an approval", "100 % 10m"];
    assert_eq!(steps_of(Phase::Moving, &|head| head.intended_step = Some(2)), shifting);
    let attached = ["10 % 5m then an approval", "50 % 10m then an approval", "100 % 10m"];
    assert_eq!(steps_of(Phase::Moving, &|head| head.verified_step = Some(0)), attached);
    let baked = "> 10 % 5m baked, then an approval";
    assert_eq!(steps_of(Phase::Moving, &|head| head.verified_at = Some(time("2026-11-02T05:00:00Z")))[0], baked);
    assert_eq!(steps_of(Phase::Halted, &|_| {})[0], "> 10 % 5m HALTED here, then an approval");
    assert_eq!(steps_of(Phase::RollingBack, &|_| {}), [""; 0], "on its way back there are no steps");
}

#[test]
fn of_a_long_schedule_those_around_the_present_step_are_shown_and_the_last() {
    let long: Vec<Value> = (1..=100).map(|weight| json!({"weight": weight, "bake": "5m"})).collect();
    let at = |step| steps(&json!(long), Phase::Moving, |head| head.verified_step = Some(step));
    let shown = at(50);
    let weights = ["48 steps before", "49 %", "> 50 %", "51 %", "52 %", "53 %", "46 steps between", "100 %"];
    assert_eq!(shown.len(), weights.len(), "{shown:#?}");
    assert!(shown.iter().zip(weights).all(|(line, weight)| line.starts_with(weight)), "{shown:#?}");
    assert!(at(1)[0].starts_with("> 1 %") && at(1).len() == 7, "{:#?}", at(1));
    assert!(at(100)[6].starts_with("> 100 %") && at(100)[0] == "94 steps before", "{:#?}", at(100));
    assert!(at(99).iter().any(|line| line.starts_with("> 99 %")), "{:#?}", at(99));
}
