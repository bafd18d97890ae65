//! Target groups and their attributes.

use super::load_balancers::check_name;
use super::state::TargetGroup;
use super::{Elbv2, identity, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// What `ModifyTargetGroup` may change, and `CreateTargetGroup` takes, of the health check.
const HEALTH_CHECK_FIELDS: [&str; 8] = [
    "HealthCheckEnabled",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
];

const DEFAULT_ATTRIBUTES: [(&str, &str); 14] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("stickiness.enabled", "false"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.type", "lb_cookie"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

impl Elbv2 {
    pub(super) fn create_target_group_call(&mut self, now: jiff::Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let name = required(input, "Name")?;
        check_name(name, "Target group")?;
        let details = accepted_details(name, input)?;
        if let Some((arn, existing)) = self.groups.iter().find(|(_, group)| group.name == name) {
            let mut settings = existing.details.clone();
            settings.remove("TargetGroupArn");
            if settings == details {
                // AWS returns that group, whoever owns it; its tags do not change.
                return Ok(Tree::map([("TargetGroups", vec![self.described_group(arn)].into())]));
            }
            return Err(AwsError::bad_request(
                "DuplicateTargetGroupName",
                format!("A target group with the same name '{name}' exists, but with different settings"),
            ));
        }
        let arn = identity::arn(&format!("targetgroup/{name}/{}", self.identities.next()));
        self.tag(&arn, input.list_at("Tags"))?;
        self.settling.insert(arn.clone(), now + self.settles_after);
        self.groups.insert(
            arn.clone(),
            TargetGroup {
                name: name.to_owned(),
                details: details.with("TargetGroupArn", arn.as_str()),
                attributes: DEFAULT_ATTRIBUTES.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
                targets: Vec::new(),
                in_use: false,
                chosen: 0,
            },
        );
        Ok(Tree::map([("TargetGroups", vec![self.described_group(&arn)].into())]))
    }

    pub(super) fn describe_target_groups(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arns = input.texts_at("TargetGroupArns");
        let names = input.texts_at("Names");
        let load_balancer = input.text_at("LoadBalancerArn");
        let given = [!arns.is_empty(), !names.is_empty(), load_balancer.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(AwsError::validation(
                "Target group names, target group ARNs and a load balancer ARN exclude one another",
            ));
        }
        if load_balancer.is_some_and(|arn| !self.load_balancers.contains_key(arn)) {
            return Err(super::load_balancers::not_found("One or more load balancers not found"));
        }
        let missing = arns.iter().any(|arn| !self.groups.contains_key(*arn))
            || names.iter().any(|name| !self.groups.values().any(|group| group.name == *name));
        if missing {
            return Err(AwsError::bad_request("TargetGroupNotFound", "One or more target groups not found"));
        }
        let users = self.users();
        let wanted = self
            .groups
            .iter()
            .filter(|(arn, _)| arns.is_empty() || arns.contains(&arn.as_str()))
            .filter(|(_, group)| names.is_empty() || names.contains(&group.name.as_str()))
            .filter(|(arn, _)| {
                load_balancer.is_none_or(|wanted| users.get(arn.as_str()).is_some_and(|user| *user == wanted))
            })
            .map(|(arn, group)| (arn.clone(), described(group, users.get(arn.as_str()).copied())))
            .collect();
        self.page(input, "TargetGroups", wanted)
    }

    pub(super) fn modify_target_group(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?.to_owned();
        let group = self.groups.get_mut(&arn).ok_or_else(|| group_not_found(&arn))?;
        let mut details = group.details.clone();
        for key in HEALTH_CHECK_FIELDS {
            if let Some(value) = input.text_at(key) {
                details.set(key, value);
            }
        }
        if let Some(matcher) = input.get("Matcher") {
            details.set("Matcher", matcher.clone());
        }
        check_health_check(&details)?;
        group.details = details;
        Ok(Tree::map([("TargetGroups", vec![self.described_group(&arn)].into())]))
    }

    pub(super) fn delete_target_group(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?;
        if self.users().contains_key(arn) {
            return Err(AwsError::bad_request(
                "ResourceInUse",
                format!("Target group '{arn}' is currently in use by a listener or a rule"),
            ));
        }
        self.groups.remove(arn);
        self.tags.remove(arn);
        Ok(Tree::new())
    }

    pub(super) fn describe_target_group_attributes(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?;
        let group = self.groups.get(arn).ok_or_else(|| group_not_found(arn))?;
        Ok(attributes_tree(&group.attributes))
    }

    pub(super) fn modify_target_group_attributes(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?.to_owned();
        let group = self.groups.get(&arn).ok_or_else(|| group_not_found(&arn))?;
        let mut attributes = group.attributes.clone();
        for attribute in input.list_at("Attributes") {
            let key = required(attribute, "Key")?;
            let value = attribute.any_text_at("Value").unwrap_or_default();
            check_attribute(key, value)?;
            attributes.insert(key.to_owned(), value.to_owned());
        }
        check_attributes_together(&attributes)?;
        let turns_sticky =
            attributes.get("stickiness.enabled").is_some_and(|value| value == "true") && !group.is_sticky();
        if turns_sticky && self.is_in_a_split_without_group_stickiness(&arn) {
            return Err(AwsError::bad_request(
                "InvalidConfigurationRequest",
                "This target group appears behind a rule with group stickiness disabled. \
                 You must enable group stickiness before enabling target stickiness",
            ));
        }
        if let Some(group) = self.groups.get_mut(&arn) {
            group.attributes.clone_from(&attributes);
        }
        Ok(attributes_tree(&attributes))
    }

    fn is_in_a_split_without_group_stickiness(&self, arn: &str) -> bool {
        self.rules.values().filter_map(super::state::Rule::forward).any(|forward| {
            forward.groups.len() > 1
                && forward.sticky_seconds.is_none()
                && forward.groups.iter().any(|(group, _)| group == arn)
        })
    }

    /// Which load balancer uses each group that is in a rule.
    pub(super) fn users(&self) -> BTreeMap<&str, &str> {
        self.rules.values().flat_map(|rule| rule.groups().map(|group| (group, rule.load_balancer.as_str()))).collect()
    }

    /// Target groups that came into use or fell out of it since the last look get new health: checks begin or end.
    pub(super) fn notice_usage(&mut self, now: jiff::Timestamp) {
        let used: BTreeSet<String> = self.users().into_keys().map(str::to_owned).collect();
        for (arn, group) in &mut self.groups {
            let in_use = used.contains(arn);
            if in_use != group.in_use {
                group.in_use = in_use;
                group.targets.iter_mut().for_each(|target| target.start_over(now));
            }
        }
    }

    fn described_group(&self, arn: &str) -> Tree {
        self.groups.get(arn).map_or_else(Tree::new, |group| described(group, self.users().get(arn).copied()))
    }
}

pub(super) fn group_not_found(arn: &str) -> AwsError {
    AwsError::bad_request("TargetGroupNotFound", format!("Target group '{arn}' not found"))
}

fn described(group: &TargetGroup, user: Option<&str>) -> Tree {
    group.details.clone().with("LoadBalancerArns", Tree::texts(user))
}

fn attributes_tree(attributes: &BTreeMap<String, String>) -> Tree {
    let attributes: Vec<Tree> = attributes
        .iter()
        .map(|(key, value)| Tree::map([("Key", key.as_str().into()), ("Value", value.as_str().into())]))
        .collect();
    Tree::map([("Attributes", attributes.into())])
}

/// Every setting explicit, as Describe returns it.
fn accepted_details(name: &str, input: &Tree) -> Result<Tree, AwsError> {
    let target_type = input.text_at("TargetType").unwrap_or("instance");
    if !matches!(target_type, "instance" | "ip" | "lambda" | "alb") {
        return Err(AwsError::validation(format!("Target type '{target_type}' is not valid")));
    }
    let mut details = input.clone();
    for key in ["Name", "Tags"] {
        details.remove(key);
    }
    details.set("TargetGroupName", name);
    details.set("TargetType", target_type);
    if target_type == "lambda" {
        return Ok(details);
    }
    let protocol = required(input, "Protocol")?;
    required(input, "VpcId")?;
    if !input.number_at("Port").is_some_and(|port| (1..=65_535).contains(&port)) {
        return Err(AwsError::validation("A target group must have a port between 1 and 65535"));
    }
    let is_http = matches!(protocol, "HTTP" | "HTTPS");
    let defaults = [
        ("IpAddressType", "ipv4"),
        ("HealthCheckEnabled", "true"),
        ("HealthCheckProtocol", if is_http { protocol } else { "TCP" }),
        ("HealthCheckPort", "traffic-port"),
        ("HealthCheckIntervalSeconds", "30"),
        ("HealthCheckTimeoutSeconds", if is_http { "5" } else { "10" }),
        ("HealthyThresholdCount", "5"),
        ("UnhealthyThresholdCount", "2"),
    ];
    let http_defaults = [("ProtocolVersion", "HTTP1"), ("HealthCheckPath", "/")];
    for (key, value) in defaults.iter().chain(http_defaults.iter().filter(|_| is_http)) {
        if details.text_at(key).is_none() {
            details.set(key, *value);
        }
    }
    if is_http && details.get("Matcher").is_none() {
        let is_grpc = details.text_at("ProtocolVersion") == Some("GRPC");
        let matcher = if is_grpc { ("GrpcCode", "12") } else { ("HttpCode", "200") };
        details.set("Matcher", Tree::map([(matcher.0, matcher.1.into())]));
    }
    let family = details.text_at("IpAddressType").unwrap_or_default();
    if !matches!(family, "ipv4" | "ipv6") {
        return Err(AwsError::validation(format!("IP address type '{family}' is not valid")));
    }
    check_health_check(&details)?;
    Ok(details)
}

fn check_health_check(details: &Tree) -> Result<(), AwsError> {
    for (key, least, most) in [
        ("HealthCheckIntervalSeconds", 5, 300),
        ("HealthCheckTimeoutSeconds", 2, 120),
        ("HealthyThresholdCount", 2, 10),
        ("UnhealthyThresholdCount", 2, 10),
    ] {
        if let Some(text) = details.text_at(key)
            && !text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number))
        {
            return Err(AwsError::validation(format!("{key} '{text}' must be between {least} and {most}")));
        }
    }
    if details.number_at("HealthCheckTimeoutSeconds") >= details.number_at("HealthCheckIntervalSeconds")
        && details.number_at("HealthCheckIntervalSeconds").is_some()
    {
        return Err(AwsError::validation("Health check interval must be greater than the timeout"));
    }
    if matches!(details.text_at("Protocol"), Some("HTTP" | "HTTPS")) {
        check_matcher(details)?;
    }
    Ok(())
}

/// `200`, `200,202` or `200-299`: of the codes that the protocol version has.
fn check_matcher(details: &Tree) -> Result<(), AwsError> {
    let Some(matcher) = details.get("Matcher") else { return Ok(()) };
    let is_grpc = details.text_at("ProtocolVersion") == Some("GRPC");
    let (key, other, least, most) =
        if is_grpc { ("GrpcCode", "HttpCode", 0, 99) } else { ("HttpCode", "GrpcCode", 200, 499) };
    if matcher.text_at(other).is_some() {
        return Err(AwsError::validation(format!("{other} is not valid for this protocol version; use {key}")));
    }
    let Some(codes) = matcher.text_at(key) else { return Ok(()) };
    let code = |text: &str| text.trim().parse::<u32>().ok().filter(|code| (least..=most).contains(code));
    let fits = |part: &str| match part.split_once('-') {
        Some((from, to)) => code(from).zip(code(to)).is_some_and(|(from, to)| from <= to),
        None => code(part).is_some(),
    };
    if codes.split(',').all(fits) {
        return Ok(());
    }
    Err(AwsError::validation(format!("{key} '{codes}' must have codes from {least} to {most}")))
}

fn check_attribute(key: &str, value: &str) -> Result<(), AwsError> {
    let number = value.parse::<i64>().ok();
    let in_range = |least: i64, most: i64| number.is_some_and(|number| (least..=most).contains(&number));
    let fits = match key {
        "deregistration_delay.timeout_seconds" => in_range(0, 3600),
        "slow_start.duration_seconds" => value == "0" || in_range(30, 900),
        "stickiness.enabled" => matches!(value, "true" | "false"),
        "stickiness.type" => matches!(value, "lb_cookie" | "app_cookie" | "source_ip"),
        "stickiness.lb_cookie.duration_seconds" | "stickiness.app_cookie.duration_seconds" => in_range(1, 604_800),
        "stickiness.app_cookie.cookie_name" => !value.is_empty(),
        "load_balancing.algorithm.type" => {
            matches!(value, "round_robin" | "least_outstanding_requests" | "weighted_random")
        }
        "load_balancing.algorithm.anomaly_mitigation" => matches!(value, "on" | "off"),
        "load_balancing.cross_zone.enabled" => matches!(value, "true" | "false" | "use_load_balancer_configuration"),
        "target_group_health.dns_failover.minimum_healthy_targets.count"
        | "target_group_health.dns_failover.minimum_healthy_targets.percentage"
        | "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage" => {
            value == "off" || in_range(1, 1000)
        }
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count" => in_range(1, 1000),
        _ => {
            return Err(AwsError::bad_request(
                "InvalidConfigurationRequest",
                format!("Target group attribute key '{key}' is not recognized"),
            ));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(AwsError::bad_request("InvalidConfigurationRequest", format!("'{value}' is not a valid value for '{key}'")))
    }
}

fn check_attributes_together(attributes: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let is = |key: &str, value: &str| attributes.get(key).is_some_and(|found| found == value);
    if !is("slow_start.duration_seconds", "0") && !is("load_balancing.algorithm.type", "round_robin") {
        return Err(AwsError::bad_request(
            "InvalidConfigurationRequest",
            "Slow start is supported only with the round robin load balancing algorithm",
        ));
    }
    if is("load_balancing.algorithm.anomaly_mitigation", "on")
        && !is("load_balancing.algorithm.type", "weighted_random")
    {
        return Err(AwsError::bad_request(
            "InvalidConfigurationRequest",
            "Anomaly mitigation is supported only with the weighted random load balancing algorithm",
        ));
    }
    if is("stickiness.enabled", "true") && is("load_balancing.cross_zone.enabled", "false") {
        return Err(AwsError::bad_request(
            "InvalidConfigurationRequest",
            "Stickiness is not supported while cross-zone load balancing is off",
        ));
    }
    Ok(())
}
