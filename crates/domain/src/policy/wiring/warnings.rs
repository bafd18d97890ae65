//! What changes for callers whose calls go through a load balancer, as far as AWS can be asked.

use super::balancer::{Balancer, Door, door_of};
use crate::load_balancer::group::GroupSettings;
use crate::policy::calling::{InternalAddress, InternalRoute};
use serde::Serialize;

/// AWS's default, in seconds (`idle_timeout.timeout_seconds`).
const IDLE_SECONDS: u32 = 60;
/// How much longer than the load balancer a target keeps an idle connection, and how much shorter a caller.
const APART_SECONDS: u32 = 15;

/// Something that changes for callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// What it is about.
    pub code: WarningCode,
    /// What happens, and what to do.
    pub message: String,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// The load balancer closes a connection on which nothing moves.
    IdleTimeout,
    /// The load balancer is open to the internet.
    InternetFacing,
    /// The load balancer has no listener there yet.
    NoListener,
    /// gRPC cannot pass a listener for plain HTTP.
    PlainGrpc,
    /// Callers have to trust a certificate.
    Certificate,
    /// The load balancer drops headers whose names have other letters than its own rule allows.
    DropsHeaders,
    /// Security groups have to admit callers and the load balancer.
    SecurityGroups,
    /// The zones that the load balancer is in.
    Zones,
}

/// What the callers of a service have to watch out for. `group` is the service's old target group.
pub fn warnings(route: &InternalRoute, balancer: &Balancer, group: Option<&GroupSettings>) -> Vec<Warning> {
    let door = door_of(route, balancer);
    let mut found = vec![idle_timeout(balancer)];
    let mut add = |code, message| found.push(Warning { code, message });
    if balancer.scheme != "internal" {
        add(
            WarningCode::InternetFacing,
            format!(
                "{} is {}: its name resolves to public addresses inside the VPC too, so calls leave through NAT (which \
                 is billed) and arrive from the NAT's address",
                balancer.name, balancer.scheme
            ),
        );
    }
    match &door {
        Err(missing) => add(
            WarningCode::NoListener,
            format!(
                "{missing}: until there is one, every call is refused; `crossfade connect` creates what is missing"
            ),
        ),
        Ok(door) => {
            if door.protocol != "HTTPS" && group.is_some_and(GroupSettings::is_grpc) {
                add(
                    WarningCode::PlainGrpc,
                    format!(
                        "the service speaks gRPC, which an application load balancer takes only on an HTTPS listener; \
                         {} has {}: plain-text gRPC calls cannot go this way",
                        balancer.name,
                        described(door)
                    ),
                );
            }
            if let (InternalAddress::Host { host, .. }, "HTTPS") = (&route.by, door.protocol.as_str()) {
                add(
                    WarningCode::Certificate,
                    format!(
                        "{} of {} speaks TLS: its certificate must cover {host}, and callers must trust it",
                        described(door),
                        balancer.name
                    ),
                );
            }
        }
    }
    if balancer.attributes.get("routing.http.drop_invalid_header_fields.enabled").is_some_and(|value| value == "true") {
        add(
            WarningCode::DropsHeaders,
            format!(
                "{} drops headers with other characters than letters, digits and hyphens in their names, such as \
                 user_id (routing.http.drop_invalid_header_fields.enabled)",
                balancer.name
            ),
        );
    }
    add(WarningCode::SecurityGroups, security_groups(balancer, door.ok()));
    if !balancer.zones.is_empty() {
        add(
            WarningCode::Zones,
            format!(
                "{} has nodes in {}: a target in another zone stays unused, and a caller in another zone pays for \
                 traffic between zones",
                balancer.name,
                balancer.zones.join(", ")
            ),
        );
    }
    found
}

/// Embedded Tomcat keeps an idle connection for 60 s too, its connection timeout, so it and the load balancer race: a
/// request that is sent while the target closes ends in 502.
fn idle_timeout(balancer: &Balancer) -> Warning {
    let seconds = balancer.attributes.get("idle_timeout.timeout_seconds").and_then(|value| value.parse().ok());
    let seconds: u32 = seconds.unwrap_or(IDLE_SECONDS);
    let message = format!(
        "{} closes a connection after {seconds} s without a byte: a slower call ends in 504. Targets must keep idle \
         connections longer (server.tomcat.keep-alive-timeout: {}s), callers' pools shorter (evict after {} s)",
        balancer.name,
        seconds.saturating_add(APART_SECONDS),
        // Half of it where it is too short for the distance.
        seconds.checked_sub(APART_SECONDS).filter(|left| *left > 0).unwrap_or(seconds / 2).max(1)
    );
    Warning { code: WarningCode::IdleTimeout, message }
}

fn security_groups(balancer: &Balancer, door: Option<&Door>) -> String {
    let port =
        door.and_then(|door| door.port).map_or_else(|| "the listener's port".to_owned(), |p| format!("port {p}"));
    if balancer.security_groups.is_empty() {
        return format!(
            "{} has no security group of its own: what admits callers to {port} is not known",
            balancer.name
        );
    }
    let groups = balancer.security_groups.join(", ");
    format!(
        "{groups} of {} must admit the callers, old nodes and new pods, on {port}; the targets must admit {groups} on \
         their own port and that of their health check",
        balancer.name
    )
}

fn described(door: &Door) -> String {
    let port = door.port.map_or_else(String::new, |port| format!(" on port {port}"));
    format!("its {} listener{port}", door.protocol)
}
