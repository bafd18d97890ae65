//! The wiring for people.

use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::calling::InternalAddress;
use crossfade_domain::policy::wiring::balancer::door_of;
use crossfade_domain::policy::wiring::{Way, Wiring};

/// What each service's callers have to be told.
pub(super) fn table(way: Way, wirings: &[Wiring]) -> String {
    wirings.iter().map(|wiring| block(way, wiring)).collect::<Vec<_>>().join("\n")
}

fn block(way: Way, wiring: &Wiring) -> String {
    let missing = || format!("no URL: {}", wiring.problem.as_deref().unwrap_or_default());
    let mut lines = vec![format!("{}  {}", wiring.service, wiring.url.clone().unwrap_or_else(missing))];
    lines.push(format!("  called by  {}", callers(&wiring.callers)));
    if wiring.url.is_some() {
        let assumed = if wiring.property_is_assumed { ", a guess: set baseUrlProperty" } else { "" };
        lines.push(format!("  set        {} (environment: {}){assumed}", wiring.property, wiring.variable));
    }
    if way == Way::LoadBalancer
        && let Some(through) = through(wiring)
    {
        lines.push(format!("  through    {through}"));
    }
    lines.join("\n")
}

fn callers(callers: &[ServiceName]) -> String {
    if callers.is_empty() {
        return "unknown: no service lists it in calls".to_owned();
    }
    callers.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

fn through(wiring: &Wiring) -> Option<String> {
    let route = wiring.internal_route.as_ref()?;
    let what = match &route.by {
        InternalAddress::Host { host, .. } => format!("a rule for host {host}"),
        InternalAddress::Port { port } => format!("the listener on port {port}"),
    };
    Some(match &wiring.load_balancer {
        None => what,
        Some(balancer) => match door_of(route, balancer) {
            Ok(door) => {
                let port = door.port.map_or_else(String::new, |port| format!(" {port}"));
                format!("{what} at {} ({}{port}, {})", balancer.name, door.protocol, balancer.dns_name)
            }
            Err(missing) => format!("{what} at {}: {missing}", balancer.name),
        },
    })
}

/// What goes to standard error: each warning once, with the services that it is about, and what to do next.
pub(super) fn asides(way: Way, wirings: &[Wiring], asked_aws: bool) -> Vec<String> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for wiring in wirings {
        for warning in &wiring.warnings {
            match told.iter_mut().find(|(message, _)| *message == warning.message) {
                Some((_, services)) => services.push(wiring.service.as_str()),
                None => told.push((&warning.message, vec![wiring.service.as_str()])),
            }
        }
    }
    let all = wirings.len();
    let mut lines: Vec<String> = Vec::new();
    for (message, services) in told {
        let about = if services.len() == all { String::new() } else { format!("{}: ", services.join(", ")) };
        lines.push(format!("warning: {about}{message}"));
    }
    let missing: Vec<&str> = wirings.iter().filter(|one| one.url.is_none()).map(|one| one.service.as_str()).collect();
    if !missing.is_empty() {
        lines.push(format!("error: there is no URL for {}; the output says what is missing", missing.join(", ")));
    }
    if way == Way::Direct {
        lines.push(
            "these URLs are for services that have migrated: a call that goes there is on the new side".to_owned(),
        );
        return lines;
    }
    if !asked_aws {
        lines.push(
            "AWS was not asked: without --policy, or with --check, this also warns about timeouts, security groups and \
             listeners"
                .to_owned(),
        );
    }
    lines.push("before a caller changes, `crossfade wiring SERVICE --check` shows that the URL works".to_owned());
    lines
}
