//! What of a retirement waits for a person.

use super::stage::{Retiring, terms};
use crossfade_domain::retirement::{Approval, RetireVerdict, RetirementEventKind as Kind, RetirementPhase};
use serde_json::json;

fn asked(run: &Retiring) -> usize {
    run.kinds().iter().filter(|kind| matches!(kind, Kind::ApprovalAwaited { .. })).count()
}

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

#[test]
fn what_waits_for_a_person_is_in_the_head_once_and_no_longer_than_it_waits() {
    let mut run = Retiring::new(terms("deleted"));
    run.busy = false;
    assert_eq!(run.run().verdict, RetireVerdict::Approval);
    for _ in 0..3 {
        run.look();
        run.pass(5);
    }
    assert_eq!((run.retirement().to_approve, asked(&run)), (Some(Approval::NoTraffic), 1));
    let now = run.stage.world.now();
    let standing = run.retirement().standing(now).unwrap();
    assert_eq!(standing, "waits for crossfade retire users --accept-no-traffic --reason TEXT");
    // The old side is used after all, which is an answer.
    run.use_old();
    run.pass(5);
    assert_eq!(run.look().unwrap().unwrap().verdict, RetireVerdict::Wait, "{:#?}", run.said);
    assert_eq!(run.retirement().to_approve, None);
    run.busy = true;
    assert_eq!(run.run().verdict, RetireVerdict::Approval, "{:#?}", run.said);
    assert_eq!((run.retirement().to_approve, asked(&run)), (Some(Approval::Delete), 2));
    let standing = run.retirement().standing(now).unwrap();
    assert_eq!(standing, "retired, the deletion waits for crossfade retire users --approve-deletion");
    assert_eq!(run.run_approving().verdict, RetireVerdict::Deleted, "{:#?}", run.said);
    assert_eq!(run.retirement().to_approve, None);
    run.assert_unviolated();
}
