//! `crossfade manifests`, held against the schemas of what reads them.

use super::terminal::{Kept, bare, policy_file, said};
use super::transcript::Transcript;
use crate::repository::read;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::path::Path;

const POLICY: &str = "tests/fixtures/manifests.yaml";

#[test]
fn manifests_are_printed_or_written_and_never_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", &read(POLICY));
    let into = folder.path().join("out").display().to_string();
    let mut shown = Transcript::default();
    for words in [
        "manifests users".to_owned(),
        format!("manifests --all --dir {into}"),
        format!("manifests users --dir {into}"),
        format!("manifests users --dir {into} --force"),
        "manifests orders".to_owned(),
        "manifests booking".to_owned(),
    ] {
        let words = format!("{words} --policy {file} --offline");
        shown.note(&words, &said(bare(&words).output().unwrap()));
    }
    assert_eq!(shown.check("manifests"), [0, 2].into());
    let written = std::fs::read_to_string(Path::new(&into).join("bookings-target-group-binding-2.yaml")).unwrap();
    assert!(written.contains("MISSING: REPLACE-WITH-THE-NEW-TARGET-GROUP"), "{written}");
}

/// What only AWS knows is in the manifests of a service whose old group has no more than a name in the policy.
pub(super) fn are_filled_in_from_aws(kept: &Kept) {
    let folder = tempfile::tempdir().unwrap();
    let policy = "
fleet: eks
services:
  - name: users
    oldTargetGroups: users-swarm
    newTargets: { binding: { namespace: prod, service: users, port: 8080 } }
";
    let file = policy_file(folder.path(), "policy.yaml", policy);
    let printed = kept.run(&format!("manifests users --policy {file} --output json"));
    let all: Value = serde_json::from_str(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {printed:#?}"));
    let name = all[0]["document"]["spec"]["targetGroupName"].as_str().unwrap();
    assert!(name.starts_with("users-") && name.len() == "users-".len() + 8, "{name}");
    let container = &all[1]["document"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/health", "port": 8080}));
    let missing = policy_file(folder.path(), "missing.yaml", &policy.replace("users-swarm", "users-docker"));
    let refused = kept.run(&format!("manifests users --policy {missing}"));
    assert!(refused.code == 2 && refused.stderr.contains("no target group users-docker"), "{refused:#?}");
}

/// The schema is the controller's own (`tests/fixtures/README.md`).
#[test]
fn every_target_group_binding_is_one_that_the_controllers_schema_takes() {
    let crd: Value = serde_yaml_ng::from_str(&read("tests/fixtures/targetgroupbindings.yaml")).unwrap();
    let version = crd["spec"]["versions"].as_array().unwrap().iter().find(|one| one["name"] == "v1beta1").unwrap();
    let schema = &version["schema"]["openAPIV3Schema"];
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", &read(POLICY));
    let printed = said(bare(&format!("manifests --all --policy {file} --offline")).output().unwrap());
    let documents = serde_yaml_ng::Deserializer::from_str(&printed.stdout);
    let documents: Vec<Value> = documents.map(|document| Value::deserialize(document).unwrap()).collect();
    let is_bound = |document: &&Value| document["kind"] == "TargetGroupBinding";
    let bindings: Vec<&Value> = documents.iter().filter(is_bound).collect();
    assert_eq!(bindings.len(), 3);
    for binding in bindings {
        assert_eq!(binding["apiVersion"], format!("{}/v1beta1", crd["spec"]["group"].as_str().unwrap()));
        assert_eq!(problems(binding, schema, ""), Vec::<String>::new());
        let mut wrong = binding.clone();
        wrong["spec"]["targetType"] = "pods".into();
        wrong["spec"]["serviceRef"].as_object_mut().unwrap().remove("port");
        wrong["spec"]["targetGroup"] = "x".into();
        assert_eq!(problems(&wrong, schema, "").len(), 3, "the schema is really asked");
    }
}

/// What of a document a structural schema does not take: types, required and unknown fields, words.
fn problems(document: &Value, schema: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(document)
    {
        found.push(format!("{path}: {document} is not one of {words:?}"));
    }
    let fits = match schema["type"].as_str() {
        Some("object") => document.is_object(),
        Some("array") => document.is_array(),
        Some("string") => document.is_string(),
        Some("integer") => document.is_i64(),
        Some("boolean") => document.is_boolean(),
        _ => schema["x-kubernetes-int-or-string"] == true && (document.is_string() || document.is_i64()),
    };
    if !fits {
        found.push(format!("{path}: {document} is not of type {}", schema["type"]));
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if document.get(required).is_none() {
            found.push(format!("{path}.{required}: required"));
        }
    }
    let Some(properties) = schema["properties"].as_object() else { return found };
    for (name, value) in document.as_object().into_iter().flatten() {
        match properties.get(name) {
            Some(schema) => found.extend(problems(value, schema, &format!("{path}.{name}"))),
            None => found.push(format!("{path}.{name}: unknown")),
        }
    }
    found
}
