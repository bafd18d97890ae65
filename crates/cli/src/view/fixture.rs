//! Services on their way, for the tests of what is shown.

use crate::stack::position::Position;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::policy::calling::ProbeFrom;
use crossfade_domain::policy::document::decode_fleet;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// When everything was read.
pub(crate) const READ: &str = "2026-11-02T05:30:00Z";

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Long and short names next to each other, as in any company.
pub(crate) fn name(number: usize) -> ServiceName {
    let long = if number.is_multiple_of(7) { "-reservations" } else { "" };
    ServiceName::parse(format!("service-{number:03}{long}")).unwrap()
}

/// A plan with this schedule, for two routes: a rule on port 443, and a default action on port 80.
pub(crate) fn plan(service: &ServiceName, schedule: &Value) -> Plan {
    let policy = json!({
        "name": service, "oldTargetGroups": "g", "newTargets": {"ips": ["10.0.0.1"]}, "schedule": schedule,
        "alarms": [format!("{service}-5xx")],
    });
    let policy = decode_fleet(&json!({"fleet": "eks-2026", "services": [policy]})).unwrap().services.remove(0);
    let route = |id: &str, requests: String| PlannedRoute {
        id: RouteId::parse(format!("{ARN}:{id}")).unwrap(),
        load_balancer: LoadBalancerArn::parse(format!("{ARN}:loadbalancer/app/public/1")).unwrap(),
        requests,
        old: TargetGroupArn::parse(format!("{ARN}:targetgroup/g/1")).unwrap(),
        baseline: Vec::new(),
        attached_stickiness: None,
        steps: Vec::new(),
        owner: None,
    };
    Plan {
        version: 1,
        service: service.clone(),
        migration: MigrationId::of(service, 1),
        created: time(READ),
        policy,
        groups: Vec::new(),
        routes: vec![
            route(
                "listener-rule/app/public/1/2/00000000000000f1",
                format!("host {service}.example.com, path /api/*, port 443"),
            ),
            route("listener/app/internal/1/b3466f8a12345678", "port 80".to_owned()),
        ],
        guards: Vec::new(),
        dispersion: BTreeMap::new(),
        old_shares: BTreeMap::new(),
        probe_from: ProbeFrom::Function,
        findings: Vec::new(),
        revision: None,
    }
}

/// A head at step 4 of the canary schedule, verified three minutes before it was read.
pub(crate) fn head(service: &ServiceName, phase: Phase) -> Head {
    let mut head = Head::first(service.clone(), 1, 1, "arn".to_owned(), time("2026-11-02T03:00:00Z"));
    head.phase = phase;
    head.verified_step = Some(4);
    head.verified_at = Some(time("2026-11-02T05:26:48Z"));
    head.halted_at = (phase == Phase::Halted).then(|| time("2026-11-02T03:12:00Z"));
    head
}

pub(crate) fn position(head: Head) -> Position {
    let plan = plan(&head.service, &json!("canary"));
    Position::of(head, Some(plan), time(READ))
}
