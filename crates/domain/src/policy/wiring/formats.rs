//! The base URLs in the forms that callers and name servers read.

use super::{Way, Wiring};
use crate::policy::calling::{InternalAddress, InternalRoute};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How long a name server may keep an answer, in seconds.
const SHORT_TTL: u32 = 30;

/// A form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of an environment file.
    Env,
    /// Lines of a Java properties file.
    Properties,
    /// A part of a Spring `application.yaml`.
    Yaml,
    /// The `environment` of each caller in a compose file.
    Compose,
    /// A change batch for `aws route53 change-resource-record-sets`.
    Route53,
    /// `rewrite` lines for the configuration of `CoreDNS`.
    Coredns,
    /// Kubernetes services of type `ExternalName`.
    K8s,
}

/// What to print.
#[derive(Debug, Clone, PartialEq)]
pub enum Printed {
    /// Lines as they are.
    Lines(Vec<String>),
    /// YAML documents, below lines of comment.
    Yaml(Vec<String>, Vec<Value>),
    /// A JSON document.
    Json(Value),
}

/// Prints the base URLs of services in a form.
///
/// # Errors
/// Nothing could be printed that works: two services would share a name, or what the form needs is not known.
pub fn printed(format: Format, way: Way, wirings: &[Wiring]) -> Result<Printed, String> {
    match format {
        Format::Env => {
            distinct(wirings)?;
            Ok(Printed::Lines(lines(wirings, |wiring, url| format!("{}={url}", wiring.variable))))
        }
        Format::Properties => Ok(Printed::Lines(lines(wirings, |wiring, url| format!("{}={url}", wiring.property)))),
        Format::Yaml => Ok(Printed::Yaml(comments(wirings), vec![nested(wirings)])),
        Format::Compose => {
            distinct(wirings)?;
            compose(wirings)
        }
        Format::Route53 => route53(way, wirings),
        Format::Coredns => at_the_balancer(way, "the rewrite lines").and_then(|()| coredns(wirings)),
        Format::K8s => at_the_balancer(way, "the ExternalName services").map(|()| external_names(wirings)),
    }
}

/// Refuses one variable for two services: dashes are removed, so `user-s` and `users` have the same.
fn distinct(wirings: &[Wiring]) -> Result<(), String> {
    let mut by_variable: BTreeMap<&str, &Wiring> = BTreeMap::new();
    for wiring in wirings {
        if let Some(other) = by_variable.insert(&wiring.variable, wiring) {
            return Err(format!(
                "{} and {} would both be {}, since a variable has no dashes\n  give one of the two another \
                 baseUrlProperty, or use --format properties",
                other.service, wiring.service, wiring.variable
            ));
        }
    }
    Ok(())
}

fn at_the_balancer(way: Way, what: &str) -> Result<(), String> {
    match way {
        Way::LoadBalancer => Ok(()),
        Way::Direct => Err(format!(
            "there is nothing to print for the direct way: remove {what} that you have applied, once no caller uses \
             them\n  --format env, properties, yaml and compose print the direct URLs"
        )),
    }
}

/// Who has to change, and what is only assumed.
fn comment(wiring: &Wiring) -> String {
    let callers: Vec<&str> = wiring.callers.iter().map(super::ServiceName::as_str).collect();
    let callers = if callers.is_empty() { "callers unknown".to_owned() } else { format!("for {}", callers.join(", ")) };
    let assumed = if wiring.property_is_assumed { "; the property's name is a guess: set baseUrlProperty" } else { "" };
    format!("# {}: {callers}{assumed}", wiring.service)
}

fn comments(wirings: &[Wiring]) -> Vec<String> {
    wirings.iter().flat_map(|wiring| [Some(comment(wiring)), missing(wiring)]).flatten().collect()
}

fn missing(wiring: &Wiring) -> Option<String> {
    wiring.problem.as_ref().map(|problem| format!("# MISSING: {problem}"))
}

fn lines(wirings: &[Wiring], line: impl Fn(&Wiring, &str) -> String) -> Vec<String> {
    let of = |wiring: &Wiring| {
        let value = wiring.url.as_deref().map(|url| line(wiring, url)).or_else(|| missing(wiring));
        [Some(comment(wiring)), value]
    };
    wirings.iter().flat_map(of).flatten().collect()
}

/// The properties as nested maps. A name with an index, and one that is also the beginning of another, stays flat,
/// which Spring reads too.
fn nested(wirings: &[Wiring]) -> Value {
    let mut document = Map::new();
    for wiring in wirings {
        let Some(url) = &wiring.url else { continue };
        let names: Vec<&str> = wiring.property.split('.').collect();
        if wiring.property.contains('[') || !insert(&mut document, &names, url) {
            document.insert(wiring.property.clone(), json!(url));
        }
    }
    Value::Object(document)
}

fn insert(map: &mut Map<String, Value>, names: &[&str], url: &str) -> bool {
    match names {
        [] => false,
        [last] => {
            let is_free = !map.contains_key(*last);
            if is_free {
                map.insert((*last).to_owned(), json!(url));
            }
            is_free
        }
        [first, rest @ ..] => {
            let below = map.entry((*first).to_owned()).or_insert_with(|| json!({}));
            below.as_object_mut().is_some_and(|below| insert(below, rest, url))
        }
    }
}

fn compose(wirings: &[Wiring]) -> Result<Printed, String> {
    let mut services: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    for wiring in wirings {
        for caller in &wiring.callers {
            let Some(url) = &wiring.url else { continue };
            services.entry(caller.to_string()).or_default().insert(&wiring.variable, url);
        }
    }
    if services.is_empty() {
        return Err("no policy says who calls these services, so there is no block to print\n  list them as calls of \
                    their callers, or use --format env"
            .to_owned());
    }
    let blocks: Map<String, Value> =
        services.into_iter().map(|(caller, environment)| (caller, json!({"environment": environment}))).collect();
    Ok(Printed::Yaml(comments(wirings), vec![json!({ "services": blocks })]))
}

fn host_of(wiring: &Wiring) -> Option<&str> {
    match wiring.internal_route.as_ref().map(|route| &route.by) {
        Some(InternalAddress::Host { host, .. }) => Some(host),
        _ => None,
    }
}

/// Alias records to the load balancer. They are created and never overwritten, so a record of someone else stays; for
/// the direct way, the same records are deleted.
fn route53(way: Way, wirings: &[Wiring]) -> Result<Printed, String> {
    let (action, comment) = match way {
        Way::LoadBalancer => ("CREATE", "internal names of services, to their load balancer"),
        Way::Direct => ("DELETE", "internal names that no caller uses any more"),
    };
    let mut changes = Vec::new();
    for wiring in wirings {
        let Some(host) = host_of(wiring) else { continue };
        let balancer = wiring.load_balancer.as_ref();
        let zone = balancer.and_then(|balancer| balancer.hosted_zone.as_deref());
        let (Some(balancer), Some(zone)) = (balancer, zone) else {
            return Err(format!(
                "the load balancer of {} is not known, and an alias needs its name and its hosted zone",
                wiring.service
            ));
        };
        changes.push(json!({
            "Action": action,
            "ResourceRecordSet": {
                "Name": host, "Type": "A",
                "AliasTarget": {
                    "DNSName": balancer.dns_name, "HostedZoneId": zone,
                    // A target group without targets, as each is for a while, would count as unhealthy.
                    "EvaluateTargetHealth": false,
                },
            },
        }));
    }
    if changes.is_empty() {
        return Err(
            "none of these services has a host as its internal route, so there is no name to record\n  those by \
                    port are called by the load balancer's own name"
                .to_owned(),
        );
    }
    Ok(Printed::Json(json!({"Comment": comment, "Changes": changes})))
}

fn coredns(wirings: &[Wiring]) -> Result<Printed, String> {
    let mut lines = vec![
        "# Inside the zone's block of the Corefile. A managed CoreDNS may overwrite the ConfigMap at its next update:"
            .to_owned(),
        "# use its own setting for additions (EKS: the add-on's `corefile`). Callers keep their Host header."
            .to_owned(),
    ];
    for wiring in wirings {
        let Some(host) = host_of(wiring) else {
            lines.push(format!("# {}: its internal route is a port, so there is no name to rewrite", wiring.service));
            continue;
        };
        let Some(balancer) = &wiring.load_balancer else {
            return Err(format!("the load balancer of {} is not known, and a rewrite needs its name", wiring.service));
        };
        lines.push(comment(wiring));
        lines.extend([
            "rewrite stop {".to_owned(),
            format!("    name exact {host}. {}.", balancer.dns_name),
            "    answer auto".to_owned(),
            "}".to_owned(),
        ]);
    }
    lines.push(format!("# Keep `cache` at {SHORT_TTL} s or less: a load balancer's addresses change."));
    Ok(Printed::Lines(lines))
}

/// `ExternalName` services. A caller sends the short name as its `Host` header, which no rule on a host matches.
fn external_names(wirings: &[Wiring]) -> Printed {
    let mut notes = Vec::new();
    let mut documents = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for wiring in wirings {
        notes.push(comment(wiring));
        notes.extend(missing(wiring));
        let target = match wiring.internal_route.as_ref().map(|route: &InternalRoute| &route.by) {
            Some(InternalAddress::Host { host, .. }) => {
                notes.push(format!(
                    "# WARNING: a caller of http://{0} sends `Host: {0}`, which the rule for {host} does not match: \
                     the caller must send `Host: {host}`, or use {host} itself",
                    wiring.service
                ));
                Some(host.as_str())
            }
            Some(InternalAddress::Port { .. }) => wiring.load_balancer.as_ref().map(|one| one.dns_name.as_str()),
            None => None,
        };
        let name = wiring.service.as_str().to_ascii_lowercase().replace('_', "-");
        let Some(target) = target.filter(|_| names.insert(name.clone())) else { continue };
        documents.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "ExternalName", "externalName": target},
        }));
    }
    Printed::Yaml(notes, documents)
}
