//! What has to be done for an internal route, and what it is decided by.

use super::choose::{Backing, Balancer};
use crate::load_balancer::group::Tags;
use crate::load_balancer::membership::named;
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::Rule;
use crate::names::{ListenerArn, TargetGroupArn};

/// A listener of the load balancer, with all its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its ARN.
    pub arn: ListenerArn,
    /// Its port.
    pub port: Option<u16>,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// Its tags.
    pub tags: Tags,
    /// Its rules with their tags, by priority, the default rule last.
    pub rules: Vec<(Rule, Tags)>,
}

/// What is on the load balancer already.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surroundings {
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// Its target groups.
    pub groups: Vec<TargetGroupArn>,
    /// The most rules that it takes, without default ones.
    pub most_rules: u32,
}

/// What has to be done for an internal route.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its load balancer.
    pub balancer: Balancer,
    /// The group that it forwards to.
    pub backing: Backing,
    /// The route itself.
    pub route: RouteChoice,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// The rule or listener of an internal route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteChoice {
    /// It exists as it should be.
    Exists {
        /// The rule, or the listener's default action.
        route: RouteId,
        /// Whether its tags say that Crossfade created it. Someone else's stays at an undo.
        ours: bool,
    },
    /// A rule has to be created.
    Rule {
        /// On this listener.
        listener: ListenerArn,
        /// The listener's port.
        port: Option<u16>,
        /// For this host.
        host: String,
        /// With this priority.
        priority: u16,
    },
    /// A listener has to be created.
    Listener {
        /// On this port.
        port: u16,
    },
}

impl Decision {
    /// What is created, one line each; nothing where all of it exists.
    pub fn creates(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Backing::Copy(copy) = &self.backing {
            match (&copy.exists, copy.missing.as_slice()) {
                (None, targets) => lines.push(format!(
                    "target group {}, a copy of {} with its {} targets",
                    copy.name,
                    copy.of,
                    targets.len()
                )),
                (Some(_), []) => {}
                (Some(_), missing) => lines.push(format!("targets in {}: {}", copy.name, named(missing))),
            }
            lines.extend(copy.scaling_groups.iter().map(|name| {
                format!("Auto Scaling group {name} registers its instances in {} too, as in {}", copy.name, copy.of)
            }));
        }
        let (balancer, group) = (&self.balancer.name, self.backing.name());
        match &self.route {
            RouteChoice::Exists { .. } => {}
            RouteChoice::Rule { host, priority, port, .. } => lines.push(format!(
                "a rule with priority {priority} on {} of {balancer}: host {host} goes to {group}",
                on_port(*port)
            )),
            RouteChoice::Listener { port } => {
                lines.push(format!("a listener on port {port} of {balancer}: all its requests go to {group}"));
            }
        }
        lines
    }
}

/// `port 80`.
pub(super) fn on_port(port: Option<u16>) -> String {
    port.map_or_else(|| "a listener without a port".to_owned(), |port| format!("port {port}"))
}
