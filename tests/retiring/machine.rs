//! The same through `retire-service`: what its executions come to.

use super::stage::{Retiring, terms};
use crate::simulation::Callers;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::retirement::RetireVerdict;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

fn published(retire: Value) -> Retiring {
    publishing(Retiring::new(retire))
}

/// A migrated service whose load balancer publishes what it would, whenever a function is called.
pub(super) fn publishing(mut run: Retiring) -> Retiring {
    let balancer = LoadBalancerArn::parse(&*run.service.load_balancer).unwrap().dimension().to_owned();
    let (old, new) = (run.old(), TargetGroupArn::parse(&*run.new).unwrap());
    let mut published = run.stage.world.now();
    run.stage.before(move |world, _, _, _| {
        world.with(|state| {
            while published < state.now {
                let hosts = u32::try_from(state.elbv2.targets_of(old.as_str()).len()).unwrap();
                state.cloudwatch.record_hosts(published, &balancer, old.dimension(), hosts, 0);
                let request = RequestRecord {
                    load_balancer: balancer.clone(),
                    target_group: Some(new.dimension().to_owned()),
                    outcome: Outcome::Target(200),
                    latency_seconds: 0.01,
                };
                state.cloudwatch.record_request(published, &request);
                published += SignedDuration::from_mins(1);
            }
        });
    });
    run
}

/// Runs an execution to its end; how it ended, with the error.
fn execute(run: &mut Retiring, name: &str, input: Value) -> (Status, String) {
    let execution = run.stage.start_retirement(name, input);
    run.stage.run_machines();
    run.stage.ended(&execution)
}

fn done() -> (Status, String) {
    (Status::Succeeded, String::new())
}

#[test]
fn an_execution_retires_another_one_undoes_it_and_a_third_deletes() {
    let mut run = published(terms("deregistered"));
    assert_eq!(execute(&mut run, "first", json!({"service": "users"})), done(), "{}", run.stage.told());
    assert!(run.is_detached());
    assert_eq!(run.targets(), 0);
    let undo = json!({"service": "users", "command": "undo", "who": "ana", "reason": "not yet"});
    assert_eq!(execute(&mut run, "undo", undo), (Status::Failed, "Undone".to_owned()), "{}", run.stage.told());
    run.assert_as_before();
    let again = json!({"service": "users", "until": "deleted"});
    let third = run.stage.start_retirement("third", again);
    run.stage.run_for(SignedDuration::from_hours(3));
    assert!(run.exists(), "it waits for its approval");
    let approve = json!({"service": "users", "command": "approveDeletion", "who": "ana"});
    assert_eq!(execute(&mut run, "approve", approve), done(), "{}", run.stage.told());
    assert_eq!(run.stage.ended(&third), done(), "the one that waited sees it");
    assert!(!run.exists());
}

#[test]
fn a_wrong_input_and_a_service_that_has_not_migrated_are_refused() {
    let mut run = published(terms("deregistered"));
    let refused = (Status::Failed, "Refused".to_owned());
    for (name, input) in [
        ("misspelt", json!({"service": "users", "end": "idle"})),
        ("unknown", json!({"service": "orders"})),
        ("empty", json!({})),
        ("undone", json!({"service": "users", "command": "undo"})),
    ] {
        assert_eq!(execute(&mut run, name, input), refused, "{name}\n{}", run.stage.told());
    }
    assert!(run.stage.ledger.snapshot().retirements.is_empty());
}

/// Which verbs of their ports the three functions call: to the end, back from before the end, and with what a person
/// decides.
pub(crate) fn callers() -> Callers {
    let mut all = Callers::default();
    let mut deleted = Retiring::new(terms("deleted"));
    assert_eq!(deleted.run_approving().verdict, RetireVerdict::Deleted);
    all.extend(deleted.stage.calls.callers());
    let mut undone = Retiring::new(terms("deregistered"));
    assert_eq!(undone.run().verdict, RetireVerdict::Deregistered);
    undone.command(json!({"command": "undo", "who": "ana"}));
    assert_eq!(undone.run().verdict, RetireVerdict::Undone);
    all.extend(undone.stage.calls.callers());
    let mut fed = super::scaling_groups::fed();
    assert_eq!(fed.run().verdict, RetireVerdict::Deregistered);
    fed.command(json!({"command": "undo", "who": "ana"}));
    assert_eq!(fed.run().verdict, RetireVerdict::Undone);
    all.extend(fed.stage.calls.callers());
    all.extend(super::swept::callers());
    all
}
