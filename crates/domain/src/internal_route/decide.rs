//! What has to be created for an internal route, or every reason why nothing is.

use super::choose::{Backing, Balancer, Choice, Wanted};
use super::cover::{Cover, cover};
use super::decision::{Decision, Listener, RouteChoice, Surroundings, on_port};
use super::rules::{LAST_PRIORITY, forwarded_to, free_priority, names_host, said, same_host};
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::group::Tags;
use crate::load_balancer::our_tags::is_of_route;
use crate::load_balancer::room::GROUPS_PER_LOAD_BALANCER;
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::{Field, Rule};
use crate::names::{ServiceName, TargetGroupArn};
use crate::planner::new_group_name;
use crate::policy::calling::InternalAddress;

/// The port of the listener where there are several and the policy names none.
const USUAL_PORT: u16 = 80;

/// Decides what has to be created, by what exists already.
///
/// # Errors
/// Every reason why nothing is created, each with what to do.
pub fn decide(wanted: &Wanted<'_>, choice: Choice, around: &Surroundings) -> Result<Decision, Vec<String>> {
    let Choice { balancer, backing, mut refusals, mut warnings } = choice;
    let Some(balancer) = balancer else { return Err(refusals) };
    let view = View { wanted, around, balancer: &balancer, backing: backing.as_ref() };
    let route = match &wanted.route.by {
        InternalAddress::Host { host, listener, priority_base } => {
            view.by_host(host, *listener, *priority_base, &mut refusals, &mut warnings)
        }
        InternalAddress::Port { port } => view.by_port(*port, &mut refusals),
    };
    view.room(route.as_ref(), &mut refusals);
    match (route, backing) {
        (Some(route), Some(backing)) if refusals.is_empty() => Ok(Decision { balancer, backing, route, warnings }),
        _ => Err(refusals),
    }
}

/// Whether a route forwards to this group, and to nothing else but the new group that a migration adds to it.
pub fn is_as_connected(actions: &[Action], group: &TargetGroupArn, service: &ServiceName) -> bool {
    let new = new_group_name(service, group);
    actions.len() == 1
        && forward_of(actions).is_some_and(|forward| {
            forward.weight_of(group).is_some()
                && forward.groups.iter().all(|tuple| tuple.group == *group || tuple.group.name() == new)
        })
}

struct View<'a> {
    wanted: &'a Wanted<'a>,
    around: &'a Surroundings,
    balancer: &'a Balancer,
    backing: Option<&'a Backing>,
}

impl View<'_> {
    fn by_host(
        &self,
        host: &str,
        asked: Option<u16>,
        base: u16,
        refusals: &mut Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Option<RouteChoice> {
        let service = &self.wanted.policy.name;
        for listener in self.our_listeners() {
            refusals.push(format!(
                "the listener on {} of {} is an earlier internal route of {service}; `crossfade connect {service} \
                 --undo` removes it first",
                on_port(listener.port),
                self.balancer.name
            ));
        }
        let listener = self.listener(asked).map_err(|why| refusals.push(why)).ok()?;
        self.protocol(listener, refusals);
        let ours: Vec<(&Listener, &Rule)> = self.our_rules();
        if let [(one, first), (other, second), ..] = ours.as_slice() {
            refusals.push(format!(
                "{} and {} are both internal routes of {service}; delete the one that is not wanted",
                said(one, first),
                said(other, second)
            ));
            return None;
        }
        if let [(on, rule)] = ours.as_slice() {
            let mut differs = Vec::new();
            if on.arn != listener.arn {
                differs.push(format!("it is on {}, expected {}", on_port(on.port), on_port(listener.port)));
            }
            if !same_host(&rule.conditions, host) {
                differs.push(format!("it matches {}, expected host {host}", rule.requests()));
            }
            differs.extend(self.other_target(&rule.actions));
            if !differs.is_empty() {
                refusals.push(self.was_edited(&said(on, rule), &differs));
                return None;
            }
            let priority = rule.priority.unwrap_or(LAST_PRIORITY);
            shadowed(listener, host, priority, refusals, warnings);
            return Some(RouteChoice::Exists { route: rule.id.clone(), ours: true });
        }
        let of_host = |(rule, _): &&(Rule, Tags)| names_host(&rule.conditions, host);
        let group = self.backing.and_then(Backing::group);
        if let Some((rule, tags)) = listener.rules.iter().find(of_host) {
            let forwards = group.is_some_and(|group| is_as_connected(&rule.actions, group, service));
            // AWS may not show the tags of a rule that was created a moment ago; so it may be ours as well.
            if tags.is_empty() && forwards && same_host(&rule.conditions, host) {
                let priority = rule.priority.unwrap_or(LAST_PRIORITY);
                shadowed(listener, host, priority, refusals, warnings);
                return Some(RouteChoice::Exists { route: rule.id.clone(), ours: false });
            }
            refusals.push(format!(
                "{} takes requests of host {host} already, and Crossfade did not create it for {service}; choose \
                 another host, or delete that rule",
                said(listener, rule)
            ));
            return None;
        }
        let Some(priority) = free_priority(listener, base) else {
            refusals.push(format!(
                "no priority from {base} to {LAST_PRIORITY} is free on {} of {}; lower internalRoute.priorityBase",
                on_port(listener.port),
                self.balancer.name
            ));
            return None;
        };
        shadowed(listener, host, priority, refusals, warnings);
        Some(RouteChoice::Rule { listener: listener.arn.clone(), port: listener.port, host: host.to_owned(), priority })
    }

    fn by_port(&self, port: u16, refusals: &mut Vec<String>) -> Option<RouteChoice> {
        let service = &self.wanted.policy.name;
        for (listener, rule) in self.our_rules() {
            refusals.push(format!(
                "{} is an earlier internal route of {service}; `crossfade connect {service} --undo` removes it first",
                said(listener, rule)
            ));
        }
        for listener in self.our_listeners().filter(|listener| listener.port != Some(port)) {
            refusals.push(format!(
                "the listener on {} of {} is an earlier internal route of {service}; `crossfade connect {service} \
                 --undo` removes it first",
                on_port(listener.port),
                self.balancer.name
            ));
        }
        if self.backing.is_some_and(|backing| backing.settings().is_grpc()) {
            refusals.push(GRPC.to_owned());
        }
        let Some(listener) = self.around.listeners.iter().find(|listener| listener.port == Some(port)) else {
            return Some(RouteChoice::Listener { port });
        };
        let default = listener.rules.iter().map(|(rule, _)| rule).find(|rule| rule.priority.is_none());
        let actions: &[Action] = default.map_or(&[], |rule| &rule.actions);
        let ours = is_of_route(&listener.tags, self.wanted.stack, service);
        let group = self.backing.and_then(Backing::group);
        let forwards = group.is_some_and(|group| is_as_connected(actions, group, service));
        let alone = listener.rules.len() <= 1;
        if forwards && alone && (ours || listener.tags.is_empty()) {
            return Some(RouteChoice::Exists { route: RouteId::Default(listener.arn.clone()), ours });
        }
        let name = format!("the listener on port {port} of {}", self.balancer.name);
        if ours {
            let mut differs: Vec<String> = self.other_target(actions).into_iter().collect();
            if !alone {
                differs.push("someone has added rules to it".to_owned());
            }
            refusals.push(self.was_edited(&name, &differs));
        } else {
            let to = forwarded_to(actions);
            refusals.push(format!(
                "port {port} is taken: {name} {to}, and Crossfade did not create it for {service}; choose another port \
                 in internalRoute.port, or delete that listener"
            ));
        }
        None
    }

    fn our_listeners(&self) -> impl Iterator<Item = &Listener> {
        let (stack, service) = (self.wanted.stack, &self.wanted.policy.name);
        self.around.listeners.iter().filter(move |listener| is_of_route(&listener.tags, stack, service))
    }

    fn our_rules(&self) -> Vec<(&Listener, &Rule)> {
        let (stack, service) = (self.wanted.stack, &self.wanted.policy.name);
        let listeners = self.around.listeners.iter();
        let all = listeners.flat_map(|listener| listener.rules.iter().map(move |rule| (listener, rule)));
        let ours = all.filter(|(_, (rule, tags))| rule.priority.is_some() && is_of_route(tags, stack, service));
        ours.map(|(listener, (rule, _))| (listener, rule)).collect()
    }

    fn listener(&self, asked: Option<u16>) -> Result<&Listener, String> {
        let listeners = &self.around.listeners;
        let with = |port: u16| listeners.iter().find(|listener| listener.port == Some(port));
        let ports: Vec<String> = listeners.iter().filter_map(|listener| Some(listener.port?.to_string())).collect();
        let name = &self.balancer.name;
        match (asked, listeners.as_slice()) {
            (Some(port), _) => with(port).ok_or_else(|| {
                let there = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
                format!(
                    "{name} has no listener on port {port} (it has: {there}); create it, or correct \
                     internalRoute.listener"
                )
            }),
            (None, [only]) => Ok(only),
            (None, []) => Err(format!(
                "{name} has no listener; create one on port {USUAL_PORT}, or give the service a port of its own with \
                 internalRoute.port"
            )),
            (None, _) => with(USUAL_PORT).ok_or_else(|| {
                format!("{name} has listeners on {}; name one of them in internalRoute.listener", ports.join(", "))
            }),
        }
    }

    fn protocol(&self, listener: &Listener, refusals: &mut Vec<String>) {
        if self.backing.is_some_and(|backing| backing.settings().is_grpc()) && listener.protocol != "HTTPS" {
            refusals.push(GRPC.to_owned());
        }
    }

    fn room(&self, route: Option<&RouteChoice>, refusals: &mut Vec<String>) {
        let name = &self.balancer.name;
        if matches!(route, Some(RouteChoice::Rule { .. })) {
            let rules = self.around.listeners.iter().flat_map(|listener| &listener.rules);
            let used = rules.filter(|(rule, _)| rule.priority.is_some()).count();
            if u32::try_from(used).is_ok_and(|used| used >= self.around.most_rules) {
                refusals.push(format!(
                    "{name} has {used} rules, all that AWS allows; raise the quota \"Rules per Application Load \
                     Balancer\", delete some, or give the service a port of its own with internalRoute.port"
                ));
            }
        }
        let is_new = |backing: &Backing| backing.group().is_none_or(|group| !self.around.groups.contains(group));
        let full = u32::try_from(self.around.groups.len()).is_ok_and(|used| used >= GROUPS_PER_LOAD_BALANCER);
        if full && self.backing.is_some_and(is_new) {
            refusals.push(format!(
                "{name} uses {GROUPS_PER_LOAD_BALANCER} target groups, all that AWS allows; retire other services \
                 first, or name another load balancer in internalRoute.loadBalancer"
            ));
        }
    }

    /// What a route of ours forwards to instead of the expected group.
    fn other_target(&self, actions: &[Action]) -> Option<String> {
        let backing = self.backing?;
        let service = &self.wanted.policy.name;
        let same = backing.group().is_some_and(|group| is_as_connected(actions, group, service));
        (!same).then(|| format!("it {}, expected {}", forwarded_to(actions), backing.name()))
    }

    fn was_edited(&self, what: &str, differs: &[String]) -> String {
        let service = &self.wanted.policy.name;
        format!(
            "{what} is the internal route of {service}, but someone has changed it: {}; nothing was overwritten; \
             change it back, or remove it with `crossfade connect {service} --undo` and connect again",
            differs.join("; ")
        )
    }
}

/// Notes the rules that take the host's requests before a rule of this priority, and wider ones behind it that lose
/// them.
fn shadowed(listener: &Listener, host: &str, priority: u16, refusals: &mut Vec<String>, warnings: &mut Vec<String>) {
    for (rule, _) in &listener.rules {
        let Some(number) = rule.priority.filter(|number| *number != priority) else { continue };
        let rule_name = said(listener, rule);
        match cover(&rule.conditions, host) {
            Cover::Whole if number < priority => refusals.push(format!(
                "{rule_name} takes every request of host {host} before a rule with priority {priority} sees it; \
                 set internalRoute.priorityBase below {number}, or narrow that rule"
            )),
            Cover::Part if number < priority => warnings
                .push(format!("{rule_name} takes some requests of host {host} before the internal route sees them")),
            Cover::Whole | Cover::Part if rule.conditions.iter().any(|one| one.field == Field::Host) => {
                warnings.push(format!("{rule_name} no longer gets the requests of host {host}"));
            }
            _ => {}
        }
    }
}

const GRPC: &str = "the old target group speaks gRPC, which needs an HTTPS listener; name the port of one in \
                    internalRoute.listener, with a host";
