//! What came of an execution of `retire-service`, and where that is not as its scenario expects.

use crate::scenario::{RetirementEnd, RetirementScenario};
use serde::Serialize;

/// The result of one execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementReport {
    /// The service.
    pub service: String,
    /// How it ended; none where it was interrupted.
    pub end: Option<RetirementEnd>,
    /// Why.
    pub reason: String,
    /// The expectations that were not met, in words. Must be empty.
    pub unmet: Vec<String>,
}

impl RetirementReport {
    pub(crate) fn of(expected: &RetirementScenario, end: Option<RetirementEnd>, reason: String) -> Self {
        let mut unmet = Vec::new();
        if end != Some(expected.expect) {
            let found = end.map_or("interrupted", RetirementEnd::name);
            unmet.push(format!("ended {found}, expected {}: {reason}", expected.expect.name()));
        }
        if let Some(words) = expected.says.as_ref().filter(|words| !reason.contains(words.as_str())) {
            unmet.push(format!("said {reason:?}, expected {words:?} in it"));
        }
        let service = expected.input["service"].as_str().unwrap_or_default().to_owned();
        Self { service, end, reason, unmet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_end_and_words_that_are_not_met_are_told_with_what_was_found() {
        let expected = RetirementScenario {
            minute: 1.0,
            input: json!({"service": "users"}),
            expect: RetirementEnd::Deregistered,
            says: Some("no targets".into()),
        };
        let of = |end, reason: &str| RetirementReport::of(&expected, end, reason.into()).unmet;
        assert_eq!(of(Some(RetirementEnd::Deregistered), "they have no targets"), [""; 0]);
        let found = of(Some(RetirementEnd::Undone), "12 errors");
        assert_eq!(found[0], "ended undone, expected deregistered: 12 errors");
        assert_eq!(found[1], "said \"12 errors\", expected \"no targets\" in it");
        assert!(of(None, "no targets")[0].contains("ended interrupted"));
    }
}
