//! The README explains every field of a policy and of the cursor, each in one table.

use crate::repository::read;
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::policy::document::{decode_fleet, policy_schema};
use serde_json::Value;
use std::collections::BTreeSet;

/// The names in the first column of the first table below a heading.
fn explained(heading: &str) -> BTreeSet<String> {
    let text = read("README.md");
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("README.md: no {heading}"));
    let rows = section.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// Adds every field of a schema below a path, with `[]` for the elements of a list.
fn fields(schema: &Value, path: &str, root: &Value, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(root.pointer(&reference[1..]).unwrap(), path, root, found);
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        // A schema that nothing fits refuses a field that is not supported yet.
        if inner["not"].is_null() {
            let place = format!("{path}{name}");
            fields(inner, &format!("{place}."), root, found);
            found.insert(place);
        }
    }
    for alternative in ["oneOf", "anyOf"] {
        schema[alternative].as_array().into_iter().flatten().for_each(|one| fields(one, path, root, found));
    }
    if !schema["items"].is_null() {
        fields(&schema["items"], &format!("{}[].", path.trim_end_matches('.')), root, found);
    }
}

#[test]
fn every_field_of_a_policy_is_explained() {
    let schema = policy_schema();
    let mut found = BTreeSet::new();
    fields(&schema, "", &schema, &mut found);
    let place = |path: String| path.strip_prefix("services[].").map_or(path.clone(), str::to_owned);
    // `defaults` has the fields of a service, and the row of a way to name targets explains what is in it.
    let rows = found.into_iter().filter(|path| !path.starts_with("defaults."));
    let rows: BTreeSet<String> = rows
        .map(place)
        .filter(|path| {
            let deep = ["schedule", "judge.", "probes"].iter().any(|group| path.starts_with(group));
            deep || path.matches(['.', '[']).count() < 2
        })
        .collect();
    let explained = explained("### The policy");
    // Their fields have rows.
    let groups = ["judge.margins", "judge.warmUp"];
    let is_missing = |path: &&String| !explained.contains(*path) && !groups.contains(&path.as_str());
    let missing: Vec<_> = rows.iter().filter(is_missing).collect();
    assert!(missing.is_empty() && rows.len() > 35, "not in the README: {missing:?} of {rows:?}");
    let unknown: Vec<_> = explained.difference(&rows).collect();
    assert!(unknown.is_empty(), "the README explains what no policy has: {unknown:?}");
}

/// Fields that few policies need. All others are in the example.
const RARE: [&str; 12] = [
    "allowManagedBy",
    "directUrl",
    "gates",
    "maxHold",
    "newTargets.ips",
    "oldHealthyShare",
    "onDrift",
    "slice",
    "targetsTimeout",
    "windows.calendars",
    "rollout.maxNewShare",
    "rollout.strict",
];

#[test]
fn the_example_of_a_policy_is_valid_and_has_every_common_field() {
    let text = read("examples/policy.yaml");
    let document: Value = serde_yaml_ng::from_str(&text).unwrap();
    let fleet = decode_fleet(&document).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(fleet.services.len(), 5);
    let in_parts = |path: &str| {
        let services = document["services"].as_array().unwrap();
        let parts = [&document, &document["defaults"]].into_iter().chain(services);
        let pointer = format!("/{}", path.replace('.', "/"));
        parts.into_iter().any(|part| part.pointer(&pointer).is_some())
    };
    // What has a section of its own is in it only by an example.
    let sections =
        ["judge.", "gates.", "hooks.", "internalRoute.", "retire.", "schedule[]", "windows.", "rollout.", "probes[]"];
    let is_common = |path: &&String| {
        let in_section = sections.iter().any(|section| path.starts_with(section));
        !RARE.contains(&path.as_str()) && !in_section && !path.starts_with("newTargets.outside")
    };
    let explained = explained("### The policy");
    let missing: Vec<&String> = explained.iter().filter(is_common).filter(|path| !in_parts(path)).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
    for rare in RARE {
        assert!(explained.contains(rare), "{rare} is no field");
        assert!(!in_parts(rare), "{rare} is in the example: strike it out here");
    }
}

/// The fields of the cursor; a new one does not compile until it is named here.
macro_rules! fields_of_the_cursor {
    ($($field:ident),*) => {{
        fn all(cursor: &Cursor) {
            let Cursor { $($field: _),* } = cursor;
        }
        let _ = all;
        [$(stringify!($field)),*]
    }};
}

#[test]
fn every_field_of_the_cursor_is_explained() {
    let names = fields_of_the_cursor!(
        version,
        service,
        migration,
        generation,
        step,
        weight,
        verdict,
        wait_seconds,
        reason,
        checks,
        ask,
        hook,
        caused_at,
        error,
        findings,
        plan
    );
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap().to_owned();
        words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
    };
    assert_eq!(explained("### The cursor"), names.into_iter().map(camel).collect());
}
