//! Policies: as files of YAML or JSON, and as documents.

use super::Case;
use super::mutation::{any_bytes, any_document, bytes, document};
use crossfade_cli::stack::policy_file;
use crossfade_domain::policy::document::{decode_fleet, decode_service};
use crossfade_domain::policy::problem::Problems;
use crossfade_domain::policy::request::decode_request;
use rand::Rng as _;
use serde_json::{Value, json};
use std::path::Path;

const FLEET: &str = r#"fleet: eks
defaults: &defaults
  schedule: linear
  alarms: ["{service}-5xx"]
  minHealthy: 2
  slice: 30s
services:
  - name: users
    oldTargetGroups: [users-swarm]
    newTargets: { binding: { namespace: prod, service: users, port: 8080 } }
    schedule: [{ weight: 5, bake: 5m, approve: true }, { weight: 100, bake: 60 }]
    hooks: { afterRollback: crossfade-hook-back }
    gates: { judge: observe, errors: { function: crossfade-hook-errors, timeout: 10s, mode: act } }
  - name: bookings
    after: [users]
    oldTargetGroups: bookings-swarm
    newTargets: { ips: [{ ip: 10.0.0.1, port: 80 }, 10.0.0.2] }
    allowManagedBy: [cloudformation]
    judge: { factor: 2, margins: { errors: 0.5 }, alpha: 0.01 }
    maxHold: 30d
"#;

pub(super) fn files() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let json = serde_json::to_vec(&serde_yaml_ng::from_str::<Value>(FLEET).unwrap()).unwrap();
    assert!(
        taken_or_refused(folder.path(), FLEET.as_bytes()).unwrap() && taken_or_refused(folder.path(), &json).unwrap()
    );
    Box::new(move |rng| {
        let file = match rng.random_range(0..5) {
            0 => any_bytes(rng),
            1 | 2 => bytes(rng, &json),
            _ => bytes(rng, FLEET.as_bytes()),
        };
        taken_or_refused(folder.path(), &file).map(drop)
    })
}

/// Reads a file as the command line does: whether it was taken. A refusal names the file.
fn taken_or_refused(folder: &Path, bytes: &[u8]) -> Result<bool, String> {
    let file = folder.join("policy.yaml");
    std::fs::write(&file, bytes).unwrap();
    let refusal = match policy_file::read(&file) {
        Ok(document) => match policy_file::decode(&file, &document) {
            Ok(_) => return Ok(true),
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    let said = format!("{refusal:?}");
    if said.contains("policy.yaml") { Ok(false) } else { Err(format!("the refusal names no file: {said}")) }
}

pub(super) fn documents() -> Case {
    let fleet: Value = serde_yaml_ng::from_str(FLEET).unwrap();
    let service = fleet["services"][0].clone();
    let requests = [
        json!({"service": service}),
        json!({"service": "users", "policy": fleet, "dryRun": true}),
        json!({"service": "users", "resume": true, "acceptDrift": true}),
    ];
    decode_fleet(&fleet).unwrap();
    decode_request(&requests[0]).unwrap();
    Box::new(move |rng| {
        let mut input =
            |original: &Value| if rng.random_bool(0.1) { any_document(rng) } else { document(rng, original) };
        placed("a fleet", decode_fleet(&input(&fleet)))?;
        placed("a service", decode_service(&input(&service)))?;
        requests.iter().try_for_each(|request| placed("a request", decode_request(&input(request))))
    })
}

/// Every problem of a refusal has a place and words; the root's place is empty, and its words say what was expected.
fn placed<T>(what: &str, decoded: Result<T, Problems>) -> Result<(), String> {
    let Err(problems) = decoded else { return Ok(()) };
    let said = |problem: &crossfade_domain::policy::problem::Problem| {
        let words = problem.message.len() > 3 && !problem.message.contains('\n');
        words && (!problem.path.is_empty() || problem.message.contains("expected"))
    };
    if problems.0.is_empty() || !problems.0.iter().all(said) {
        return Err(format!("{what} is refused without a place or words: {problems:?}"));
    }
    Ok(())
}
