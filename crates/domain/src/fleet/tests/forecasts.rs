use super::fixture::{Run, at, name, policy, size, skip};
use crate::fleet::command::FleetCommand;
use crate::fleet::forecast::{Forecast, Progress, end, forecast, seconds_left};
use crate::journal::EventKind;
use crate::policy::rollout::{FailureBudget, MaxNewShare, StopWhen};
use crate::policy::service_policy::{FleetPolicy, Schedule, ScheduleStep};
use crate::weight::Weight;
use std::collections::BTreeMap;

/// Services that move for half an hour each: five minutes of preparation, and bakes of 15 and 10.
fn services(services: &[(&str, &[&str])]) -> FleetPolicy {
    let mut policy = policy(services);
    let step = |percent, bake_seconds| ScheduleStep {
        weight: Weight::try_new(percent).unwrap(),
        bake_seconds,
        approve: false,
        min_bake_seconds: None,
    };
    for service in &mut policy.services {
        service.schedule = Schedule { steps: vec![step(5.0, 900), step(100.0, 600)] };
    }
    policy.rollout.wave_bake_seconds = 3_600;
    policy
}

const FOUR: [(&str, &[&str]); 4] = [("a", &[]), ("b", &[]), ("c", &[]), ("d", &["a"])];

fn open(policy: &FleetPolicy, requests: &[(&str, u64)]) -> Forecast {
    let requests = requests.iter().map(|(of, count)| (name(of), *count)).collect();
    forecast(policy, &BTreeMap::new(), &requests, &Progress::default(), at(0), |now| now)
}

/// Begin and end of each wave in minutes.
fn minutes(forecast: &Forecast) -> Vec<(i64, i64)> {
    let minute = |time: jiff::Timestamp| time.duration_since(at(0)).as_mins();
    forecast.waves.iter().map(|wave| (minute(wave.begin), minute(wave.end))).collect()
}

#[test]
fn a_wave_takes_as_long_as_its_concurrency_makes_it_and_is_watched() {
    let mut policy = services(&FOUR);
    policy.rollout.concurrency = 2;
    let forecast = open(&policy, &[]);
    assert_eq!(minutes(&forecast), [(0, 60), (120, 150)]);
    assert_eq!(forecast.end, at(210 * 60));
    policy.rollout.concurrency = 3;
    policy.rollout.canary = vec![name("a")];
    policy.rollout.canary_bake_seconds = 24 * 3_600;
    assert_eq!(minutes(&open(&policy, &[])), [(0, 30), (1_470, 1_500)]);
}

#[test]
fn routes_limit_what_moves_at_once_as_the_run_does() {
    let mut policy = services(&FOUR);
    policy.rollout.rollback_within_seconds = 10;
    let sizes = ["a", "b", "c"].map(|of| (name(of), size(25))).into();
    let forecast = forecast(&policy, &sizes, &BTreeMap::new(), &Progress::default(), at(0), |now| now);
    assert_eq!(minutes(&forecast)[0], (0, 60));
    assert_eq!((forecast.most_routes, forecast.rollback_seconds), (50, 10));
}

#[test]
fn a_service_starts_when_it_is_open() {
    let mut policy = services(&FOUR);
    policy.rollout.concurrency = 1;
    // Open for the first half of each hour.
    let opens = |now: jiff::Timestamp| {
        let second = now.duration_since(at(0)).as_secs();
        if second % 3_600 < 1_800 { now } else { at((second / 3_600 + 1) * 3_600) }
    };
    let forecast = forecast(&policy, &BTreeMap::new(), &BTreeMap::new(), &Progress::default(), at(2_000), opens);
    assert_eq!(minutes(&forecast), [(60, 210), (300, 330)]);
}

#[test]
fn the_budget_says_which_failure_stops_and_how_many_can_fail_before() {
    for (failures, concurrency, strict, budget, exposure) in [
        (0, 3, false, "tolerates no failure; the first stops", "up to 3 services can fail"),
        (1, 3, false, "tolerates 1 failure; the second stops", "up to 4 services can fail"),
        (2, 1, false, "tolerates 2 failures; failure number 3 stops", "up to 3 services can fail"),
        (0, 3, true, "tolerates no failure; the first stops", "up to 1 service can fail"),
    ] {
        let mut policy = services(&FOUR);
        policy.rollout.failures = FailureBudget::Count(failures);
        policy.rollout.concurrency = concurrency;
        policy.rollout.strict = strict;
        let forecast = open(&policy, &[]);
        assert_eq!(forecast.budget, format!("{budget} the fleet"));
        let strict = if strict { ", strict" } else { "" };
        let limits = format!("(concurrency {concurrency}, tolerated {failures}{strict})");
        assert_eq!(forecast.exposure, format!("{exposure} before the fleet stops {limits}"));
    }
}

#[test]
fn what_can_never_be_met_is_said() {
    let mut policy = services(&FOUR);
    assert_eq!(open(&policy, &[]).problems, [""; 0]);
    policy.rollout.failures = FailureBudget::Percent(100);
    policy.rollout.stop_when = StopWhen { rollbacks: 5, within_seconds: 600 };
    policy.rollout.max_new_share = Some(MaxNewShare { until_wave: 1, percent: 20 });
    assert_eq!(
        open(&policy, &[("a", 10), ("b", 10), ("c", 10), ("d", 70)]).problems,
        [
            "failures: tolerates 4 of 4 services, which can never stop the fleet",
            "stopWhen: 5 rollbacks of 4 services can never be met",
            "maxNewShare: wave 1 would bring the new cluster to 30 % of the requests, and until wave 1 it gets 20 % at \
             most",
        ]
    );
    policy.rollout.max_new_share = Some(MaxNewShare { until_wave: 1, percent: 30 });
    assert_eq!(open(&policy, &[("a", 10), ("b", 10), ("c", 10), ("d", 70)]).problems.len(), 2);
}

#[test]
fn harm_is_the_first_step_of_the_busiest_that_move_at_once_for_two_minutes() {
    let mut policy = services(&FOUR);
    policy.rollout.concurrency = 2;
    // 100, 50 and 1 requests a second; 5 % of them for 120 seconds.
    let requests = [("a", 86_400), ("b", 86_400 * 50), ("c", 86_400 * 100)];
    assert_eq!(open(&policy, &requests).most_harmed, 900);
}

#[test]
fn it_costs_its_migrations_and_the_looks_of_its_conductor() {
    // 30 looks while it moves, 12 while it is watched, and the one that ends it.
    assert_eq!(open(&services(&[("a", &[])]), &[]).micro_usd, 13_500 + 43 * 75);
}

#[test]
fn what_has_migrated_takes_no_time_and_costs_nothing_and_what_moves_takes_what_is_left() {
    let policy = services(&FOUR);
    let of = |progress: &Progress| forecast(&policy, &BTreeMap::new(), &BTreeMap::new(), progress, at(0), |now| now);
    let whole = of(&Progress::default());
    let done = ["a", "b"].map(name).into();
    let rest = of(&Progress { done, moving: [(name("c"), 600)].into() });
    assert_eq!(minutes(&rest), [(0, 10), (70, 100)]);
    assert_eq!(rest.waves[0].services, [name("c")]);
    assert!(rest.micro_usd < whole.micro_usd - 2 * 13_500 + 1, "{} of {}", rest.micro_usd, whole.micro_usd);
    let nothing = of(&Progress { done: ["a", "b", "c", "d"].map(name).into(), ..Progress::default() });
    assert_eq!((nothing.end, nothing.waves.len(), nothing.micro_usd), (at(0), 0, 0));
}

#[test]
fn a_run_under_way_is_over_when_what_is_left_has_moved_and_was_watched() {
    let mut run = Run::new(services(&FOUR));
    let now = run.now;
    let ends = |run: &Run, moving: &[(&str, u32)]| {
        let moving = moving.iter().map(|(of, seconds)| (name(of), *seconds)).collect();
        end(&run.policy, &run.head, &moving, now).map(|at| at.duration_since(now).as_mins())
    };
    assert_eq!(ends(&run, &[]), Some(180), "both waves, 30 minutes each, and their bakes");
    assert_eq!(run.starts(), ["a", "b", "c"]);
    run.migrates("a");
    run.migrates("b");
    run.look();
    assert_eq!(ends(&run, &[("c", 600)]), Some(10 + 60 + 30 + 60), "a and b are done");
    run.command(FleetCommand::Pause { drain: false });
    assert_eq!(ends(&run, &[("c", 600)]), None, "a paused run does not go on by itself");
    run.command(FleetCommand::Resume { now: false });
    run.command(skip("d"));
    assert_eq!(ends(&run, &[("c", 600)]), Some(10 + 60), "a skipped service does not move");
    run.migrates("c");
    run.look();
    let watched = run.head.baking_since.unwrap();
    assert_eq!(ends(&run, &[]), Some((watched.duration_since(now).as_secs() + 3_600) / 60), "only the bake is left");
}

#[test]
fn a_migration_has_the_rest_of_its_bake_left_and_the_bakes_of_its_later_steps() {
    let mut run = Run::new(services(&FOUR));
    run.starts();
    let schedule = run.policy.services[0].schedule.clone();
    let left = |run: &Run| seconds_left(&schedule, &run.seen.heads[&name("a")], run.now);
    assert_eq!(left(&run), 300 + 900 + 600);
    let weight = Weight::try_new(5.0).unwrap();
    run.happens("a", EventKind::ShiftIntended { step: 1, weight });
    run.happens("a", EventKind::Shifted { step: 1, weight });
    assert_eq!(left(&run), 900 + 600);
    run.now += jiff::SignedDuration::from_secs(400);
    assert_eq!(left(&run), 500 + 600);
    run.now += jiff::SignedDuration::from_secs(4_000);
    assert_eq!(left(&run), 600, "a step that is held beyond its bake");
}
