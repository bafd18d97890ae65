//! The internal route of a service whose old side is gone.

use super::super::stage::Stage;
use super::{HOST, connect, connected, disconnect, migration, recorded, rules_of_host, stage};
use crossfade_actions::functions::create_route::connect::RouteOutcome;
use crossfade_actions::functions::create_route::disconnect::RemovalOutcome;
use crossfade_domain::internal_route::ConnectionState;
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::policy::document::decode_service;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_domain::retirement::{Retirement, RetirementPhase};
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A migrated service with an internal route on `mesh`, and its way to the end.
struct Retired {
    stage: Stage,
    policy: ServicePolicy,
    mesh: ServiceOnBalancer,
    new: TargetGroupArn,
}

fn document() -> Value {
    let mut document = migration("mesh");
    let waive = ["loadBalancer", "directCallers", "backgroundWork"];
    let waive: Vec<Value> = waive.iter().map(|one| json!({"evidence": one, "why": "it is a test"})).collect();
    document["service"]["retire"] = json!({"keepOld": "10m", "idleFor": "3h", "waive": waive});
    document
}

fn migrated() -> Retired {
    let (mut stage, _, mesh) = stage();
    let policy = decode_service(&document()["service"]).unwrap();
    let copy = connected(&stage, &policy).copy.unwrap();
    stage.world.make_healthy(copy.as_str());
    stage.migrate(document());
    let new = TargetGroupArn::parse(stage.new_group("users", copy.as_str())).unwrap();
    Retired { stage, policy, mesh, new }
}

impl Retired {
    fn retire(&mut self, until: &str) {
        self.stage.start_retirement("retire", json!({"service": "users", "until": until}));
        self.stage.run_for(SignedDuration::from_hours(2));
        if until == "deleted" {
            let approve = json!({"service": "users", "command": "approveDeletion", "who": "ana"});
            let execution = self.stage.start_retirement("approve", approve);
            self.stage.run_machines();
            assert_eq!(self.stage.ended(&execution).0, Status::Succeeded, "{}", self.stage.told());
        }
    }

    fn retirement(&self) -> Retirement {
        self.stage.ledger.snapshot().retirements[&ServiceName::parse("users").unwrap()].clone()
    }

    /// Publishes the targets of the new side behind the route for so many minutes until now, and a request in the
    /// middle of them.
    fn publish(&self, minutes: i64, used: bool) {
        let balancer = LoadBalancerArn::parse(&*self.mesh.load_balancer).unwrap().dimension().to_owned();
        let group = self.new.dimension().to_owned();
        self.stage.world.with(|state| {
            for minute in 1..=minutes {
                let at = state.now - SignedDuration::from_mins(minute);
                state.cloudwatch.record_hosts(at, &balancer, &group, 2, 0);
            }
            if used {
                let record = RequestRecord {
                    load_balancer: balancer,
                    target_group: Some(group),
                    outcome: Outcome::Target(200),
                    latency_seconds: 0.01,
                };
                state.cloudwatch.record_request(state.now - SignedDuration::from_mins(minutes / 2), &record);
            }
        });
    }

    fn rules(&self) -> Vec<String> {
        rules_of_host(&self.stage.world, &self.mesh.listener)
    }

    #[track_caller]
    fn refused(&self, forced: bool, words: &str) {
        let outcome = disconnect(&self.stage, &self.policy, forced).unwrap().unwrap();
        let RemovalOutcome::Refused(why) = outcome else { panic!("{outcome:?}") };
        assert!(why.iter().any(|why| why.contains(words)), "{why:?}");
        assert_eq!(self.rules().len(), 1);
    }

    #[track_caller]
    fn removed(&self) -> (Vec<String>, Vec<String>) {
        let outcome = disconnect(&self.stage, &self.policy, false).unwrap().unwrap();
        let RemovalOutcome::Removed { lines, left } = outcome else { panic!("{outcome:?}") };
        assert_eq!(self.rules(), [""; 0]);
        assert_eq!(recorded(&self.stage).last(), Some(&ConnectionState::Disconnected));
        (lines, left)
    }
}

#[test]
fn after_the_retirement_one_command_removes_the_internal_route_once_no_one_has_used_it_for_the_idle_window() {
    let mut run = migrated();
    run.retire("deleted");
    assert_eq!(run.retirement().phase, RetirementPhase::Deleted, "{}", run.stage.told());
    // Neither silence nor a quarter of an hour is enough: a caller may come once in two hours.
    run.refused(false, "of the last 180 minutes, and 168 are needed");
    run.publish(15, false);
    run.refused(false, "of the last 180 minutes, and 168 are needed");
    run.publish(180, true);
    run.refused(false, "has had 1 request in the last 3 hours");
    run.stage.world.advance(SignedDuration::from_hours(3));
    run.publish(180, false);
    let (lines, left) = run.removed();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(left[0].contains(run.new.as_str()) && left[0].contains("delete-target-group"), "{left:?}");
    assert_eq!(disconnect(&run.stage, &run.policy, false).unwrap().unwrap(), RemovalOutcome::Nothing);
}

#[test]
fn a_removed_internal_route_can_be_created_again_and_leads_to_the_new_side() {
    for until in ["deregistered", "deleted"] {
        let mut run = migrated();
        run.retire(until);
        // What exists is as it should be, although the old group is gone from it.
        let before = connected(&run.stage, &run.policy);
        assert_eq!(run.rules(), [before.route.unwrap().as_str()], "{until}");
        run.publish(180, false);
        run.removed();
        let again = connected(&run.stage, &run.policy);
        let route = again.route.unwrap();
        assert_eq!(run.rules(), [route.as_str()], "{until}");
        assert_eq!(run.stage.world.weights_of(route.as_str()), [(run.new.as_str().to_owned(), 1)], "{until}");
        assert_eq!(again.copy, None);
        let records = recorded(&run.stage).len();
        connected(&run.stage, &run.policy);
        assert_eq!(recorded(&run.stage).len(), records, "{until}: repeated, it records nothing");
    }
}

#[test]
fn an_undo_of_the_retirement_returns_the_other_routes_and_not_a_removed_internal_one() {
    let mut run = migrated();
    run.retire("deregistered");
    let other = run.retirement().plan.routes.iter().map(|route| route.id.as_str().to_owned()).collect::<Vec<_>>();
    let internal = run.rules();
    run.publish(180, false);
    run.removed();
    let undo = json!({"service": "users", "command": "undo", "who": "ana", "reason": "a job calls it"});
    run.stage.start_retirement("undo", undo);
    run.stage.run_machines();
    assert_eq!(run.retirement().phase, RetirementPhase::Undone, "{}", run.stage.told());
    let others: Vec<&String> = other.iter().filter(|route| !internal.contains(route)).collect();
    assert_eq!((others.len(), run.rules().len()), (other.len() - 1, 0));
    for route in others {
        assert_eq!(run.stage.world.weights_of(route).len(), 2, "{route}");
    }
}

#[test]
fn a_retirement_that_may_write_the_route_keeps_it_even_by_force() {
    let mut run = migrated();
    run.stage.start_retirement("retire", json!({"service": "users"}));
    let mut minutes = 0;
    while !run.stage.ledger.snapshot().retirements.values().any(|one| one.phase == RetirementPhase::Watching) {
        run.stage.run_for(SignedDuration::from_mins(1));
        minutes += 1;
        assert!(minutes < 120, "{}", run.stage.told());
    }
    run.refused(true, "the retirement of users is watching and may write this route");
}

#[test]
fn an_internal_route_without_any_group_of_the_new_side_is_refused_with_the_callers_way() {
    let mut run = migrated();
    run.retire("deregistered");
    run.publish(180, false);
    run.removed();
    let delete = json!({"TargetGroupArn": run.new.as_str()});
    super::call(&run.stage.world, "DeleteTargetGroup", &delete);
    let outcome = connect(&run.stage, &run.policy);
    let Some(Ok(RouteOutcome::Refused(why))) = outcome else { panic!("{outcome:?}, {HOST}") };
    assert!(why[0].contains("crossfade wiring users --direct"), "{why:?}");
}
