//! Where a service is on its way.

use crate::stack::reading::weight_at;
use crossfade_domain::fleet::forecast::seconds_left;
use crossfade_domain::gates::approval::waits_for_approval;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;

/// Where a service that moves is, or has moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The head of its migration.
    pub head: Head,
    /// Its plan, if that could be read.
    pub plan: Option<Plan>,
    /// The weight that was last read back on every route, if its plan could be read.
    pub weight: Option<Weight>,
    /// The step that was last read back, and the number of steps.
    pub step: Option<(u32, u32)>,
    /// Seconds until all traffic has moved, if nothing holds it.
    pub seconds_left: Option<u32>,
    /// Seconds until the bake of the step is over.
    pub seconds_to_next_step: Option<u32>,
    /// The weight to which it is being shifted.
    pub shifting_to: Option<Weight>,
    /// Whether the next step waits for an approval.
    pub waits_for_approval: bool,
}

impl Position {
    /// What head and plan say at this time.
    pub fn of(head: Head, plan: Option<Plan>, now: Timestamp) -> Self {
        let known = plan.as_ref();
        let is_back = matches!(head.phase, Phase::Settling | Phase::RolledBack | Phase::Refused);
        let returning = head.phase == Phase::RollingBack;
        let moving = known.filter(|_| head.phase == Phase::Moving);
        let baking = moving.filter(|_| head.intended_step.is_none());
        Self {
            weight: known
                .filter(|_| !returning)
                .map(|plan| if is_back { Weight::ZERO } else { weight_at(plan, head.verified_step) }),
            step: known
                .filter(|_| !is_back && !returning)
                .map(|plan| (head.verified_step.unwrap_or(0), plan.last_step())),
            seconds_left: known
                .filter(|_| matches!(head.phase, Phase::Planned | Phase::Moving))
                .map(|plan| seconds_left(&plan.policy.schedule, &head, now)),
            seconds_to_next_step: baking.and_then(|plan| {
                let bake = plan.step(head.verified_step?)?.bake_seconds;
                Some(bake.saturating_sub(seconds_between(head.verified_at?, now)))
            }),
            shifting_to: moving
                .and_then(|plan| Some(weight_at(plan, Some(head.intended_step.filter(|step| *step > 0)?)))),
            waits_for_approval: known.is_some_and(|plan| waits_for_approval(&head, plan, now)),
            head,
            plan,
        }
    }
}
