//! Plans and journals as small as they can be.

use crossfade_domain::journal::{Event, EventKind, Head};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{LoadBalancerArn, MigrationId, RuleArn, ServiceName, TargetGroupArn};
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::policy::gates::Gates;
use crossfade_domain::policy::retire::Retire;
use crossfade_domain::policy::rollout::Risk;
use crossfade_domain::policy::service_policy::{
    Binding, GuardAlarms, Hooks, NewTargets, OnDrift, OnInconclusive, OnNoTraffic, Schedule, ScheduleStep,
    ServicePolicy,
};
use crossfade_domain::weight::{StepWeights, Weight};
use jiff::Timestamp;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(crate) fn route(number: usize) -> RouteId {
    let arn = format!("arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/1/2/{number}");
    RouteId::Rule(RuleArn::parse(arn).unwrap())
}

/// What a migration begins with.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) head: Head,
    pub(crate) plan: Plan,
    pub(crate) event: Event,
}

/// The start of a service's `attempt`-th migration over these routes, guarded by these alarms.
pub(crate) fn start(name: &str, attempt: u32, routes: &[RouteId], alarms: &[&str]) -> Start {
    let name = service(name);
    let head = Head::first(name.clone(), attempt, u64::from(attempt), format!("execution-{attempt}"), at(0));
    let plan = plan(&name, attempt, routes, alarms);
    let routes = u32::try_from(routes.len()).unwrap();
    let event = head.next_event(EventKind::Planned { routes, after_ignored: None }, at(0));
    Start { head: head.apply(&event).unwrap(), plan, event }
}

/// An event and the head it leads to.
pub(crate) fn next(head: &Head, kind: EventKind, second: i64) -> (Event, Head) {
    let event = head.next_event(kind, at(second));
    let after = head.apply(&event).unwrap();
    (event, after)
}

pub(crate) fn intent(step: u32) -> EventKind {
    EventKind::ShiftIntended { step, weight: Weight::ZERO }
}

fn plan(name: &ServiceName, attempt: u32, routes: &[RouteId], alarms: &[&str]) -> Plan {
    let old = TargetGroupArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/old/1").unwrap();
    let balancer =
        LoadBalancerArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/public/1").unwrap();
    let planned = |id: &RouteId| PlannedRoute {
        owner: None,
        id: id.clone(),
        load_balancer: balancer.clone(),
        requests: String::new(),
        old: old.clone(),
        baseline: vec![Action::forward_to(old.clone())],
        attached_stickiness: None,
        steps: vec![StepWeights { old: 100, new: 0, scale: 1 }],
    };
    Plan {
        version: 1,
        service: name.clone(),
        migration: MigrationId::of(name, attempt),
        created: at(0),
        policy: policy(name, alarms),
        groups: Vec::new(),
        routes: routes.iter().map(planned).collect(),
        guards: Vec::new(),
        dispersion: std::collections::BTreeMap::new(),
        old_shares: std::collections::BTreeMap::new(),
        probe_from: crossfade_domain::policy::calling::ProbeFrom::Function,
        findings: Vec::new(),
        revision: None,
    }
}

fn policy(name: &ServiceName, alarms: &[&str]) -> ServicePolicy {
    let binding =
        Binding { namespace: "prod".to_owned(), service: name.to_string(), port: 8080, ip_address_type: None };
    ServicePolicy {
        name: name.clone(),
        after: Vec::new(),
        risk: Risk::default(),
        old_target_groups: vec!["old".to_owned()],
        new_targets: NewTargets::Binding(binding),
        outside_vpc: false,
        schedule: Schedule {
            steps: vec![ScheduleStep {
                weight: Weight::FULL,
                bake_seconds: 60,
                approve: false,
                min_bake_seconds: None,
            }],
        },
        alarms: alarms.iter().map(|alarm| (*alarm).to_owned()).collect(),
        guard_alarms: GuardAlarms::None,
        min_healthy: 1,
        new_healthy_share: None,
        judge: true,
        tolerated: crossfade_domain::policy::service_policy::Tolerated::default(),
        min_bake_seconds: None,
        on_inconclusive: OnInconclusive::Advance,
        on_no_traffic: OnNoTraffic::Hold,
        on_drift: OnDrift::Halt,
        allow_managed_by: Vec::new(),
        old_healthy_share: 100,
        slice_seconds: 60,
        max_hold_seconds: 3600,
        targets_timeout_seconds: 600,
        hooks: Hooks::default(),
        gates: Gates::default(),
        windows: None,
        calls: Vec::new(),
        internal_route: None,
        base_url_property: None,
        retire: Retire::default(),
        direct_url: None,
        probes: Vec::new(),
    }
}
