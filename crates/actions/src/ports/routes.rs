use super::PortError;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn};

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `ipv4`, or a kind of dual-stack.
    pub ip_address_type: Option<String>,
}

/// A listener with its default action.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its ARN.
    pub arn: ListenerArn,
    /// The load balancer that it belongs to.
    pub load_balancer: LoadBalancerArn,
    /// The port that it listens on.
    pub port: Option<u16>,
    /// The default actions.
    pub default_actions: Vec<Action>,
}

/// Load balancers, their listeners and their routes. Every list is complete, and its order is never promised.
#[async_trait::async_trait]
pub trait Routes: Send + Sync {
    /// The load balancers that exist among these.
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError>;

    /// Every listener of a load balancer.
    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError>;

    /// Every rule of a listener; the default rule comes as `RouteId::Default`.
    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError>;

    /// These routes as they are now. A route that no longer exists is absent.
    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError>;

    /// Replaces a route's whole list of actions, in one attempt. The SDK's own retries are off, because the caller must
    /// check the generation before each attempt (invariant 7). Conditions, transforms and priority are not sent.
    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError>;
}
