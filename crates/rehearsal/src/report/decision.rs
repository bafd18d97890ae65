//! Finds which gate decided how a migration ended, and why.

use crate::scenario::Outcome;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{Event, EventKind, Head, Trigger};
use crossfade_domain::opinion::Gate;
use jiff::Timestamp;
use serde::Serialize;

/// Who decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The gate; `None` if no gate decided, as in a sweep.
    pub gate: Option<Gate>,
    /// Its reason, in a sentence.
    pub sentence: String,
}

/// Returns what decided: the cause of a rollback, or the reason of a halt or a refusal. For a completed migration, it
/// is the reason of the last step up, at which the new cluster was still compared with the old one. If `hold_expected`,
/// it is the reason of the longest hold. `last` is the execution's last reason.
pub(crate) fn decision(
    outcome: Outcome,
    head: Option<&Head>,
    journal: &[Event],
    last: &str,
    hold_expected: bool,
) -> Decision {
    let rollback = head.and_then(|head| head.rollback.as_ref());
    match (outcome, rollback) {
        (Outcome::RolledBack, Some(rollback)) => match rollback.trigger {
            Trigger::AlarmEvent => Decision { gate: Some(Gate::Alarms), sentence: rollback.cause.clone() },
            Trigger::Health => Decision { gate: Some(Gate::Health), sentence: rollback.cause.clone() },
            Trigger::CheckAlarms | Trigger::OutsideGate | Trigger::Operator => spoken(&rollback.cause),
            Trigger::Sweep | Trigger::Stopped | Trigger::Failure => {
                Decision { gate: None, sentence: rollback.cause.clone() }
            }
        },
        (Outcome::Migrated, _) => arrived(journal, hold_expected).unwrap_or_else(|| spoken(last)),
        _ => spoken(head.and_then(|head| head.reason.as_deref()).unwrap_or(last)),
    }
}

fn arrived(journal: &[Event], hold_expected: bool) -> Option<Decision> {
    if hold_expected && let Some(longest) = longest_hold(journal) {
        return Some(longest);
    }
    let advanced = journal.iter().rev().find_map(|event| match &event.kind {
        EventKind::Judged { verdict: NextStep::Advance, reason, .. } => Some(reason),
        _ => None,
    })?;
    // A step that a gate starts early carries the gate's name; otherwise the schedule decides.
    let decision = spoken(advanced);
    Some(Decision { gate: decision.gate.or(Some(Gate::Schedule)), ..decision })
}

/// Returns the reason of the longest hold.
pub(crate) fn longest_hold(journal: &[Event]) -> Option<Decision> {
    let longest = holds(journal).max_by(|(_, one), (_, other)| one.total_cmp(other));
    longest.map(|(reason, _)| spoken(reason))
}

/// Splits the gate's name off a sentence, which every gate's reason begins with.
fn spoken(sentence: &str) -> Decision {
    let gate = sentence.split_once(": ").and_then(|(gate, _)| serde_json::from_value(gate.into()).ok());
    Decision { gate, sentence: sentence.to_owned() }
}

/// World seconds from the first fault until a rollback began or the migration halted.
pub(crate) fn noticed_seconds(wrong_since: Option<Timestamp>, journal: &[Event]) -> Option<f64> {
    let noticed = journal.iter().find_map(|event| {
        let noticed = matches!(event.kind, EventKind::RollbackBegun { .. } | EventKind::Halted { .. });
        noticed.then_some(event.at)
    })?;
    Some(noticed.duration_since(wrong_since?).as_secs_f64())
}

/// World seconds for which steps were held.
pub(crate) fn held_seconds(journal: &[Event]) -> f64 {
    // Not `sum`, which is -0 where nothing was held.
    holds(journal).fold(0.0, |sum, (_, seconds)| sum + seconds)
}

/// Returns the holds and their world seconds, each from the hold, which is recorded once, to the next record.
fn holds(journal: &[Event]) -> impl Iterator<Item = (&str, f64)> {
    journal.windows(2).filter_map(|pair| match &pair[0].kind {
        EventKind::Judged { verdict: NextStep::Hold, reason, .. } => {
            Some((reason.as_str(), pair[1].at.duration_since(pair[0].at).as_secs_f64()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::journal::RECORD_VERSION;
    use crossfade_domain::names::{MigrationId, ServiceName};

    fn event(minute: i64, kind: EventKind) -> Event {
        let migration = MigrationId::of(&ServiceName::parse("users".to_owned()).unwrap(), 1);
        let at = Timestamp::from_second(minute * 60).unwrap();
        Event { version: RECORD_VERSION, sequence: 1, at, migration, generation: 1, kind }
    }

    fn judged(minute: i64, verdict: NextStep, reason: &str) -> Event {
        event(
            minute,
            serde_json::from_value(serde_json::json!({"event": "judged", "verdict": verdict, "reason": reason}))
                .unwrap(),
        )
    }

    #[test]
    fn a_migration_that_arrived_is_remembered_for_its_last_step_or_for_a_hold_that_was_expected() {
        let mut journal = vec![
            judged(10, NextStep::Advance, "baked 10m at 10 %, on to 50 % (judge: fine)"),
            judged(20, NextStep::Hold, "judge: inconclusive at the end of the bake: too early"),
            judged(26, NextStep::Advance, "baked 10m at 50 %, on to 100 % (judge: fine)"),
            judged(36, NextStep::Finish, "baked 10m at 100 %, the last step"),
        ];
        let short = [
            judged(36, NextStep::Hold, "alarms: could not be read: no answer within 30 s"),
            judged(37, NextStep::Finish, "baked 10m at 100 %, the last step"),
        ];
        journal.splice(3.., short);
        let held = decision(Outcome::Migrated, None, &journal, "", true);
        assert_eq!(held.gate, Some(Gate::Judge));
        assert_eq!(decision(Outcome::Migrated, None, &journal, "", false).gate, Some(Gate::Schedule));
        assert!((held_seconds(&journal) - 420.0).abs() < 1e-9);
        journal.retain(|event| !matches!(event.kind, EventKind::Judged { verdict: NextStep::Hold, .. }));
        let plain = decision(Outcome::Migrated, None, &journal, "", true);
        assert_eq!(
            (plain.gate, plain.sentence.as_str()),
            (Some(Gate::Schedule), "baked 10m at 50 %, on to 100 % (judge: fine)")
        );
        assert!(held_seconds(&journal).abs() < 1e-9);
    }

    #[test]
    fn what_went_wrong_is_noticed_when_a_rollback_begins() {
        let begun = EventKind::RollbackBegun {
            trigger: Trigger::CheckAlarms,
            cause: "judge: new cluster fails".to_owned(),
            caused_at: Timestamp::UNIX_EPOCH,
        };
        let journal = [judged(5, NextStep::RollBack, "judge: new cluster fails"), event(6, begun)];
        let wrong_since = Some(Timestamp::from_second(120).unwrap());
        assert_eq!(noticed_seconds(wrong_since, &journal), Some(240.0));
        assert_eq!(noticed_seconds(None, &journal), None);
        assert_eq!(noticed_seconds(wrong_since, &journal[..1]), None);
        assert_eq!(spoken("weather: it rains").gate, None);
    }
}
