//! The load balancer of an internal route, as its callers see it.

use crate::load_balancer::group::Attributes;
use crate::names::{ListenerArn, LoadBalancerArn};
use crate::policy::calling::{InternalAddress, InternalRoute};
use crate::policy::problem::did_you_mean;
use crate::policy::service_policy::ServicePolicy;
use serde::Serialize;

/// A load balancer with what its callers have to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Balancer {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// Its name.
    pub name: String,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// The name that resolves to its addresses.
    pub dns_name: String,
    /// The hosted zone of that name, which an alias record needs.
    pub hosted_zone: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// The zones in which it has nodes.
    pub zones: Vec<String>,
    /// Its listeners.
    pub listeners: Vec<Door>,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A listener, as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    /// Its ARN.
    pub arn: ListenerArn,
    /// Its port.
    pub port: Option<u16>,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
}

impl Door {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.protocol == "HTTPS" { "https" } else { "http" }
    }
}

/// Chooses the load balancer of an internal route: the one that the policy names, or the only internal one in the VPC
/// of the service's old target group.
///
/// # Errors
/// There is none, there are several, or the one that is named cannot have the route.
pub fn chosen<'a>(
    service: &ServicePolicy,
    route: &InternalRoute,
    vpc: Option<&str>,
    balancers: &'a [Balancer],
) -> Result<&'a Balancer, String> {
    let of = &service.name;
    let application = || balancers.iter().filter(|one| one.kind == "application");
    let Some(name) = &route.load_balancer else {
        let internal: Vec<&Balancer> = application()
            .filter(|one| one.scheme == "internal" && (vpc.is_none() || one.vpc.as_deref() == vpc))
            .collect();
        let place = vpc.map_or_else(|| "this region".to_owned(), |vpc| format!("VPC {vpc}"));
        return match internal.as_slice() {
            [only] => Ok(*only),
            [] => Err(format!(
                "there is no internal application load balancer in {place}: create one, or name one as \
                 internalRoute.loadBalancer of {of}"
            )),
            several => Err(format!(
                "there are {} internal load balancers in {place} ({}): name one as internalRoute.loadBalancer of {of}",
                several.len(),
                several.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
            )),
        };
    };
    let Some(found) = balancers.iter().find(|one| one.name == *name || one.arn.as_str() == name) else {
        let near = did_you_mean(name, application().map(|one| one.name.as_str()));
        return Err(format!("there is no load balancer {name}{near}: correct internalRoute.loadBalancer of {of}"));
    };
    if found.kind != "application" {
        return Err(format!(
            "{name} is a {} load balancer, and only an application load balancer splits requests by weight",
            found.kind
        ));
    }
    if found.scheme != "internal" && !route.allow_internet_facing {
        return Err(format!(
            "{name} is open to the internet: internal calls would leave through NAT, and its rules would be reachable \
             from outside; choose an internal load balancer, or set internalRoute.allowInternetFacing of {of}"
        ));
    }
    Ok(found)
}

/// The listener that an internal route is at.
///
/// # Errors
/// The load balancer has none on the port, or several and none on port 80.
pub fn door_of<'a>(route: &InternalRoute, balancer: &'a Balancer) -> Result<&'a Door, String> {
    let at = |port: u16| balancer.listeners.iter().find(|door| door.port == Some(port));
    let wanted = match &route.by {
        InternalAddress::Port { port } | InternalAddress::Host { listener: Some(port), .. } => *port,
        InternalAddress::Host { listener: None, .. } => match balancer.listeners.as_slice() {
            [only] => return Ok(only),
            _ => 80,
        },
    };
    at(wanted).ok_or_else(|| {
        let ports: Vec<String> =
            balancer.listeners.iter().filter_map(|door| door.port).map(|port| port.to_string()).collect();
        let ports = if ports.is_empty() { "no port".to_owned() } else { format!("port {}", ports.join(", ")) };
        format!("{} has no listener on port {wanted}; it listens on {ports}", balancer.name)
    })
}

/// The base URL of a service's internal route.
///
/// # Errors
/// The service has no internal route, or the URL needs the load balancer's name and AWS was not asked.
pub(super) fn url_through(service: &ServicePolicy, balancer: Option<&Balancer>) -> Result<String, String> {
    let name = &service.name;
    let Some(route) = &service.internal_route else {
        return Err(format!(
            "{name} has no internal route: add internalRoute: {{ host: {}.internal.example.com }} to its policy, and \
             create it by `crossfade connect {name}`",
            name.as_str().to_ascii_lowercase().replace('_', "-")
        ));
    };
    let door = balancer.and_then(|balancer| door_of(route, balancer).ok());
    match &route.by {
        InternalAddress::Host { host, listener, .. } => {
            // Before AWS was asked, 443 is the only port of which the protocol is clear.
            let port = door.and_then(|door| door.port).or(*listener).unwrap_or(80);
            let scheme = door.map_or(if port == 443 { "https" } else { "http" }, Door::scheme);
            Ok(base_url(scheme, host, port))
        }
        InternalAddress::Port { port } => match balancer {
            Some(balancer) => Ok(base_url(door.map_or("http", Door::scheme), &balancer.dns_name, *port)),
            None => Err(format!(
                "the internal route of {name} is a port, so its address is the load balancer's name, which only AWS \
                 knows: run this with access to AWS"
            )),
        },
    }
}

fn base_url(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}
