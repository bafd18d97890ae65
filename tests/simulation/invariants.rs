//! The invariants, each over the whole list: every scenario, with every fault at every call.

use super::case::run;
use super::ports::port_fault::READS;
use super::random;
use super::scenario::{Outcome, long_scenarios, scenarios};
use super::sweep::{Report, all, exhaust, judged, name_of, named, replay_of, told};
use super::watch::INVARIANTS;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Instant;

/// Run once for all tests that look at it.
static LIST: LazyLock<Report> = LazyLock::new(|| counted("the list", || exhaust(|_| true)));
/// Runs with a few faults each, at drawn calls.
static DRAWN: LazyLock<Report> = LazyLock::new(|| counted("drawn", || all(&random::cases(0..random::SEEDS))));

fn counted(what: &str, run: impl FnOnce() -> Report) -> Report {
    let began = Instant::now();
    let report = run();
    eprintln!(
        "{what}: {} runs, {} faults injected, {:.0} s",
        report.runs,
        report.faults,
        began.elapsed().as_secs_f64()
    );
    report
}

#[track_caller]
fn check(invariant: usize) {
    for report in [&*LIST, &*DRAWN] {
        // Few drawn runs have a foreign edit; too few looks would mean that nothing is checked at all.
        assert!(report.checks[invariant] > 100, "looked at {} times", report.checks[invariant]);
        let told = told(report, invariant);
        assert!(told.is_empty(), "{told}");
    }
}

#[test]
fn invariant_1_every_route_is_at_its_baseline_or_a_planned_weight() {
    check(1);
}

#[test]
fn invariant_2_no_write_gives_traffic_to_a_group_without_enough_healthy_targets() {
    check(2);
}

#[test]
fn invariant_3_a_shift_counts_when_every_route_was_read_back_and_rest_is_all_routes_or_none() {
    check(3);
}

#[test]
fn invariant_4_only_weights_change() {
    check(4);
}

#[test]
fn invariant_5_nobodys_edit_is_overwritten_knowingly() {
    check(5);
}

#[test]
fn invariant_6_an_alarm_makes_the_new_side_free_of_traffic_in_time_unless_the_old_side_is_dead() {
    check(6);
}

#[test]
fn invariant_7_no_traffic_moves_after_the_end() {
    check(7);
}

#[test]
fn invariant_8_every_route_is_locked_while_its_migration_is_open_and_not_longer() {
    check(8);
}

#[test]
fn invariant_9_no_alarm_is_overlooked_and_none_that_cannot_be_read_is_quiet() {
    check(9);
}

#[test]
fn invariant_10_no_evidence_is_its_own_verdict_and_the_newest_minutes_are_never_judged() {
    check(10);
}

#[test]
fn invariant_11_no_step_is_taken_that_the_old_side_could_not_take_back() {
    check(11);
}

#[test]
fn invariant_13_every_run_comes_to_rest_in_time_and_journal_locks_and_executions_say_so() {
    check(13);
}

#[test]
fn invariant_14_throttling_never_changes_how_a_migration_ends() {
    check(14);
}

#[test]
fn invariant_16_no_traffic_is_raised_while_the_windows_are_closed() {
    check(16);
}

#[test]
fn invariant_18_no_user_reaches_a_new_side_that_was_not_probed_and_no_probe_rule_outlives_its_step() {
    check(18);
}

#[test]
fn invariant_20_only_targets_of_this_attempt_get_traffic() {
    check(20);
}

#[test]
fn no_call_of_the_list_is_denied() {
    for report in [&*LIST, &*DRAWN] {
        crate::least_privilege::check_callers(&report.callers);
    }
}

#[test]
fn every_scenario_ends_as_it_should_when_nothing_else_goes_wrong() {
    for scenario in scenarios().into_iter().chain(long_scenarios()) {
        let case = named(&scenario.name).unwrap();
        let ending = judged(&case, false);
        assert_eq!(ending.outcome, Some(scenario.ends), "{}", scenario.name);
        assert_eq!(ending.violations, [], "{}", scenario.name);
    }
}

#[test]
fn a_hold_that_uses_up_its_execution_halts_with_the_command_that_continues_it() {
    let ending = judged(&named("held-for-a-month").unwrap(), true);
    // The log quotes the reason.
    let sentence = r#"paused until continue. Nothing has failed: continue with \"crossfade resume users\""#;
    assert!(ending.outcome == Some(Outcome::Halted) && ending.log.contains(sentence), "{}", ending.log);
}

#[test]
fn a_new_side_that_no_alarm_sees_is_rolled_back_by_the_judge() {
    let ending = judged(&named("judged-and-sick").unwrap(), true);
    let sentence = "judge: new cluster answers 100.0 % of requests with 4xx";
    assert!(ending.outcome == Some(Outcome::RolledBack) && ending.log.contains(sentence), "{}", ending.log);
}

#[test]
fn the_same_case_has_the_same_log() {
    let case = named("new-side-fails/Hangs@60").unwrap();
    assert_eq!(run(&case, true).log, run(&case, true).log);
}

/// Which faults the list leaves out at calls that only read.
#[test]
fn of_a_read_no_effect_is_lost_repeated_or_outlives_its_function() {
    let mut seen = BTreeSet::new();
    for name in ["straight", "new-side-fails", "judged-and-sick"] {
        let alone = run(&named(name).unwrap(), false);
        let alone = (alone.outcome, alone.calls, alone.checks, alone.violations);
        for (number, verb) in alone.1.iter().enumerate().filter(|(_, verb)| READS.contains(verb)) {
            if !seen.insert((name, *verb)) {
                continue;
            }
            let with = |fault: &str| {
                let ending = run(&named(&format!("{name}/{fault}@{number}")).unwrap(), false);
                (ending.outcome, ending.calls, ending.checks, ending.violations)
            };
            assert_eq!(with("Twice"), alone, "{name}, {verb}");
            assert_eq!(with("FailsAfter"), with("FailsBefore"), "{name}, {verb}");
            assert_eq!(with("DiesAfter").0, with("DiesBefore").0, "{name}, {verb}");
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}

/// Prints how much was looked at; `CROSSFADE_SOAK_SECONDS` makes it go on with new seeds for as long.
#[test]
fn soak() {
    let mut report = Report::default();
    let seconds: u64 = variable("CROSSFADE_SOAK_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(0);
    let began = Instant::now();
    let mut seeds = random::SEEDS..random::SEEDS + 100;
    loop {
        report.join(all(&random::cases(seeds.clone())));
        if !report.violations.is_empty() || began.elapsed().as_secs() >= seconds {
            break;
        }
        seeds = seeds.end..seeds.end + 1000;
    }
    let checks: u64 = report.checks.iter().sum();
    eprintln!(
        "soak: {} runs, {} faults injected, {checks} looks at the invariants in {:.0} s, seeds {} to {}",
        report.runs,
        report.faults,
        began.elapsed().as_secs_f64(),
        random::SEEDS,
        seeds.end
    );
    let broken = (1..INVARIANTS).map(|invariant| told(&report, invariant)).find(|told| !told.is_empty());
    assert_eq!(broken, None);
}

/// Runs `CROSSFADE_SIMULATION_CASE` alone and prints its log.
#[test]
fn replay() {
    let Some(name) = variable("CROSSFADE_SIMULATION_CASE") else { return };
    let case = named(&name).unwrap_or_else(|| panic!("no such case: {name}"));
    let ending = judged(&case, true);
    eprintln!("{}\n\n{} ended as {:?}", ending.log, name_of(&case), ending.outcome);
    assert_eq!(ending.violations, [], "{}", replay_of(&name));
}

#[expect(clippy::disallowed_methods, reason = "the one way to ask a test for more, or for one case")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
