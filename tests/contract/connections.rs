//! What the table promises of internal routes.

use super::on_both_sides;
use super::samples::{at, service};
use super::sides::{Served, Side};
use crossfade_actions::ports::LedgerError;
use crossfade_domain::internal_route::{CONNECTION_VERSION, Connection, ConnectionState};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::LoadBalancerArn;
use crossfade_rehearsal::endpoints::front_door::CallFault;

on_both_sides![
    a_service_without_an_internal_route_has_no_record,
    what_was_recorded_last_is_read,
    a_repeated_record_finds_itself,
    of_two_writers_one_writes,
];

fn connection(sequence: u64, state: ConnectionState) -> Connection {
    let route = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/mesh/1/9/7";
    Connection {
        version: CONNECTION_VERSION,
        fleet: "eks".to_owned(),
        service: service("users"),
        sequence,
        state,
        load_balancer: LoadBalancerArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/mesh/1")
            .unwrap(),
        route: (state == ConnectionState::Connected).then(|| RouteId::parse(route).unwrap()),
        copy: None,
        what: "a rule with priority 10000".to_owned(),
        who: "ana".to_owned(),
        at: at(i64::try_from(sequence).unwrap()),
    }
}

async fn a_service_without_an_internal_route_has_no_record(side: Side) {
    let open = side.ledger().await;
    assert_eq!(open.ledger.connection(&service("users")).await.unwrap(), None);
}

async fn what_was_recorded_last_is_read(side: Side) {
    let open = side.ledger().await;
    let (first, second) = (connection(1, ConnectionState::Connecting), connection(2, ConnectionState::Connected));
    open.ledger.record_connection(None, &first).await.unwrap();
    open.ledger.record_connection(Some(&first), &second).await.unwrap();
    assert_eq!(open.ledger.connection(&service("users")).await.unwrap(), Some(second));
    assert_eq!(open.ledger.connection(&service("orders")).await.unwrap(), None);
}

async fn a_repeated_record_finds_itself(side: Side) {
    let open = side.ledger().await;
    let first = connection(1, ConnectionState::Connecting);
    open.ledger.record_connection(None, &first).await.unwrap();
    open.ledger.record_connection(None, &first).await.unwrap();
}

async fn of_two_writers_one_writes(side: Side) {
    let open = side.ledger().await;
    let first = connection(1, ConnectionState::Connecting);
    open.ledger.record_connection(None, &first).await.unwrap();
    let other = Connection { who: "ben".to_owned(), ..first.clone() };
    let refused = open.ledger.record_connection(None, &other).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Contended { sequence: 1, .. }), "{refused:?}");
    assert_eq!(open.ledger.connection(&service("users")).await.unwrap(), Some(first));
}

#[tokio::test]
async fn a_lost_answer_to_a_record_of_an_internal_route_is_no_failure() {
    let served = Served::start(Vec::new()).await;
    let ledger = served.ledger().await;
    let first = connection(1, ConnectionState::Connecting);
    served.calls.fail_next("TransactWriteItems", 1, CallFault::DropAfter);
    ledger.record_connection(None, &first).await.unwrap();
    assert_eq!(ledger.connection(&service("users")).await.unwrap(), Some(first));
}
