//! Target groups, their attributes, and the health of their targets.

use crate::names::{LoadBalancerArn, TargetGroupArn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;
/// Attributes of a target group by AWS's own keys (`stickiness.enabled`, `deregistration_delay.timeout_seconds`, ...).
pub type Attributes = BTreeMap<String, String>;

/// What a target group is made of: everything `CreateTargetGroup` takes but its name, VPC and tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSettings {
    /// `HTTP`, `HTTPS`, ...
    pub protocol: String,
    /// `HTTP1`, `HTTP2` or `GRPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The port targets listen on unless they are registered with another.
    pub port: u16,
    /// `instance`, `ip`, `lambda` or `alb`.
    pub target_type: String,
    /// `ipv4` or `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// Where the load balancer asks each target's agent whether it takes another request (target optimizer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_control_port: Option<u16>,
    /// The health check, every value explicit.
    pub health_check: HealthCheck,
}

impl GroupSettings {
    /// Whether requests are gRPC calls: one that failed is answered with HTTP 200, and its status is in the trailer.
    pub fn is_grpc(&self) -> bool {
        self.protocol_version.as_deref() == Some("GRPC")
    }
}

/// A target group's health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Off only for Lambda targets.
    pub enabled: bool,
    /// `HTTP`, `HTTPS`, ...
    pub protocol: String,
    /// `traffic-port` or a number.
    pub port: String,
    /// The path probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// 5 to 300 s between probes.
    pub interval_seconds: i32,
    /// 2 to 120 s.
    pub timeout_seconds: i32,
    /// Probes in a row from unhealthy to healthy. A new target needs one.
    pub healthy_threshold: i32,
    /// Probes in a row from healthy to unhealthy.
    pub unhealthy_threshold: i32,
    /// HTTP codes that count as healthy, such as `200-299`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_codes: Option<String>,
    /// gRPC codes that do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_codes: Option<String>,
}

/// A target group as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroup {
    /// The group.
    pub arn: TargetGroupArn,
    /// Its name, unique in region and account.
    pub name: String,
    /// Its settings.
    pub settings: GroupSettings,
    /// The load balancer that uses it: none or one.
    pub load_balancers: Vec<LoadBalancerArn>,
}

/// A target: an instance id, an IP address or an ARN, and a port where it overrides the group's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Instance id or IP address.
    pub id: String,
    /// Port override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.id.contains(':') => write!(f, "[{}]:{port}", self.id),
            Some(port) => write!(f, "{}:{port}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

impl Target {
    /// The family of its address; none for an instance.
    pub fn address_family(&self) -> Option<AddressFamily> {
        let address = self.id.parse::<IpAddr>().ok()?;
        Some(if address.is_ipv4() { AddressFamily::Ipv4 } else { AddressFamily::Ipv6 })
    }
}

/// The family of addresses that a target group takes (`IpAddressType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6; the load balancer has to be dual-stack.
    Ipv6,
}

impl AddressFamily {
    /// The word of AWS and of the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// The health of one registered target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetHealth {
    /// Which target.
    pub target: Target,
    /// Its state.
    pub state: HealthState,
    /// AWS's reason code (`Target.NotInUse`, `Target.FailedHealthChecks`, ...), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The states of `DescribeTargetHealth`. Anything new counts as not healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HealthState {
    /// Registered a moment ago; no verdict yet.
    Initial,
    /// Gets traffic.
    Healthy,
    /// Failed its checks.
    Unhealthy,
    /// The group is in no rule, or the target is not registered.
    Unused,
    /// Being deregistered.
    Draining,
    /// Health is unknown.
    Unavailable,
}

/// How many of the targets get traffic.
pub fn healthy_count(health: &[TargetHealth]) -> u32 {
    let healthy = health.iter().filter(|target| target.state == HealthState::Healthy).count();
    u32::try_from(healthy).unwrap_or(u32::MAX)
}
