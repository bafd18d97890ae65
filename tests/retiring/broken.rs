//! What stands between the functions and the world: it checks each call that removes something, and can be broken on
//! purpose.

use super::stage::Seen;
use crossfade_actions::ports::{
    Limits, Listener, LoadBalancer, Metrics, NewGroup, PortError, Ports, Routes, TargetGroups, TargetZone,
};
use crossfade_domain::load_balancer::action::{Action, ActionKind, Forward};
use crossfade_domain::load_balancer::group::{Attributes, HealthCheck, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::retirement::{Retirement, RetirementEventKind};
use crossfade_world::World;
use crossfade_world::ledger::Ledger;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breakage {
    /// Targets look counted in every minute.
    NoPositiveControl,
    /// An answer that is not complete is taken for one.
    PartialDataIsAccepted,
    /// The window begins a day before the last weight.
    WindowBeginsTooEarly,
    /// The routes look detached before they are.
    AttachedRoutesAreNotSeen,
    /// Rules that are not part of the plan are not looked at.
    OtherRulesAreNotSeen,
    /// An undo leaves stickiness out.
    UndoForgetsStickiness,
    /// The groups are deleted before they are recorded.
    RecordedAfterDeletion,
    /// Nothing waits for propagation.
    NoWait,
}

/// The ports of one call.
#[derive(Clone)]
pub(super) struct Broken {
    pub(super) breakage: Option<Breakage>,
    pub(super) world: Arc<World>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) old: TargetGroupArn,
}

struct Between<P: ?Sized> {
    broken: Broken,
    inner: Arc<P>,
}

impl Broken {
    pub(super) fn between(self, ports: Ports) -> Ports {
        self.tamper();
        Ports {
            metrics: Arc::new(Between { broken: self.clone(), inner: ports.metrics.clone() }),
            routes: Arc::new(Between { broken: self.clone(), inner: ports.routes.clone() }),
            target_groups: Arc::new(Between { broken: self, inner: ports.target_groups.clone() }),
            ..ports
        }
    }

    fn is(&self, breakage: Breakage) -> bool {
        self.breakage == Some(breakage)
    }

    fn service() -> ServiceName {
        ServiceName::parse("users").unwrap()
    }

    fn retirement(&self) -> Option<Retirement> {
        self.ledger.snapshot().retirements.remove(&Self::service())
    }

    /// Breaks what is stored.
    fn tamper(&self) {
        let mut items = self.ledger.snapshot();
        let Some(head) = items.retirements.get_mut(&Self::service()) else { return };
        match self.breakage {
            Some(Breakage::WindowBeginsTooEarly) => head.plan.zero_since = Timestamp::UNIX_EPOCH,
            Some(Breakage::NoWait) => head.plan.watch_seconds = 0,
            _ => return,
        }
        self.ledger.restore(items);
    }

    fn violated(&self, what: String) {
        self.seen.lock().unwrap().violations.push(what);
    }

    /// Invariant 12, at the moment at which something of the old side goes.
    fn removes(&self, what: &str) {
        let now = self.world.now();
        let named = self.world.with(|state| {
            let groups = state.elbv2.call_json(now, "DescribeTargetGroups", &json!({})).unwrap().to_json();
            let old = groups["TargetGroups"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["TargetGroupArn"] == *self.old.as_str());
            old.is_some_and(|old| old["LoadBalancerArns"].as_array().is_some_and(|arns| !arns.is_empty()))
        });
        if named {
            self.violated(format!("{what} while a rule names the group"));
        }
        let Some(head) = self.retirement() else { return self.violated(format!("{what} without a retirement")) };
        let (named_at, used) = {
            let seen = self.seen.lock().unwrap();
            (seen.named_at, seen.used.clone())
        };
        if named_at.is_some_and(|at| now < at + SignedDuration::from_secs(120)) {
            self.violated(format!("{what} within 120 s of the last rule"));
        }
        let since = head.proved.map_or(now, |window| window.since);
        if let Some(at) = used.iter().find(|at| **at >= since) {
            self.violated(format!("{what} although the old side was used at {at}, after {since}"));
        }
        let zero = self.ledger.snapshot().heads[&Self::service()].verified_at.unwrap();
        if since < zero + SignedDuration::from_secs(120) {
            self.violated(format!("{what} by a window from {since}, and the last weight was verified at {zero}"));
        }
    }

    /// Invariant 19, at the moment at which targets go.
    fn deregisters(&self, group: &TargetGroupArn, targets: &[Target]) {
        self.removes("deregistered");
        let plan = self.retirement().map(|head| head.plan);
        let record = plan.into_iter().flat_map(|plan| plan.groups).find(|one| one.record.arn == *group);
        let recorded = record.map(|one| one.record.targets).unwrap_or_default();
        for target in targets.iter().filter(|target| !recorded.contains(target)) {
            self.violated(format!("deregistered {target} before it was recorded"));
        }
    }

    /// Invariant 19, at the moment at which a group goes.
    fn deletes(&self) {
        self.removes("deleted");
        let journals = self.ledger.snapshot().retirement_journals;
        let recorded = journals.values().flatten().any(|event| match &event.kind {
            RetirementEventKind::DeleteIntended { records } => records.iter().any(|record| record.arn == self.old),
            _ => false,
        });
        if !recorded {
            self.violated("deleted before it was recorded".to_owned());
        }
    }
}

#[async_trait::async_trait]
impl Metrics for Between<dyn Metrics> {
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError> {
        let answer = self.inner.data(queries, since, until).await;
        let mut answers = match answer {
            Err(_) if self.broken.is(Breakage::PartialDataIsAccepted) => vec![DataPoints::new(); queries.len()],
            answer => answer?,
        };
        let fills = self.broken.is(Breakage::NoPositiveControl) || self.broken.is(Breakage::PartialDataIsAccepted);
        for (query, points) in queries.iter().zip(&mut answers).filter(|_| fills) {
            let is_new = query.group.as_ref() != Some(&self.broken.old);
            if query.metric == "HealthyHostCount" || (query.metric == "RequestCount" && is_new) {
                let minutes = until.duration_since(since).as_mins();
                *points = (0..minutes).map(|minute| (since + SignedDuration::from_mins(minute), 2.0)).collect();
            }
        }
        Ok(answers)
    }
}

#[async_trait::async_trait]
impl Routes for Between<dyn Routes> {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        self.inner.load_balancers(arns).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        self.inner.listeners(load_balancer).await
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        let mut routes = self.inner.routes(listener).await?;
        let planned = self.broken.retirement().map(|head| head.plan.routes).unwrap_or_default();
        let begun = self.broken.retirement().is_some_and(|head| head.detach_intended_at.is_some());
        if self.broken.is(Breakage::OtherRulesAreNotSeen) {
            routes.retain(|route| planned.iter().any(|one| one.id == route.id));
        }
        if self.broken.is(Breakage::AttachedRoutesAreNotSeen) && begun {
            for route in &mut routes {
                if let Some(one) = planned.iter().find(|one| one.id == route.id) {
                    route.actions.clone_from(&one.detached);
                }
            }
        }
        Ok(routes)
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        self.inner.read_routes(routes).await
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        let mut actions = actions.to_vec();
        if self.broken.is(Breakage::UndoForgetsStickiness) {
            for action in &mut actions {
                if let ActionKind::Forward(Forward { stickiness, .. }) = &mut action.kind {
                    *stickiness = None;
                }
            }
        }
        self.inner.write_route(route, &actions).await
    }
}

#[async_trait::async_trait]
impl TargetGroups for Between<dyn TargetGroups> {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        self.inner.target_groups(names_or_arns).await
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        self.inner.target_groups_of(load_balancer).await
    }

    async fn limits(&self) -> Result<Limits, PortError> {
        self.inner.limits().await
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        let attributes = self.inner.attributes(group).await?;
        let approved = self.broken.retirement().is_some_and(|head| head.deletion_approved);
        if self.broken.is(Breakage::RecordedAfterDeletion) && approved {
            self.delete_group(group).await?;
        }
        Ok(attributes)
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        self.inner.set_attributes(group, attributes).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        self.inner.health(group).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        self.inner.create_group(group).await
    }

    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError> {
        self.inner.set_health_check(group, health_check).await
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        self.broken.deletes();
        self.inner.delete_group(group).await
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError> {
        self.inner.register(group, targets, zone).await
    }

    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.broken.deregisters(group, targets);
        self.inner.deregister(group, targets).await
    }
}
