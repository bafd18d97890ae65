//! Services that call each other while they move, with the real binaries.

use super::crossfade;
use crate::repository::root;

#[test]
fn calls_between_services_are_split_with_all_others_and_direct_ones_stay() {
    let file = root().join("examples/rehearsals/internal.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    let requests = |name: &str| {
        let services = report["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["service"] == name).unwrap();
        service["requests"].clone()
    };
    let outside = |name| requests(name)["sent"].as_u64().unwrap();
    let internal = |name, count: &str| requests(name)["internal"][count].as_u64().unwrap();

    // Every request from outside causes one call, and a call causes none.
    assert_eq!(internal("orders", "sent"), outside("shop") + outside("users"));
    let calls_of_users = internal("users", "sent") + internal("users", "direct");
    assert_eq!(calls_of_users, outside("shop") + outside("orders") + outside("billing"));
    // Until its wiring changed, a caller went past the load balancer.
    assert!(0 < internal("users", "direct") && internal("users", "direct") < outside("billing"));
    for name in ["orders", "users"] {
        let by_new = internal(name, "servedByNew");
        assert!(0 < by_new && by_new < internal(name, "sent"), "{name}: the weights split its calls");
        assert_eq!(internal(name, "served"), internal(name, "sent") + internal(name, "direct"), "{name}");
        assert_eq!((internal(name, "harmed"), internal(name, "spoiled")), (0, 0), "{name}");
    }
    assert!(requests("shop").get("internal").is_none(), "no one calls it");
}
