//! What an operator's `pause`, `continue` and `abort` do to a migration.

use crate::journal::Head;
use crate::opinion::{Gate, Opinion, Vote};

/// The opinion that follows from the commands: an abort rolls back, a pause holds the next shift.
pub fn operator_opinion(head: &Head) -> Opinion {
    if head.commands.abort {
        Opinion::new(Gate::Operator, Vote::RollBack, "asked to abort")
    } else if is_paused(head) {
        Opinion::new(Gate::Operator, Vote::Hold, "paused until continue")
    } else {
        Opinion::new(Gate::Operator, Vote::GoOn, "")
    }
}

/// Whether a pause holds the next shift. It does not hold a shift that has begun.
pub fn is_paused(head: &Head) -> bool {
    head.commands.paused && head.intended_step.is_none()
}
