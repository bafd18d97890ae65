//! From load balancers that nobody has described to a service that has moved, as a new user would type it.

use super::terminal::{Kept, policy_file};
use super::transcript::Transcript;
use std::time::Duration;

/// Twelve services on three load balancers; `users` is on two of them, and has more requests than any other.
fn scenario() -> String {
    let services = [
        ("users", "[public, internal]"),
        ("payments", "[partners]"),
        ("bookings", "[public]"),
        ("orders", "[public]"),
        ("search", "[public]"),
        ("catalog", "[public]"),
        ("invoices", "[partners]"),
        ("reports", "[partners]"),
        ("ledger", "[internal]"),
        ("mailer", "[internal]"),
        ("audit", "[internal]"),
        ("archive", "[internal]"),
    ];
    let one = |(name, balancers): (&str, &str)| {
        let sent = if name == "users" { 60 } else { 0 };
        let routes: Vec<String> = balancers
            .trim_matches(['[', ']'])
            .split(", ")
            .map(|balancer| format!("{{ loadBalancer: {balancer}, host: {name}.{balancer}.example.com }}"))
            .collect();
        format!(
            "  - {{ name: {name}, described: false, start: false, alarms: [], sentPerMinute: {sent}, \
             loadBalancers: {balancers}, routes: [{}] }}\n",
            routes.join(", ")
        )
    };
    let services: String = services.into_iter().map(one).collect();
    format!("seed: 5\nscale: 600\nservices:\n{services}")
}

/// Fills in what the draft marks, and says which services others call.
fn filled_in(draft: &str) -> String {
    let mut service = String::new();
    let mut lines = Vec::new();
    for line in draft.lines() {
        if let Some(name) = line.strip_prefix("  - name: ") {
            name.split_whitespace().next().unwrap().clone_into(&mut service);
        }
        if line.contains("FILL IN") && !line.starts_with('#') {
            assert!(line.starts_with("    newTargets: {}  # FILL IN"), "the draft marks nothing else: {line}");
            let binding = format!("{{ binding: {{ namespace: prod, service: {service}, port: 8080 }} }}");
            lines.push(format!("    newTargets: {binding}"));
            if ["users", "bookings", "ledger"].contains(&service.as_str()) {
                let host = format!("{{ host: {service}.internal.example.com, loadBalancer: internal }}");
                lines.push(format!("    internalRoute: {host}"));
            }
            if service == "orders" {
                lines.push("    calls: [users, bookings, ledger]".to_owned());
            }
        } else {
            lines.push(line.to_owned());
        }
    }
    let text = lines.join("\n") + "\n";
    text.replacen("  schedule: canary", "  schedule: [{ weight: 10, bake: 5m }, { weight: 100, bake: 5m }]", 1)
}

#[test]
fn twelve_services_that_nobody_described_are_found_connected_bound_and_moved() {
    let kept = Kept::with_balancers(&scenario(), &["internal"]);
    let folder = tempfile::tempdir().unwrap();
    let mut shown = Transcript::default();
    // The old targets become healthy, and every service has been called.
    kept.let_pass(Duration::from_mins(2));

    let draft = kept.run("discover --fleet eks-2026");
    shown.note("discover --fleet eks-2026 > policy.yaml", &draft);
    let file = policy_file(folder.path(), "policy.yaml", &draft.stdout);
    let words = format!("check {file}");
    shown.note(&words, &kept.run(&words));
    policy_file(folder.path(), "policy.yaml", &filled_in(&draft.stdout));
    for words in [
        format!("check {file}"),
        format!("apply {file}"),
        "connect --all --reason \"before the move\"".to_owned(),
        format!("wiring --check --connect-to {}", kept.address_of("internal")),
        "wiring --for orders --format env".to_owned(),
    ] {
        shown.note(&words, &kept.run(&words));
    }
    let manifests = kept.run("manifests users");
    shown.note("manifests users | kubectl apply -f -", &manifests);
    let applied = kept.apply_manifests(&manifests.stdout);
    assert!(applied.starts_with("targetgroupbinding.elbv2.k8s.aws/users"), "{applied}");
    for words in ["plan users", "start users --wait", "status users"] {
        shown.note(words, &kept.run(words));
    }
    shown.check("the_way_in");
}
