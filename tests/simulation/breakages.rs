//! The simulation must catch what it is for: each deliberate breakage in one case, which is quiet without it.

use super::breakage::Breakage;
use super::case::{Case, run};
use super::ports::port_fault::PortFault;
use super::sweep::{judged, named};
use std::collections::BTreeMap;

/// The record of the hold of `held-shift-goes-on`, among all records.
const HOLD: usize = 11;

/// Runs `scenario`, with a fault at the `n`-th call (from 1) of a verb where one is given, whole and broken.
#[track_caller]
fn check(breakage: Breakage, scenario: &str, fault: Option<(PortFault, &str, usize)>, invariant: usize) {
    let mut case = named(scenario).unwrap();
    if let Some((fault, verb, nth)) = fault {
        let calls = run(&case, false).calls;
        let mut of_verb = calls.iter().enumerate().filter(|(_, made)| **made == verb);
        let (call, _) = of_verb.nth(nth - 1).unwrap_or_else(|| panic!("{scenario} has no {verb} {nth}: {calls:?}"));
        case.faults = BTreeMap::from([(call, fault)]);
    }
    let whole = judged(&case, false);
    assert_eq!(whole.violations, [], "without a breakage");
    let broken = judged(&Case { breakage: Some(breakage), ..case.clone() }, true);
    let caught = broken.violations.iter().any(|violation| violation.invariant == invariant);
    assert!(caught, "{breakage:?} is not caught: {:?}\n{}", broken.violations, broken.log);
}

#[test]
fn a_shift_without_read_back_is_caught() {
    check(Breakage::NoReadBack, "straight", Some((PortFault::FailsBefore, "write_route", 2)), 3);
}

#[test]
fn a_rollback_without_settle_is_caught() {
    check(Breakage::NoSettle, "alarm-at-shift-1", Some((PortFault::Hangs, "write_route", 3)), 7);
}

#[test]
fn a_writer_that_does_not_look_at_the_generation_is_caught() {
    check(Breakage::NoGenerationCheck, "alarm-at-shift-1", Some((PortFault::Hangs, "record", 3)), 13);
}

#[test]
fn a_route_without_a_lock_is_caught() {
    check(Breakage::OneRouteIsNotLocked, "straight", None, 8);
}

#[test]
fn a_rollback_that_stops_at_the_first_error_is_caught() {
    check(Breakage::RollbackStopsAtFirstError, "alarm-at-step-1", Some((PortFault::Throttled, "write_route", 5)), 6);
}

#[test]
fn throttled_invocations_that_are_retried_as_faults_are_caught() {
    check(Breakage::ThrottlesAreFaults, "invocations-throttled", None, 14);
}

#[test]
fn checks_that_are_not_counted_are_caught() {
    check(Breakage::ChecksAreNotCounted, "held-for-a-month", None, 13);
}

#[test]
fn a_missing_alarm_taken_for_quiet_is_caught() {
    check(Breakage::MissingAlarmIsQuiet, "alarm-is-missing", None, 9);
}

#[test]
fn an_unreadable_alarm_taken_for_quiet_is_caught() {
    check(Breakage::UnreadableAlarmIsQuiet, "straight", Some((PortFault::Throttled, "alarms", 3)), 9);
}

#[test]
fn an_alarm_that_cleared_and_is_forgotten_is_caught() {
    check(Breakage::FiringsAreForgotten, "straight", Some((PortFault::AlarmUnheard, "status", 2)), 9);
}

#[test]
fn drift_that_is_overwritten_is_caught() {
    check(Breakage::DriftIsOverwritten, "group-added-at-step-1", None, 5);
}

#[test]
fn locks_that_are_kept_are_caught() {
    check(Breakage::LocksAreKept, "straight", None, 8);
}

#[test]
fn a_journal_that_loses_lines_is_caught() {
    check(Breakage::JournalLosesLines, "straight", None, 13);
}

#[test]
fn a_sweep_that_believes_the_dead_alive_is_caught() {
    check(Breakage::DeadExecutionsLookAlive, "stopped-by-hand", None, 13);
}

#[test]
fn a_step_to_a_sick_new_side_is_caught() {
    check(Breakage::NewSideLooksHealthy, "new-side-never-healthy", None, 2);
}

#[test]
fn a_step_that_cannot_be_taken_back_is_caught() {
    check(Breakage::OldSideLooksHealthy, "old-side-fails", None, 11);
}

#[test]
fn a_rollback_without_a_second_look_is_caught() {
    check(Breakage::RollbackIsNotVerified, "alarm-at-step-1", None, 13);
}

#[test]
fn a_machine_that_tries_nothing_again_is_caught() {
    check(Breakage::NothingIsTriedAgain, "straight", Some((PortFault::Throttled, "health", 2)), 14);
}

#[test]
fn an_outside_gate_that_is_not_asked_is_caught() {
    check(Breakage::OutsideGateIsSkipped, "outside-gate-never-answers", None, 9);
}

#[test]
fn a_hook_that_is_skipped_is_caught() {
    check(Breakage::FirstHookIsSkipped, "hooks", None, 13);
    check(Breakage::LastHookIsSkipped, "hooks-and-an-alarm", None, 13);
}

#[test]
fn a_resume_that_does_not_raise_the_generation_is_caught() {
    check(Breakage::ResumeKeepsGeneration, "resumed-after-group-was-put-back", None, 13);
}

#[test]
fn accepted_drift_that_is_forgotten_is_caught() {
    check(Breakage::AcceptedDriftIsForgotten, "resumed-with-the-new-group", None, 5);
}

#[test]
fn a_resume_that_overlooks_drift_is_caught() {
    check(Breakage::ResumeOverlooksDrift, "not-resumed-against-a-new-group", None, 5);
}

#[test]
fn a_resume_without_its_alarms_is_caught() {
    check(Breakage::ResumeOverlooksAlarms, "not-resumed-without-its-alarm", None, 9);
}

#[test]
fn locks_that_are_free_at_once_are_caught() {
    check(Breakage::LocksAreFreeAtOnce, "started-anew", None, 7);
}

#[test]
fn locks_that_are_not_taken_again_are_caught() {
    check(Breakage::LocksAreNotRetaken, "rollback-after-the-end", None, 8);
}

#[test]
fn an_alarm_that_moves_a_migrated_service_is_caught() {
    check(Breakage::AlarmsMoveTheMigrated, "alarm-after-the-end", None, 13);
}

#[test]
fn minutes_that_have_not_settled_and_are_judged_are_caught() {
    check(Breakage::NewestMinutesAreJudged, "judged", None, 10);
}

#[test]
fn a_late_minute_taken_for_a_good_one_is_caught() {
    check(Breakage::LateMinutesAreGood, "guard-alarm-hears-late", None, 9);
}

#[test]
fn unreadable_metrics_taken_for_quiet_are_caught() {
    check(Breakage::UnreadableMetricsAreQuiet, "judged", Some((PortFault::Throttled, "metric_data", 4)), 9);
}

#[test]
fn a_held_shift_that_nobody_looks_at_is_caught() {
    check(Breakage::HeldShiftsSkipTheGates, "held-shift-goes-on", Some((PortFault::AlarmUnheard, "record", HOLD)), 9);
}

#[test]
fn a_rollback_that_waits_for_health_without_a_deadline_is_caught() {
    check(Breakage::DeadlinesNeverEnd, "alarm-while-health-hangs", None, 6);
}

#[test]
fn an_inline_policy_that_the_stack_refuses_and_that_is_taken_is_caught() {
    check(Breakage::StackLimitsAreNotTold, "inline-policy-refused", None, 13);
}

#[test]
fn an_alarm_elsewhere_that_rolls_back_is_caught() {
    check(Breakage::EventsElsewhereAreOurs, "alarm-elsewhere", None, 9);
}

#[test]
fn a_shift_that_checks_the_generation_once_for_all_routes_is_caught() {
    check(Breakage::ShiftsCheckTheFenceOnce, "five-routes-and-an-alarm-at-shift-1", None, 7);
}

#[test]
fn an_end_that_does_not_list_again_is_caught() {
    check(Breakage::EndDoesNotListAgain, "rule-added-at-step-2", None, 3);
    check(Breakage::EndDoesNotListAgain, "rule-added-at-the-end", None, 3);
}

#[test]
fn a_shift_that_does_not_list_again_is_caught() {
    check(Breakage::ShiftsDoNotListAgain, "rule-added-at-step-1", None, 3);
}

#[test]
fn targets_of_an_earlier_attempt_that_stay_are_caught() {
    check(Breakage::UnlistedTargetsStay, "started-anew-with-a-target-left", None, 20);
}

#[test]
fn a_shift_that_ignores_the_windows_is_caught() {
    check(Breakage::WindowsAreIgnored, "freeze-begins-and-ends", None, 16);
}

#[test]
fn a_window_that_blocks_a_rollback_is_caught() {
    check(Breakage::WindowsBlockRollbacks, "alarm-in-a-freeze", None, 6);
}

#[test]
fn closed_time_that_counts_into_a_hold_is_caught() {
    check(Breakage::ClosedTimeCounts, "held-in-a-freeze", None, 16);
}

#[test]
fn a_probe_rule_that_is_left_behind_is_caught() {
    check(Breakage::ProbeRulesStay, "probed", None, 18);
}

#[test]
fn probes_that_are_skipped_are_caught() {
    check(Breakage::ProbesAreSkipped, "probed", None, 18);
}

#[test]
fn a_probe_rule_that_is_left_behind_after_a_report_is_caught() {
    check(Breakage::ProbeRulesStay, "probed-from-here", None, 18);
}

#[test]
fn a_report_that_is_not_held_against_what_was_asked_is_caught() {
    check(Breakage::AnyReportPasses, "no-one-sends-probes", None, 18);
}

#[test]
fn noise_that_is_not_removed_is_caught() {
    check(Breakage::NoiseIsNotSeen, "probed", None, 18);
}
