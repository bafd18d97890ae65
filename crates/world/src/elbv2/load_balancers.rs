//! Load balancers and the account's limits.

use super::state::LoadBalancer;
use super::{Elbv2, identity, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The attributes of an application load balancer that matter to its clients, with their defaults.
const ATTRIBUTES: [(&str, &str); 8] = [
    ("client_keep_alive.seconds", "3600"),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
];

fn zones() -> Vec<Tree> {
    let zone = |letter: &str| Tree::map([("ZoneName", format!("{}{letter}", identity::REGION).into())]);
    ["a", "b", "c"].into_iter().map(zone).collect()
}

impl Elbv2 {
    pub(super) fn create_load_balancer_call(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let name = required(input, "Name")?;
        check_name(name, "Load balancer")?;
        let kind = input.text_at("Type").unwrap_or("application");
        let path = match kind {
            "application" => "app",
            "network" => "net",
            "gateway" => "gwy",
            _ => return Err(AwsError::validation(format!("Load balancer type '{kind}' is not valid"))),
        };
        if let Some((_, existing)) = self.load_balancers.iter().find(|(_, balancer)| balancer.name == name) {
            if existing.details.text_at("Type") == Some(kind) {
                return Ok(Tree::map([("LoadBalancers", vec![existing.details.clone()].into())]));
            }
            return Err(AwsError::bad_request(
                "DuplicateLoadBalancerName",
                format!("A load balancer with the same name '{name}' exists, but with different settings"),
            ));
        }
        let id = self.identities.next();
        let arn = identity::arn(&format!("loadbalancer/{path}/{name}/{id}"));
        let scheme = input.text_at("Scheme").unwrap_or("internet-facing");
        let prefix = if scheme == "internal" { "internal-" } else { "" };
        let details = Tree::map([
            ("LoadBalancerArn", arn.as_str().into()),
            ("LoadBalancerName", name.into()),
            ("DNSName", format!("{prefix}{name}-{}.{}.elb.amazonaws.com", &id[..9], identity::REGION).into()),
            ("CanonicalHostedZoneId", "Z32O12XQLNTSW2".into()),
            ("CreatedTime", now.to_string().into()),
            ("Scheme", scheme.into()),
            ("VpcId", "vpc-0a1b2c3d4e5f60718".into()),
            ("State", Tree::map([("Code", "active".into())])),
            ("Type", kind.into()),
            ("IpAddressType", input.text_at("IpAddressType").unwrap_or("ipv4").into()),
            ("AvailabilityZones", zones().into()),
            ("SecurityGroups", input.get("SecurityGroups").cloned().unwrap_or(Tree::List(Vec::new()))),
        ]);
        self.tag(&arn, input.list_at("Tags"))?;
        self.load_balancers
            .insert(arn, LoadBalancer { name: name.to_owned(), details: details.clone(), attributes: BTreeMap::new() });
        Ok(Tree::map([("LoadBalancers", vec![details].into())]))
    }

    pub(super) fn describe_load_balancers(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arns = input.texts_at("LoadBalancerArns");
        let names = input.texts_at("Names");
        let missing = arns.iter().any(|arn| !self.load_balancers.contains_key(*arn))
            || names.iter().any(|name| !self.load_balancers.values().any(|balancer| balancer.name == *name));
        if missing {
            return Err(not_found("One or more load balancers not found"));
        }
        let wanted = self
            .load_balancers
            .iter()
            .filter(|(arn, _)| arns.is_empty() || arns.contains(&arn.as_str()))
            .filter(|(_, balancer)| names.is_empty() || names.contains(&balancer.name.as_str()))
            .map(|(arn, balancer)| (arn.clone(), balancer.details.clone()))
            .collect();
        self.page(input, "LoadBalancers", wanted)
    }

    pub(super) fn describe_load_balancer_attributes(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "LoadBalancerArn")?;
        let balancer = self.load_balancers.get(arn).ok_or_else(|| not_found("Load balancer not found"))?;
        let pair = |(key, default): &(&str, &str)| {
            let value = balancer.attributes.get(*key).map_or(*default, String::as_str);
            Tree::map([("Key", (*key).into()), ("Value", value.into())])
        };
        Ok(Tree::map([("Attributes", ATTRIBUTES.iter().map(pair).collect::<Vec<_>>().into())]))
    }

    pub(super) fn modify_load_balancer_attributes(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "LoadBalancerArn")?;
        let balancer = self.load_balancers.get_mut(arn).ok_or_else(|| not_found("Load balancer not found"))?;
        for pair in input.list_at("Attributes") {
            let key = required(pair, "Key")?;
            if !ATTRIBUTES.iter().any(|(known, _)| *known == key) {
                return Err(AwsError::validation(format!("Load balancer attribute key '{key}' is not recognized")));
            }
            balancer.attributes.insert(key.to_owned(), required(pair, "Value")?.to_owned());
        }
        self.describe_load_balancer_attributes(input)
    }

    pub(super) fn delete_load_balancer(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "LoadBalancerArn")?;
        self.load_balancers.remove(arn);
        self.listeners.retain(|_, listener| listener.load_balancer != arn);
        self.rules.retain(|_, rule| rule.load_balancer != arn);
        self.tags.remove(arn);
        self.notice_usage(now);
        Ok(Tree::new())
    }
}

pub(super) fn not_found(message: &str) -> AwsError {
    AwsError::bad_request("LoadBalancerNotFound", message)
}

/// At most 32 letters, digits and hyphens, neither starting nor ending with a hyphen.
pub(super) fn check_name(name: &str, what: &str) -> Result<(), AwsError> {
    if name.len() > 32 {
        return Err(AwsError::validation(format!("{what} name '{name}' cannot be longer than '32' characters")));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(AwsError::validation(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(AwsError::validation(format!("{what} name '{name}' cannot begin or end with a hyphen(-)")));
    }
    Ok(())
}

pub(super) fn account_limits() -> Tree {
    let limits = [
        ("application-load-balancers", 50),
        ("listeners-per-application-load-balancer", 50),
        ("rules-per-application-load-balancer", 100),
        ("target-groups", 3000),
        ("target-groups-per-action-on-application-load-balancer", 5),
        ("target-groups-per-application-load-balancer", 100),
        ("targets-per-application-load-balancer", 1000),
        ("targets-per-target-group", 1000),
        ("condition-values-per-alb-rule", 5),
        ("condition-wildcards-per-alb-rule", 6),
    ];
    let limits: Vec<Tree> = limits
        .into_iter()
        .map(|(name, max)| Tree::map([("Name", name.into()), ("Max", i64::from(max).into())]))
        .collect();
    Tree::map([("Limits", limits.into())])
}
