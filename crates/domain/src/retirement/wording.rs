//! A retirement in words: a line of its journal, and where it stands.

use super::event::RetirementEventKind as Kind;
use super::head::{Retirement, RetirementPhase as Phase};
use super::{Feed, GroupRecord, RetirementEvent};
use crate::journal::wording::counted;
use crate::load_balancer::membership::named;
use jiff::{SignedDuration, Timestamp};

/// A line of a retirement's journal, as a person reads it next to those of the migration.
pub fn retirement_line(event: &RetirementEvent) -> String {
    let number = event.number;
    format!("retirement {number}: {}", what(&event.kind))
}

fn what(kind: &Kind) -> String {
    match kind {
        Kind::Begun { plan, who, .. } => {
            format!("begun by {who}: until {}, {}", plan.terms.until.as_str(), counted(plan.groups.len(), "old group"))
        }
        Kind::Entered { execution } => format!("execution {} has joined", name_of(execution)),
        Kind::Continued { execution, why } => format!("{why}; execution {} continues", name_of(execution)),
        Kind::Rested => "it has come as far as it was asked to go".to_owned(),
        Kind::HookCalled { function, .. } => format!("calling {function}"),
        Kind::HookAnswered { answer } => format!("the hook answered: {answer}"),
        Kind::ApprovalAwaited { what } => format!("waits for an approval of {}", what.in_words()),
        Kind::ApprovalNotAwaited => "waits for no approval any more".to_owned(),
        Kind::Approved { what, accepted, who } => {
            let what = what.in_words();
            let breaks = if accepted.is_empty() { String::new() } else { format!("; breaks: {}", accepted.join("; ")) };
            format!("{who} approved {what}{breaks}")
        }
        Kind::DetachIntended { proof, .. } => format!("taking the old groups out of their routes: {proof}"),
        Kind::Detached => "no route names the old groups; the load balancers are watched".to_owned(),
        Kind::DeregisterIntended { records } => {
            let targets: usize = records.iter().map(|record| record.targets.len()).sum();
            format!("deregistering {}", counted(targets, "target"))
        }
        Kind::TargetsFound { found } => {
            let found = found.iter().map(|(group, targets)| format!("{} in {}", named(targets), group.name()));
            format!("someone registered {}", found.collect::<Vec<_>>().join(", "))
        }
        Kind::FeedsFound { feeds } => {
            let feeds: Vec<String> = feeds.iter().map(Feed::describe).collect();
            format!("detaching Auto Scaling groups: {}", feeds.join(", "))
        }
        Kind::Deregistered => "the old groups have no targets".to_owned(),
        Kind::Waived { waive, who } => {
            let waived = waive.iter().map(|one| format!("{}: {}", one.evidence.as_str(), one.why));
            format!("{who} waived {}", waived.collect::<Vec<_>>().join("; "))
        }
        Kind::UntilRaised { until, who } => format!("{who} asked for it until {}", until.as_str()),
        Kind::DeleteIntended { records } => format!("deleting {}", names(records)),
        Kind::Deleted => "the old groups are deleted".to_owned(),
        Kind::DeletionGivenUp { reason } => format!("the deletion was given up: {reason}"),
        Kind::UndoBegun { reason } => format!("bringing the old side back: {reason}"),
        Kind::Returned => "the old side is back; a last look follows".to_owned(),
        Kind::Undone { left } if left.is_empty() => "undone: the old side is as it was".to_owned(),
        Kind::Undone { left } => format!("HALTED, not returned: {}", left.join("; ")),
        Kind::Refused { reason } => format!("refused, and nothing was changed: {reason}"),
    }
}

/// The change that needs a person, with its reason.
pub fn retirement_announcement(event: &RetirementEvent) -> Option<(&'static str, String)> {
    match &event.kind {
        Kind::Undone { left } if !left.is_empty() => Some(("halted", left.join("; "))),
        _ => None,
    }
}

/// The name of an execution.
fn name_of(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

fn names(records: &[GroupRecord]) -> String {
    records.iter().map(|record| record.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Retirement {
    /// Where it stands, for the line of a migrated service; none where it has changed nothing, and rests.
    pub fn standing(&self, now: Timestamp) -> Option<String> {
        let kept_until = self.plan.zero_since + SignedDuration::from_secs(i64::from(self.plan.terms.keep_old_seconds));
        let why = || self.reason.as_deref().unwrap_or("no reason was recorded");
        let awaited = self.to_approve.map(|what| format!("waits for {}", what.command(self.service.as_str())));
        Some(match self.phase {
            Phase::Proving if now < kept_until => format!("resting until {kept_until}"),
            Phase::Proving => awaited.unwrap_or_else(|| "the old side is being proven idle".to_owned()),
            Phase::Detaching => "the old side is being detached".to_owned(),
            Phase::Watching => "detached".to_owned(),
            Phase::Deregistering => "detached, its targets are being deregistered".to_owned(),
            Phase::Deregistered => awaited.map_or_else(
                || "retired, the old groups are left".to_owned(),
                |awaited| format!("retired, the deletion {awaited}"),
            ),
            Phase::Deleting => "retired, the old groups are being deleted".to_owned(),
            Phase::Deleted => "retired".to_owned(),
            Phase::Undoing => format!("the old side is on its way back: {}", why()),
            Phase::Halted => format!("retirement halted: {}", why()),
            Phase::Undone | Phase::Refused => return None,
        })
    }
}
