//! The world after its rehearsal.

use super::settle::LOOK_EVERY;
use super::traffic::{NewGroups, Traffic};
use super::{Rehearsal, RehearsalError, ScheduledFaults};
use crate::clock::Work;

/// A world that keeps running after its rehearsal.
pub struct Afterwards {
    pub(super) scheduled_faults: ScheduledFaults,
    pub(super) arns: Vec<Option<String>>,
    pub(super) new_groups: NewGroups,
    /// Held since the report, so that the report describes the current world.
    pub(super) work: Work,
}

impl Afterwards {
    /// Sends load again and lets faults begin and end, until it is dropped. So a service that is started now finds a
    /// world at work.
    pub async fn keep_running(self, rehearsal: &Rehearsal) -> Result<std::convert::Infallible, RehearsalError> {
        let Self { mut scheduled_faults, arns, new_groups, mut work } = self;
        let _traffic = Traffic::start(rehearsal, &new_groups);
        loop {
            let weights = rehearsal.weights(&new_groups);
            scheduled_faults.update(rehearsal, &arns, &weights)?;
            work = rehearsal.clock.pause(work, LOOK_EVERY).await;
        }
    }
}
