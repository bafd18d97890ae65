//! How a policy says where the new targets come from.

use crate::load_balancer::group::{AddressFamily, Target};
use crate::policy::reader::{Object, Place, Reader};
use crate::policy::service_policy::{Binding, NewTargets, ScalingTargets};
use serde_json::Value;
use std::net::SocketAddr;

/// The ways to get targets, of which exactly one is given.
pub(super) const WAYS: [&str; 4] = ["binding", "instances", "ips", "autoScalingGroup"];
/// The fields of `newTargets`: a way, and what may stand next to `ips`.
pub(super) const FIELDS: [&str; 5] = ["binding", "instances", "ips", "autoScalingGroup", "outsideVpc"];
/// The fields of a binding.
pub(super) const BINDING_FIELDS: [&str; 4] = ["namespace", "service", "port", "ipAddressType"];
/// The words of `ipAddressType`.
pub(super) const FAMILIES: [(&str, AddressFamily); 2] =
    [(AddressFamily::Ipv4.as_str(), AddressFamily::Ipv4), (AddressFamily::Ipv6.as_str(), AddressFamily::Ipv6)];
/// The fields of an instance.
pub(super) const INSTANCE_FIELDS: [&str; 2] = ["id", "port"];
/// The fields of an Auto Scaling group.
pub(super) const SCALING_FIELDS: [&str; 2] = ["name", "port"];
/// The fields of an address; `ip` and `id` mean the same.
pub(super) const IP_FIELDS: [&str; 3] = ["ip", "id", "port"];

/// The targets, and whether they are outside the VPC of the target groups.
pub(super) fn new_targets(reader: &mut Reader, place: &Place<'_>) -> Option<(NewTargets, bool)> {
    let what = "an object with one of binding, instances, ips, autoScalingGroup";
    let object = reader.object(place, &FIELDS, what)?;
    let given: Vec<&str> = WAYS.into_iter().filter(|way| object.has(way)).collect();
    let outside_vpc = match object.get("outsideVpc") {
        Some(place) => reader.flag(&place)?,
        None => false,
    };
    if outside_vpc && !object.has("ips") {
        let why = "expected next to ips: a controller registers a binding's pods, and instances are in the VPC";
        reader.note(object.path_of("outsideVpc"), why);
        return None;
    }
    let targets = match given.as_slice() {
        ["binding"] => binding(reader, &object.get("binding")?).map(NewTargets::Binding),
        ["instances"] => targets(reader, &object.get("instances")?, instance).map(NewTargets::Instances),
        ["ips"] => targets(reader, &object.get("ips")?, ip).map(NewTargets::Ips),
        ["autoScalingGroup"] => {
            scaling_group(reader, &object.get("autoScalingGroup")?).map(NewTargets::AutoScalingGroup)
        }
        [] => {
            reader.note(&place.path, format!("no targets: expected {what}"));
            None
        }
        several => {
            reader.note(&place.path, format!("{} together: expected one of them", several.join(" and ")));
            None
        }
    };
    Some((targets?, outside_vpc))
}

fn binding(reader: &mut Reader, place: &Place<'_>) -> Option<Binding> {
    let object = reader.object(place, &BINDING_FIELDS, "an object with namespace, service and port")?;
    let mut text = |field: &str, what: &str| {
        let place = reader.required(&object, field, what)?;
        reader.text(&place, what)
    };
    let namespace = text("namespace", "the Kubernetes namespace");
    let service = text("service", "the Kubernetes service");
    let port = reader.required(&object, "port", "the Kubernetes service's port").and_then(|place| port(reader, &place));
    let ip_address_type = match object.get("ipAddressType") {
        Some(place) => Some(reader.word(&place, &FAMILIES)?),
        None => None,
    };
    Some(Binding { namespace: namespace?, service: service?, port: port?, ip_address_type })
}

fn scaling_group(reader: &mut Reader, place: &Place<'_>) -> Option<ScalingTargets> {
    let what = "the name of an Auto Scaling group";
    let (name, port, path) = id_and_port(reader, place, &SCALING_FIELDS, "name", what)?;
    // What AWS allows, without the characters that no command line takes as they are.
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ':' | '\'' | '"' | '`' | '$' | '\\');
    if name.len() > 255 || !name.chars().all(fits) {
        reader.note(path, format!("{name:?}: expected {what}"));
        return None;
    }
    Some(ScalingTargets { name, port })
}

fn port(reader: &mut Reader, place: &Place<'_>) -> Option<u16> {
    reader.whole(place, 1, u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
}

fn targets(
    reader: &mut Reader,
    place: &Place<'_>,
    one: fn(&mut Reader, &Place<'_>) -> Option<Target>,
) -> Option<Vec<Target>> {
    let items = reader.list(place, "a list of targets")?;
    if items.is_empty() {
        reader.note(&place.path, "no targets: expected at least one");
        return None;
    }
    let mut targets: Vec<Target> = Vec::with_capacity(items.len());
    for item in &items {
        let Some(target) = one(reader, item) else { continue };
        if targets.contains(&target) {
            reader.note(&item.path, format!("{:?} is in the list already", target.id));
        }
        targets.push(target);
    }
    (targets.len() == items.len()).then_some(targets)
}

fn instance(reader: &mut Reader, place: &Place<'_>) -> Option<Target> {
    let what = "an instance id such as i-0123456789abcdef0";
    let (id, port, path) = id_and_port(reader, place, &INSTANCE_FIELDS, "id", what)?;
    if !id.strip_prefix("i-").is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric())) {
        reader.note(path, format!("{id:?}: expected {what}"));
        return None;
    }
    Some(Target { id, port })
}

fn ip(reader: &mut Reader, place: &Place<'_>) -> Option<Target> {
    let what = "an IP address such as 10.0.0.12, or one with a port such as 10.0.0.12:8080";
    if let Some(address) = place.value.as_str().and_then(|text| text.parse::<SocketAddr>().ok()) {
        if address.port() == 0 {
            reader.note(&place.path, format!("{}: expected a port from 1 to 65535", place.value));
        }
        return (address.port() > 0).then(|| Target { id: address.ip().to_string(), port: Some(address.port()) });
    }
    let field = if place.value.get("id").is_some() { "id" } else { "ip" };
    if place.value.get("id").is_some() && place.value.get("ip").is_some() {
        reader.note(&place.path, "ip and id together: expected one of them");
        return None;
    }
    let (id, port, path) = id_and_port(reader, place, &IP_FIELDS, field, what)?;
    if id.parse::<std::net::IpAddr>().is_err() {
        reader.note(path, format!("{id:?}: expected {what}"));
        return None;
    }
    Some(Target { id, port })
}

/// A target as a text, or as an object with an optional port; with the path of its id.
fn id_and_port(
    reader: &mut Reader,
    place: &Place<'_>,
    known: &[&str],
    field: &str,
    what: &str,
) -> Option<(String, Option<u16>, String)> {
    if let Value::String(_) = place.value {
        return reader.text(place, what).map(|id| (id, None, place.path.clone()));
    }
    let object: Object<'_> = reader.object(place, known, &format!("{what}, or an object with {field} and port"))?;
    let id = reader.required(&object, field, what).and_then(|place| reader.text(&place, what));
    let port = match object.get("port") {
        Some(place) => Some(port(reader, &place)?),
        None => None,
    };
    Some((id?, port, object.path_of(field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::decode_service;
    use crate::policy::service_policy::ServicePolicy;
    use serde_json::json;

    fn decode(new_targets: &Value) -> Result<ServicePolicy, String> {
        let document = json!({ "name": "users", "oldTargetGroups": ["users-swarm"], "newTargets": new_targets });
        decode_service(&document).map_err(|problems| problems.to_string())
    }

    #[test]
    fn only_addresses_can_be_outside_the_vpc() {
        let outside = |new_targets: &Value| decode(new_targets).map(|policy| policy.outside_vpc);
        assert_eq!(outside(&json!({ "ips": ["10.9.0.1", "10.9.0.2"], "outsideVpc": true })), Ok(true));
        assert_eq!(outside(&json!({ "ips": ["10.9.0.1", "10.9.0.2"], "outsideVpc": false })), Ok(false));
        assert_eq!(outside(&json!({ "ips": ["10.9.0.1", "10.9.0.2"] })), Ok(false));
        let refused = outside(&json!({ "instances": ["i-1", "i-2"], "outsideVpc": true })).unwrap_err();
        assert!(refused.starts_with("newTargets.outsideVpc: expected next to ips"), "{refused}");
    }

    #[test]
    fn an_address_may_have_its_port_behind_it() {
        let decoded = |value: &str| {
            let other = if value.contains("::") { "2001:db8::9" } else { "10.0.0.9" };
            decode(&json!({ "ips": [value, other] })).map(|policy| policy.new_targets.listed().unwrap()[0].clone())
        };
        let target = |id: &str, port| Ok(Target { id: id.to_owned(), port });
        assert_eq!(decoded("10.0.0.1"), target("10.0.0.1", None));
        assert_eq!(decoded("10.0.0.1:8080"), target("10.0.0.1", Some(8080)));
        assert_eq!(decoded("2001:db8::1"), target("2001:db8::1", None));
        assert_eq!(decoded("[2001:db8::1]:8080"), target("2001:db8::1", Some(8080)));
        for wrong in ["10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "[2001:db8::1]", "users:8080"] {
            let refused = decoded(wrong).unwrap_err();
            assert!(refused.starts_with("newTargets.ips[0]: ") && refused.contains(wrong), "{refused}");
        }
    }

    #[test]
    fn addresses_without_a_port_take_that_of_the_old_group_unless_the_first_has_one() {
        let count = |ips: Value| decode(&json!({ "ips": ips })).map(|policy| policy.new_targets.at_the_old_port());
        assert_eq!(count(json!(["10.0.0.1", "10.0.0.2:80", "10.0.0.3"])), Ok(2));
        assert_eq!(count(json!(["10.0.0.1:80", "10.0.0.2"])), Ok(0));
        let instances = decode(&json!({ "instances": ["i-1", "i-2"] })).unwrap();
        assert_eq!(instances.new_targets.at_the_old_port(), 0, "a node port is often the same on both sides");
    }

    #[test]
    fn an_auto_scaling_group_is_a_name_with_or_without_a_port() {
        let decoded = |value: Value| decode(&json!({ "autoScalingGroup": value })).map(|policy| policy.new_targets);
        let expected = |port| Ok(NewTargets::AutoScalingGroup(ScalingTargets { name: "eks-nodes".into(), port }));
        assert_eq!(decoded(json!("eks-nodes")), expected(None));
        assert_eq!(decoded(json!({ "name": "eks-nodes", "port": 30080 })), expected(Some(30080)));
        let path = "newTargets.autoScalingGroup";
        for (wrong, at) in [
            (json!("a group"), path.to_owned()),
            (json!("$(reboot)"), path.to_owned()),
            (json!({ "name": "x:y" }), format!("{path}.name")),
            (json!({ "port": 30080 }), format!("{path}.name")),
            (json!({ "name": "eks-nodes", "port": 0 }), format!("{path}.port")),
            (json!(7), path.to_owned()),
        ] {
            let refused = decoded(wrong).unwrap_err();
            assert!(refused.starts_with(&format!("{at}: ")), "{refused}");
        }
        let both = decode(&json!({ "autoScalingGroup": "eks-nodes", "instances": ["i-1"] })).unwrap_err();
        assert!(both.contains("instances and autoScalingGroup together"), "{both}");
    }

    #[test]
    fn a_binding_may_say_the_address_family_of_its_pods() {
        let family = |word: &str| {
            let binding = json!({ "namespace": "prod", "service": "users", "port": 8080, "ipAddressType": word });
            decode(&json!({ "binding": binding })).map(|policy| policy.new_targets.address_family())
        };
        assert_eq!(family("ipv6"), Ok(Some(AddressFamily::Ipv6)));
        assert_eq!(family("ipv4"), Ok(Some(AddressFamily::Ipv4)));
        assert!(family("IPv5").unwrap_err().starts_with("newTargets.binding.ipAddressType: "));
    }
}
