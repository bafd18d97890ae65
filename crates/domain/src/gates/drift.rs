//! The opinion about drift.

use crate::gates::opinion::{Gate, Opinion, Vote};
use crate::policy::service_policy::OnDrift;
use crate::routing::drift::Drift;

/// What an operator can do about drift over which a migration has halted.
pub const ADVICE: &str = "; nothing was overwritten: put the route back and resume, resume with acceptDrift, or roll \
                          back. CloudTrail's events ModifyRule and ModifyListener name who did it";

/// Votes to halt or to roll back, as the policy says, when someone else has changed a route.
pub fn drift_opinion(read: &Result<Vec<Drift>, String>, on_drift: OnDrift) -> Opinion {
    match read {
        Err(error) => Opinion::unreadable(Gate::Drift, error),
        Ok(drifts) if drifts.is_empty() => Opinion::new(Gate::Drift, Vote::GoOn, ""),
        Ok(drifts) => {
            let vote = match on_drift {
                OnDrift::Halt => Vote::Halt,
                OnDrift::Rollback => Vote::RollBack,
            };
            let seen = drifts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let advice = if vote == Vote::Halt { ADVICE } else { "" };
            Opinion::new(Gate::Drift, vote, format!("{seen}{advice}"))
        }
    }
}
