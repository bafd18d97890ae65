//! `crossfade apply`: stores a fleet's policy.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::{POLICY_VERSION, decode_fleet};
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Store a fleet's policy, and show what changes.
///
/// A migration under way keeps the policy of its plan.
///
/// Examples:
///   crossfade apply policy.yaml --dry-run
///   crossfade apply policy.yaml
///
/// Exit codes: 0 stored, or nothing to change; 2 the policy is invalid;
/// 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ApplyArguments {
    /// A fleet's policy in YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, but store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The policy is invalid, or names a service of another fleet; no access.
pub async fn run(
    arguments: &ApplyArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let document = policy_file::read(&arguments.file)?;
    let policy = policy_file::decode(&arguments.file, &document)?;
    let mut document = document.value;
    let stored = session.ports.ledger.policies().await;
    let stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
    refuse_two_fleets(&policy, &stored)?;
    let before = stored.iter().find(|(fleet, _)| *fleet == policy.fleet).map(|(_, document)| document);
    let changes = changes(before, &policy);
    if let Some(object) = document.as_object_mut() {
        object.insert("version".to_owned(), json!(POLICY_VERSION));
    }
    let differs = before.is_none_or(|before| *before != document);
    let is_new = differs && !arguments.dry_run;
    if is_new {
        let storing = session.ports.ledger.store_policy(&policy.fleet, &document).await;
        storing.map_err(|source| session.ledger_failed(&format!("storing the policy of {}", policy.fleet), source))?;
    }
    match console.output {
        Output::Json => {
            console.json(&json!({"fleet": policy.fleet, "changes": changes, "stored": is_new}))?;
        }
        Output::Human | Output::Github => {
            for change in &changes {
                console.data(change)?;
            }
            let message = match (changes.is_empty(), arguments.dry_run) {
                (true, _) => format!("fleet {}: nothing to change", policy.fleet),
                (false, true) => format!("fleet {}: nothing was stored (--dry-run)", policy.fleet),
                (false, false) => format!("fleet {}: stored", policy.fleet),
            };
            console.say(&message);
        }
    }
    Ok(ExitCode::Done)
}

/// Refuses a service that another fleet has: it could not be started by either.
fn refuse_two_fleets(policy: &FleetPolicy, stored: &[(String, Value)]) -> Result<(), Failure> {
    let mut twice = Vec::new();
    for (fleet, document) in stored.iter().filter(|(fleet, _)| *fleet != policy.fleet) {
        let Ok(other) = decode_fleet(document) else { continue };
        let shared = other.services.iter().filter(|other| policy.services.iter().any(|own| own.name == other.name));
        twice.extend(shared.map(|service| format!("\n  {} is in fleet {fleet}", service.name)));
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "a service has only one policy, but these are also stored in another:{}\n  remove them from one of the two",
        twice.concat()
    )))
}

/// What the new policy changes, one line each: `+` a new service, `-` a removed one, `~` a changed setting.
fn changes(before: Option<&Value>, after: &FleetPolicy) -> Vec<String> {
    let before = before.and_then(|document| decode_fleet(document).ok());
    let mut lines = Vec::new();
    if let Some(before) = &before {
        lines.extend(settings("rollout", &before.rollout, &after.rollout));
    }
    let old: BTreeMap<ServiceName, ServicePolicy> = before
        .map(|policy| policy.services.into_iter().map(|service| (service.name.clone(), service)).collect())
        .unwrap_or_default();
    for service in &after.services {
        match old.get(&service.name) {
            None => lines.push(format!("+ {}", service.name)),
            Some(earlier) => lines.extend(settings(service.name.as_str(), earlier, service)),
        }
    }
    let gone = old.keys().filter(|name| !after.services.iter().any(|service| service.name == **name));
    lines.extend(gone.map(|name| format!("- {name}")));
    lines
}

/// The fields that differ, one line each. A field that one of the two leaves out has its default there.
fn settings(of: &str, before: &impl Serialize, after: &impl Serialize) -> Vec<String> {
    let fields = |settings: Result<Value, serde_json::Error>| match settings {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(serde_json::to_value(before)), fields(serde_json::to_value(after)));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "the default".to_owned(), ToString::to_string);
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    changed.map(|name| format!("~ {of}.{name}: {} -> {}", shown(old.get(name)), shown(new.get(name)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(services: &Value) -> Value {
        json!({"fleet": "f", "services": services})
    }

    #[test]
    fn what_changes_is_said_by_service_and_setting() {
        let service = |name: &str, healthy: u32| {
            json!({"name": name, "oldTargetGroups": format!("{name}-old"), "minHealthy": healthy,
                "newTargets": {"instances": ["i-1", "i-2"]}})
        };
        let before = fleet(&json!([service("users", 1), service("orders", 1)]));
        let after = fleet(&json!([service("users", 2), service("bookings", 1)]));
        let lines = changes(Some(&before), &decode_fleet(&after).unwrap());
        assert_eq!(lines, ["~ users.minHealthy: 1 -> 2", "+ bookings", "- orders"]);
        assert!(changes(Some(&after), &decode_fleet(&after).unwrap()).is_empty());
    }

    #[test]
    fn what_changes_of_the_rollout_is_said_and_what_a_policy_does_not_say_any_more() {
        let with = |rollout: &Value, risk: &str| {
            json!({"fleet": "f", "rollout": rollout, "services": [{"name": "users", "risk": risk,
                "oldTargetGroups": "users-old", "newTargets": {"instances": ["i-1", "i-2"]}}]})
        };
        let before = with(&json!({"waveSize": 5, "concurrency": 2}), "high");
        let after = with(&json!({"concurrency": 4}), "medium");
        let lines = changes(Some(&before), &decode_fleet(&after).unwrap());
        let expected = [
            "~ rollout.concurrency: 2 -> 4",
            "~ rollout.waveSize: 5 -> the default",
            "~ users.risk: \"high\" -> the default",
        ];
        assert_eq!(lines, expected);
    }
}
