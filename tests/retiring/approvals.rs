//! What of a retirement waits for a person.

use super::stage::{Retiring, terms};
use crossfade_domain::retirement::{RetireVerdict, RetirementPhase};
use serde_json::json;

#[test]
fn invariant_12_a_service_that_nobody_calls_at_all_is_inconclusive_and_says_which_flag_accepts_that() {
    let mut day = terms("deregistered");
    day["idleFor"] = json!("24h");
    let mut run = Retiring::new(day);
    run.busy = false;
    let asks = run.run();
    assert_eq!(
        (asks.verdict, asks.phase),
        (RetireVerdict::Approval, Some(RetirementPhase::Proving)),
        "{:#?}",
        run.said
    );
    assert!(asks.reason.contains("neither users-swarm nor the new side had a request"), "{}", asks.reason);
    assert!(asks.reason.contains("`crossfade retire users --accept-no-traffic --reason ...`"), "{}", asks.reason);
    // Two more days of silence show no more.
    for _ in 0..48 {
        assert_eq!(run.look().unwrap().unwrap().verdict, RetireVerdict::Approval, "{:#?}", run.said);
        run.pass(60);
    }
    assert!(run.is_attached());
    run.command(json!({"command": "acceptNoTraffic", "who": "ana", "reason": "it runs once a year"}));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    run.assert_unviolated();
}
