//! Who may roll back what from which phase.

use crate::journal::{Head, Phase, Trigger};
use crate::opinion::Gate;
use crate::plan::Plan;
use jiff::Timestamp;

/// Why a migration is rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who asks for it.
    pub trigger: Trigger,
    /// Why, as an operator reads it.
    pub cause: String,
    /// When the cause arose.
    pub caused_at: Timestamp,
}

impl Cause {
    /// Whether this may move a halted migration's traffic. Alarms, unhealthy targets and operators may. The sweep and a
    /// failed step may not: every halt ends its execution, so a dead execution proves nothing.
    pub fn may_move_halted(&self) -> bool {
        matches!(self.trigger, Trigger::AlarmEvent | Trigger::Health | Trigger::Operator)
    }
}

/// What a rollback may do with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Begin: fence off everything that moves the migration up.
    Begin,
    /// The service has migrated and holds no lock: take the locks again, and begin in the same write.
    Retake,
    /// One is under way: join it.
    Join,
    /// It has halted, and this cause may not move it: an operator decides.
    LeftToAPerson,
    /// It is over: there is nothing to return.
    Over,
}

/// Whether a gate that wants a rollback only observes, so that its wish is recorded and nothing else. Once a rollback
/// was begun, by whomever, every gate may take it up again.
pub fn only_observes(gate: &Gate, plan: &Plan, head: &Head) -> bool {
    plan.policy.gates.observes(gate) && head.rollback.is_none()
}

/// Whether a rollback with this cause may begin in a phase.
pub fn admission(phase: Phase, cause: &Cause) -> Admission {
    match phase {
        Phase::Halted if !cause.may_move_halted() => Admission::LeftToAPerson,
        Phase::Planned | Phase::Moving | Phase::Halted => Admission::Begin,
        Phase::RollingBack | Phase::Settling => Admission::Join,
        // An alarm, the sweep or a failed step is about traffic that was on its way, and none is any more.
        Phase::Migrated if cause.trigger == Trigger::Operator => Admission::Retake,
        Phase::RolledBack | Phase::Migrated | Phase::Refused => Admission::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halted_migration_is_moved_by_alarms_health_and_operators_alone() {
        let cause = |trigger| Cause { trigger, cause: String::new(), caused_at: Timestamp::UNIX_EPOCH };
        for (trigger, expected) in [
            (Trigger::AlarmEvent, Admission::Begin),
            (Trigger::Health, Admission::Begin),
            (Trigger::Operator, Admission::Begin),
            (Trigger::CheckAlarms, Admission::LeftToAPerson),
            (Trigger::OutsideGate, Admission::LeftToAPerson),
            (Trigger::Sweep, Admission::LeftToAPerson),
            (Trigger::Stopped, Admission::LeftToAPerson),
            (Trigger::Failure, Admission::LeftToAPerson),
        ] {
            assert_eq!(admission(Phase::Halted, &cause(trigger)), expected, "{trigger:?}");
            assert_eq!(admission(Phase::Moving, &cause(trigger)), Admission::Begin);
            assert_eq!(admission(Phase::Settling, &cause(trigger)), Admission::Join);
        }
    }

    #[test]
    fn invariant_13_a_migrated_service_is_moved_by_operators_alone() {
        for trigger in Trigger::ALL {
            let cause = Cause { trigger, cause: String::new(), caused_at: Timestamp::UNIX_EPOCH };
            let expected = if trigger == Trigger::Operator { Admission::Retake } else { Admission::Over };
            assert_eq!(admission(Phase::Migrated, &cause), expected, "{trigger:?}");
        }
    }
}
