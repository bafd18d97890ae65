use super::PortError;
use crossfade_domain::load_balancer::group::{Attributes, TargetGroup};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn};
use crossfade_domain::policy::wiring::balancer::{Balancer, Door};

/// A load balancer with all that a first look at an account needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedBalancer {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// Its name, unique in its region and account.
    pub name: String,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// The name under which clients reach it.
    pub dns_name: String,
    /// The hosted zone of that name, for alias records.
    pub hosted_zone: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// The ids of its security groups.
    pub security_groups: Vec<String>,
    /// The availability zones in which it has nodes.
    pub zones: Vec<String>,
}

/// A listener with what a client has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedListener {
    /// Its ARN.
    pub arn: ListenerArn,
    /// Its port.
    pub port: Option<u16>,
    /// `HTTP`, `HTTPS`, `TCP`, ...
    pub protocol: String,
}

impl From<SurveyedBalancer> for Balancer {
    /// Without its listeners and attributes, which take calls of their own.
    fn from(found: SurveyedBalancer) -> Self {
        Self {
            arn: found.arn,
            name: found.name,
            kind: found.kind,
            scheme: found.scheme,
            dns_name: found.dns_name,
            hosted_zone: found.hosted_zone,
            vpc: found.vpc,
            security_groups: found.security_groups,
            zones: found.zones,
            listeners: Vec::new(),
            attributes: Attributes::new(),
        }
    }
}

impl From<SurveyedListener> for Door {
    fn from(found: SurveyedListener) -> Self {
        Self { arn: found.arn, port: found.port, protocol: found.protocol }
    }
}

/// Everything of an account and region that can be behind a load balancer. Every list is complete, and its order is
/// never promised.
#[async_trait::async_trait]
pub trait Survey: Send + Sync {
    /// Every load balancer.
    async fn all_load_balancers(&self) -> Result<Vec<SurveyedBalancer>, PortError>;

    /// Every listener of a load balancer.
    async fn listeners_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<SurveyedListener>, PortError>;

    /// A load balancer's attributes, such as `idle_timeout.timeout_seconds`.
    async fn balancer_attributes(&self, load_balancer: &LoadBalancerArn) -> Result<Attributes, PortError>;

    /// Every target group, in use or not.
    async fn all_target_groups(&self) -> Result<Vec<TargetGroup>, PortError>;
}
