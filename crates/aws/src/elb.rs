//! `ELBv2`.

mod arns;
mod batches;
mod convert;
mod groups;
mod health;
mod routes;
mod settings;
mod tags;

use crate::clients::Later;
use aws_sdk_elasticloadbalancingv2::Client;
use crossfade_actions::ports::{Listener, LoadBalancer, LoadBalancers, NewGroup, PortError};
use crossfade_domain::alarms::tags as alarm_tags;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{
    Attributes, Tags, Target, TargetGroup, TargetHealth, may_be_of_stack, tag,
};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

/// The load balancers of one account and region.
pub(crate) struct Elb {
    /// For reads, and for writes that may be repeated.
    reader: Later<Client>,
    /// For writes to routes: its retries are off.
    writer: Later<Client>,
    stack: String,
}

impl Elb {
    pub(crate) fn new(reader: Later<Client>, writer: Later<Client>, stack: String) -> Self {
        Self { reader, writer, stack }
    }
}

#[async_trait::async_trait]
impl LoadBalancers for Elb {
    fn stack(&self) -> String {
        self.stack.clone()
    }

    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        self.groups_named(names_or_arns).await
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        self.groups_on(Some(load_balancer)).await
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let stack = self.stack();
        let ours = |tags: &Tags| may_be_of_stack(tags, &stack);
        self.groups_tagged(|tags| ours(tags) && tags.get(tag::SERVICE).map(String::as_str) == Some(service.as_str()))
            .await
    }

    async fn groups_guarded_by(&self, alarm: &str) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let key = alarm_tags::key(alarm);
        let stack = self.stack();
        self.groups_tagged(|tags| may_be_of_stack(tags, &stack) && tags.contains_key(&key)).await
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        self.tag(group, tags).await
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        self.untag(group, keys).await
    }

    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        self.existing_load_balancers(arns).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        self.listeners_on(load_balancer).await
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        self.routes_on(listener).await
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        self.existing_routes(routes).await
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        self.replace_actions(route, actions).await
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        self.tags_of(arns).await
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        self.attributes_of(group).await
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        self.modify_attributes(group, attributes).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        self.target_health(group).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        self.create_target_group(group).await
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        self.delete_target_group(group).await
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.register_targets(group, targets).await
    }
}
