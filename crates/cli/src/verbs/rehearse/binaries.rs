//! Finds or builds the function binaries, and shows the progress of the build, which takes minutes.

use crate::ending::failure::Failure;
use crossfade_rehearsal::functions::build::{Binaries, BuildProgress, CallerBuild, build, workspace};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// Without a terminal, a line is printed each time this many crates are compiled.
const CRATES_TO_A_LINE: usize = 25;

/// Takes the binaries of a folder, or builds them.
pub(super) async fn find(folder: Option<&Path>, stderr: &mut (impl Write + IsTerminal)) -> Result<Binaries, Failure> {
    if let Some(folder) = folder {
        return Binaries::in_folder(folder)
            .map_err(|error| Failure::bad_input(format!("cannot read --functions {}: {error}", folder.display())));
    }
    let program = std::env::current_exe().map_err(|error| Failure::of(&error))?;
    let spinner = stderr.is_terminal().then(spinner);
    let result = build(&workspace(), &CallerBuild::of(&program), |progress| match &spinner {
        Some(spinner) => spinner.set_message(on_a_terminal(&progress)),
        None => {
            if let Some(line) = in_a_log(&progress) {
                // The build continues even if its progress cannot be printed.
                let _written = writeln!(stderr, "{line}");
            }
        }
    })
    .await;
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    result.map_err(|error| Failure::of(&error))
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} building the functions, {elapsed}: {wide_msg}")
        .expect("the template is well formed");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message("asking cargo");
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn on_a_terminal(progress: &BuildProgress) -> String {
    match progress {
        BuildProgress::Compiled { name, count } => format!("{count} crates compiled, last {name}"),
        BuildProgress::Said(line) => line.trim().to_owned(),
    }
}

fn in_a_log(progress: &BuildProgress) -> Option<String> {
    match progress {
        BuildProgress::Compiled { count: 1, .. } => {
            Some("building the functions (a few minutes the first time)".to_owned())
        }
        BuildProgress::Compiled { name, count } if count.is_multiple_of(CRATES_TO_A_LINE) => {
            Some(format!("building the functions: {count} crates compiled, last {name}"))
        }
        BuildProgress::Said(line) if line.trim_start().starts_with("Blocking") => {
            Some(format!("building the functions: {}", line.trim()))
        }
        BuildProgress::Compiled { .. } | BuildProgress::Said(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_now_and_then_and_none_when_all_is_current() {
        let compiled = |count| BuildProgress::Compiled { name: "hyper".into(), count };
        let lines: Vec<_> = (1..=60).filter_map(|count| in_a_log(&compiled(count))).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[1], "building the functions: 25 crates compiled, last hyper");
        assert_eq!(in_a_log(&BuildProgress::Said("    Finished `dev` profile in 0.2s".into())), None);
        let waits = in_a_log(&BuildProgress::Said("    Blocking waiting for file lock on build directory".into()));
        assert_eq!(waits.unwrap(), "building the functions: Blocking waiting for file lock on build directory");
    }
}
