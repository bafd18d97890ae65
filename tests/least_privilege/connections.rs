//! What the verbs of an internal route ask for: what is read, created with our tags, and deleted by them. And what the
//! verbs of a retirement ask for.

use super::ports::Recorder;
use crate::contract::{first_retirement, samples};
use crossfade_actions::ports::{Ledger, NewListener, NewRule};
use crossfade_aws::Connections;
use crossfade_domain::internal_route::{CONNECTION_VERSION, Connection, ConnectionState};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::our_tags::{probe_tags, route_tags};
use crossfade_domain::load_balancer::rule::{Condition, Field};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, MigrationId, TargetGroupArn};
use crossfade_domain::retirement::RetirementEventKind;
use crossfade_world::world::ServiceOnBalancer;
use std::sync::Arc;

pub(super) async fn connections(recorder: &mut Recorder, ports: &Connections, users: &ServiceOnBalancer) {
    let load_balancer = LoadBalancerArn::parse(users.load_balancer.as_str()).unwrap();
    let listener = ListenerArn::parse(users.listener.as_str()).unwrap();
    let actions = vec![Action::forward_to(TargetGroupArn::parse(users.old_group.as_str()).unwrap())];
    let service = samples::service("users");
    let tags = || route_tags("crossfade", "eks", &service);
    ports.survey.all_load_balancers().await.unwrap();
    recorder.was("all_load_balancers");
    ports.survey.listeners_of(&load_balancer).await.unwrap();
    recorder.was("listeners_of");
    ports.rules.rules(&listener).await.unwrap();
    recorder.was("rules");
    let conditions = vec![Condition::on(Field::Host, ["users.internal.example"])];
    let rule = NewRule { listener, priority: 10_000, conditions, actions: actions.clone(), tags: tags() };
    let created = ports.rules.create_rule(&rule).await.unwrap();
    recorder.was("create_rule");
    ports.rules.delete_rule(&created).await.unwrap();
    recorder.was("delete_rule");
    let tags_of_probe = probe_tags("crossfade", &service, &MigrationId::parse("users-1").unwrap());
    let rule = NewRule { priority: 9_999, tags: tags_of_probe, ..rule };
    let rule = ports.rules.create_rule(&rule).await.unwrap();
    recorder.was("create_rule of a probe");
    ports.rules.delete_rule(&rule).await.unwrap();
    recorder.was("delete_rule of a probe");
    let listener = NewListener { load_balancer: load_balancer.clone(), port: 8081, actions, tags: tags() };
    let listener = ports.rules.create_listener(&listener).await.unwrap();
    recorder.was("create_listener");
    ports.rules.delete_listener(&listener).await.unwrap();
    recorder.was("delete_listener");
    let first = Connection {
        version: CONNECTION_VERSION,
        fleet: "eks".to_owned(),
        service: service.clone(),
        sequence: 1,
        state: ConnectionState::Connecting,
        load_balancer,
        route: None,
        copy: None,
        what: "a rule".to_owned(),
        who: "ana".to_owned(),
        at: samples::at(1),
    };
    ports.ledger.record_connection(None, &first).await.unwrap();
    recorder.was("record_connection");
    // A write whose answer was lost looks for its own record.
    ports.ledger.record_connection(None, &first).await.unwrap();
    recorder.and("record_connection");
    ports.ledger.connection(&service).await.unwrap();
    recorder.was("connection");
}

pub(super) async fn retirements(recorder: &mut Recorder, port: &Arc<dyn Ledger>) {
    let first = first_retirement();
    let execution = Some("arn:aws:states:eu-west-1:000000000000:execution:retire-service:users-1".to_owned());
    let kind = RetirementEventKind::Begun { plan: Box::new(first.plan.clone()), who: "ana".to_owned(), execution };
    let event = first.next_event(kind, samples::at(0));
    let head = first.apply(&event).unwrap();
    port.record_retirement(None, &event, &head).await.unwrap();
    recorder.was("record_retirement");
    // A write whose answer was lost looks for its own event.
    port.record_retirement(None, &event, &head).await.unwrap();
    recorder.and("record_retirement");
    port.retirement(&head.service).await.unwrap();
    recorder.was("retirement");
    port.retirements(std::slice::from_ref(&head.service)).await.unwrap();
    recorder.was("retirements");
    port.open_retirements().await.unwrap();
    recorder.was("open_retirements");
}
