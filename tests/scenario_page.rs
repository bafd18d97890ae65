//! `docs/scenario.md`, the page of every field of a scenario, is rendered from the schema.

use crate::policy_page::fields::{Field, fields_of};
use crate::policy_page::{anchor, wrapped};
use crate::repository::{must_update, read, root};
use crossfade_rehearsal::scenario::scenario_schema;
use std::fmt::Write as _;

const PAGE: &str = "docs/scenario.md";

/// The path of an object, the heading of its section, and what the section says about it.
const SECTIONS: [(&str, &str, &str); 10] = [
    ("", "The file", "Only `services` is required. Of each fault and disturbance it is checked that it happened."),
    ("services[]", "A service", "Its load comes as soon as the world runs, before its migration starts."),
    ("services[].routes[]", "`routes`", "Each has exactly one of `default`, `host` and `path`."),
    (
        "services[].faults[]",
        "`faults`",
        "Exactly one fault, and with it `in`, `from` and `minutes` where they are needed.",
    ),
    ("services[].disturbances[]", "`disturbances`", "Exactly one of these, and with it the `from` of a fault."),
    ("services[].expect", "`expect`", "An outcome alone, or an object with these fields."),
    ("awsFaults[]", "`awsFaults`", "A fault happens once, at one call of an operation."),
    (
        "fleets[]",
        "`fleets`",
        "A conductor moves their services, as [`migrate-fleet`](../statemachine/README.md#migrate-fleet) does.",
    ),
    (
        "retirements[]",
        "`retirements`",
        "The inputs are those of [`retire-service`](../statemachine/README.md#retire-service).",
    ),
    (
        "acts[]",
        "`acts`",
        "What people do, as in [the founding story](internals/story.md). The scenario then starts nothing itself, \
         stores no policy, and has neither `fleets` nor `retirements`. The first act that does not count what it \
         should is the last one.",
    ),
];

const BEGINNING: &str = "# Every field of a scenario

A scenario says what `crossfade rehearse --scenario FILE` plays: which services move, what goes wrong, and how each
should end. It is YAML. [The rehearsal](rehearsal.md#a-scenario-of-your-own) has one to copy, and
[examples/rehearsals](../examples/rehearsals) has more. `crossfade schema scenario` prints the JSON Schema, for editors.
A wrong scenario is refused with every problem and its place.
";

/// Whether another section has the rows of this field, or they are told where the first of two such objects is.
fn is_elsewhere(field: &Field, section: &str) -> bool {
    let within = |outer: &str| field.path.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']));
    let inner = SECTIONS.iter().map(|(path, ..)| *path).filter(|path| path.len() > section.len());
    inner.map(|path| path.trim_end_matches("[]")).any(within)
        || field.path.starts_with("services[].disturbances[].from")
}

fn row(field: &Field, name: &str) -> String {
    let section = SECTIONS.iter().find(|(path, ..)| !path.is_empty() && path.trim_end_matches("[]") == field.path);
    let kind = match section {
        Some((_, heading, _)) => format!("[{}](#{})", field.kind, anchor(heading)),
        None => field.kind.clone(),
    };
    format!("| `{name}` | {kind} | {} | {} |\n", field.default, field.meaning)
}

fn page() -> String {
    let all = fields_of(&scenario_schema());
    let mut page = BEGINNING.to_owned();
    for (path, heading, about) in SECTIONS {
        write!(page, "\n## {heading}\n\n{}\n\n", wrapped(about)).unwrap();
        page += "| field | type | default | meaning |\n| --- | --- | --- | --- |\n";
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        let rows = all.iter().filter_map(|field| Some((field, field.path.strip_prefix(&prefix)?)));
        let rows: Vec<_> = rows.filter(|(field, _)| !is_elsewhere(field, path)).collect();
        for (field, name) in &rows {
            page += &row(field, name);
        }
        for (field, name) in rows.iter().filter(|(field, _)| !field.words.is_empty()) {
            write!(page, "\n| `{name}` | meaning |\n| --- | --- |\n").unwrap();
            field.words.iter().for_each(|(word, meaning)| writeln!(page, "| `{word}` | {meaning} |").unwrap());
        }
    }
    page
}

#[test]
fn the_page_of_the_scenario_is_what_the_schema_says() {
    let page = page();
    if must_update() {
        std::fs::write(root().join(PAGE), &page).unwrap();
    }
    assert_eq!(read(PAGE), page, "{PAGE} is out of date: run `just transcripts`");
}

#[test]
fn every_field_of_a_scenario_has_a_meaning() {
    let all = fields_of(&scenario_schema());
    assert!(all.len() > 90, "{}", all.len());
    for field in &all {
        assert!(field.meaning.ends_with('.'), "{}: {:?} is no sentence", field.path, field.meaning);
    }
    let effect = all.iter().find(|field| field.path == "awsFaults[].effect").unwrap();
    assert!(effect.words.iter().all(|(_, meaning)| meaning.ends_with('.')) && effect.words.len() == 9);
}
