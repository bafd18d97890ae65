//! What came of a fleet, and where that is not as its scenario expects.

use crate::scenario::{FleetExpectation, FleetOutcome};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of one fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetReport {
    /// The fleet.
    pub fleet: String,
    /// How its latest run ended.
    pub outcome: FleetOutcome,
    /// Why, where a person or a breaker has changed the run.
    pub reason: String,
    /// Where each service is in the run.
    pub services: BTreeMap<ServiceName, ServiceState>,
    /// World seconds from the first fault of its services until the run stopped by itself.
    pub stopped_seconds: Option<f64>,
    /// The expectations that were not met, in words. Must be empty.
    pub unmet: Vec<String>,
}

/// Describes every expectation that was not met, with what was found instead.
pub(crate) fn unmet_of_fleet(fleet: &FleetReport, expected: &FleetExpectation) -> Vec<String> {
    let FleetExpectation { outcome, services, stopped_within_seconds } = expected;
    let mut unmet = Vec::new();
    if fleet.outcome != *outcome {
        unmet.push(format!("ended {}, expected {}: {}", fleet.outcome.name(), outcome.name(), fleet.reason));
    }
    for (service, state) in services {
        let found = fleet.services.get(service).map_or("not in the run", |state| state.in_words());
        if fleet.services.get(service) != Some(state) {
            unmet.push(format!("{service} is {found}, expected {}", state.in_words()));
        }
    }
    match (stopped_within_seconds, fleet.stopped_seconds) {
        (Some(most), None) => unmet.push(format!("not stopped, expected within {most} world seconds")),
        (Some(most), Some(seconds)) if seconds > *most => {
            unmet.push(format!("stopped after {seconds:.0} world seconds, expected within {most}"));
        }
        _ => {}
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_a_fleet_that_is_not_met_is_told_with_what_was_found() {
        let name = |name: &str| ServiceName::parse(name).unwrap();
        let fleet = FleetReport {
            fleet: "eks".into(),
            outcome: FleetOutcome::Stopped,
            reason: "2 services failed".into(),
            services: BTreeMap::from([(name("users"), ServiceState::RolledBack)]),
            stopped_seconds: Some(200.0),
            unmet: Vec::new(),
        };
        let met = FleetExpectation {
            outcome: FleetOutcome::Stopped,
            services: fleet.services.clone(),
            stopped_within_seconds: Some(200.0),
        };
        assert_eq!(unmet_of_fleet(&fleet, &met), Vec::<String>::new());
        let other = FleetExpectation {
            outcome: FleetOutcome::Migrated,
            services: [("orders", ServiceState::Blocked), ("users", ServiceState::Migrated)]
                .map(|(service, state)| (name(service), state))
                .into(),
            stopped_within_seconds: Some(100.0),
        };
        let expected = [
            "ended stopped, expected migrated: 2 services failed",
            "orders is not in the run, expected blocked",
            "users is rolled back, expected migrated",
            "stopped after 200 world seconds, expected within 100",
        ];
        assert_eq!(unmet_of_fleet(&fleet, &other), expected);
        let silent = FleetReport { stopped_seconds: None, ..fleet };
        assert!(unmet_of_fleet(&silent, &other).contains(&"not stopped, expected within 100 world seconds".to_owned()));
    }
}
