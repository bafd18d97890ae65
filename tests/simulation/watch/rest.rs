//! The invariants about rest: how a run ended, and whether everything says so.

use super::value::{alike, carries, taken_out};
use crate::simulation::PortFault;
use crate::simulation::case::Case;
use crate::simulation::consumers;
use crate::simulation::run::SimulatedRun;
use crate::simulation::scenario::WEIGHTS;
use crate::simulation::scenario::{Outcome, group_exists};
use crate::simulation::timers::at_once;
use crate::simulation::wiring::{MIGRATE, ROLL_BACK};
use crossfade_actions::ports::{Alarms, Routes as _};
use crossfade_domain::journal::{EventKind, Head, Phase, Trigger};
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::{ListenerArn, TargetGroupArn};
use crossfade_domain::opinion::Vote;
use crossfade_domain::plan::Plan;
use crossfade_domain::routing::drift::describe;
use crossfade_world::ledger::Items;
use crossfade_world::states::{Status, StepFunctions};
use jiff::SignedDuration;
use serde_json::Value;

/// How long after an alarm an end may still be recorded: looks and records take a moment.
const GRACE: SignedDuration = SignedDuration::from_secs(70);

/// How the run ended, by the table; a start that was refused before it left nothing there.
pub(in crate::simulation) fn outcome(run: &SimulatedRun) -> Option<Outcome> {
    match run.account.head() {
        None => Some(Outcome::Refused),
        Some(head) => match head.phase {
            Phase::Migrated => Some(Outcome::Migrated),
            Phase::RolledBack => Some(Outcome::RolledBack),
            Phase::Halted => Some(Outcome::Halted),
            Phase::Refused => Some(Outcome::Refused),
            _ => None,
        },
    }
}

/// Looks at everything once the run is over; `ended` is false when it reached its bound.
pub(in crate::simulation) fn look(run: &SimulatedRun, case: &Case, ended: bool) {
    let items = run.account.ledger.snapshot();
    let head = run.account.head();
    let outcome = outcome(run);
    let mut watch = run.account.watch();
    watch.expect(13, ended, || format!("not at rest in time: {:?}", head.as_ref().map(|head| head.phase)));
    watch.expect(13, outcome.is_some(), || {
        format!("rests in phase {:?}", head.as_ref().map(|head| (head.phase, head.reason.clone())))
    });
    drop(watch);
    consumers::at_rest(run, outcome);
    guards(run, case, &items, outcome);
    executions(run, outcome);
    routes(run, outcome);
    left_on_the_old_side(run, outcome);
    locks(run, &items, outcome);
    journal(run, &items, head.as_ref());
    observed(run, &items, outcome);
    super::probes::at_rest(run);
    let mut watch = run.account.watch();
    let rules = watch.setup.untouchable(&run.account.world);
    let before = watch.setup.policy["untouchable"].clone();
    watch.expect(4, before == Value::Array(rules.clone()), || format!("rules were changed: {before:?} -> {rules:?}"));
    let begun = head.as_ref().map(|head| head.since);
    let overlooked = watch.alarm_at.zip(watch.finished_at).filter(|(alarm, finished)| {
        begun.is_some_and(|begun| *alarm >= begun) && finished.duration_since(*alarm) > GRACE
    });
    watch.expect(9, overlooked.is_none(), || format!("an alarm fired and the migration finished: {overlooked:?}"));
    let left = watch.is_unsafe() && outcome != Some(Outcome::Halted);
    watch.expect(6, !left, || "an alarm fired and the new side still has traffic".to_owned());
}

fn executions(run: &SimulatedRun, outcome: Option<Outcome>) {
    let mut watch = run.account.watch();
    for machine in [MIGRATE, ROLL_BACK] {
        let running = |states: &mut StepFunctions| states.list_executions(machine, Some(Status::Running), 100, None);
        let running = run.account.machines.with(running).unwrap();
        watch.expect(13, running.elements.is_empty(), || format!("{} executions still run", running.elements.len()));
    }
    // Whoever resumed it wrote down the execution that owns it now, and may not have come to start it.
    let head = run.account.head();
    let owner = head.as_ref().map(|head| head.execution.clone());
    let main = run.account.machines.with(|states| {
        let owner = owner.and_then(|owner| states.describe(&owner).ok().cloned());
        owner.unwrap_or_else(|| states.describe(&run.execution).unwrap().clone())
    });
    let succeeded = main.status == Status::Succeeded;
    let after_the_end = head.and_then(|head| head.rollback).is_some_and(|rollback| rollback.after_the_end);
    watch.expect(13, !succeeded || after_the_end || outcome == Some(Outcome::Migrated), || {
        format!("the execution succeeded and the migration is {outcome:?}")
    });
    let told = matches!(main.error.as_deref(), Some("RolledBack"));
    // The second look at a migration that was refused finds what it looks for: nothing was changed.
    watch.expect(13, !told || matches!(outcome, Some(Outcome::RolledBack | Outcome::Refused)), || {
        format!("the execution says RolledBack and the migration is {outcome:?}")
    });
}

fn routes(run: &SimulatedRun, outcome: Option<Outcome>) {
    let last = u32::try_from(WEIGHTS.len() - 1).unwrap();
    let mut watch = run.account.watch();
    let groups = watch.groups().clone();
    let edited_later = watch.edited_after_the_end.clone();
    let values: Vec<_> = watch
        .values()
        .map(|seen| (seen.route.clone(), seen.live.to_vec(), seen.baseline.to_vec(), seen.edit.cloned(), seen.accepted))
        .collect();
    for (route, watched, baseline, edit, accepted) in values {
        let live = run.account.live(&route).unwrap_or_default();
        watch.expect(1, equivalent(&live, &watched), || format!("{} changed unseen", route.describe()));
        let value = carries(&baseline, &live, &groups, &WEIGHTS);
        let without_ours = edit.as_ref().is_some_and(|edit| {
            taken_out(edit, &groups).map_or_else(|| equivalent(edit, &live), |left| alike(&left, &live))
        });
        let fits = match outcome {
            Some(Outcome::Migrated) => value.is_step(last) || edited_later.contains(&route),
            // What somebody accepted is as good as a baseline, in the plan's own scale.
            Some(Outcome::RolledBack | Outcome::Refused) => {
                equivalent(&live, &baseline) || without_ours || (accepted && alike(&live, &baseline))
            }
            Some(Outcome::Halted) | None => true,
        };
        watch.expect(3, fits, || format!("{outcome:?}, and {} carries {}", route.describe(), describe(&live)));
    }
    // A migration that is taken back leaves the groups that the one before it has made.
    let first = run.account.head().is_none_or(|head| head.attempt == 1);
    if outcome == Some(Outcome::Refused) && first {
        let late = watch.late_groups();
        let names: Vec<String> =
            groups.iter().filter(|group| !late.contains(group)).map(|group| group.name().to_owned()).collect();
        let names: Vec<String> =
            names.into_iter().filter(|name| !late.iter().any(|group| group.name() == name)).collect();
        let left: Vec<&String> = names.iter().filter(|name| group_exists(&run.account.world, name)).collect();
        watch.expect(13, left.is_empty(), || format!("refused, and groups are left: {left:?}"));
    }
}

/// Where every route of the service's load balancers sends its traffic, somebody's new rules as well: a migration that
/// ends says that all of it has moved.
fn left_on_the_old_side(run: &SimulatedRun, outcome: Option<Outcome>) {
    let world = &run.account.world;
    let mut watch = run.account.watch();
    let listeners = watch.setup.listeners().into_iter().map(|listener| ListenerArn::parse(listener).unwrap());
    let routes: Vec<_> = listeners.flat_map(|listener| at_once(world.routes(&listener)).unwrap()).collect();
    let old = watch.setup.old.clone();
    let has_traffic = |group| {
        routes.iter().filter_map(|route| forward_of(&route.actions)).any(|forward| forward.weight_of(group) > Some(0))
    };
    let left: Vec<&str> = old.iter().filter(|group| has_traffic(*group)).map(TargetGroupArn::name).collect();
    let whole = outcome != Some(Outcome::Migrated) || left.is_empty();
    watch.expect(3, whole, || format!("migrated, and routes send traffic to {left:?}"));
}

fn locks(run: &SimulatedRun, items: &Items, outcome: Option<Outcome>) {
    let mut watch = run.account.watch();
    let kept = outcome == Some(Outcome::Halted);
    let wanted = if kept { watch.setup.routes.len() } else { 0 };
    let held = items.held().count();
    watch.expect(8, held == wanted, || format!("{outcome:?} with {held} locks, expected {wanted}"));
    let guarded = items.guards.len();
    watch.expect(13, (guarded > 0) == kept, || format!("{outcome:?} with {guarded} alarms that guard it"));
}

/// Our own alarms go with the migration, unless it halted. What a call that hung puts after its caller's end is for
/// nobody to know, what may not be deleted stays, and two faults may keep the end from being tried again.
fn guards(run: &SimulatedRun, case: &Case, items: &Items, outcome: Option<Outcome>) {
    let faults = &case.faults;
    if faults.len() > 1 || faults.values().any(|fault| matches!(fault, PortFault::Hangs | PortFault::Denied)) {
        return;
    }
    let names: Vec<String> = items.plans.values().flat_map(Plan::guard_names).collect();
    let left = at_once(Alarms::alarms(&*run.account.world, &names)).unwrap();
    let wanted = if outcome == Some(Outcome::Halted) { names.len() } else { 0 };
    let mut watch = run.account.watch();
    watch.expect(13, left.len() == wanted, || format!("{outcome:?} with {} guard alarms of {names:?}", left.len()));
}

/// An alarm that only observes moves nothing, and the journal has what it would have done.
fn observed(run: &SimulatedRun, items: &Items, outcome: Option<Outcome>) {
    let mut watch = run.account.watch();
    if !watch.setup.alarms_observe() {
        return;
    }
    let events: Vec<&EventKind> = items.journals.values().flatten().map(|event| &event.kind).collect();
    let rolled_back = |kind: &&EventKind| matches!(kind, EventKind::RollbackBegun { trigger: Trigger::AlarmEvent, .. });
    let moved = events.iter().any(rolled_back);
    watch.expect(9, !moved, || "an alarm that only observes rolled back".to_owned());
    let fired = |kind: &&EventKind| matches!(kind, EventKind::Observed { vote: Vote::RollBack, .. });
    let recorded = outcome != Some(Outcome::Migrated) || events.iter().any(fired);
    watch.expect(9, recorded, || "an alarm fired, and the journal does not say what it would have done".to_owned());
}

/// Every line told again leads to the stored head.
fn journal(run: &SimulatedRun, items: &Items, head: Option<&Head>) {
    let Some(head) = head else { return };
    let mut watch = run.account.watch();
    let journal = &items.journals[&head.migration];
    let first =
        Head::first(head.service.clone(), head.attempt, journal[0].generation, head.execution.clone(), head.since);
    let told = journal.iter().try_fold(first, |head, event| head.apply(event));
    watch.expect(13, told.as_ref() == Ok(head), || format!("the journal leads to {told:?}, the head is {head:?}"));
    let halted_says_why = head.phase != Phase::Halted || head.reason.as_ref().is_some_and(|reason| reason.len() > 10);
    watch.expect(13, halted_says_why, || "halted without a reason".to_owned());
}
