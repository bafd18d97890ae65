//! What came of all probes of a service.

use super::compare::Verdict;
use crate::policy::calling::ProbeMethod;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Differences that a sentence names; the rest is counted.
const NAMED_DIFFERENCES: usize = 3;
/// Failed probes that it names.
const NAMED_FAILURES: usize = 3;
/// What a passed probe does not say.
const NOT_TESTED: &str = "POST, load and data written by the new side were not tested.";

/// One probe through one listener, and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The method.
    pub method: ProbeMethod,
    /// The path.
    pub path: String,
    /// How often it was asked on the new side.
    pub rounds: usize,
    /// Through which listener, such as `port 80 of public`.
    pub through: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdicts on all probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One for each probe and listener.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether the new side may get users: everything was asked, and answered as by the old side.
    pub fn passed(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.iter().all(|one| matches!(one.verdict, Verdict::Same { .. }))
    }

    /// For people: what was tested and what was not, or each failure.
    pub fn describe(&self) -> String {
        if self.outcomes.is_empty() {
            return "nothing was probed".to_owned();
        }
        if !self.passed() {
            let mut failures: Vec<String> = self.outcomes.iter().filter_map(failure).collect();
            let hidden = failures.len().saturating_sub(NAMED_FAILURES);
            failures.truncate(NAMED_FAILURES);
            if hidden > 0 {
                failures.push(format!("and {hidden} more {}", if hidden == 1 { "probe" } else { "probes" }));
            }
            return failures.join("; ");
        }
        let paths: BTreeSet<&str> = self.outcomes.iter().map(|one| one.path.as_str()).collect();
        let rounds = self.outcomes.iter().map(|one| one.rounds).min().unwrap_or_default();
        let all_get = self.outcomes.iter().all(|one| one.method == ProbeMethod::Get);
        let requests = match (all_get, rounds) {
            (true, 1) => "GET",
            (true, _) => "GETs",
            (false, 1) => "request",
            (false, _) => "requests",
        };
        let on = if paths.len() == 1 { "path" } else { "paths" };
        let mut said = format!("{rounds} {requests} on {} {on} answered alike. {NOT_TESTED}", paths.len());
        let noise = self.noise();
        if !noise.is_empty() {
            said.push_str(" Not compared, because the old side's own answers differ there: ");
            said.push_str(&noise.join(", "));
            said.push('.');
        }
        said
    }

    fn noise(&self) -> Vec<String> {
        let of_one = |one: &Outcome| match &one.verdict {
            Verdict::Same { noise } => noise.iter().map(|field| format!("{field} of {}", one.path)).collect(),
            Verdict::Differs { .. } | Verdict::NotComparable { .. } => Vec::new(),
        };
        let all: BTreeSet<String> = self.outcomes.iter().flat_map(of_one).collect();
        let hidden = all.len().saturating_sub(NAMED_DIFFERENCES);
        let mut named: Vec<String> = all.into_iter().take(NAMED_DIFFERENCES).collect();
        if hidden > 0 {
            named.push(format!("and {hidden} more"));
        }
        named
    }
}

fn failure(one: &Outcome) -> Option<String> {
    let what = match &one.verdict {
        Verdict::Same { .. } => return None,
        Verdict::NotComparable { why } => format!("cannot be compared: {why}"),
        Verdict::Differs { differences } => {
            let named = differences.iter().take(NAMED_DIFFERENCES);
            let mut named: Vec<String> = named
                .map(|one| format!("{} is {} on the old side and {} on the new", one.field, one.old, one.new))
                .collect();
            let hidden = differences.len().saturating_sub(NAMED_DIFFERENCES);
            if hidden > 0 {
                named.push(format!("{hidden} more fields differ"));
            }
            named.join(", ")
        }
    };
    Some(format!("{} {} through {}: {what}", one.method.as_str(), one.path, one.through))
}
