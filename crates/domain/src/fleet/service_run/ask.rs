//! That a service is to be retired, as the run's head has it.

use crate::names::MigrationId;
use crate::policy::retire::Until;
use crate::policy::rollout::WRITES_A_SECOND;
use crate::retirement::{Retirement, RetirementPhase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The most retirements that a run lets change routes at once. Each changes one route a second, and AWS takes three
/// changes a second from an account: one is left for whatever else moves, and the reserve of 20 for rollbacks.
pub const MOST_RETIRING: u32 = WRITES_A_SECOND - 1;
/// How long a retirement that may detach now takes a place while it still proves that the old side is idle.
const PROVES_FOR: SignedDuration = SignedDuration::from_mins(15);

/// Someone wants a service retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementAsk {
    /// Since when.
    pub at: Timestamp,
    /// Where it ends, where a person said so; else the policy's word holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Who asked for it, and why; none where the policy did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The name of the execution that begins it; none while it waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Whether the retirement's own journal has shown it. From then on that journal says where it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// Why it did not begin, if it will not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl RetirementAsk {
    /// Asked for now, by the policy or by a person.
    pub fn new(at: Timestamp, until: Option<Until>, by: Option<String>) -> Self {
        Self { at, until, by, execution: None, begun: false, refused: None }
    }

    /// Whether it has neither begun nor been refused.
    pub fn is_open(&self) -> bool {
        !self.begun && self.refused.is_none()
    }

    /// Whether this retirement is what was asked for: one that this has begun, or that someone else had begun and that
    /// goes as far.
    pub fn is_shown_by(&self, retirement: &Retirement, migration: &MigrationId) -> bool {
        if retirement.plan.migration != *migration {
            return false;
        }
        match retirement.phase {
            RetirementPhase::Deleted => true,
            RetirementPhase::Undone | RetirementPhase::Halted | RetirementPhase::Refused => retirement.since >= self.at,
            _ => self.until.is_none_or(|until| retirement.plan.terms.until >= until),
        }
    }
}

/// Whether a retirement takes one of the [`MOST_RETIRING`] places: it changes routes or targets, or may begin to at any
/// moment. One that the policy keeps waiting takes none, and neither does one whose old side is in use.
pub fn takes_a_place(retirement: &Retirement, now: Timestamp) -> bool {
    if retirement.phase != RetirementPhase::Proving {
        return retirement.phase.holds_routes() && !rests_detached(retirement, now);
    }
    let terms = &retirement.plan.terms;
    let kept_until = retirement.plan.zero_since + SignedDuration::from_secs(i64::from(terms.keep_old_seconds));
    kept_until <= now && now < kept_until.max(retirement.since) + PROVES_FOR
}

/// Whether it was to end detached, and has been watched for long enough.
fn rests_detached(retirement: &Retirement, now: Timestamp) -> bool {
    let watched = SignedDuration::from_secs(i64::from(retirement.plan.watch_seconds));
    retirement.phase == RetirementPhase::Watching
        && retirement.plan.terms.until == Until::Detached
        && retirement.phase_since + watched + PROVES_FOR <= now
}
