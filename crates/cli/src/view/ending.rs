//! How a migration ended, for people, programs and pipelines.

use crate::ending::failure::Failure;
use crate::ending::outcome::{Ending, Outcome};
use crate::exit_code::ExitCode;
use crate::view::console::{Console, Output};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Prints an ending and returns its exit code.
///
/// # Errors
/// Standard output, or a file that GitHub Actions named, cannot be written.
pub fn print(ending: &Ending, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    match console.output {
        Output::Human => {
            console.data(&ending.line())?;
            console.say(&ending.next);
        }
        Output::Json => console.json(ending)?,
        Output::Github => github(ending, console)?,
    }
    Ok(ending.exit_code)
}

fn github(ending: &Ending, console: &mut Console<'_>) -> Result<(), Failure> {
    let level = if ending.outcome == Outcome::Migrated { "notice" } else { "error" };
    let title = format!("{} {}", ending.service, ending.outcome.words());
    console.data(&annotation(
        level,
        &title,
        &format!("{}. Next: {}", ending.reason.trim_end_matches('.'), ending.next),
    ))?;
    if let Some(file) = &console.summary {
        append(file, &summary(ending))?;
    }
    if let Some(file) = &console.step_outputs {
        append(file, &step_outputs(ending))?;
    }
    Ok(())
}

/// What a job learns of a command that saw no end: the same outputs and a summary, by the exit code.
///
/// # Errors
/// A file that GitHub Actions named cannot be written.
pub fn github_failure(failure: &Failure, console: &Console<'_>) -> Result<(), Failure> {
    let outcome = failure.code.words();
    let code = failure.code;
    let reason = failure.message.replace(['\r', '\n'], " ");
    if let Some(file) = &console.summary {
        let title = format!("### Crossfade: {outcome}");
        let rows = format!("| exit code | {code} |\n| reason | {} |", cell(&reason));
        append(file, &format!("{title}\n\n| | |\n| --- | --- |\n{rows}\n\n"))?;
    }
    if let Some(file) = &console.step_outputs {
        append(
            file,
            &format!("outcome={outcome}\nexit-code={code}\nmigration={}\nreason={reason}\n", console.migration),
        )?;
    }
    Ok(())
}

/// A workflow command (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
pub fn annotation(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={}::{}", property(title), data(message))
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

/// Values of one line each, since a line break would begin another output.
fn step_outputs(ending: &Ending) -> String {
    let one_line = |text: &str| text.replace(['\r', '\n'], " ");
    let migration = ending.migration.as_ref().map_or("", |migration| migration.as_str());
    format!(
        "outcome={}\nexit-code={}\nmigration={migration}\nreason={}\n",
        ending.outcome.words(),
        ending.exit_code,
        one_line(&ending.reason)
    )
}

fn append(file: &Path, text: &str) -> Result<(), Failure> {
    let written =
        OpenOptions::new().create(true).append(true).open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure {
        code: ExitCode::Failed,
        message: format!("cannot write to {}: {error}", file.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
