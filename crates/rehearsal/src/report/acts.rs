//! What came of an act, and where that is not as its scenario expects.

use crate::scenario::ActScenario;
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of one act.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActReport {
    /// The act, by its word in scenarios.
    pub act: &'static str,
    /// World seconds from the beginning of the load until the act began.
    pub began_seconds: f64,
    /// World seconds that it took.
    pub world_seconds: f64,
    /// What it counted.
    pub counts: BTreeMap<&'static str, u64>,
    /// The same in words.
    pub summary: String,
    /// The expectations that were not met, in words, and what went wrong. Must be empty.
    pub unmet: Vec<String>,
}

impl ActReport {
    /// Says what is not as expected. `wrong` says what went wrong, one line each.
    pub(crate) fn unmet_of(act: &ActScenario, counts: &BTreeMap<&'static str, u64>, wrong: Vec<String>) -> Vec<String> {
        let mut unmet = Vec::new();
        let by_default = act.deed.failures().iter().map(|name| ((*name).to_owned(), 0));
        let mut expected: BTreeMap<String, u64> = by_default.collect();
        expected.extend(act.expect.clone());
        for (name, expected) in expected {
            let found = counts.get(name.as_str()).copied().unwrap_or(0);
            if found != expected {
                unmet.push(format!("{name}: expected {expected}, found {found}"));
            }
        }
        // What was expected to go wrong needs no words.
        if !unmet.is_empty() {
            unmet.extend(wrong);
        }
        unmet
    }
}
