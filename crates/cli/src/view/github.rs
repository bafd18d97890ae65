//! What a command writes for GitHub Actions: annotations, a job's summary and a step's outputs.

use crate::ending::failure::Failure;
use crate::ending::fleet::FleetEnding;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::stack::environment::Environment;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Returns a workflow command (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
pub fn annotation(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={}::{}", property(title), data(message))
}

/// Returns the annotation of a place in a file, which GitHub shows next to the line.
pub fn annotation_at(level: &str, file: &str, line: Option<usize>, message: &str) -> String {
    let place = line.map_or_else(String::new, |line| format!(",line={line}"));
    let file = file.replace('%', "%25").replace(',', "%2C");
    annotation(level, "crossfade", message).replacen(' ', &format!(" file={file}{place},"), 1)
}

/// The files of a job that GitHub Actions reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFiles {
    /// The file for the job's summary.
    pub summary: Option<PathBuf>,
    /// The file for the step's outputs.
    pub step_outputs: Option<PathBuf>,
}

impl JobFiles {
    /// Finds the files in the environment.
    pub fn of(environment: &Environment) -> Self {
        Self { summary: environment.file("GITHUB_STEP_SUMMARY"), step_outputs: environment.file("GITHUB_OUTPUT") }
    }

    /// Writes the end of a migration.
    ///
    /// # Errors
    /// A file that GitHub Actions named cannot be written.
    pub fn write_ending(&self, ending: &Ending) -> Result<(), Failure> {
        self.write(&summary(ending), &step_outputs(ending))
    }

    /// Writes the end of a fleet's run.
    ///
    /// # Errors
    /// A file that GitHub Actions named cannot be written.
    pub fn write_fleet_ending(&self, ending: &FleetEnding) -> Result<(), Failure> {
        let FleetEnding { fleet, run, outcome, exit_code, next, .. } = ending;
        let (words, reason) = (outcome.words(), ending.reason.replace(['\r', '\n'], " "));
        let rows = format!("| run | {run} |\n| reason | {} |\n| next | {} |", cell(&reason), cell(next));
        self.write(
            &format!("### Crossfade: fleet {fleet}: {words}\n\n| | |\n| --- | --- |\n{rows}\n\n"),
            &format!("outcome={words}\nexit-code={exit_code}\nfleet={fleet}\nrun={run}\nreason={reason}\n"),
        )
    }

    /// Writes the same outputs and a summary for a command that saw no end; the exit code is the outcome.
    ///
    /// # Errors
    /// A file that GitHub Actions named cannot be written.
    pub fn write_failure(&self, failure: &Failure, migration: &str) -> Result<(), Failure> {
        let (outcome, code) = (failure.code.words(), failure.code.code());
        let reason = failure.message.replace(['\r', '\n'], " ");
        let rows = format!("| exit code | {code} |\n| reason | {} |", cell(&reason));
        self.write(
            &format!("### Crossfade: {outcome}\n\n| | |\n| --- | --- |\n{rows}\n\n"),
            &format!("outcome={outcome}\nexit-code={code}\nmigration={migration}\nreason={reason}\n"),
        )
    }

    fn write(&self, summary: &str, step_outputs: &str) -> Result<(), Failure> {
        if let Some(file) = &self.summary {
            append(file, summary)?;
        }
        if let Some(file) = &self.step_outputs {
            append(file, step_outputs)?;
        }
        Ok(())
    }
}

fn summary(ending: &Ending) -> String {
    let migration = ending.migration.as_ref().map_or_else(|| "none begun".to_owned(), ToString::to_string);
    let mut rows = vec![("migration", format!("`{migration}`")), ("reason", cell(&ending.reason))];
    rows.extend(ending.seconds_to_safe.map(|seconds| ("every route back after", format!("{seconds:.0} s"))));
    rows.extend(ending.execution.as_ref().map(|execution| ("execution", format!("`{execution}`"))));
    rows.push(("next", cell(&ending.next)));
    let rows: Vec<String> = rows.into_iter().map(|(name, value)| format!("| {name} | {value} |")).collect();
    let title = format!("### Crossfade: {} {}", ending.service, ending.outcome.words());
    format!("{title}\n\n| | |\n| --- | --- |\n{}\n\n", rows.join("\n"))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Returns the outputs. Each value is one line, because a line break would begin another output.
fn step_outputs(ending: &Ending) -> String {
    let one_line = |text: &str| text.replace(['\r', '\n'], " ");
    let migration = ending.migration.as_ref().map_or("", |migration| migration.as_str());
    format!(
        "outcome={}\nexit-code={}\nmigration={migration}\nreason={}\n",
        ending.outcome.words(),
        ending.exit_code.code(),
        one_line(&ending.reason)
    )
}

fn append(file: &Path, text: &str) -> Result<(), Failure> {
    let written =
        OpenOptions::new().create(true).append(true).open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::new(ExitCode::Failed, format!("cannot write to {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::outcome::Outcome;
    use crossfade_domain::names::{MigrationId, ServiceName};

    fn ending() -> Ending {
        let service = ServiceName::parse("users").unwrap();
        Ending {
            migration: Some(MigrationId::of(&service, 1)),
            service,
            outcome: Outcome::RolledBack,
            exit_code: ExitCode::RolledBack,
            reason: "alarms: users-5xx is firing:\n2 of 3 | 50 %".to_owned(),
            next: "start again".to_owned(),
            execution: Some("arn".to_owned()),
            seconds_to_safe: Some(1.2),
            left_alone: None,
        }
    }

    #[test]
    fn an_annotation_is_one_line_whatever_the_reason_says() {
        assert_eq!(
            annotation("error", "users: rolled back, verified", "50 % of\nthem"),
            "::error title=users%3A rolled back%2C verified::50 %25 of%0Athem"
        );
    }

    #[test]
    fn a_summary_is_a_table_and_outputs_are_a_line_each() {
        let summary = summary(&ending());
        assert!(summary.contains("| reason | alarms: users-5xx is firing: 2 of 3 \\| 50 % |\n"), "{summary}");
        assert_eq!(step_outputs(&ending()).lines().count(), 4);
    }
}
