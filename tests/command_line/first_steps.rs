//! `crossfade discover` and `crossfade connect` against a kept rehearsal.

use super::terminal::{Kept, said};
use super::transcript::Transcript;

/// `users` gets a port of the load balancer that it is on. `orders` gets a host there, so a copy of its group.
/// `bookings` keeps the rehearsal open.
const SCENARIO: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 2
    routes: [{ host: users.internal.example.com }]
    start: false
    policy: { judge: false, internalRoute: { port: 8081, loadBalancer: users } }
  - name: orders
    sentPerMinute: 2
    start: false
    policy: { judge: false, calls: [users], internalRoute: { host: orders.internal.example.com, loadBalancer: users } }
  - name: bookings
    sentPerMinute: 2
    policy: { judge: false, schedule: [{ weight: 25, bake: 7d }, { weight: 100, bake: 2m }] }
";

#[test]
fn services_are_connected_once_and_what_cannot_be_is_refused_in_words() {
    let kept = Kept::start(SCENARIO);
    let mut shown = Transcript::default();
    for words in [
        "connect users orders --dry-run",
        "connect users --reason first",
        "connect --all --reason \"before the move\"",
        "connect --all",
        "connect users --output json",
        "connect nobody",
        "connect bookings",
        "connect users --undo",
        "connect users --undo --force --reason \"no caller uses it\"",
        "connect users --undo",
        "connect users --dry-run",
    ] {
        shown.note(words, &kept.run(words));
    }
    shown.check("connected");
    let drafted = kept.run("discover --fleet eks-2026");
    assert_eq!(drafted.code, 0, "{drafted:#?}");
    for text in ["fleet: eks-2026\n", "    oldTargetGroups: [orders-swarm]\n", ": Crossfade created it\n"] {
        assert!(drafted.stdout.contains(text), "{text} is not in:\n{}", drafted.stdout);
    }
    assert!(drafted.stderr.contains("reading target groups\n"), "{}", drafted.stderr);

    // Below this path the world's CloudWatch knows no operation, like an endpoint that does not speak its protocol.
    let no_cloudwatch = format!("{}/operation/unknown", kept.endpoint());
    let mut blind = kept.command("discover --fleet eks-2026");
    let drafted = said(blind.env("AWS_ENDPOINT_URL_CLOUDWATCH", no_cloudwatch).output().unwrap());
    assert_eq!(drafted.code, 0, "{drafted:#?}");
    for text in [
        " without metrics. Nothing was changed.\n",
        "# The requests were not read (GetMetricData on ",
        "# The alarms were not read (DescribeAlarms on ",
        "    oldTargetGroups: [orders-swarm]\n",
    ] {
        assert!(drafted.stdout.contains(text), "{text} is not in:\n{}", drafted.stdout);
    }
    assert!(!drafted.stdout.contains("traffic: "), "{}", drafted.stdout);
    for text in ["\nThe requests were not read (GetMetricData on ", "\nThe alarms were not read (DescribeAlarms on "] {
        assert!(drafted.stderr.contains(text), "{text} is not in:\n{}", drafted.stderr);
    }
}
