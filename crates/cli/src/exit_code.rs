//! The exit codes, as numbers for programs and as words for people. `docs/command-line.md` explains each. Outcomes of
//! migrations that have a code of their own have its words, also as the output `outcome` of `action.yml`.

use serde::{Serialize, Serializer};
use std::fmt;

/// An exit code. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Done and verified.
    Done,
    /// The tool failed.
    Failed,
    /// Bad input, or the plan was refused.
    BadInput,
    /// Rolled back by a gate.
    RolledBack,
    /// Aborted by an operator.
    Aborted,
    /// Another migration holds a route.
    Held,
    /// Only the wait timed out; the migration continues.
    WaitTimedOut,
    /// Halted: an operator must decide.
    Halted,
    /// Access denied, or AWS unreachable.
    NoAccess,
    /// Waiting for approval.
    WaitsForApproval,
    /// Interrupted; the migration continues.
    Interrupted,
}

impl ExitCode {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::BadInput,
        Self::RolledBack,
        Self::Aborted,
        Self::Held,
        Self::WaitTimedOut,
        Self::Halted,
        Self::NoAccess,
        Self::WaitsForApproval,
        Self::Interrupted,
    ];

    /// Returns the number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::RolledBack => 3,
            Self::Aborted => 4,
            Self::Held => 5,
            Self::WaitTimedOut => 6,
            Self::Halted => 7,
            Self::NoAccess => 8,
            Self::WaitsForApproval => 9,
            Self::Interrupted => 130,
        }
    }

    /// Describes it in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::BadInput => "refused",
            Self::RolledBack => "rolled back",
            Self::Aborted => "aborted",
            Self::Held => "held by another migration",
            Self::WaitTimedOut => "time is up",
            Self::Halted => "halted",
            Self::NoAccess => "no access",
            Self::WaitsForApproval => "waits for approval",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}
