//! The one table of transitions: which event may follow in which phase, and the head that it leads to.

use super::commands::Commands;
use super::cursor::NextStep;
use super::event::{Event, EventKind};
use super::head::{Head, Phase};
use super::hook::{HookCall, HookPoint};
use super::probe_round::{OfferedRule, ProbeReport, ProbeRound};
use super::rollback::{Rollback, Trigger};
use crate::load_balancer::route::RouteId;
use crate::names::{ListenerArn, MigrationId};
use crate::opinion::Observation;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An event that cannot happen in a phase.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("event {event} cannot happen in phase {phase:?} of migration {migration}")]
pub struct TransitionError {
    /// The event.
    pub event: String,
    /// The phase.
    pub phase: Phase,
    /// The migration.
    pub migration: MigrationId,
}

impl Head {
    /// The transition table: the head that an event leads to.
    ///
    /// # Errors
    /// The event cannot happen in this phase.
    pub fn apply(&self, event: &Event) -> Result<Self, TransitionError> {
        use EventKind as E;
        use Phase as P;
        let mut next = self.clone();
        next.sequence = event.sequence;
        match (self.phase, &event.kind) {
            (P::Planned, E::Planned { .. })
            | (P::Moving, E::UnlistedTargetsFound { .. })
            | (P::Migrated | P::RolledBack, E::RequestsCounted { .. } | E::RequestsNotCounted { .. }) => {}
            (P::RollingBack | P::Settling, E::ForeignEditKept { route, requests, seen }) => {
                next.keep_foreign_edit(route, requests, seen);
            }
            (P::Planned, E::GroupsCreated { groups }) => next.new_groups.clone_from(groups),
            (P::Planned, E::GuardsCreated { .. }) => next.guarded = true,
            (P::Planned | P::Moving, E::ShiftIntended { step, .. }) => {
                next.phase = P::Moving;
                next.closed_since = None;
                next.intended_step = Some(*step);
            }
            (P::Moving, E::Shifted { step, .. }) => {
                next.intended_step = None;
                next.verified_step = Some(*step);
                next.verified_at = Some(event.at);
                next.held_since = None;
                next.accepting = false;
            }
            (P::Moving, E::TargetsRegistered { .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
            }
            (P::Moving, E::TargetsChecked { healthy, .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
                next.healthy_reads = if *healthy { self.healthy_reads + 1 } else { 0 };
            }
            (P::Moving, E::ProbesBegun { listeners }) => next.begin_probes(listeners),
            (P::Moving, E::ProbesOffered { rules, left_out }) => next.offer_probes(rules, left_out, event),
            (P::Moving, E::ProbesReported { round, report }) if self.waits_for(*round) => next.report_probes(report),
            (P::Moving, E::Probed { passed, .. }) => next.end_probes(*passed),
            (P::Moving | P::Halted | P::RollingBack | P::Settling, E::ProbeRulesDeleted) => next.forget_probe_rules(),
            (P::Planned, E::Judged { verdict: verdict @ NextStep::Closed, reason })
            | (P::Moving, E::Judged { verdict, reason }) => next.judge(*verdict, reason, event.at),
            (P::Planned | P::Moving | P::Halted, E::Observed { gate, vote, caused_at, .. }) => {
                next.observed.insert(gate.clone(), Observation { vote: *vote, caused_at: *caused_at });
            }
            (P::Moving | P::Settling, E::HookCalled { point, step, function, execution }) => {
                next.hook = Some(HookCall {
                    point: *point,
                    step: *step,
                    function: function.clone(),
                    execution: execution.clone(),
                    called_at: event.at,
                    answered: false,
                });
            }
            (P::Moving | P::Settling, E::HookAnswered { point, step, .. })
                if self.hook.as_ref().is_some_and(|call| call.is(*point, *step)) =>
            {
                next.hook = self.hook.clone().map(|call| HookCall { answered: true, ..call });
            }
            (P::Planned | P::Moving | P::Halted, E::Commanded { commands, reason }) => next.command(commands, reason),
            (phase, E::RollbackBegun { trigger, cause, caused_at }) if may_begin(phase, *trigger) => {
                next.begin_rollback(Rollback {
                    trigger: *trigger,
                    cause: cause.clone(),
                    caused_at: *caused_at,
                    begun_at: event.at,
                    returned_at: None,
                    left: BTreeMap::new(),
                    left_requests: BTreeMap::new(),
                    after_the_end: self.is_rolled_back_after_the_end(),
                });
            }
            (P::RollingBack | P::Settling, E::RoutesReturned { .. }) => {
                next.phase = P::Settling;
                if let Some(rollback) = &mut next.rollback {
                    rollback.returned_at = rollback.returned_at.or(Some(event.at));
                }
            }
            (P::Settling, E::RollbackVerified { left, .. }) => next.end_rollback(*left),
            (P::Moving, E::Finished { .. }) => next.phase = P::Migrated,
            (P::Planned | P::Moving | P::RollingBack | P::Settling, E::Halted { reason }) => {
                next.phase = P::Halted;
                next.halted_at = Some(event.at);
                next.reason = Some(reason.clone());
            }
            // What a rollback left is never taken up again.
            (P::Halted, E::Resumed { execution, who, accepted }) if self.rollback.is_none() => {
                next.resume(execution, who, !accepted.is_empty(), event.at);
            }
            (P::Planned, E::Refused { reason }) => {
                next.phase = P::Refused;
                next.reason = Some(reason.clone());
            }
            _ => {
                return Err(TransitionError {
                    event: format!("{:?}", event.kind),
                    phase: self.phase,
                    migration: self.migration.clone(),
                });
            }
        }
        Ok(next)
    }

    fn keep_foreign_edit(&mut self, route: &RouteId, requests: &str, seen: &str) {
        if let Some(rollback) = &mut self.rollback {
            rollback.left.insert(route.clone(), seen.to_owned());
            rollback.left_requests.insert(route.clone(), requests.to_owned());
        }
    }

    /// What an earlier attempt may have left stays known.
    fn begin_probes(&mut self, listeners: &[ListenerArn]) {
        let new = listeners.iter().filter(|listener| !self.probing.contains(listener)).cloned();
        let new: Vec<ListenerArn> = new.collect();
        self.probing.extend(new);
    }

    /// Whether a command outside may report on this round, and none has.
    fn waits_for(&self, round: u64) -> bool {
        self.probe_round.as_ref().is_some_and(|open| open.number == round && open.report.is_none())
    }

    /// Another round takes the place of an earlier one, and its time.
    fn offer_probes(&mut self, rules: &[OfferedRule], left_out: &[String], event: &Event) {
        self.probe_round = Some(Box::new(ProbeRound {
            number: event.sequence,
            since: self.probe_round.as_ref().map_or(event.at, |earlier| earlier.since),
            rules: rules.to_vec(),
            left_out: left_out.to_vec(),
            report: None,
        }));
    }

    fn report_probes(&mut self, report: &ProbeReport) {
        self.probe_round.iter_mut().for_each(|open| open.report = Some(report.clone()));
    }

    fn end_probes(&mut self, passed: bool) {
        self.forget_probe_rules();
        self.probed = passed;
    }

    fn forget_probe_rules(&mut self) {
        self.probing.clear();
        self.probe_round = None;
    }

    fn judge(&mut self, verdict: NextStep, reason: &str, at: Timestamp) {
        if verdict == NextStep::RollBack {
            self.rollback_decided.get_or_insert_with(|| reason.to_owned());
        }
        self.closed_since = (verdict == NextStep::Closed).then(|| self.closed_since.unwrap_or(at));
        self.held_since = match verdict {
            NextStep::Hold | NextStep::Approval => self.held_since.or(Some(at)),
            // Not a shift yet: if it is held again, the time continues to count, so `maxHold` ends it.
            NextStep::Advance => self.held_since,
            _ => None,
        };
    }

    /// Whether a rollback that begins now is one of a service that has migrated, or continues one.
    fn is_rolled_back_after_the_end(&self) -> bool {
        self.phase == Phase::Migrated || self.rollback.as_ref().is_some_and(|rollback| rollback.after_the_end)
    }

    /// Fences off what moves the migration up. A rollback after the end stores a revision of the plan, which has the
    /// routes that came since.
    fn begin_rollback(&mut self, rollback: Rollback) {
        self.generation += 1;
        if self.phase == Phase::Migrated {
            self.plan_revision = Some(self.generation);
        }
        self.phase = Phase::RollingBack;
        // Every rollback calls its own; one of the way up is kept, because it may be running still.
        self.hook = self.hook.take().filter(|call| call.point != HookPoint::AfterRollback);
        self.rollback = Some(rollback);
    }

    /// Every route was seen back, or as someone else left it: `left` counts the latter.
    fn end_rollback(&mut self, left: u32) {
        if left == 0 {
            // Whoever changed a route has put it back meanwhile.
            self.rollback.iter_mut().for_each(|rollback| rollback.left.clear());
        }
        self.phase = Phase::RolledBack;
        self.intended_step = None;
        self.verified_step = None;
        self.reason = self.rollback.as_ref().map(|rollback| match rollback.left_alone() {
            Some(left) => format!("{}; {left}", rollback.cause),
            None => rollback.cause.clone(),
        });
    }

    fn command(&mut self, commands: &Commands, reason: &str) {
        self.commands = commands.clone();
        self.commanded = Some(reason.to_owned());
    }

    /// Fences off what moved the migration before it halted, hands it to another execution and forgets what the halt
    /// left. The step bakes again, and new targets are checked again: no one checked them during the halt.
    fn resume(&mut self, execution: &str, who: &str, revised: bool, at: Timestamp) {
        self.commanded = Some(format!("Resume by {who}"));
        self.generation += 1;
        execution.clone_into(&mut self.execution);
        self.resumed_at = Some(at);
        let touched = self.verified_step.is_some() || self.intended_step.is_some();
        self.phase = if touched { Phase::Moving } else { Phase::Planned };
        self.verified_at = self.verified_step.map(|_| at);
        self.held_since = None;
        self.closed_since = None;
        self.rollback_decided = None;
        self.waiting_since = None;
        self.healthy_reads = 0;
        self.probed &= self.verified_step > Some(0);
        self.commands.paused = false;
        self.commands.abort = false;
        self.reason = None;
        if revised {
            self.plan_revision = Some(self.generation);
            self.accepting = true;
            // The revised routes have to be brought to the recorded step.
            self.intended_step = self.intended_step.or(self.verified_step);
        }
    }
}

/// Whether a rollback may begin in a phase. A migration that has ended holds no lock, so only an operator begins one
/// then: an alarm, the sweep or a failed step is about traffic that is no longer on its way.
fn may_begin(phase: Phase, trigger: Trigger) -> bool {
    match phase {
        Phase::Planned | Phase::Moving | Phase::Halted => true,
        Phase::Migrated => trigger == Trigger::Operator,
        Phase::RollingBack | Phase::Settling | Phase::RolledBack | Phase::Refused => false,
    }
}
