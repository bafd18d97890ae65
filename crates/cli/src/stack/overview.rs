//! One look at every service and every fleet. What cannot be read is missing from it, and named.

pub mod standing;
mod take;

use crate::exit_code::ExitCode;
use crate::stack::fleets::StoredFleet;
use crate::stack::position::Position;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceRun;
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::Retirement;
use crossfade_domain::routing::stray::StrayRoute;
use jiff::Timestamp;

/// Every service and every fleet, as far as they could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// When it was read.
    pub now: Timestamp,
    /// The services of the stored policies, and those under way that no policy names, by name.
    pub services: Vec<ServiceSeen>,
    /// The fleets' runs that are not over.
    pub fleets: Vec<(StoredFleet, FleetHead)>,
    /// Why policies that are stored cannot be used.
    pub unusable: Vec<String>,
    /// What could not be read beside the services that say so themselves.
    pub missing: Vec<String>,
    /// How to end where something could not be read.
    pub code: ExitCode,
}

/// A service as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSeen {
    /// The service.
    pub service: ServiceName,
    /// The fleet whose stored policy names it.
    pub fleet: Option<String>,
    /// Where its latest migration is; none if it has had none.
    pub position: Option<Position>,
    /// What its load balancers have on the old side, if it has migrated.
    pub left: Option<Result<Vec<StrayRoute>, String>>,
    /// The retirement of what its migration has left.
    pub retirement: Option<Retirement>,
    /// Where it is in its fleet's run, if that is not over.
    pub run: Option<ServiceRun>,
    /// Why it could not be read, if so.
    pub unread: Option<String>,
}

impl ServiceSeen {
    /// A service of which nothing is known but its name.
    pub fn named(service: ServiceName) -> Self {
        Self { service, fleet: None, position: None, left: None, retirement: None, run: None, unread: None }
    }
}
