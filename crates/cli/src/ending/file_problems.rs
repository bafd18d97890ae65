//! The problems of a file that a person wrote.

use serde::Serialize;
use std::fmt;

/// A problem of a file, and where a person finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedProblem {
    /// The path in the document; empty for the document itself.
    pub path: String,
    /// The line of the path or, if that is missing, of what should have it.
    pub line: Option<usize>,
    /// The name of the service that has the problem.
    pub service: Option<String>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for PlacedProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match (&self.line, &self.service) {
            (Some(line), Some(service)) => write!(f, " (line {line}, service {service})"),
            (Some(line), None) => write!(f, " (line {line})"),
            (None, _) => Ok(()),
        }
    }
}

/// Every problem of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblems {
    /// The file, as the command was given it.
    pub file: String,
    /// Its problems.
    pub problems: Vec<PlacedProblem>,
}
