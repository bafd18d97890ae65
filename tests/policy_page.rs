//! `docs/policy.md`, the page of every field of a policy, is rendered from the schema and from the two example files.

mod examples;
pub(crate) mod fields;

use crate::repository::{must_update, read, root};
use crossfade_domain::policy::document::policy_schema;
use examples::Examples;
use fields::{Field, fields_of};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const PAGE: &str = "docs/policy.md";

/// A section of the page: the path of its object, what its heading says, and where to read on.
struct Section {
    path: &'static str,
    heading: &'static str,
    about: &'static str,
}

const SECTIONS: [Section; 12] = [
    Section {
        path: "",
        heading: "The file",
        about: "`defaults` takes every field of [a service](#a-service) that is marked with *d*. A service's own field \
                replaces the default as a whole; only hooks and gates are merged one by one.",
    },
    Section { path: "rollout", heading: "`rollout`", about: "How the fleet moves: [fleets](fleets.md)." },
    Section {
        path: "windows",
        heading: "`windows`",
        about: "When traffic may be raised: [windows and freezes](gates.md#windows-and-freezes).",
    },
    Section {
        path: "services[]",
        heading: "A service",
        about: "A service that an execution's input brings with it has the same fields.",
    },
    Section {
        path: "services[].newTargets",
        heading: "`newTargets`",
        about: "Exactly one of `binding`, `instances`, `ips` and `autoScalingGroup`: [the new \
                side](first-steps.md#new-side).",
    },
    Section {
        path: "services[].schedule[]",
        heading: "`schedule`",
        about: "`canary`, `linear`, or a list of steps, of which each has these fields.",
    },
    Section {
        path: "services[].judge",
        heading: "`judge`",
        about: "`true`, `false`, or an object: [the judge](gates.md#judge).",
    },
    Section {
        path: "services[].gates",
        heading: "`gates`",
        about: "Which gates only [observe](gates.md#watch-before-you-trust). Any other name is an [outside \
                gate](gates.md#other-metric-systems-vote), at most four of them: an object with `function` (required), \
                `timeout` (1s to 30s, default `10s`) and `mode`.",
    },
    Section {
        path: "services[].hooks",
        heading: "`hooks`",
        about: "Your own Lambda functions: [hooks](hooks.md). A name begins with `crossfade-hook-` and has at most 64 \
                characters.",
    },
    Section {
        path: "services[].internalRoute",
        heading: "`internalRoute`",
        about: "How other services reach this one: [connect](first-steps.md#connect).",
    },
    Section {
        path: "services[].probes[]",
        heading: "`probes`",
        about: "A list of at most 20: [probes](gates.md#probes).",
    },
    Section {
        path: "services[].retire",
        heading: "`retire`",
        about: "When the old side goes, and by what evidence: [last steps](last-steps.md).",
    },
];

const BEGINNING: &str = "# Every field of a policy

A policy says which services move, and how. It is YAML or JSON. Copy
[examples/policy.yaml](../examples/policy.yaml); the examples below are from it and from
[examples/policy-every-field.yaml](../examples/policy-every-field.yaml). `crossfade check FILE` names every problem at
once. `crossfade schema policy` prints the JSON Schema, for editors.

- A *duration* is `90s`, `10m`, `1h30m` or `2d`, or a whole number of seconds.
- A *list* of names may also be a single name.
";

/// The section of an object or of a list of objects. A service's windows are those of the fleet.
fn section_of(path: &str) -> Option<&'static Section> {
    let path = if path == "services[].windows" { "windows" } else { path };
    SECTIONS.iter().find(|section| section.path == path || section.path.strip_suffix("[]") == Some(path))
}

/// The anchor of a heading.
pub(crate) fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace('`', "").replace(' ', "-")
}

/// A text in lines of at most 120 columns.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 120 {
            lines.push(word.to_owned());
        } else {
            line.extend((!line.is_empty()).then_some(' '));
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// A field's row. `is_default`: `defaults` may have it too.
fn row(field: &Field, name: &str, examples: &Examples, is_default: bool) -> String {
    let kind = match section_of(&field.path) {
        Some(section) => format!("[{}](#{})", field.kind, anchor(section.heading)),
        None => field.kind.clone(),
    };
    let mark = if is_default { " *d*" } else { "" };
    let example = examples.of(&field.path).map_or(String::new(), |example| format!("`{example}`"));
    format!("| `{name}`{mark} | {kind} | {} | {example} | {} |\n", field.default, field.meaning)
}

fn page() -> String {
    let (all, examples) = (fields_of(&policy_schema()), Examples::read());
    let in_defaults: BTreeSet<String> =
        all.iter().filter_map(|field| Some(field.path.strip_prefix("defaults.")?.to_owned())).collect();
    let mut page = BEGINNING.to_owned();
    for section in &SECTIONS {
        write!(page, "\n## {}\n\n{}\n\n", section.heading, wrapped(section.about)).unwrap();
        page += "| field | type | default | example | meaning |\n| --- | --- | --- | --- | --- |\n";
        let prefix = if section.path.is_empty() { String::new() } else { format!("{}.", section.path) };
        for field in &all {
            let Some(name) = field.path.strip_prefix(&prefix) else { continue };
            // The rows of a section below this one are its own.
            let has_own = |path: &str| {
                let inner = path.match_indices('.').map(|(at, _)| &path[..at]);
                inner.filter(|outer| outer.len() >= prefix.len()).any(|outer| section_of(outer).is_some())
            };
            let is_list = name.is_empty() || field.path.starts_with("defaults.");
            if is_list || has_own(&field.path) {
                continue;
            }
            let is_default = section.path == "services[]" && in_defaults.contains(name);
            page += &row(field, name, &examples, is_default);
        }
    }
    page
}

#[test]
fn the_page_of_the_policy_is_what_the_schema_says() {
    let page = page();
    if must_update() {
        std::fs::write(root().join(PAGE), &page).unwrap();
    }
    assert_eq!(read(PAGE), page, "{PAGE} is out of date: run `just transcripts`");
}

#[test]
fn every_field_of_a_policy_has_a_meaning_and_an_example() {
    let (all, examples) = (fields_of(&policy_schema()), Examples::read());
    assert!(all.len() > 100, "{}", all.len());
    for field in all.iter().filter(|field| !field.path.starts_with("defaults.")) {
        // They are those of the fleet.
        if field.path.starts_with("services[].windows.") {
            continue;
        }
        assert!(field.meaning.ends_with(['.', ')']), "{}: {:?} is no sentence", field.path, field.meaning);
        assert!(examples.knows(&field.path), "{}: no example has it", field.path);
    }
}

/// Fields that few policies need. All others are in the example that is there to copy.
const RARE: [&str; 10] = [
    "rollout.maxNewShare",
    "rollout.rollbackWithin",
    "rollout.strict",
    "rollout.waveSize",
    "windows.calendars",
    "windows.fit",
    "windows.onClose",
    "services[].windows",
    "services[].directUrl",
    "services[].gates",
];
/// Settings that few policies need.
const RARE_SETTINGS: [&str; 6] = ["allowManagedBy", "maxHold", "oldHealthyShare", "onDrift", "slice", "targetsTimeout"];

#[test]
fn the_example_to_copy_has_every_common_field() {
    let (all, examples) = (fields_of(&policy_schema()), Examples::to_copy());
    let is_rare = |path: &str| {
        let setting = path.strip_prefix("services[].").is_some_and(|name| RARE_SETTINGS.contains(&name));
        setting || RARE.contains(&path)
    };
    let is_shallow = |path: &str| match path.strip_prefix("services[].") {
        Some(name) => !name.contains('.'),
        None => !path.starts_with("defaults."),
    };
    for field in all.iter().filter(|field| is_shallow(&field.path)) {
        let path = field.path.as_str();
        let of_rare =
            RARE.iter().any(|rare| path.starts_with(&format!("{rare}.")) || path.starts_with(&format!("{rare}[]")));
        let expected = !is_rare(path) && !of_rare;
        assert_eq!(examples.knows(path), expected, "{path}: in the example, or among the rare fields");
    }
}
