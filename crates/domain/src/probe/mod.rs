//! Probes: the new side is tried before a user reaches it.
//!
//! A temporary rule sends requests with a secret header to the new group, which is attached at weight 0. The old side
//! is asked the same through the normal route, twice: what differs between two answers of the old side is noise. `rule`
//! plans the rules and the requests, `answer` takes an answer apart, `compare` gives the verdict on one request, and
//! `report` combines the verdicts.
//!
//! **Invariant:** probes pass only where every path of the policy was asked and compared. What could not be asked, or
//! not be compared, is no evidence.

mod answer;
mod compare;
mod report;
mod rule;

pub use answer::{Answer, LONGEST_BODY};
pub use compare::{Difference, ROUNDS, Round, Verdict, compare};
pub use report::{Outcome, Report};
pub use rule::{HEADER, ProbePlan, ProbeRequest, ProbeRule, ProbedBalancer, ProbedRoute, plan};

use crate::journal::Head;
use crate::plan::Plan;

/// Whether the new side has to be probed before the routes get the weight of a step: the policy has probes, they have
/// not passed, and no user has reached the new side. A shift that was begun is completed.
pub fn is_due(plan: &Plan, head: &Head, step: u32) -> bool {
    let asked = !plan.policy.probes.is_empty() && !head.probed;
    asked && step > 0 && !head.new_side_may_have_traffic()
}

#[cfg(test)]
mod tests;
