//! `create-route`: a service's internal route, created or removed.

pub mod connect;
pub mod disconnect;
mod retired;
mod scaling_groups;

use self::connect::{RouteOutcome, RouteRequest, connect};
use self::disconnect::{RemovalOutcome, disconnect};
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::payload::Fields;
use crate::ports::{Ports, StoredPolicy};
use crossfade_domain::internal_route::{ConnectRequest, RouteCursor, RouteVerdict, decode_connect_request};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::service_policy::ServicePolicy;
use serde_json::Value;

/// Creates a service's internal route, or removes it. `{"cursor": <the execution's input>, "execution": "<arn>"}`; for
/// the input see [`decode_connect_request`]. The service's policy is the stored one.
///
/// Returns `connected`, `removed` or `nothing` where it is done; `wouldConnect` or `wouldRemove` for a dry run;
/// `refused` where nothing was changed; `unfinished` where AWS refused something after the creation had begun.
///
/// May run again at any time: [`connect()`] adopts what an earlier run has created, and [`disconnect()`] removes what
/// is left.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the ports, and `Transient` where AWS does not
/// show yet what was created or removed.
pub async fn create_route(ports: &Ports, input: &Value) -> Result<RouteCursor, ActionError> {
    let mut fields = Fields::root(input);
    let execution = fields.required::<String>("execution");
    let cursor = fields.value("cursor").cloned().unwrap_or_default();
    let Some(execution) = execution else { return Err(fields.refuse()) };
    let request =
        decode_connect_request(&cursor).map_err(|problems| ActionError::InvalidRequest(problems.to_string()))?;
    let (fleet, policy) = match policy_of(ports, &request).await? {
        Ok(found) => found,
        Err(why) => return Ok(RouteCursor::new(&request.service, RouteVerdict::Refused, vec![why])),
    };
    let who = request.who.as_deref().unwrap_or(&execution);
    let who = request.reason.as_ref().map_or_else(|| who.to_owned(), |why| format!("{who}: {why}"));
    let route = RouteRequest { fleet: &fleet, policy: &policy, who: &who, dry_run: request.dry_run };
    match once(ports, &request, &route).await {
        // Another execution has recorded something of this route in the meantime; a second look sees what.
        Err(error) if error.class() == ErrorClass::Superseded => once(ports, &request, &route).await,
        answer => answer,
    }
}

async fn once(ports: &Ports, request: &ConnectRequest, route: &RouteRequest<'_>) -> Result<RouteCursor, ActionError> {
    let service = &request.service;
    if request.undo {
        return Ok(match disconnect(ports, route, request.force).await? {
            RemovalOutcome::Refused(why) => RouteCursor::new(service, RouteVerdict::Refused, why),
            RemovalOutcome::Nothing => RouteCursor::new(service, RouteVerdict::Nothing, Vec::new()),
            RemovalOutcome::Planned(lines) => RouteCursor::new(service, RouteVerdict::WouldRemove, lines),
            RemovalOutcome::Removed { lines, left } => {
                RouteCursor { warnings: left, ..RouteCursor::new(service, RouteVerdict::Removed, lines) }
            }
        });
    }
    Ok(match connect(ports, route).await? {
        RouteOutcome::Refused(why) => RouteCursor::new(service, RouteVerdict::Refused, why),
        RouteOutcome::Unfinished(why) => RouteCursor::new(service, RouteVerdict::Unfinished, why),
        RouteOutcome::Planned(decision) => RouteCursor::planned(service, &decision),
        RouteOutcome::Connected { decision, connection, created } => {
            RouteCursor::connected(service, &decision, &connection, created)
        }
    })
}

/// The service's stored policy with its fleet, or why there is none.
async fn policy_of(
    ports: &Ports,
    request: &ConnectRequest,
) -> Result<Result<(String, ServicePolicy), String>, ActionError> {
    let stored = ports.ledger.policies().await.doing(|| "reading the stored policies")?;
    let (mut known, mut unreadable) = (Vec::new(), Vec::new());
    for StoredPolicy { fleet, document, .. } in stored {
        match decode_fleet(&document) {
            Ok(policy) => known.extend(policy.services.into_iter().map(|service| (fleet.clone(), service))),
            Err(problems) => {
                unreadable.push(format!("; the stored policy of fleet {fleet} cannot be used: {problems}"));
            }
        }
    }
    let service = &request.service;
    let mut own: Vec<(String, ServicePolicy)> = Vec::new();
    let mut others = Vec::new();
    for (fleet, policy) in known {
        if policy.name == *service { own.push((fleet, policy)) } else { others.push(policy.name) }
    }
    if own.len() > 1 {
        let fleets: Vec<&str> = own.iter().map(|(fleet, _)| fleet.as_str()).collect();
        return Ok(Err(format!("service {service} is in more than one stored policy: {}", fleets.join(", "))));
    }
    let near = did_you_mean(service.as_str(), others.iter().map(ServiceName::as_str));
    Ok(own.pop().ok_or_else(|| {
        format!(
            "no stored policy has a service {service}{near}; `crossfade apply policy.yaml` stores one{}",
            unreadable.concat()
        )
    }))
}
