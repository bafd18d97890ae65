//! `crossfade wiring`: every form from a file alone, and against a kept rehearsal what only AWS knows.

use super::terminal::{Kept, bare, policy_file, said};
use super::transcript::Transcript;
use serde_json::Value;

/// By host and by port, with callers and without, with a direct URL, with a binding, and with neither.
const POLICY: &str = "
fleet: eks
defaults: { baseUrlProperty: 'clients.{service}.base-url' }
services:
  - name: users
    oldTargetGroups: users-swarm
    newTargets: { binding: { namespace: prod, service: users, port: 8080 } }
    internalRoute: { host: users.internal.example.com }
  - name: room-rates
    oldTargetGroups: room-rates-swarm
    newTargets: { instances: [i-1, i-2] }
    internalRoute: { host: room-rates.internal.example.com, listener: 8080 }
    baseUrlProperty: 'clients[0].base-url'
    directUrl: http://rates.eks.example.com:9090
  - name: bookings
    oldTargetGroups: bookings-swarm
    newTargets: { instances: [i-1, i-2] }
    calls: [users, room-rates]
";

#[test]
fn every_form_is_printed_from_a_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", POLICY);
    let mut shown = Transcript::default();
    let forms = ["env", "properties", "yaml", "compose", "k8s", "json"];
    let lines = [
        "wiring".to_owned(),
        "wiring users --direct".to_owned(),
        "wiring --direct --format env".to_owned(),
        "wiring --direct --format k8s".to_owned(),
        "wiring --for bookings --format properties".to_owned(),
        "wiring user".to_owned(),
        "wiring --for booking".to_owned(),
        "wiring --for users".to_owned(),
        "wiring bookings".to_owned(),
    ];
    for words in lines.into_iter().chain(forms.map(|form| format!("wiring --format {form}"))) {
        let words = format!("{words} --policy {file}");
        shown.note(&words, &said(bare(&words).output().unwrap()));
    }
    let codes = shown.check("wiring_from_a_file");
    assert_eq!(codes, [0, 2].into());
    // What only AWS knows is asked of AWS, and without a region that is said.
    for words in ["wiring --format route53", "wiring users --check", "manifests users"] {
        let said = said(bare(&format!("{words} --policy {file}")).output().unwrap());
        assert!(said.code == 2 && said.stderr.contains("no region is set"), "{said:#?}");
    }
}

/// No bake ends, so that the rules stay as they are.
const SCENARIO: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 2
    routes: [{ host: users.internal }]
    start: false
    policy:
      judge: false
      baseUrlProperty: 'clients.{service}.base-url'
      internalRoute: { host: users.internal, loadBalancer: users }
  - name: rates
    sentPerMinute: 2
    routes: [{ default: true }]
    start: false
    policy: { judge: false, internalRoute: { port: 80, loadBalancer: rates } }
  - name: orders
    sentPerMinute: 2
    routes: [{ default: true }]
    start: false
    policy: { judge: false, calls: [users, rates], internalRoute: { port: 8081, loadBalancer: orders } }
  - name: bookings
    sentPerMinute: 2
    policy: { judge: false, schedule: [{ weight: 25, bake: 7d }, { weight: 100, bake: 2m }] }
";

#[test]
fn what_only_aws_knows_is_read_and_one_request_proves_a_url() {
    let kept = Kept::with_balancers(SCENARIO, &["rates", "users"]);
    kept.run_until(0, "status bookings");
    let mut shown = Transcript::default();
    for words in ["wiring", "wiring --format route53", "wiring users --format coredns", "wiring orders --check"] {
        shown.note(words, &kept.run(words));
    }
    let through = |service: &str| format!("wiring {service} --check --connect-to {}", kept.address_of(service));
    let direct = |service: &str| format!("--direct-url http://{}", kept.address_of(service));
    // The rule of users needs the Host header, which nobody sends to the direct URL: 404 there.
    for words in [
        through("users"),
        format!("{} {}", through("users"), direct("users")),
        format!("{} --path /nowhere", through("rates")),
        format!("{} {}", through("rates"), direct("rates")),
    ] {
        shown.note(&words, &kept.run(&words));
    }
    let rates = through("rates");
    let json = kept.run(&format!("{rates} --output json"));
    let proof: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&proof["works"], &proof["services"][0]["groups"]), (&true.into(), &"rates-swarm 100 %".into()));
    shown.check("wiring_against_a_rehearsal");
    super::manifests::are_filled_in_from_aws(&kept);
}
