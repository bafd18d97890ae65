//! Which targets are probed when, and what their answers mean.

use super::Elbv2;
use super::state::{Health, Registered, TargetGroup};
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A health check to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The target group's ARN.
    pub group: String,
    /// The target's id.
    pub target: String,
    /// The port that the target is registered with; with `target` it names the target.
    pub target_port: u16,
    /// The port to probe.
    pub port: u16,
    /// The path to get.
    pub path: String,
    /// How long the target may take.
    pub timeout: Duration,
}

/// A target's answer to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// An HTTP status; the group's matcher says whether it is healthy.
    Status(u16),
    /// Nothing in time.
    TimedOut,
    /// The connection was refused or broke.
    Failed,
}

impl Elbv2 {
    /// The probes due at `now`: targets of groups that are in a rule, each once per interval. Giving them out schedules
    /// the next ones.
    pub fn probes_due(&mut self, now: Timestamp) -> Vec<Probe> {
        let mut due = Vec::new();
        let probed = |group: &TargetGroup| group.next_probe_at().is_some_and(|next| next <= now) && group.is_probed();
        for (arn, group) in self.groups.iter_mut().filter(|(_, group)| probed(group)) {
            let interval = SignedDuration::from_secs(group.setting("HealthCheckIntervalSeconds", 30));
            let timeout = group.setting("HealthCheckTimeoutSeconds", 5).unsigned_abs();
            let path = group.details.text_at("HealthCheckPath").unwrap_or("/").to_owned();
            let fixed_port = group.details.text_at("HealthCheckPort").and_then(|port| port.parse().ok());
            for target in group.targets.iter_mut().filter(|target| target.gone_at.is_none()) {
                if target.next_probe_at <= now {
                    target.next_probe_at = now + interval;
                    due.push(Probe {
                        group: arn.clone(),
                        target: target.id.clone(),
                        target_port: target.port,
                        port: fixed_port.unwrap_or(target.port),
                        path: path.clone(),
                        timeout: Duration::from_secs(timeout),
                    });
                }
            }
        }
        due
    }

    /// When the next probe is due; none while no group in use has a target.
    pub fn next_probe_at(&self) -> Option<Timestamp> {
        let mut first: Option<Timestamp> = None;
        for group in self.groups.values() {
            let Some(next) = group.next_probe_at().filter(|next| first.is_none_or(|first| *next < first)) else {
                continue;
            };
            if group.is_probed() {
                first = Some(next);
            }
        }
        first
    }

    /// Takes in what a target answered. A new target needs one passed probe; from unhealthy to healthy, and from
    /// healthy to unhealthy, the group's thresholds count.
    pub fn probe_result(&mut self, group: &str, target: &str, target_port: u16, outcome: ProbeOutcome) {
        let Some(group) = self.groups.get_mut(group) else { return };
        let failure = group.failure_of(outcome);
        let to_healthy = group.setting("HealthyThresholdCount", 5);
        let to_unhealthy = group.setting("UnhealthyThresholdCount", 2);
        let Some(target) = group.targets.iter_mut().find(|it| it.id == target && it.port == target_port) else {
            return;
        };
        if let Some(failure) = failure {
            target.failed_in_a_row += 1;
            target.passed_in_a_row = 0;
            target.failure = Some(failure);
            if target.failed_in_a_row >= to_unhealthy {
                target.health = Health::Unhealthy;
            }
        } else {
            target.passed_in_a_row += 1;
            target.failed_in_a_row = 0;
            if target.health == Health::Initial || target.passed_in_a_row >= to_healthy {
                target.health = Health::Healthy;
                target.failure = None;
            }
        }
    }

    /// The targets of a group that is in a rule whose health is known: their ids, and whether they are healthy.
    pub fn judged_targets(&self, group: &str) -> Vec<(String, bool)> {
        let known = |target: &&Registered| target.gone_at.is_none() && target.health != Health::Initial;
        let groups = self.groups.get(group).into_iter().filter(|group| group.is_probed());
        groups
            .flat_map(|group| group.targets.iter().filter(known))
            .map(|target| (target.id.clone(), target.health == Health::Healthy))
            .collect()
    }

    /// Healthy and unhealthy targets of a group that is in a rule, as `HealthyHostCount` and `UnHealthyHostCount` count
    /// them. Targets that drain or are still being looked at are in neither.
    pub fn host_counts(&self) -> Vec<HostCounts> {
        let users = self.users();
        self.groups
            .iter()
            .filter_map(|(arn, group)| {
                let load_balancer = users.get(arn.as_str())?;
                if group.targets.is_empty() {
                    return None;
                }
                let count = |health: Health| {
                    group.targets.iter().filter(|it| it.gone_at.is_none() && it.health == health).count()
                };
                Some(HostCounts {
                    load_balancer: (*load_balancer).to_owned(),
                    group: arn.clone(),
                    healthy: count(Health::Healthy),
                    unhealthy: count(Health::Unhealthy),
                })
            })
            .collect()
    }
}

/// How many targets of a group are healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCounts {
    /// The load balancer's ARN.
    pub load_balancer: String,
    /// The target group's ARN.
    pub group: String,
    /// Healthy targets.
    pub healthy: usize,
    /// Unhealthy targets.
    pub unhealthy: usize,
}

impl TargetGroup {
    fn is_probed(&self) -> bool {
        self.in_use && self.details.text_at("HealthCheckEnabled") != Some("false")
    }

    /// When the first of its targets is due, whether or not the group is probed.
    fn next_probe_at(&self) -> Option<Timestamp> {
        self.targets.iter().filter(|target| target.gone_at.is_none()).map(|target| target.next_probe_at).min()
    }

    fn setting(&self, key: &str, default: i64) -> i64 {
        self.details.number_at(key).unwrap_or(default)
    }

    fn failure_of(&self, outcome: ProbeOutcome) -> Option<(&'static str, String)> {
        match outcome {
            ProbeOutcome::Status(status) => {
                let codes =
                    self.details.get("Matcher").and_then(|matcher| matcher.text_at("HttpCode")).unwrap_or("200");
                (!code_matches(codes, status)).then(|| {
                    ("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{status}]"))
                })
            }
            ProbeOutcome::TimedOut => Some(("Target.Timeout", "Request timed out".to_owned())),
            ProbeOutcome::Failed => Some(("Target.FailedHealthChecks", "Health checks failed".to_owned())),
        }
    }

    pub(super) fn health_description(&self, target: &Registered) -> Tree {
        let (state, reason, description) = if target.gone_at.is_some() {
            ("draining", Some("Target.DeregistrationInProgress"), "Target deregistration is in progress".to_owned())
        } else if !self.in_use {
            (
                "unused",
                Some("Target.NotInUse"),
                "Target group is not configured to receive traffic from the load balancer".to_owned(),
            )
        } else {
            match target.health {
                Health::Healthy => ("healthy", None, String::new()),
                Health::Initial if target.failed_in_a_row == 0 => {
                    ("initial", Some("Elb.RegistrationInProgress"), "Target registration is in progress".to_owned())
                }
                Health::Initial => {
                    ("initial", Some("Elb.InitialHealthChecking"), "Initial health checks in progress".to_owned())
                }
                Health::Unhealthy => {
                    let (reason, description) =
                        target.failure.clone().unwrap_or(("Target.FailedHealthChecks", "Health checks failed".into()));
                    ("unhealthy", Some(reason), description)
                }
            }
        };
        let mut health = Tree::map([("State", state.into())]);
        if let Some(reason) = reason {
            health.set("Reason", reason);
            health.set("Description", description);
        }
        let mut named = Tree::map([("Id", target.id.as_str().into()), ("Port", i64::from(target.port).into())]);
        if let Some(zone) = &target.zone {
            named.set("AvailabilityZone", zone.as_str());
        }
        let port = match self.details.text_at("HealthCheckPort") {
            Some(port) if port != "traffic-port" => port.to_owned(),
            _ => target.port.to_string(),
        };
        Tree::map([("Target", named), ("HealthCheckPort", port.into()), ("TargetHealth", health)])
    }
}

/// `200`, `200,202` or `200-299`.
fn code_matches(codes: &str, status: u16) -> bool {
    codes.split(',').any(|part| match part.trim().split_once('-') {
        Some((low, high)) => {
            let (low, high) = (low.trim().parse::<u16>(), high.trim().parse::<u16>());
            low.is_ok_and(|low| status >= low) && high.is_ok_and(|high| status <= high)
        }
        None => part.trim().parse() == Ok(status),
    })
}
