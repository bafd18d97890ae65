//! How the settings of a group that exists differ from those of the plan.

use super::group::{GroupSettings, HealthCheck};
use std::fmt;

/// One setting that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the setting is called in AWS's own words, lower case.
    pub setting: &'static str,
    /// What the plan asks for.
    pub expected: String,
    /// What the group has.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, expected {}", self.setting, self.found, self.expected)
    }
}

/// `port is 30080, expected 8080; target type is instance, expected ip`.
pub fn listed(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What AWS can never change in a group: it has to be deleted and created again.
pub fn of_what_stays(expected: &GroupSettings, found: &GroupSettings) -> Vec<Difference> {
    // The defaults of AWS, for a side that does not say.
    let version = |settings: &GroupSettings| text_or(settings.protocol_version.as_ref(), "HTTP1");
    let family = |settings: &GroupSettings| text_or(settings.ip_address_type.as_ref(), "ipv4");
    let control =
        |settings: &GroupSettings| text_or(settings.target_control_port.map(|port| port.to_string()).as_ref(), "none");
    differing(vec![
        ("target type", expected.target_type.clone(), found.target_type.clone()),
        ("protocol", expected.protocol.clone(), found.protocol.clone()),
        ("protocol version", version(expected), version(found)),
        ("port", expected.port.to_string(), found.port.to_string()),
        ("IP address type", family(expected), family(found)),
        ("target control port", control(expected), control(found)),
        ("VPC", text_or(expected.vpc.as_ref(), "none"), text_or(found.vpc.as_ref(), "none")),
    ])
}

/// What `ModifyTargetGroup` can change.
pub fn of_health_check(expected: &HealthCheck, found: &HealthCheck) -> Vec<Difference> {
    let text = |text: &Option<String>| text_or(text.as_ref(), "none");
    differing(vec![
        ("health check", on_or_off(expected.enabled), on_or_off(found.enabled)),
        ("health check protocol", expected.protocol.clone(), found.protocol.clone()),
        ("health check port", expected.port.clone(), found.port.clone()),
        ("health check path", text(&expected.path), text(&found.path)),
        ("interval", seconds(expected.interval_seconds), seconds(found.interval_seconds)),
        ("timeout", seconds(expected.timeout_seconds), seconds(found.timeout_seconds)),
        ("healthy threshold", expected.healthy_threshold.to_string(), found.healthy_threshold.to_string()),
        ("unhealthy threshold", expected.unhealthy_threshold.to_string(), found.unhealthy_threshold.to_string()),
        ("HTTP codes", text(&expected.http_codes), text(&found.http_codes)),
        ("gRPC codes", text(&expected.grpc_codes), text(&found.grpc_codes)),
    ])
}

fn differing(settings: Vec<(&'static str, String, String)>) -> Vec<Difference> {
    let settings = settings.into_iter().filter(|(_, expected, found)| expected != found);
    settings.map(|(setting, expected, found)| Difference { setting, expected, found }).collect()
}

fn text_or(text: Option<&String>, default: &str) -> String {
    text.cloned().unwrap_or_else(|| default.to_owned())
}

fn on_or_off(enabled: bool) -> String {
    if enabled { "on" } else { "off" }.to_owned()
}

fn seconds(seconds: i32) -> String {
    format!("{seconds} s")
}
