//! The fields about calls: who calls whom, by which address, and the test requests before any user's.

use crate::names::ServiceName;
use crate::policy::calling::{Compared, InternalAddress, InternalRoute, PRIORITY_BASE, Probe, ProbeMethod};
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Object, Place, Reader};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The fields of `internalRoute`.
pub(super) const ROUTE_FIELDS: [&str; 6] =
    ["host", "port", "loadBalancer", "listener", "priorityBase", "allowInternetFacing"];
/// The fields of a probe.
const PROBE_FIELDS: [&str; 4] = ["path", "method", "expect", "compare"];
/// The words of a probe's method.
const METHODS: [(&str, ProbeMethod); 2] = [("GET", ProbeMethod::Get), ("HEAD", ProbeMethod::Head)];
/// The words of `compare`, beside `status`.
const COMPARED: [(&str, Compared); 3] =
    [("headers", Compared::Headers), ("shape", Compared::Shape), ("body", Compared::Body)];
/// More probes would hold up every migration.
const MOST_PROBES: usize = 20;
/// AWS takes no longer value in a condition.
const LONGEST_HOST: usize = 128;

/// The internal route of a service.
pub(super) fn internal_route(reader: &mut Reader, place: &Place<'_>) -> Option<InternalRoute> {
    let object = reader.object(place, &ROUTE_FIELDS, "an object with host, or with port")?;
    let by = match (object.get("host"), object.get("port")) {
        (Some(host), None) => by_host(reader, &object, &host),
        (None, Some(at)) => {
            for field in ["listener", "priorityBase"].into_iter().filter(|field| object.has(field)) {
                reader.note(object.path_of(field), "expected next to host: a port has a listener of its own");
            }
            port(reader, &at).map(|port| InternalAddress::Port { port })
        }
        (Some(_), Some(_)) => {
            reader.note(&place.path, "host and port together: expected one of them");
            None
        }
        (None, None) => {
            reader.note(&place.path, "no address: expected host, or port");
            None
        }
    };
    let load_balancer = match object.get("loadBalancer") {
        Some(place) => Some(reader.text(&place, "the name or ARN of a load balancer")?),
        None => None,
    };
    let allow_internet_facing = match object.get("allowInternetFacing") {
        Some(place) => reader.flag(&place)?,
        None => false,
    };
    Some(InternalRoute { by: by?, load_balancer, allow_internet_facing })
}

fn by_host(reader: &mut Reader, object: &Object<'_>, host: &Place<'_>) -> Option<InternalAddress> {
    let text = reader.text(host, "a host name")?.to_ascii_lowercase();
    if let Some(wrong) = wrong_host(&text) {
        reader.note(&host.path, format!("{text:?}: {wrong}"));
        return None;
    }
    let listener = match object.get("listener") {
        Some(place) => Some(port(reader, &place)?),
        None => None,
    };
    let base = match object.get("priorityBase") {
        Some(place) => reader.whole(&place, 1, 50_000).and_then(|base| u16::try_from(base).ok())?,
        None => PRIORITY_BASE,
    };
    Some(InternalAddress::Host { host: text, listener, priority_base: base })
}

/// What AWS asks of a host in a condition, and a name that one service has to itself besides.
fn wrong_host(host: &str) -> Option<&'static str> {
    let last = host.rsplit('.').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !host.contains('.') {
        Some("expected a name with a dot, such as users.internal.example.com: AWS takes no other in a rule")
    } else if host.contains(['*', '?']) {
        Some("expected the service's own name, without wildcards")
    } else if host.len() > LONGEST_HOST || !host.chars().all(fits) || host.split('.').any(str::is_empty) {
        Some("expected letters, digits, hyphens and dots, 128 at most")
    } else if !last.chars().all(|c| c.is_ascii_alphabetic()) {
        Some("expected only letters behind the last dot: AWS takes no other name in a rule")
    } else {
        None
    }
}

fn port(reader: &mut Reader, place: &Place<'_>) -> Option<u16> {
    reader.whole(place, 1, u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
}

/// The property in which callers keep a service's base URL.
pub(super) fn base_url_property(reader: &mut Reader, place: &Place<'_>) -> Option<String> {
    let property = reader.text(place, "a property's name such as clients.{service}.base-url")?;
    let plain = property.replace("{service}", "x");
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-[]".contains(c);
    if !plain.chars().all(fits) {
        let message = "expected letters, digits, dots, hyphens and [0], and no placeholder but {service}";
        reader.note(&place.path, format!("{property:?}: {message}"));
        return None;
    }
    Some(property)
}

/// The URL under which callers reach the service in the new cluster, without a load balancer.
pub(super) fn direct_url(reader: &mut Reader, place: &Place<'_>) -> Option<String> {
    let what = "a URL such as http://users.prod.svc.cluster.local:8080";
    let url = reader.text(place, what)?;
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if !host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', ':']) && !host.contains(' ')) {
        reader.note(&place.path, format!("{url:?}: expected {what}"));
        return None;
    }
    Some(url.trim_end_matches('/').to_owned())
}

/// The probes of a service.
pub(super) fn probes(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<Probe>> {
    let items = reader.list(place, "a list of probes")?;
    if items.len() > MOST_PROBES {
        reader.note(&place.path, format!("{} probes: expected {MOST_PROBES} at most", items.len()));
    }
    let mut probes: Vec<Probe> = Vec::new();
    for item in &items {
        let Some(probe) = probe(reader, item) else { continue };
        if probes.iter().any(|one| (one.method, &one.path) == (probe.method, &probe.path)) {
            reader.note(&item.path, format!("{} is in the list already", probe.path));
        }
        probes.push(probe);
    }
    (probes.len() == items.len()).then_some(probes)
}

fn probe(reader: &mut Reader, place: &Place<'_>) -> Option<Probe> {
    let object = reader.object(place, &PROBE_FIELDS, "an object with path")?;
    let at = reader.required(&object, "path", "a path such as /actuator/health")?;
    let path = reader.text(&at, "a path such as /actuator/health");
    let path = path.filter(|path| {
        let fits = path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && c != '#');
        if !fits {
            reader
                .note(&at.path, format!("{path:?}: expected a path that begins with /, without blanks and without #"));
        }
        fits
    });
    let method = match object.get("method") {
        Some(place) => reader.word(&place, &METHODS),
        None => Some(ProbeMethod::Get),
    };
    let expect = match object.get("expect") {
        Some(place) => reader.whole(&place, 200, 499).and_then(|status| u16::try_from(status).ok()),
        None => Some(200),
    };
    let compare = match object.get("compare") {
        Some(place) => compare(reader, &place),
        None => Some(BTreeSet::new()),
    };
    Some(Probe { path: path?, method: method?, expect: expect?, compare: compare? })
}

/// `status`, or what is compared beside it: `status+shape`, `headers+body`.
fn compare(reader: &mut Reader, place: &Place<'_>) -> Option<BTreeSet<Compared>> {
    let what = "status, or status with one or more of headers, shape, body, such as status+shape";
    let text = reader.text(place, what)?;
    let mut compared = BTreeSet::new();
    for word in text.split('+').map(str::trim).filter(|word| *word != "status") {
        let Some((_, found)) = COMPARED.iter().find(|(name, _)| *name == word) else {
            let near = did_you_mean(word, COMPARED.iter().map(|(name, _)| *name));
            reader.note(&place.path, format!("{word:?}: expected {what}{near}"));
            return None;
        };
        compared.insert(*found);
    }
    Some(compared)
}

/// Notes callees that are no services of the fleet, one host or port for two services of one load balancer, and a
/// service that calls itself.
pub(super) fn check(reader: &mut Reader, services: &[(Place<'_>, Option<ServiceName>)]) {
    let known: Vec<&str> = services.iter().flat_map(|(_, name)| name).map(ServiceName::as_str).collect();
    let mut taken: Vec<(String, String, &str)> = Vec::new();
    for (place, name) in services {
        for (index, callee) in texts(place.value.get("calls")).into_iter().enumerate() {
            let path = format!("{}.calls[{index}]", place.path);
            if name.as_ref().is_some_and(|name| name.as_str() == callee) {
                reader.note(path, format!("{callee} need not call itself"));
            } else if !known.contains(&callee) && ServiceName::parse(callee).is_ok() {
                let near = did_you_mean(callee, known.iter().copied());
                reader.note(path, format!("{callee:?} is no service of this fleet{near}"));
            }
        }
        let (Some(route), Some(name)) = (place.value.get("internalRoute"), name) else { continue };
        let balancer = route.get("loadBalancer").and_then(Value::as_str).unwrap_or_default().to_owned();
        let host = route.get("host").and_then(Value::as_str).map(str::to_ascii_lowercase);
        let port = route.get("port").and_then(Value::as_u64).map(|port| format!("port {port}"));
        let Some(address) = host.or(port) else { continue };
        match taken.iter().find(|(other, at, _)| *at == address && *other == balancer) {
            Some((_, _, first)) => {
                let message = format!("{address} is the internal route of {first} already; a service has its own");
                reader.note(format!("{}.internalRoute", place.path), message);
            }
            None => taken.push((balancer, address, name.as_str())),
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The schema of `internalRoute`.
pub(super) fn route_schema() -> Value {
    json!({
        "type": "object",
        "description": "How other services reach this one through a load balancer: by `host` or by `port`.",
        "additionalProperties": false,
        "oneOf": [{ "required": ["host"] }, { "required": ["port"] }],
        "properties": {
            "host": { "type": "string", "minLength": 3, "maxLength": LONGEST_HOST, "description": "A name of its own, \
                                                                                                   with a dot and \
                                                                                                   only letters \
                                                                                                   behind the last \
                                                                                                   one. A rule sends \
                                                                                                   it to this \
                                                                                                   service." },
            "port": { "$ref": "#/$defs/port", "description": "A port of its own, so a listener of its own." },
            "loadBalancer": { "type": "string", "minLength": 1, "description": "The load balancer that gets the rule \
                                                                                or listener, by name or ARN; the only \
                                                                                internal one of the VPC, if left \
                                                                                out." },
            "listener": { "$ref": "#/$defs/port", "description": "With `host`: the port of the listener that gets the \
                                                                  rule; the only listener, or 80, if left out." },
            "priorityBase": { "type": "integer", "minimum": 1, "maximum": 50_000, "default": PRIORITY_BASE,
                              "description": "With `host`: the lowest priority that the rule may get. Rules that are \
                                              there keep theirs and win." },
            "allowInternetFacing": { "type": "boolean", "default": false, "description": "Whether the load balancer \
                                                                                          may be open to the \
                                                                                          internet." },
        },
    })
}

/// The schema of `probes`.
pub(super) fn probes_schema() -> Value {
    json!({
        "type": "array",
        "maxItems": MOST_PROBES,
        "description": "Requests that the new side must answer like the old one before a user reaches it.",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["path"],
            "properties": {
                "path": { "type": "string", "pattern": "^/", "description": "The path, with a query if it needs one. \
                                                                             Only what you list is asked." },
                "method": { "enum": METHODS.map(|(word, _)| word), "default": "GET", "description": "The method. The \
                                                                                                     request must \
                                                                                                     change nothing." },
                "expect": {
                    "type": "integer", "minimum": 200, "maximum": 499, "default": 200,
                    "description": "The status that both sides must answer with.",
                },
                "compare": { "type": "string", "default": "status", "description": "What is compared: `status`, and \
                                                                                    with `+headers`, `+shape` or \
                                                                                    `+body` also the headers that \
                                                                                    clients and caches read, the keys \
                                                                                    and types of the JSON, or the \
                                                                                    whole body." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::{decode_fleet, decode_service};
    use crate::policy::service_policy::ServicePolicy;

    fn with(fields: &Value) -> Value {
        let targets = json!({ "instances": ["i-1", "i-2"] });
        let mut service = json!({ "name": "users", "oldTargetGroups": "users-swarm", "newTargets": targets });
        for (field, value) in fields.as_object().unwrap() {
            service[field] = value.clone();
        }
        service
    }

    fn read(fields: &Value) -> Result<ServicePolicy, String> {
        decode_service(&with(fields)).map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_internal_route_is_by_host_or_by_port() {
        let route = |fields: Value| read(&json!({ "internalRoute": fields })).map(|policy| policy.internal_route);
        let host = InternalAddress::Host {
            host: "users.internal.example.com".to_owned(),
            listener: None,
            priority_base: PRIORITY_BASE,
        };
        let expected =
            InternalRoute { by: host, load_balancer: Some("internal".to_owned()), allow_internet_facing: false };
        let given = json!({ "host": "Users.internal.example.com", "loadBalancer": "internal" });
        assert_eq!(route(given), Ok(Some(expected)));
        let port = InternalAddress::Port { port: 8081 };
        let expected = InternalRoute { by: port, load_balancer: None, allow_internet_facing: false };
        assert_eq!(route(json!({ "port": 8081 })), Ok(Some(expected)));
        for (given, why) in [
            (json!({ "host": "users" }), "expected a name with a dot"),
            (json!({ "host": "users.10" }), "only letters behind the last dot"),
            (json!({ "host": "*.internal.example" }), "without wildcards"),
            (json!({ "host": "us_ers.internal.example" }), "letters, digits, hyphens and dots"),
            (json!({ "host": "a.example", "port": 80 }), "host and port together"),
            (json!({}), "no address"),
            (json!({ "port": 80, "listener": 80 }), "a port has a listener of its own"),
            (json!({ "port": 0 }), "from 1 to 65535"),
        ] {
            let refused = route(given.clone()).unwrap_err();
            assert!(refused.contains(why) && refused.contains("internalRoute"), "{given}: {refused}");
        }
    }

    #[test]
    fn probes_have_safe_defaults_and_only_methods_that_read() {
        let probes = |fields: Value| read(&json!({ "probes": fields })).map(|policy| policy.probes);
        let found = probes(json!([{ "path": "/ping" }, { "path": "/a?b=c", "method": "HEAD", "expect": 404,
            "compare": "status+shape+headers" }]))
        .unwrap();
        let plain = Probe { path: "/ping".into(), method: ProbeMethod::Get, expect: 200, compare: BTreeSet::new() };
        assert_eq!(found[0], plain);
        assert_eq!((found[1].method, found[1].expect), (ProbeMethod::Head, 404));
        assert_eq!(found[1].compare, BTreeSet::from([Compared::Headers, Compared::Shape]));
        for (given, why) in [
            (json!([{ "path": "ping" }]), "begins with /"),
            (json!([{ "path": "/p", "method": "POST" }]), "expected one of GET, HEAD"),
            (json!([{ "path": "/p", "compare": "shap" }]), "did you mean"),
            (json!([{ "path": "/p" }, { "path": "/p" }]), "already"),
            (json!([{ "path": "/p", "expect": 503 }]), "from 200 to 499"),
        ] {
            let refused = probes(given.clone()).unwrap_err();
            assert!(refused.contains(why) && refused.contains("probes["), "{given}: {refused}");
        }
    }

    #[test]
    fn what_is_stored_reads_back() {
        let policy = read(&json!({
            "calls": ["payments"], "baseUrlProperty": "clients.{service}.base-url",
            "directUrl": "http://users.prod.svc.cluster.local:8080/",
            "internalRoute": { "host": "users.internal.example", "listener": 443, "priorityBase": 200 },
            "probes": [{ "path": "/ping", "compare": "shape" }],
        }))
        .unwrap();
        assert_eq!(policy.direct_url.as_deref(), Some("http://users.prod.svc.cluster.local:8080"));
        let stored = serde_json::to_value(&policy).unwrap();
        assert_eq!(serde_json::from_value::<ServicePolicy>(stored).unwrap(), policy);
    }

    #[test]
    fn every_problem_between_services_is_told_at_once() {
        let one = json!({ "calls": ["users", "payment"], "internalRoute": { "host": "a.example" } });
        let mut payments = with(&json!({ "internalRoute": { "host": "A.example" } }));
        payments["name"] = "payments".into();
        payments["oldTargetGroups"] = "payments-swarm".into();
        let problems = decode_fleet(&json!({ "fleet": "f", "services": [with(&one), payments] })).unwrap_err();
        let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "services[0].calls[0]: users need not call itself",
                "services[0].calls[1]: \"payment\" is no service of this fleet (did you mean \"payments\"?)",
                "services[1].internalRoute: a.example is the internal route of users already; a service has its own",
            ]
        );
    }
}
