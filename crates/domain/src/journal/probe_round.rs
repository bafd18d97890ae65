//! What a head keeps while a command outside sends the requests of probes.
//!
//! The token of a rule is in that rule alone: whoever sends the requests reads it from the load balancer.

use crate::names::{ListenerArn, RuleArn, TargetGroupArn};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a migration waits for the report of a command, in seconds, from the first rules on.
pub const ANSWERED_WITHIN_SECONDS: i64 = 600;

/// Rules that exist, and what is to be asked through them. Other rules are another round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRound {
    /// The number of the event that recorded it. A report names the round that it is about.
    pub number: u64,
    /// Since when the migration waits for a report, through all rounds.
    pub since: Timestamp,
    /// The rules, at least one.
    pub rules: Vec<OfferedRule>,
    /// What is not probed although other listeners are, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The first report; none while the migration waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ProbeReport>,
}

/// A rule through which the new side is asked, and what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferedRule {
    /// Its listener.
    pub listener: ListenerArn,
    /// The rule.
    pub rule: RuleArn,
    /// The new group, to which it forwards everything.
    pub group: TargetGroupArn,
    /// The load balancer's DNS name.
    pub dns_name: String,
    /// The listener's port.
    pub port: u16,
    /// Whether the listener speaks TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
    /// What is asked, at least one.
    pub requests: Vec<OfferedRequest>,
}

/// One probe of the policy through one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferedRequest {
    /// Which probe, counted from 0 in the order of the policy.
    pub probe: usize,
    /// The `Host` header.
    pub host: String,
}

/// What a command outside has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeReport {
    /// Who sent the requests.
    pub who: String,
    /// One for each request of the round.
    pub answers: Vec<ReportedAnswer>,
    /// What was tested, or what failed, for people.
    pub reason: String,
}

/// What came of one probe through one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedAnswer {
    /// The rule.
    pub rule: RuleArn,
    /// Which probe, counted from 0 in the order of the policy.
    pub probe: usize,
    /// How often the new side was asked.
    pub rounds: usize,
    /// Whether it answered as the old side does.
    pub same: bool,
}

impl ProbeRound {
    /// When the migration stops waiting for a report.
    pub fn ends_at(&self) -> Timestamp {
        self.since + SignedDuration::from_secs(ANSWERED_WITHIN_SECONDS)
    }

    /// The requests that a report does not have, or not often enough to say that they were answered alike, as the rule
    /// and the number of the probe.
    pub fn missing_in(&self, report: &ProbeReport, rounds: usize) -> Vec<(&OfferedRule, usize)> {
        let is_reported = |rule: &OfferedRule, probe: usize| {
            let of_request = |one: &&ReportedAnswer| one.rule == rule.rule && one.probe == probe;
            report.answers.iter().find(of_request).is_some_and(|one| !one.same || one.rounds >= rounds)
        };
        let requests = self.rules.iter().flat_map(|rule| rule.requests.iter().map(move |one| (rule, one.probe)));
        requests.filter(|(rule, probe)| !is_reported(rule, *probe)).collect()
    }
}

impl ProbeReport {
    /// Whether everything that it has was answered alike.
    pub fn is_alike(&self) -> bool {
        !self.answers.is_empty() && self.answers.iter().all(|one| one.same)
    }
}
