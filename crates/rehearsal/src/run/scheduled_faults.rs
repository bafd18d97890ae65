//! What goes wrong in a rehearsal, caused by clusters and by people: when it is due, and whether it had an effect.

use super::cluster_faults::ClusterFaults;
use super::disturbances::Disturbances;
use super::{Rehearsal, RehearsalError};
use crate::scenario::Scenario;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;

/// The cluster faults and the disturbances of a scenario.
pub(crate) struct ScheduledFaults {
    faults: ClusterFaults,
    disturbances: Disturbances,
}

impl ScheduledFaults {
    pub(super) fn new(rehearsal: &Rehearsal, world_began: Timestamp) -> Self {
        Self {
            faults: ClusterFaults::new(&rehearsal.scenario, &rehearsal.stage, world_began),
            disturbances: Disturbances::new(rehearsal, world_began),
        }
    }

    /// Does what is due. `weights` is each service's lowest current weight over its routes.
    pub(super) fn update(
        &mut self,
        rehearsal: &Rehearsal,
        arns: &[Option<String>],
        weights: &[Weight],
    ) -> Result<(), RehearsalError> {
        self.faults.update(rehearsal.clock.now(), weights);
        self.disturbances.update(rehearsal, arns, weights)
    }

    /// Ends what is wrong with a service's clusters; returns how many faults were on.
    pub(super) fn repair(&mut self, service: usize) -> usize {
        self.faults.end(service)
    }

    /// Returns when the first thing of a service went wrong.
    pub(crate) fn first(&self, service: usize) -> Option<Timestamp> {
        [self.faults.first(service), self.disturbances.first(service)].into_iter().flatten().min()
    }

    /// Returns the planned faults that changed nothing: without them, a rehearsal shows less than it claims.
    pub(crate) fn without_effect(&self, scenario: &Scenario) -> Vec<String> {
        let mut found = self.faults.without_effect(scenario);
        found.extend(self.disturbances.without_effect(scenario));
        found
    }

    /// Describes the edits of a service's routes that were overwritten.
    pub(crate) fn overwritten(&self, rehearsal: &Rehearsal, service: usize) -> Result<Vec<String>, RehearsalError> {
        self.disturbances.overwritten(rehearsal, service)
    }
}
