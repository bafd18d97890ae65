//! The services that a service calls.

use super::reading::number;
use super::{Match, RouteScenario, ServiceScenario};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::reader::{Place, Reader};

/// Another service that each server of a service calls once for every request that it gets over a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct CallScenario {
    /// The service that is called, by the host of its first route that has one.
    pub service: ServiceName,
    /// When the caller's wiring changes, in world minutes after the load began: before, it calls a server of the old
    /// cluster directly, past the load balancer.
    pub wired_minute: f64,
}

pub(super) const CALL_FIELDS: [&str; 2] = ["service", "wiredMinute"];

/// `{ service: users, wiredMinute: 10 }`
pub(super) fn call(reader: &mut Reader, place: &Place<'_>) -> Option<CallScenario> {
    let fields = reader.object(place, &CALL_FIELDS, "a call such as { service: users }")?;
    let what = "the name of a service that is called";
    let service = reader.required(&fields, "service", what);
    let service = service.and_then(|place| reader.parsed(&place, what, ServiceName::parse));
    let wired_minute = fields.get("wiredMinute").map_or(Some(0.0), |place| number(reader, &place, 0.0, 1e6));
    Some(CallScenario { service: service?, wired_minute: wired_minute? })
}

/// Checks that each call is to a service of the scenario that has a route by host.
pub(super) fn note_strangers(reader: &mut Reader, services: &[ServiceScenario]) {
    for (place, service) in services.iter().enumerate() {
        for (index, call) in service.calls.iter().enumerate() {
            let path = format!("services[{place}].calls[{index}].service");
            let name = &call.service;
            let Some(called) = services.iter().find(|service| service.name == *name) else {
                let near = did_you_mean(name.as_str(), services.iter().map(|service| service.name.as_str()));
                reader.note(path, format!("{name} is not one of the scenario's services{near}"));
                continue;
            };
            let by_host = |route: &RouteScenario| matches!(route.matches, Match::Host(_));
            if !called.routes.iter().any(by_host) && called.policy.internal_route.is_none() {
                let host = format!("{name}.internal");
                reader.note(path, format!("{name} has no route by host: expected one such as {{ host: {host} }}"));
            }
        }
    }
}
