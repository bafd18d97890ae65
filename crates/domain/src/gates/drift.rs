//! The opinion about drift: of the routes of the plan, and of routes that the plan does not have.

use crate::names::ServiceName;
use crate::opinion::{Gate, Opinion, Vote};
use crate::policy::service_policy::OnDrift;
use crate::routing::drift::Drift;
use crate::routing::stray::{StrayRoute, describe};

/// What an operator can do about drift over which a migration has halted.
pub const ADVICE: &str = "; nothing was overwritten: put the route back and resume, resume with acceptDrift, or roll \
                          back. CloudTrail's events ModifyRule and ModifyListener name who did it";

/// What an operator can do about routes outside the plan over which a migration has halted.
pub fn stray_advice(service: &ServiceName) -> String {
    format!(
        "; the migration moves only the routes of its plan, so not all traffic would move: take the route out and \
         continue with `crossfade resume {service}`, or roll back with `crossfade rollback {service}` and start again, \
         so that the plan includes it"
    )
}

/// What is said of routes outside the plan, without advice.
pub fn stray_reason(strays: &[StrayRoute]) -> String {
    format!("not in the plan: {}", describe(strays))
}

/// Votes to halt or to roll back, as the policy says, when a route outside the plan sends traffic to a group of the
/// migration.
pub fn stray_opinion(read: &Result<Vec<StrayRoute>, String>, on_drift: OnDrift, service: &ServiceName) -> Opinion {
    match read {
        Err(error) => Opinion::unreadable(Gate::Drift, error),
        Ok(strays) if strays.is_empty() => Opinion::new(Gate::Drift, Vote::GoOn, ""),
        Ok(strays) => {
            let vote = vote(on_drift);
            let advice = if vote == Vote::Halt { stray_advice(service) } else { String::new() };
            Opinion::new(Gate::Drift, vote, format!("{}{advice}", stray_reason(strays)))
        }
    }
}

fn vote(on_drift: OnDrift) -> Vote {
    match on_drift {
        OnDrift::Halt => Vote::Halt,
        OnDrift::Rollback => Vote::RollBack,
    }
}

/// Votes to halt or to roll back, as the policy says, when someone else has changed a route.
pub fn drift_opinion(read: &Result<Vec<Drift>, String>, on_drift: OnDrift) -> Opinion {
    match read {
        Err(error) => Opinion::unreadable(Gate::Drift, error),
        Ok(drifts) if drifts.is_empty() => Opinion::new(Gate::Drift, Vote::GoOn, ""),
        Ok(drifts) => {
            let vote = vote(on_drift);
            let seen = drifts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let advice = if vote == Vote::Halt { ADVICE } else { "" };
            Opinion::new(Gate::Drift, vote, format!("{seen}{advice}"))
        }
    }
}
