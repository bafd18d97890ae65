//! Findings in few words: a service with 90 routes may have the same finding 90 times.

use super::finding::{Finding, FindingCode, Severity};

/// How many findings of a code a summary has in full.
const EXAMPLES: usize = 3;

/// Findings of one code and severity, in the order in which they were found.
struct Kind<'a> {
    code: FindingCode,
    severity: Severity,
    findings: Vec<&'a Finding>,
}

fn kinds<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Kind<'a>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for finding in findings {
        match kinds.iter_mut().find(|kind| kind.code == finding.code && kind.severity == finding.severity) {
            Some(kind) => kind.findings.push(finding),
            None => kinds.push(Kind { code: finding.code, severity: finding.severity, findings: vec![finding] }),
        }
    }
    kinds
}

/// The findings with three examples of each code. Where there are more, one more finding has their number, and `all`,
/// the command that shows them.
pub fn with_examples(findings: &[Finding], all: &str) -> Vec<Finding> {
    let mut kept = Vec::new();
    for Kind { code, severity, findings } in kinds(findings) {
        kept.extend(findings.iter().take(EXAMPLES).map(|finding| (*finding).clone()));
        let more = findings.len().saturating_sub(EXAMPLES);
        if more > 0 {
            let subject = format!("{more} more");
            let message = format!("{} findings of this code in all, 3 are shown; {all} shows all", findings.len());
            kept.push(Finding { severity, code, subject, message });
        }
    }
    kept
}

/// One sentence for each code: its first finding, and how many more there are. `said` puts a finding into words.
pub fn in_words<'a>(findings: impl IntoIterator<Item = &'a Finding>, said: impl Fn(&Finding) -> String) -> String {
    let sentences = kinds(findings).into_iter().filter_map(|kind| {
        let first = said(kind.findings.first()?);
        Some(match kind.findings.len() - 1 {
            0 => first,
            more => format!("{first} (and {more} more of {})", kind.code),
        })
    });
    sentences.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(count: usize, code: FindingCode, severity: Severity) -> Vec<Finding> {
        let finding = |number| Finding { severity, code, subject: format!("rule-{number}"), message: "sticky".into() };
        (0..count).map(finding).collect()
    }

    #[test]
    fn ninety_findings_of_a_code_are_three_and_their_number() {
        let mut all = findings(90, FindingCode::RouteIsSticky, Severity::Warning);
        all.extend(findings(3, FindingCode::RouteHeld, Severity::Refusal));
        let kept = with_examples(&all, "\"crossfade plan users\"");
        let subjects: Vec<&str> = kept.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, ["rule-0", "rule-1", "rule-2", "87 more", "rule-0", "rule-1", "rule-2"]);
        assert_eq!((kept[3].code, kept[3].severity), (FindingCode::RouteIsSticky, Severity::Warning));
        assert!(kept[3].message.starts_with("90 findings of this code") && kept[3].message.contains("crossfade plan"));
    }

    #[test]
    fn a_sentence_is_said_once() {
        let mut all = findings(90, FindingCode::RouteIsSticky, Severity::Warning);
        all.extend(findings(1, FindingCode::NoAlarms, Severity::Warning));
        let said = in_words(&all, |finding| format!("{}: {}", finding.subject, finding.message));
        assert_eq!(said, "rule-0: sticky (and 89 more of route-is-sticky); rule-0: sticky");
    }
}
