//! How callers reach a service: the base URLs that they are to use, and what to watch out for.

pub mod balancer;
pub mod deciding;
pub mod formats;
pub mod proof;
pub mod property;
mod warnings;

pub use warnings::{Warning, WarningCode, warnings};

use crate::names::ServiceName;
use crate::policy::calling::InternalRoute;
use crate::policy::problem::did_you_mean;
use crate::policy::service_policy::{FleetPolicy, NewTargets, ServicePolicy};
use balancer::{Balancer, url_through};
use property::{canonical, environment_variable};
use serde::Serialize;

/// The property that is printed where the policy has no `baseUrlProperty`.
pub const ASSUMED_PROPERTY: &str = "clients.{service}.base-url";

/// By which way callers reach a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// Through its internal route, so that Crossfade can split their requests.
    LoadBalancer,
    /// Straight to the new cluster, once the service has moved.
    Direct,
}

/// What the callers of one service have to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wiring {
    /// The service that is called.
    pub service: ServiceName,
    /// The services whose policy says that they call it; none where no policy says so.
    pub callers: Vec<ServiceName>,
    /// The property that holds its base URL, in Spring's canonical form.
    pub property: String,
    /// Whether the policy has no `baseUrlProperty`, so that the property's name is a guess.
    pub property_is_assumed: bool,
    /// The environment variable that sets the property.
    pub variable: String,
    /// The base URL; none where `problem` says what is missing.
    pub url: Option<String>,
    /// Why there is no base URL, and what to do.
    pub problem: Option<String>,
    /// Its internal route, as the policy has it.
    pub internal_route: Option<InternalRoute>,
    /// The load balancer of that route, where AWS was asked.
    pub load_balancer: Option<Balancer>,
    /// What changes for its callers.
    pub warnings: Vec<Warning>,
}

impl Wiring {
    /// What the callers of a service have to be told. `balancer` is that of its internal route, where it is known.
    pub fn of(fleet: &FleetPolicy, service: &ServicePolicy, way: Way, balancer: Option<&Balancer>) -> Self {
        let template = service.base_url_property.as_deref().unwrap_or(ASSUMED_PROPERTY);
        let property = canonical(template, &service.name);
        let url = match way {
            Way::Direct => direct_url(service),
            Way::LoadBalancer => url_through(service, balancer),
        };
        let (url, problem) = match url {
            Ok(url) => (Some(url), None),
            Err(problem) => (None, Some(problem)),
        };
        Self {
            service: service.name.clone(),
            callers: callers_of(fleet, &service.name),
            variable: environment_variable(&property),
            property,
            property_is_assumed: service.base_url_property.is_none(),
            url,
            problem,
            internal_route: service.internal_route.clone(),
            load_balancer: balancer.cloned(),
            warnings: Vec::new(),
        }
    }
}

/// The services of the fleet that call one, by their own `calls`.
pub fn callers_of(fleet: &FleetPolicy, service: &ServiceName) -> Vec<ServiceName> {
    let callers = fleet.services.iter().filter(|one| one.calls.contains(service));
    callers.map(|one| one.name.clone()).collect()
}

/// The URL at which callers reach a service in the new cluster without a load balancer.
///
/// # Errors
/// The policy says neither that URL nor a Kubernetes service.
pub fn direct_url(service: &ServicePolicy) -> Result<String, String> {
    match (&service.direct_url, &service.new_targets) {
        (Some(url), _) => Ok(url.clone()),
        (None, NewTargets::Binding(binding)) => {
            Ok(format!("http://{}.{}.svc.cluster.local:{}", binding.service, binding.namespace, binding.port))
        }
        (None, NewTargets::Instances(_) | NewTargets::Ips(_) | NewTargets::AutoScalingGroup(_)) => Err(format!(
            "the policy does not say how callers reach {0} in the new cluster: set directUrl of {0}, or register its \
             targets by a binding",
            service.name
        )),
    }
}

/// The services whose callers are to be told: one, those that one caller calls, or all that can be called.
///
/// # Errors
/// A service or a caller that no policy names, or a caller of which no policy says what it calls.
pub fn called<'a>(
    fleets: &'a [FleetPolicy],
    service: Option<&ServiceName>,
    caller: Option<&ServiceName>,
    way: Way,
) -> Result<Vec<(&'a FleetPolicy, &'a ServicePolicy)>, String> {
    let all = || fleets.iter().flat_map(|fleet| fleet.services.iter().map(move |service| (fleet, service)));
    let find = |name: &ServiceName, what: &str| {
        all().find(|(_, one)| one.name == *name).ok_or_else(|| {
            let near = did_you_mean(name.as_str(), all().map(|(_, one)| one.name.as_str()));
            let known: Vec<&str> = all().map(|(_, one)| one.name.as_str()).collect();
            let known = if known.is_empty() { "no service".to_owned() } else { known.join(", ") };
            format!("there is no {what} {name}{near}\n  the policy names {known}")
        })
    };
    let calls = match caller {
        None => None,
        Some(caller) => {
            let (_, found) = find(caller, "caller")?;
            if found.calls.is_empty() {
                return Err(format!(
                    "the policy does not say what {caller} calls\n  list those services as calls of {caller}, or leave \
                     out --for"
                ));
            }
            Some(&found.calls)
        }
    };
    if let Some(name) = service {
        let found = find(name, "service")?;
        return match calls {
            Some(calls) if !calls.contains(name) => Err(format!(
                "{} does not call {name}, says its policy\n  add {name} to its calls, or leave out --for",
                caller.map_or("the caller", ServiceName::as_str)
            )),
            _ => Ok(vec![found]),
        };
    }
    let is_called = |one: &ServicePolicy| match calls {
        Some(calls) => calls.contains(&one.name),
        None => {
            one.internal_route.is_some() || (way == Way::Direct && all().any(|(_, by)| by.calls.contains(&one.name)))
        }
    };
    let found: Vec<_> = all().filter(|(_, one)| is_called(one)).collect();
    if found.is_empty() {
        return Err(
            "no service of the policy has an internalRoute, so no caller has to change\n  give a service one: \
             internalRoute: { host: users.internal.example.com }"
                .to_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
