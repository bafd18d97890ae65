//! Collects findings.

use crate::plan::{Finding, FindingCode, Severity};

/// Findings in the order in which the checks run.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Adds a finding that refuses the plan.
    pub(crate) fn refuse(&mut self, code: FindingCode, subject: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Refusal, code, subject.into(), message.into());
    }

    /// Adds a finding that is only worth knowing.
    pub(crate) fn warn(&mut self, code: FindingCode, subject: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Warning, code, subject.into(), message.into());
    }

    fn add(&mut self, severity: Severity, code: FindingCode, subject: String, message: String) {
        self.0.push(Finding { severity, code, subject, message });
    }
}
