use super::fixture::{Run, at, balancer, name, policy};
use crate::fleet::command::{FleetCommand, Taken};
use crate::fleet::decide::Order;
use crate::fleet::head::{RunOutcome, RunState};
use crate::fleet::observe::Untraced;
use crate::fleet::outlook::FleetStep;
use crate::fleet::retiring::{OldSide, old_side, totals};
use crate::fleet::service_run::Size;
use crate::fleet::wording::lines;
use crate::journal::Trigger;
use crate::load_balancer::room::Room;
use crate::names::TargetGroupArn;
use crate::policy::retire::{Retire, Until};
use crate::policy::rollout::{FailureBudget, RetireWhen, StopWhen};
use crate::retirement::{Approval, Retirement, RetirementPhase as P, RetirementPlan};
use jiff::SignedDuration;
use std::collections::BTreeMap;

const THREE: [(&str, &[&str]); 3] = [("a", &[]), ("b", &["a"]), ("c", &["b"])];

fn run(retire: RetireWhen, services: &[(&str, &[&str])]) -> Run {
    let mut policy = policy(services);
    policy.rollout.retire = retire;
    policy.rollout.failures = FailureBudget::Count(9);
    policy.rollout.stop_when = StopWhen { rollbacks: 9, within_seconds: 0 };
    Run::new(policy)
}

fn retire_all() -> FleetCommand {
    FleetCommand::Retire { wave: None, only: Vec::new(), until: None }
}

/// The services whose retirement is ordered at the next look.
#[track_caller]
fn asks(run: &mut Run) -> Vec<String> {
    let orders = run.look().orders;
    let service = |order| match order {
        Order::Retire { service, .. } => Some(service.to_string()),
        _ => None,
    };
    orders.into_iter().filter_map(service).collect()
}

fn retirement(run: &Run, of: &str, phase: P) -> Retirement {
    let head = &run.seen.heads[&name(of)];
    let plan = RetirementPlan {
        migration: head.migration.clone(),
        zero_since: head.at_rest_since(),
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
    Retirement { phase, ..Retirement::first(name(of), None, plan, "the fleet", run.now) }
}

fn retires(run: &mut Run, of: &str, phase: P) {
    let retirement = retirement(run, of, phase);
    run.seen.retirements.insert(name(of), retirement);
}

#[track_caller]
fn moves(run: &mut Run, services: &[&str]) {
    assert_eq!(run.starts(), services);
    for service in services {
        run.migrates(service);
    }
}

#[test]
fn a_wave_that_was_watched_is_retired_and_the_next_one_begins_at_once() {
    let mut run = run(RetireWhen::AfterWave, &THREE);
    run.policy.rollout.wave_bake_seconds = 120;
    moves(&mut run, &["a"]);
    assert_eq!(asks(&mut run), [""; 0], "it is watched first");
    assert_eq!(asks(&mut run), [""; 0]);
    let decision = run.look();
    let asked: Vec<_> = decision.orders.iter().filter(|order| matches!(order, Order::Retire { .. })).collect();
    let execution = format!("a-fleet-retire-{}", run.now.as_second());
    assert_eq!(asked, [&Order::Retire { service: name("a"), execution, until: None, by: None }]);
    assert_eq!(run.head.wave, 1, "the next wave does not wait for it");
    assert_eq!(asks(&mut run), ["a"], "it is asked for until its own journal shows it");
    retires(&mut run, "a", P::Proving);
    assert_eq!(asks(&mut run), [""; 0]);
}

#[test]
fn what_a_retirement_comes_to_stops_nothing() {
    for phase in [P::Refused, P::Undone, P::Halted] {
        let mut run = run(RetireWhen::AfterWave, &THREE);
        moves(&mut run, &["a"]);
        assert_eq!(asks(&mut run), ["a"]);
        retires(&mut run, "a", phase);
        run.starts();
        run.migrates("b");
        assert_eq!(asks(&mut run), ["b"], "{phase:?}");
        run.is(RunState::Running);
    }
}

#[test]
fn an_execution_that_was_refused_is_said_and_not_repeated() {
    let mut run = run(RetireWhen::AtEnd, &[("a", &[])]);
    moves(&mut run, &["a"]);
    assert_eq!(asks(&mut run), ["a"]);
    run.is(RunState::Running);
    run.seen.unretired.insert(name("a"), Untraced::Refused("waive directCallers with a reason".into()));
    let decision = run.look();
    assert_eq!(decision.orders, []);
    assert_eq!(decision.head.outcome, Some(RunOutcome::Migrated), "the run does not wait for it");
    let said = lines(&run.head.next_entry(decision.events, run.now));
    assert!(said.contains(&"a: is not retired: waive directCallers with a reason".to_owned()), "{said:?}");
}

#[test]
fn at_the_end_all_are_retired_and_the_run_ends_once_each_has_begun() {
    let mut run = run(RetireWhen::AtEnd, &THREE);
    for service in ["a", "b"] {
        moves(&mut run, &[service]);
        assert_eq!(asks(&mut run), [""; 0]);
    }
    run.starts();
    run.migrates("c");
    assert_eq!(asks(&mut run), ["a", "b"], "two at once");
    assert_eq!(run.look().outlook.step, FleetStep::Wait);
    // The policy keeps their old sides for a week, so they take no place.
    retires(&mut run, "a", P::Proving);
    retires(&mut run, "b", P::Proving);
    assert_eq!(asks(&mut run), ["c"]);
    retires(&mut run, "c", P::Proving);
    assert_eq!(run.look().outlook.step, FleetStep::Migrated);
}

#[test]
fn a_run_that_is_paused_or_has_stopped_or_goes_back_starts_no_retirement() {
    for command in [FleetCommand::Pause { drain: false }, FleetCommand::Abort, FleetCommand::RollBackAll] {
        let mut run = run(RetireWhen::AfterWave, &THREE);
        moves(&mut run, &["a"]);
        assert_eq!(asks(&mut run), ["a"]);
        run.command(command.clone());
        for _ in 0..3 {
            assert_eq!(asks(&mut run), [""; 0], "{command:?}");
        }
    }
    let mut run = run(RetireWhen::AfterWave, &THREE);
    moves(&mut run, &["a"]);
    assert_eq!(asks(&mut run), ["a"]);
    run.seen.alarms = vec!["cluster-api-errors fires".into()];
    assert_eq!(asks(&mut run), [""; 0]);
    run.is(RunState::Stopped);
    run.seen.alarms.clear();
    run.command(FleetCommand::Resume { now: false });
    assert_eq!(asks(&mut run), ["a"], "a person says so");
}

#[test]
fn only_a_service_whose_own_journal_says_that_it_has_migrated_is_retired() {
    let mut run = run(RetireWhen::AtEnd, &[("a", &[]), ("b", &[])]);
    assert_eq!(run.starts(), ["a", "b"]);
    run.migrates("a");
    run.rolls_back("b", Trigger::CheckAlarms);
    assert_eq!(asks(&mut run), ["a"]);
    // Before it begins, a person rolls it back.
    run.begins_rollback("a", Trigger::Operator);
    assert_eq!(asks(&mut run), [""; 0]);
    assert_eq!(run.service("a").retirement, None);
}

#[test]
fn an_old_side_that_a_person_has_brought_back_stays() {
    let mut run = run(RetireWhen::AfterWave, &[("a", &[])]);
    run.starts();
    run.migrates("a");
    retires(&mut run, "a", P::Undone);
    assert_eq!(asks(&mut run), [""; 0]);
    run.is(RunState::Over);
    run.command(retire_all());
    assert_eq!(asks(&mut run), [""; 0]);
    let why = run.service("a").retirement.unwrap().refused.unwrap();
    assert!(why.contains("to retire it again: crossfade retire a"), "{why}");
}

#[test]
fn a_run_that_is_over_retires_what_a_person_asks_for_and_keeps_its_outcome() {
    let mut run = run(RetireWhen::ByHand, &THREE);
    for service in ["a", "b", "c"] {
        moves(&mut run, &[service]);
        assert_eq!(asks(&mut run), [""; 0], "by hand");
    }
    run.is(RunState::Over);
    run.command(FleetCommand::Retire { wave: Some(2), only: Vec::new(), until: Some(Until::Detached) });
    let decision = run.look();
    assert_eq!(decision.outlook.step, FleetStep::Wait);
    let by = Some("me".to_owned());
    let execution = run.service("b").retirement.unwrap().execution.unwrap();
    let expected = Order::Retire { service: name("b"), execution, until: Some(Until::Detached), by };
    assert_eq!(decision.orders, [expected]);
    retires(&mut run, "b", P::Proving);
    assert_eq!((run.look().outlook.step, run.head.outcome), (FleetStep::Migrated, Some(RunOutcome::Migrated)));
    let again = |head: &crate::fleet::head::FleetHead, wave| {
        head.takes(&FleetCommand::Retire { wave: Some(wave), only: Vec::new(), until: None })
    };
    assert_eq!(again(&run.head, 3), Taken::Recorded);
    assert_eq!(again(&run.head, 4), Taken::Refused("eks-2026 has no wave 4: expected 1 to 3".to_owned()));
}

#[test]
fn a_rollback_of_everything_leaves_what_is_retired_and_names_it() {
    let mut run = run(RetireWhen::ByHand, &[("a", &[]), ("b", &[])]);
    moves(&mut run, &["a", "b"]);
    retires(&mut run, "a", P::Deregistered);
    run.look();
    run.command(FleetCommand::RollBackAll);
    let decision = run.look();
    assert_eq!(decision.orders, [Order::Return(name("b"))]);
    let said = "retired, so they stay: a; to return one: crossfade retire a --undo, then crossfade rollback a";
    assert!(decision.outlook.reason.ends_with(said), "{}", decision.outlook.reason);
    run.rolls_back("b", Trigger::Operator);
    let decision = run.look();
    assert_eq!(decision.head.outcome, Some(RunOutcome::Returned));
    assert!(decision.outlook.reason.ends_with(said), "{}", decision.outlook.reason);
}

/// Services with one group each on one load balancer, which has so many in use beside theirs.
fn crowded(retire: RetireWhen, services: &[(&str, &[&str])], others: u32) -> Run {
    let mut run = run(retire, services);
    run.size = Size { routes: 1, groups: [(balancer("public"), 1)].into(), targets: 0 };
    counted(&mut run, others, &[]);
    run
}

fn old_group(of: &str) -> TargetGroupArn {
    TargetGroupArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{of}-old/1")).unwrap()
}

/// The load balancer as it is counted now, with the old groups of these services among its groups.
fn counted(run: &mut Run, used: u32, old: &[&str]) {
    run.seen.room = [(balancer("public"), Room::of_groups(used))].into();
    let groups: BTreeMap<TargetGroupArn, u32> = old.iter().map(|of| (old_group(of), 0)).collect();
    run.seen.groups = [(balancer("public"), groups)].into();
}

fn migrates_from(run: &mut Run, of: &str) {
    let new = TargetGroupArn::parse(old_group(of).as_str().replace("-old", "-new")).unwrap();
    run.migrates(of);
    run.seen.heads.get_mut(&name(of)).unwrap().new_groups = [(old_group(of), new)].into();
}

#[test]
fn a_full_load_balancer_gets_room_from_earlier_services_and_no_more_than_is_needed() {
    for retire in [RetireWhen::AfterWave, RetireWhen::AtEnd] {
        let mut run = crowded(retire, &[("a", &[]), ("b", &[]), ("c", &["a"])], 96);
        assert_eq!(run.starts(), ["a", "b"], "{retire:?}");
        migrates_from(&mut run, "a");
        migrates_from(&mut run, "b");
        counted(&mut run, 98, &["a", "b"]);
        let expected: &[&str] = if retire == RetireWhen::AtEnd { &["a"] } else { &["a", "b"] };
        let mut asked = asks(&mut run);
        asked.extend(asks(&mut run));
        asked.sort();
        asked.dedup();
        assert_eq!(asked, expected, "{retire:?}");
        let why = run.look().outlook.reason;
        assert!(why.contains("c needs 1; it waits until the old sides of services before it are detached (a"), "{why}");
        retires(&mut run, "a", P::Watching);
        retires(&mut run, "b", P::Proving);
        counted(&mut run, 97, &["b"]);
        assert_eq!(run.starts(), ["c"], "{retire:?}");
    }
}

#[test]
fn a_wave_that_does_not_fit_as_a_whole_makes_room_for_itself() {
    let mut run = crowded(RetireWhen::AtEnd, &[("a", &[]), ("b", &[])], 97);
    assert_eq!(run.starts(), ["a"]);
    migrates_from(&mut run, "a");
    counted(&mut run, 98, &["a"]);
    assert_eq!(asks(&mut run), ["a"]);
    retires(&mut run, "a", P::Watching);
    counted(&mut run, 97, &[]);
    assert_eq!(run.starts(), ["b"]);
}

#[test]
fn by_hand_a_full_load_balancer_names_the_command_that_makes_room() {
    let mut run = crowded(RetireWhen::ByHand, &[("a", &[]), ("b", &["a"])], 97);
    assert_eq!(run.starts(), ["a"]);
    migrates_from(&mut run, "a");
    counted(&mut run, 98, &["a"]);
    run.look();
    let why = run.look().outlook.reason;
    assert!(
        why.ends_with(
            "b needs 1; retire services that have migrated: crossfade fleet retire eks-2026 --wave 1, or go on without \
             it: crossfade fleet skip b eks-2026"
        ),
        "{why}"
    );
    run.command(retire_all());
    assert_eq!(asks(&mut run), ["a"]);
    retires(&mut run, "a", P::Watching);
    counted(&mut run, 97, &[]);
    assert_eq!(run.starts(), ["b"]);
}

#[test]
fn every_old_side_has_words_and_its_place_in_the_totals() {
    let mut run = run(RetireWhen::ByHand, &[("a", &[])]);
    run.starts();
    run.migrates("a");
    run.look();
    let migration = run.service("a").migration;
    let side = |run: &Run, phase| {
        let retirement = retirement(run, "a", phase);
        old_side(migration.as_ref(), run.service("a").retirement.as_ref(), Some(&retirement), run.now)
    };
    assert_eq!(old_side(migration.as_ref(), None, None, at(0)), None);
    let resting = side(&run, P::Proving).unwrap();
    let kept = run.seen.heads[&name("a")].at_rest_since() + SignedDuration::from_hours(7 * 24);
    assert_eq!(resting, OldSide::Resting(kept));
    run.now = kept;
    let sides = [P::Proving, P::Watching, P::Deregistered, P::Deleted, P::Undone, P::Halted, P::Refused]
        .map(|phase| side(&run, phase).unwrap());
    let words: Vec<String> = sides.iter().map(|side| side.in_words()).collect();
    assert_eq!(
        words,
        [
            "proving idle",
            "detached",
            "retired",
            "retired and deleted",
            "retirement undone",
            "retirement halted",
            "retirement refused",
        ]
    );
    assert_eq!(
        totals(sides.into_iter().chain([resting])).unwrap(),
        "2 retired \u{b7} 1 detached \u{b7} 1 proving idle \u{b7} 1 resting \u{b7} 1 brought back \u{b7} 1 refused to \
         retire \u{b7} 1 halted in retirement"
    );
    let awaiting = |phase, what| {
        let mut retirement = retirement(&run, "a", phase);
        retirement.to_approve = Some(what);
        old_side(migration.as_ref(), None, Some(&retirement), run.now).unwrap()
    };
    let detach = awaiting(P::Proving, Approval::Detach);
    assert_eq!((detach.in_words().as_str(), detach.needs_a_person()), ("waiting for approval", true));
    let way = "what it is: crossfade retire a --status; yes: crossfade retire a --approve";
    assert_eq!(detach.way_on("a").as_deref(), Some(way));
    let delete = awaiting(P::Deregistered, Approval::Delete);
    assert_eq!(delete.in_words(), "retired, waiting for approval of the deletion");
    assert!(delete.way_on("a").unwrap().ends_with("crossfade retire a --approve-deletion"));
    assert_eq!(totals([detach, delete].into_iter()).unwrap(), "2 waiting for approval");
    run.command(retire_all());
    assert_eq!(side(&run, P::Refused), Some(OldSide::Asked), "a new one was asked for");
}
