//! The action for GitHub says what the command does.

use crate::repository::read;
use crossfade_cli::ending::fleet::FleetOutcome;
use crossfade_cli::ending::outcome::Outcome;
use crossfade_cli::exit_code::ExitCode;
use serde_json::Value;
use std::collections::BTreeSet;

/// What the description says besides the outcomes.
const AROUND: [&str; 5] =
    ["", "How a service ended", "How a fleet ended", "If the end was not seen", "Empty if crossfade did not run"];
/// The action never ends with these: it waits for the end, and a reader that goes away is no failure.
const NEVER: [ExitCode; 2] = [ExitCode::Done, ExitCode::WaitsForApproval];

#[test]
fn the_action_names_every_outcome_in_the_words_of_the_command() {
    let action: Value = serde_yaml_ng::from_str(&read("action.yml")).unwrap();
    let text = action["outputs"]["outcome"]["description"].as_str().unwrap();
    let mut named: BTreeSet<&str> = text.split(['.', ':', ';']).map(str::trim).collect();
    for words in AROUND {
        assert!(named.remove(words), "{words:?} is not in {text}");
    }
    let without_end = ExitCode::ALL.into_iter().filter(|code| !NEVER.contains(code)).map(ExitCode::words);
    let outcomes = Outcome::ALL.map(Outcome::words).into_iter().chain(FleetOutcome::ALL.map(FleetOutcome::words));
    assert_eq!(named, outcomes.chain(without_end).collect());
}
