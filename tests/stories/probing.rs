//! New sides that are probed before their first user.

mod from_here;

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::error::ErrorClass;
use crossfade_actions::operator::resume::{Resume, resume};
use crossfade_actions::ports::{Ledger as _, NewRule, Rules as _};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::our_tags::probe_tags;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Condition, Field, Rule};
use crossfade_domain::names::{ListenerArn, ServiceName};
use crossfade_domain::probe::{Answer, HEADER};
use crossfade_world::World;
use crossfade_world::world::{EVERY_GROUP, ServiceOnBalancer};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn probed_users() -> Value {
    let mut policy = users();
    policy["service"]["probes"] = json!([{"path": "/ping", "compare": "body"}]);
    policy
}

/// Users, with priorities that are free before theirs.
fn stage() -> (Stage, ServiceOnBalancer) {
    let (stage, service) = Stage::with_users();
    let later: Vec<Value> =
        (11..).zip(&service.rules).map(|(priority, rule)| json!({"RuleArn": rule, "Priority": priority})).collect();
    let input = json!({"RulePriorities": later});
    stage.world.with(|state| state.elbv2.call_json(state.now, "SetRulePriorities", &input)).unwrap();
    (stage, service)
}

fn rules_of_probes(stage: &Stage, service: &ServiceOnBalancer) -> usize {
    probe_rules(&stage.world, &service.listener).len()
}

fn probe_rules(world: &World, listener: &str) -> Vec<Rule> {
    let mut rules = at_once(world.rules(&ListenerArn::parse(listener).unwrap())).unwrap();
    let of_probe = |field: &Field| matches!(field, Field::Header(name) if name == HEADER);
    rules.retain(|rule| rule.conditions.iter().any(|one| of_probe(&one.field)));
    rules
}

/// Without its rule, the old side answers in the new one's place, and always like itself.
#[test]
fn a_rule_that_someone_deletes_while_its_probe_is_asked_proves_nothing() {
    let stage_of_two_answers = || {
        let (stage, service) = stage();
        let says = |body: &str| vec![Answer { status: 200, headers: vec![], body: body.into(), cut: false }];
        stage.world.group_answers("users-swarm", "/ping", says("old"));
        stage.world.group_answers(EVERY_GROUP, "/ping", says("new"));
        (stage, service)
    };
    let (mut free, _) = stage_of_two_answers();
    free.migrate(probed_users());
    assert_eq!(free.head("users").phase, Phase::RolledBack, "{}", free.told());

    let (mut stage, service) = stage_of_two_answers();
    let (world, listener) = (stage.world.clone(), service.listener.clone());
    stage.calls.before(free.calls.numbers_of("ask")[0], move || {
        for rule in probe_rules(&world, &listener) {
            let RouteId::Rule(arn) = rule.id else { panic!("a probe has a rule") };
            world.someone_deletes_rule(arn.as_str()).unwrap();
        }
    });
    stage.migrate(probed_users());
    assert!(stage.told().contains("was deleted before its requests were answered"), "{}", stage.told());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(rules_of_probes(&stage, &service), 0);
}

#[test]
fn a_probe_that_is_killed_every_time_is_rolled_back_and_its_rule_is_deleted() {
    let (mut stage, service) = stage();
    stage.calls.always("ask", PortFault::DiesBefore);
    stage.migrate(probed_users());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(rules_of_probes(&stage, &service), 0);
    let deleted = stage.recorded("users", |event| matches!(event.kind, EventKind::ProbeRulesDeleted).then_some(()));
    assert_eq!(deleted.len(), 1, "by the rollback");
    stage.assert_at_rest("users");
}

#[test]
fn a_start_is_refused_where_no_rule_can_come_before_the_route() {
    let (mut stage, _) = Stage::with_users();
    stage.migrate(probed_users());
    let said = stage.visits("Plan migration")[0].answer.clone().unwrap()["reason"].to_string();
    assert!(said.contains("probes-cannot-run") && said.contains("no priority before rule 1"), "{said}");
}

/// A migration that halted in the middle of a probe whose function was killed.
fn halted_in_a_probe() -> (Stage, ServiceOnBalancer) {
    let (mut stage, service) = stage();
    stage.migrate_until("Probe service", probed_users());
    let listener = ListenerArn::parse(service.listener.as_str()).unwrap();
    let record = |kind| {
        let head = stage.head("users");
        let event = head.next_event(kind, stage.world.now());
        let after: Head = head.apply(&event).unwrap();
        at_once(stage.ledger.record(&head, &event, &after)).unwrap();
    };
    record(EventKind::ProbesBegun { listeners: vec![listener.clone()] });
    let head = stage.head("users");
    let rule = NewRule {
        listener,
        priority: 1,
        conditions: vec![Condition::on(Field::Header(HEADER.to_owned()), ["token"])],
        actions: vec![Action::forward_to(head.new_groups.values().next().unwrap().clone())],
        tags: probe_tags("crossfade", &head.service, &head.migration),
    };
    at_once(stage.world.create_rule(&rule)).unwrap();
    record(EventKind::Halted { reason: "a person has to look at it".to_owned() });
    (stage, service)
}

#[test]
fn the_sweep_deletes_what_a_killed_probe_left_before_a_halted_migration_can_be_resumed() {
    let (stage, service) = halted_in_a_probe();
    let resumed = |stage: &Stage| {
        let request = Resume { accept_drift: false, who: "ana".to_owned() };
        let users = ServiceName::parse("users").unwrap();
        stage.alone("resume", |ports| async move { resume(&ports, &users, &request).await }).unwrap()
    };
    let sweep = |stage: &Stage| stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    stage.world.advance(SignedDuration::from_secs(80));
    sweep(&stage);
    assert_eq!(rules_of_probes(&stage, &service), 1, "the function may still live, and create another one");
    let refused = resumed(&stage).unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Transient, "{}", refused.chain());
    stage.world.advance(SignedDuration::from_secs(10));
    sweep(&stage);
    assert_eq!((rules_of_probes(&stage, &service), stage.head("users").probing.len()), (0, 0), "{}", stage.told());
    assert!(!resumed(&stage).unwrap().head.probed, "it is probed again");
}

#[test]
fn a_rule_of_a_probe_that_cannot_be_deleted_is_reported_and_tried_again() {
    let (stage, service) = halted_in_a_probe();
    stage.world.advance(SignedDuration::from_secs(90));
    stage.calls.always("delete_rule", PortFault::Denied);
    let answer = stage.call("sweep-migrations", &json!({})).unwrap();
    assert!(answer.unwrap_err().chain().contains("deleting probe rule"), "the failure is told");
    assert_eq!(rules_of_probes(&stage, &service), 1);
    stage.calls.clear();
    stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    assert_eq!(rules_of_probes(&stage, &service), 0);
}
