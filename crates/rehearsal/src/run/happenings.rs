//! What goes wrong in a rehearsal, by clusters and by people: done when it is due, and asked afterwards what came of
//! it.

use super::cluster_faults::ClusterFaults;
use super::disturbances::Disturbances;
use super::{Rehearsal, RehearsalError};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;

/// The faults of clusters and the disturbances of a scenario.
pub(crate) struct Happenings {
    faults: ClusterFaults,
    disturbances: Disturbances,
}

impl Happenings {
    pub(super) fn new(rehearsal: &Rehearsal, world_began: Timestamp) -> Self {
        Self {
            faults: ClusterFaults::new(&rehearsal.scenario, &rehearsal.stage, world_began),
            disturbances: Disturbances::new(rehearsal, world_began),
        }
    }

    /// Does what is due. `weights` is each service's weight that every route carries now.
    pub(super) fn update(
        &mut self,
        rehearsal: &Rehearsal,
        arns: &[Option<String>],
        weights: &[Weight],
    ) -> Result<(), RehearsalError> {
        self.faults.update(rehearsal.clock.now(), weights);
        self.disturbances.update(rehearsal, arns, weights)
    }

    /// When the first thing of a service went wrong.
    pub(crate) fn first(&self, service: usize) -> Option<Timestamp> {
        [self.faults.first(service), self.disturbances.first(service)].into_iter().flatten().min()
    }

    /// What was to go wrong and changed nothing: a rehearsal without it shows less than it says.
    pub(crate) fn without_effect(&self) -> Vec<String> {
        let mut found = self.faults.without_effect();
        found.extend(self.disturbances.without_effect());
        found
    }

    /// The edits of a service's routes that are not there any more, in words.
    pub(crate) fn overwritten(&self, rehearsal: &Rehearsal, service: usize) -> Result<Vec<String>, RehearsalError> {
        self.disturbances.overwritten(rehearsal, service)
    }
}
