//! `crossfade apply`: stores a fleet's policy.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::stack::under_way::{ServicesUnderWay, lines, object};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::ports::StoredPolicy;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::{POLICY_VERSION, decode_fleet};
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::under_way::UnderWay;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Store a fleet's policy, and show what changes.
///
/// A migration under way keeps the policy of its plan. A service that is stored and
/// not in the file is removed only with --prune, and never while it is under way:
/// its migration, the retirement of its old side, or the run of its fleet.
///
/// Examples:
///   crossfade apply policy.yaml --dry-run
///   crossfade apply policy.yaml
///
/// Exit codes: 0 stored, or nothing to change; 2 the policy is invalid, or would
/// remove services; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ApplyArguments {
    /// A fleet's policy in YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, but store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove the stored services that the file does not name.
    #[arg(long)]
    prune: bool,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The policy is invalid, names a service of another fleet, or would remove services; no access.
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
    let before = stored.iter().find(|stored| stored.fleet == policy.fleet).map(|stored| &stored.document);
    let changes = Changes::between(before, &policy);
    let under_way = session.under_way(&policy.fleet, &changes.touched()).await?;
    changes.refuse_to_remove(arguments, &policy.fleet, &under_way)?;
    if let Some(object) = document.as_object_mut() {
        object.insert("version".to_owned(), json!(POLICY_VERSION));
    }
    let differs = before.is_none_or(|before| *before != document);
    let is_new = differs && !arguments.dry_run;
    if is_new {
        let storing = session.ports.ledger.store_policy(&policy.fleet, &document, session.now()).await;
        storing.map_err(|source| session.ledger_failed(&format!("storing the policy of {}", policy.fleet), source))?;
    }
    match console.output {
        Output::Json => console.json(&json!({
            "fleet": policy.fleet, "changes": changes.lines(), "removed": changes.removed,
            "underWay": object(&under_way), "stored": is_new,
        }))?,
        Output::Human | Output::Github => {
            for line in changes.lines().iter().chain(&meanwhile(&under_way)) {
                console.data(line)?;
            }
            let message = match (changes.lines().is_empty(), arguments.dry_run) {
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
fn refuse_two_fleets(policy: &FleetPolicy, stored: &[StoredPolicy]) -> Result<(), Failure> {
    let mut twice = Vec::new();
    let mut others = BTreeSet::new();
    for StoredPolicy { fleet, document, .. } in stored.iter().filter(|stored| stored.fleet != policy.fleet) {
        let Ok(other) = decode_fleet(document) else { continue };
        let shared = other.services.iter().filter(|other| policy.services.iter().any(|own| own.name == other.name));
        let before = twice.len();
        twice.extend(shared.map(|service| format!("\n  {} is in fleet {fleet}", service.name)));
        if twice.len() > before {
            others.insert(fleet);
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    let is_new = !stored.iter().any(|stored| stored.fleet == policy.fleet);
    let rename = match others.first() {
        Some(old) if is_new && others.len() == 1 => {
            format!("; to give fleet {old} another name: crossfade policies rename {old} {}", policy.fleet)
        }
        _ => String::new(),
    };
    Err(Failure::bad_input(format!(
        "a service has only one policy, but these are also stored in another:{}\n  remove them from one of the \
         two{rename}",
        twice.concat()
    )))
}

/// What a policy changes.
struct Changes {
    /// Settings of the rollout, one line each.
    rollout: Vec<String>,
    /// The services that are new or change, with their lines.
    changed: Vec<(ServiceName, Vec<String>)>,
    /// The services that are stored and not in the file.
    removed: Vec<ServiceName>,
}

impl Changes {
    fn between(before: Option<&Value>, after: &FleetPolicy) -> Self {
        let before = before.and_then(|document| decode_fleet(document).ok());
        let rollout = before.as_ref().map(|before| settings("rollout", &before.rollout, &after.rollout));
        let old: BTreeMap<ServiceName, ServicePolicy> = before
            .map(|policy| policy.services.into_iter().map(|service| (service.name.clone(), service)).collect())
            .unwrap_or_default();
        let changed = after.services.iter().map(|service| {
            let lines = match old.get(&service.name) {
                None => vec![format!("+ {}", service.name)],
                Some(earlier) => settings(service.name.as_str(), earlier, service),
            };
            (service.name.clone(), lines)
        });
        let changed = changed.filter(|(_, lines)| !lines.is_empty()).collect();
        let is_gone = |name: &&ServiceName| !after.services.iter().any(|service| service.name == **name);
        let removed = old.keys().filter(is_gone).cloned().collect();
        Self { rollout: rollout.unwrap_or_default(), changed, removed }
    }

    /// One line each: `+` a new service, `~` a changed setting, `-` a removed service.
    fn lines(&self) -> Vec<String> {
        let of_services = self.changed.iter().flat_map(|(_, lines)| lines.clone());
        let removed = self.removed.iter().map(|name| format!("- {name}"));
        self.rollout.iter().cloned().chain(of_services).chain(removed).collect()
    }

    /// The services that change or are removed.
    fn touched(&self) -> Vec<ServiceName> {
        self.changed.iter().map(|(name, _)| name).chain(&self.removed).cloned().collect()
    }

    /// Refuses to remove services without `--prune`, and those that are under way in any case.
    fn refuse_to_remove(
        &self,
        arguments: &ApplyArguments,
        fleet: &str,
        under_way: &ServicesUnderWay,
    ) -> Result<(), Failure> {
        let is_removed = |name: &ServiceName| self.removed.contains(name);
        let blocked: ServicesUnderWay = under_way
            .iter()
            .filter(|(name, _)| is_removed(name))
            .map(|(name, what)| (name.clone(), what.clone()))
            .collect();
        if self.removed.is_empty() || (arguments.prune && blocked.is_empty()) {
            return Ok(());
        }
        let file = arguments.file.display();
        let at_rest: Vec<&str> =
            self.removed.iter().filter(|name| !blocked.contains_key(*name)).map(ServiceName::as_str).collect();
        let stored = counted(self.removed.len(), "service");
        let rest = match at_rest.as_slice() {
            [] => String::new(),
            names => format!("\n  nothing is under way with {}", names.join(", ")),
        };
        let prune = format!("crossfade apply {file} --prune");
        let then = match (blocked.is_empty(), at_rest.is_empty() || arguments.prune) {
            (true, _) => format!("name them again, or remove them: {prune}"),
            (false, true) => "what is under way stays until it is over: name it again".to_owned(),
            (false, false) => {
                format!("what is under way stays until it is over: name it again, and then remove the others: {prune}")
            }
        };
        let message =
            format!("{file} does not name {stored} that fleet {fleet} has stored:{}{rest}\n  {then}", lines(&blocked));
        Err(Failure::bad_input(message))
    }
}

/// What the change means for the services that are under way.
fn meanwhile(under_way: &ServicesUnderWay) -> Vec<String> {
    let words = |(name, what): (&ServiceName, &UnderWay)| {
        let then = match what {
            UnderWay::Migration { .. } | UnderWay::Retirement { .. } => "keeps the policy that it was planned with",
            UnderWay::Fleet { .. } => "is planned with the new policy when its turn comes",
        };
        format!("  {name} is under way ({}): it {then}", what.in_words())
    };
    under_way.iter().map(words).collect()
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
    use crossfade_domain::fleet::service_run::ServiceState;

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
        let changes = Changes::between(Some(&before), &decode_fleet(&after).unwrap());
        assert_eq!(changes.lines(), ["~ users.minHealthy: 1 -> 2", "+ bookings", "- orders"]);
        let none = Changes::between(Some(&after), &decode_fleet(&after).unwrap());
        assert_eq!((none.lines().len(), none.touched().len()), (0, 0));
    }

    #[test]
    fn what_changes_of_the_rollout_is_said_and_what_a_policy_does_not_say_any_more() {
        let with = |rollout: &Value, risk: &str| {
            json!({"fleet": "f", "rollout": rollout, "services": [{"name": "users", "risk": risk,
                "oldTargetGroups": "users-old", "newTargets": {"instances": ["i-1", "i-2"]}}]})
        };
        let before = with(&json!({"waveSize": 5, "concurrency": 2}), "high");
        let after = with(&json!({"concurrency": 4}), "medium");
        let lines = Changes::between(Some(&before), &decode_fleet(&after).unwrap()).lines();
        let expected = [
            "~ rollout.concurrency: 2 -> 4",
            "~ rollout.waveSize: 5 -> the default",
            "~ users.risk: \"high\" -> the default",
        ];
        assert_eq!(lines, expected);
    }

    fn refused(prune: bool, under_way: &[&str]) -> Option<String> {
        let connection = Connection {
            stack: "crossfade".to_owned(),
            region: None,
            profile: None,
            endpoint_url: None,
            output: Output::Human,
        };
        let arguments = ApplyArguments { file: PathBuf::from("p.yaml"), dry_run: false, prune, connection };
        let name = |name: &&str| ServiceName::parse(*name).unwrap();
        let removed = ["carts", "orders"].iter().map(name).collect();
        let changes = Changes { rollout: Vec::new(), changed: Vec::new(), removed };
        let waits = UnderWay::Fleet { fleet: "shops".to_owned(), state: ServiceState::Waiting };
        let under_way = under_way.iter().map(|one| (name(one), waits.clone())).collect();
        changes.refuse_to_remove(&arguments, "shops", &under_way).err().map(|failure| failure.message)
    }

    #[test]
    fn a_service_is_removed_only_when_asked_for_and_never_while_it_is_under_way() {
        assert_eq!(refused(true, &[]), None);
        assert_eq!(refused(true, &["users"]), None, "what stays does not matter");
        let all = refused(false, &[]).unwrap();
        assert!(all.starts_with("p.yaml does not name 2 services that fleet shops has stored:"), "{all}");
        assert!(all.contains("nothing is under way with carts, orders"), "{all}");
        assert!(all.ends_with("name them again, or remove them: crossfade apply p.yaml --prune"), "{all}");
        let one = refused(true, &["orders"]).unwrap();
        assert!(one.contains("\n  orders: waiting in the run of fleet shops"), "{one}");
        assert!(one.contains("nothing is under way with carts") && !one.contains("--prune"), "{one}");
    }
}
