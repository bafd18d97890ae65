//! Registering and deregistering targets.

use super::conditions::Block;
use super::groups::group_not_found;
use super::state::{Health, Registered};
use super::{Elbv2, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;

const TARGETS_PER_GROUP: usize = 1000;
/// The blocks of every VPC here.
const VPC: [&str; 3] = ["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"];

impl Registered {
    /// Forgets what is known about the health: the target is new, or its group came into use or fell out of it.
    pub(super) fn start_over(&mut self, now: Timestamp) {
        self.health = Health::Initial;
        self.passed_in_a_row = 0;
        self.failed_in_a_row = 0;
        self.failure = None;
        self.next_probe_at = now;
    }
}

impl Elbv2 {
    pub(super) fn register_targets(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?;
        let group = self.groups.get_mut(arn).ok_or_else(|| group_not_found(arn))?;
        let target_type = group.details.text_at("TargetType").unwrap_or("instance").to_owned();
        let is_ipv6 = group.details.text_at("IpAddressType") == Some("ipv6");
        let given = input.list_at("Targets");
        if given.is_empty() {
            return Err(AwsError::validation("At least one target must be specified"));
        }
        let mut targets = Vec::with_capacity(given.len());
        for target in given {
            let id = required(target, "Id")?;
            let fits = match target_type.as_str() {
                "instance" => id.starts_with("i-"),
                "ip" => id.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6() == is_ipv6),
                _ => true,
            };
            if !fits {
                return Err(AwsError::validation(format!("The {target_type} ID '{id}' is not valid")));
            }
            // An address in a subnet of the VPC has its zone found; AWS wants one for every other address.
            if target_type != "ip" && target.text_at("AvailabilityZone").is_some() {
                return Err(AwsError::validation(format!(
                    "You cannot specify an Availability Zone for the {target_type} target '{id}'"
                )));
            }
            if target_type == "ip" && target.text_at("AvailabilityZone") != Some("all") && !is_in_vpc(id)? {
                return Err(AwsError::validation(format!(
                    "The IP address '{id}' is outside the VPC of the target group '{arn}'; you must specify the \
                     Availability Zone 'all'"
                )));
            }
            targets.push((id.to_owned(), port_of(target, group.port())?, target.text_at("AvailabilityZone")));
        }
        for (id, port, zone) in targets {
            if let Some(known) = group.targets.iter_mut().find(|known| known.id == id && known.port == port) {
                if known.gone_at.take().is_some() {
                    known.start_over(now);
                }
                continue;
            }
            if group.targets.len() >= TARGETS_PER_GROUP {
                return Err(AwsError::bad_request(
                    "TooManyTargets",
                    format!("The maximum number of targets on '{arn}' is 1000"),
                ));
            }
            group.targets.push(Registered {
                id,
                port,
                zone: zone.map(str::to_owned),
                health: Health::Initial,
                passed_in_a_row: 0,
                failed_in_a_row: 0,
                failure: None,
                next_probe_at: now,
                gone_at: None,
            });
        }
        Ok(Tree::new())
    }

    /// A target that is not registered is ignored; one registered with a port override is named with it.
    pub(super) fn deregister_targets(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?;
        let group = self.groups.get_mut(arn).ok_or_else(|| group_not_found(arn))?;
        let delay = SignedDuration::from_secs(group.attribute_number("deregistration_delay.timeout_seconds"));
        let (port, in_use) = (group.port(), group.in_use);
        for target in input.list_at("Targets") {
            let id = required(target, "Id")?;
            let port = port_of(target, port)?;
            if let Some(known) = group.targets.iter_mut().find(|known| known.id == id && known.port == port) {
                // Nothing drains where nothing was sent.
                known.gone_at.get_or_insert(if in_use { now + delay } else { now });
            }
        }
        self.let_drained_targets_go(now);
        Ok(Tree::new())
    }

    pub(super) fn let_drained_targets_go(&mut self, now: Timestamp) {
        for group in self.groups.values_mut() {
            group.targets.retain(|target| target.gone_at.is_none_or(|gone_at| gone_at > now));
        }
    }

    pub(super) fn describe_target_health(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "TargetGroupArn")?;
        let group = self.groups.get(arn).ok_or_else(|| group_not_found(arn))?;
        let asked = input.list_at("Targets");
        let mut descriptions = Vec::new();
        if asked.is_empty() {
            descriptions.extend(group.targets.iter().map(|target| group.health_description(target)));
        }
        for target in asked {
            let id = required(target, "Id")?;
            let port = port_of(target, group.port())?;
            let known = group.targets.iter().find(|known| known.id == id && known.port == port);
            descriptions.push(known.map_or_else(|| not_registered(id, port), |known| group.health_description(known)));
        }
        Ok(Tree::map([("TargetHealthDescriptions", descriptions.into())]))
    }
}

fn port_of(target: &Tree, default: u16) -> Result<u16, AwsError> {
    let Some(text) = target.text_at("Port") else { return Ok(default) };
    text.parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| AwsError::validation(format!("Port '{text}' must be between 1 and 65535")))
}

fn is_in_vpc(address: &str) -> Result<bool, AwsError> {
    let Ok(address) = address.parse() else { return Ok(false) };
    for block in VPC {
        if Block::parse(block)?.contains(address) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn not_registered(id: &str, port: u16) -> Tree {
    Tree::map([
        ("Target", Tree::map([("Id", id.into()), ("Port", i64::from(port).into())])),
        (
            "TargetHealth",
            Tree::map([
                ("State", "unused".into()),
                ("Reason", "Target.NotRegistered".into()),
                ("Description", "Target is not registered to the target group".into()),
            ]),
        ),
    ])
}
