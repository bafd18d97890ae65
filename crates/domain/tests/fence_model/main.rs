//! The fence, as a model: `docs/internals/invariants.md` says what of Crossfade is in it, and what is not.

#![expect(clippy::unwrap_used, reason = "everything here is a test: an unwrap is an assertion")]

mod fence;
mod properties;
mod returning;
mod rules;
mod shifting;
mod state;
mod transitions;

use fence::Fence;
use properties::{INVARIANT_1, INVARIANT_6, INVARIANT_7_AT_REST, INVARIANT_7_IN_FLIGHT, INVARIANT_8};
use rules::{Extent, Rules};
use stateright::{Checker, HasDiscoveries, Model};

/// Two of everything at once, two steps.
const WIDEST: Extent = Extent { shifters: 2, returners: 2, resumes: false, last_step: 1 };
/// One shift, two rollbacks, resumed as often as it halts.
const RESUMED: Extent = Extent { shifters: 1, returners: 2, resumes: true, last_step: 1 };
/// A shift that was invoked twice, resumed as often as it halts.
const TWICE: Extent = Extent { shifters: 2, returners: 1, resumes: true, last_step: 1 };

/// Every reachable state satisfies every invariant, and what should be reachable is.
fn holds(rules: Rules, extent: Extent) {
    let checker = Fence::new(rules, extent).checker().threads(1).spawn_bfs().join();
    eprintln!("{} unique states, {extent:?}", checker.unique_state_count());
    assert!(checker.is_done(), "every reachable state was visited");
    checker.assert_properties();
}

/// The checker finds a story in which the broken rules violate the invariant.
fn is_caught(rules: Rules, extent: Extent, invariant: &'static str) {
    assert_ne!(rules, Rules::default(), "a breakage is to be caught");
    let found = HasDiscoveries::AnyOf([invariant].into());
    let checker = Fence::new(rules, extent).checker().threads(1).finish_when(found).spawn_bfs().join();
    let story = checker.discovery(invariant).map(stateright::Path::into_actions);
    eprintln!("{} unique states until caught by {invariant}: {story:?}", checker.unique_state_count());
    assert!(story.is_some(), "{rules:?} keep to {invariant:?}");
}

#[test]
fn invariants_1_6_7_and_8_hold_whatever_two_shifts_two_rollbacks_and_another_migration_do() {
    holds(Rules::default(), WIDEST);
}

#[test]
fn invariants_1_6_7_and_8_hold_when_a_halted_migration_is_resumed_and_rolled_back_any_number_of_times() {
    holds(Rules::default(), RESUMED);
    holds(Rules::default(), TWICE);
}

#[test]
fn without_a_look_at_the_head_before_each_write_a_fenced_writer_goes_on_against_invariant_7() {
    let rules = Rules { no_check_before_a_write: true, ..Rules::default() };
    is_caught(rules, RESUMED, INVARIANT_7_IN_FLIGHT);
}

#[test]
fn without_any_look_at_the_generation_a_shift_moves_traffic_at_rest_against_invariant_7() {
    let rules = Rules { no_check_before_a_write: true, no_check_at_the_start: true, ..Rules::default() };
    is_caught(rules, RESUMED, INVARIANT_7_AT_REST);
}

#[test]
fn without_settle_a_late_writer_moves_traffic_at_rest_against_invariant_7() {
    is_caught(Rules { no_settle: true, ..Rules::default() }, RESUMED, INVARIANT_7_AT_REST);
}

#[test]
fn without_a_second_look_what_a_late_writer_moved_stays_against_invariant_7() {
    is_caught(Rules { no_second_look: true, ..Rules::default() }, RESUMED, INVARIANT_7_AT_REST);
}

#[test]
fn locks_that_go_before_verify_leave_a_route_away_from_its_baseline_against_invariant_1() {
    is_caught(Rules { locks_released_before_verify: true, ..Rules::default() }, RESUMED, INVARIANT_1);
}

#[test]
fn locks_that_go_before_verify_let_a_late_writer_write_to_the_next_migration_against_invariant_8() {
    is_caught(Rules { locks_released_before_verify: true, ..Rules::default() }, RESUMED, INVARIANT_8);
}

#[test]
fn a_route_without_a_lock_is_written_by_two_migrations_against_invariant_8() {
    is_caught(Rules { one_route_is_not_locked: true, ..Rules::default() }, RESUMED, INVARIANT_8);
}

#[test]
fn locks_that_are_taken_while_a_rollback_still_writes_are_overwritten_against_invariant_8() {
    let extent = Extent { last_step: 0, ..RESUMED };
    is_caught(Rules { locks_are_free_at_once: true, ..Rules::default() }, extent, INVARIANT_8);
}

#[test]
fn a_rollback_that_does_not_join_another_is_blocked_by_its_death_against_invariant_6() {
    is_caught(Rules { rollbacks_do_not_join: true, ..Rules::default() }, RESUMED, INVARIANT_6);
}

#[test]
fn a_shift_invoked_twice_that_intends_an_old_step_again_leaves_its_record_behind_against_invariant_1() {
    is_caught(Rules { intent_out_of_order: true, ..Rules::default() }, TWICE, INVARIANT_1);
}

#[test]
fn without_the_final_bake_a_shift_invoked_twice_writes_after_the_end_against_invariant_1() {
    let extent = Extent { resumes: false, ..TWICE };
    is_caught(Rules { no_final_bake: true, ..Rules::default() }, extent, INVARIANT_1);
}

#[test]
fn a_rollback_that_keeps_the_generation_is_not_seen_by_a_fence_of_generations_against_invariant_7() {
    let rules = Rules { rollback_keeps_the_generation: true, fence_by_generation_alone: true, ..Rules::default() };
    is_caught(rules, RESUMED, INVARIANT_7_IN_FLIGHT);
}

#[test]
fn a_resume_that_keeps_the_generation_lets_a_writer_of_before_the_halt_go_on_against_invariant_7() {
    let rules = Rules { resume_keeps_the_generation: true, ..Rules::default() };
    is_caught(rules, RESUMED, INVARIANT_7_IN_FLIGHT);
}

/// The fence compares generation, phase and intended step: against a rollback either half is enough.
#[test]
fn the_generation_alone_and_phase_and_intended_step_alone_each_keep_invariants_1_6_7_and_8() {
    let extent = Extent { returners: 1, ..RESUMED };
    holds(Rules { fence_by_generation_alone: true, ..Rules::default() }, extent);
    holds(Rules { rollback_keeps_the_generation: true, ..Rules::default() }, extent);
}
