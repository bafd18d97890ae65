//! Which target groups are one service that can move, and why others are left out.

use super::names::{Affixes, FoundName, name_of, number_equal};
use super::survey::{AccountSurvey, BalancerFound, GroupFound, ListenerFound, Traffic};
use crate::load_balancer::action::{ActionKind, Forward, forward_of};
use crate::load_balancer::our_tags::tag;
use crate::load_balancer::rule::Rule;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use std::collections::{BTreeMap, BTreeSet};

/// The most target groups that one action can forward to.
const GROUPS_IN_AN_ACTION: usize = 5;
/// Of every so many services, the busiest has a high risk: those above the 95th percentile.
const BUSIEST_OF: usize = 20;

/// What a survey says about services.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates<'a> {
    /// Those that can move, those with the fewest requests first.
    pub services: Vec<Candidate<'a>>,
    /// The target groups that are left out, by name.
    pub left_out: Vec<LeftOut<'a>>,
}

/// A service that can move.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<'a> {
    /// Its name, and where it is from.
    pub name: FoundName,
    /// Whether the name has a number because another service has the same one.
    pub numbered: bool,
    /// Its target groups, at most one for each load balancer.
    pub groups: Vec<&'a GroupFound>,
    /// Its routes.
    pub routes: Vec<RouteFound<'a>>,
    /// The requests of all its groups.
    pub traffic: Traffic,
    /// Why its risk is high; empty where it is not.
    pub risks: Vec<String>,
}

/// A rule, or a default action, that forwards to a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouteFound<'a> {
    /// The load balancer.
    pub balancer: &'a BalancerFound,
    /// The listener.
    pub listener: &'a ListenerFound,
    /// The rule.
    pub rule: &'a Rule,
    /// What it forwards to.
    pub forward: &'a Forward,
    /// The group of the service among that.
    pub group: &'a GroupFound,
}

/// A target group that no service of the draft has.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut<'a> {
    /// The group.
    pub group: &'a GroupFound,
    /// Why.
    pub why: String,
}

type Routes<'a> = BTreeMap<&'a TargetGroupArn, Vec<RouteFound<'a>>>;

impl<'a> Candidates<'a> {
    /// Decides for every group of a survey. No service gets a name in `taken`. Groups for which `is_known` holds are
    /// in a policy already.
    pub fn of(survey: &'a AccountSurvey, taken: &[String], is_known: impl Fn(&GroupFound) -> bool) -> Self {
        let routes = routes(survey);
        let mut groups: Vec<&GroupFound> = survey.groups.iter().collect();
        groups.sort_by(|one, other| one.group.name.cmp(&other.group.name));
        let affixes = Affixes::of(groups.iter().map(|found| found.group.name.as_str()));
        let (mut left_out, mut open, mut services) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups {
            match why_not(survey, group, &routes) {
                Some(why) => left_out.push(LeftOut { group, why }),
                None => open.push(group),
            }
        }
        for groups in joined(&open, &routes) {
            let known = groups.iter().copied().find(|group| is_known(group));
            let new = groups.iter().copied().filter(|group| !is_known(group));
            let obstacle =
                groups.iter().find_map(|group| Some((group.group.name.as_str(), immovable(group, &routes)?)));
            if let Some((culprit, why)) = obstacle {
                left_out.extend(new.map(|group| LeftOut { group, why: because(culprit, group, &why) }));
            } else if let Some(known) = known {
                let name = &known.group.name;
                let why = format!("it has the targets and port of {name}, which the file has: add it to that service");
                left_out.extend(new.map(|group| LeftOut { group, why: why.clone() }));
            } else {
                services.push(candidate(groups, &affixes, &routes));
            }
        }
        services.sort_by(|one, other| one.order().cmp(&other.order()));
        let mut names: Vec<FoundName> = services.iter().map(|service| service.name.clone()).collect();
        let numbered = number_equal(&mut names, taken);
        for ((service, name), numbered) in services.iter_mut().zip(names).zip(numbered) {
            (service.name, service.numbered) = (name, numbered);
        }
        let busiest = services.len().div_ceil(BUSIEST_OF);
        for service in services.iter_mut().rev().take(busiest).filter(|service| service.traffic.requests > 0) {
            service.risks.insert(0, "among the busiest 5 % of the services".to_owned());
        }
        left_out.sort_by(|one, other| one.group.group.name.cmp(&other.group.group.name));
        Self { services, left_out }
    }
}

impl Candidate<'_> {
    fn order(&self) -> (u64, &str, &str) {
        (self.traffic.requests, self.name.name.as_str(), &self.groups[0].group.name)
    }
}

fn because(culprit: &str, group: &GroupFound, why: &str) -> String {
    if culprit == group.group.name {
        return why.to_owned();
    }
    format!("it is one service with {culprit}, where {why}")
}

fn routes(survey: &AccountSurvey) -> Routes<'_> {
    let groups: BTreeMap<&TargetGroupArn, &GroupFound> =
        survey.groups.iter().map(|found| (&found.group.arn, found)).collect();
    let mut routes = Routes::new();
    for balancer in &survey.load_balancers {
        for listener in &balancer.listeners {
            for rule in &listener.rules {
                let Some(forward) = forward_of(&rule.actions) else { continue };
                for tuple in &forward.groups {
                    let Some(group) = groups.get(&tuple.group).copied() else { continue };
                    let route = RouteFound { balancer, listener, rule, forward, group };
                    routes.entry(&group.group.arn).or_default().push(route);
                }
            }
        }
    }
    routes
}

/// Why a group is no service's.
fn why_not(survey: &AccountSurvey, found: &GroupFound, routes: &Routes<'_>) -> Option<String> {
    let balancer = |arn: &LoadBalancerArn| survey.load_balancers.iter().find(|balancer| balancer.arn == *arn);
    let mut behind = found.group.load_balancers.iter().filter_map(balancer);
    let own = routes.get(&found.group.arn);
    if found.tags.get(tag::MANAGED_BY).is_some_and(|value| value == tag::MANAGED_BY_US) {
        Some("Crossfade created it".to_owned())
    } else if found.group.settings.target_type == "lambda" {
        Some("its target is a Lambda function, which no cluster runs".to_owned())
    } else if let Some(other) = behind.find(|balancer| balancer.kind != "application") {
        Some(format!("{} is a {} load balancer, which has no weights", other.name, other.kind))
    } else if own.is_none() && found.group.load_balancers.is_empty() {
        Some("no load balancer uses it".to_owned())
    } else if own.is_none() {
        Some("no rule and no default action forwards to it".to_owned())
    } else if found.health.is_empty() {
        Some("it has no targets".to_owned())
    } else if own.is_some_and(|own| own.iter().all(|route| route.weight() == 0)) {
        Some("its weight is 0 in each of its routes, so it gets no requests".to_owned())
    } else {
        None
    }
}

impl RouteFound<'_> {
    /// The weight of the service's group.
    pub fn weight(&self) -> u16 {
        self.forward.weight_of(&self.group.group.arn).unwrap_or(0)
    }
}

/// Why a group cannot move, and with it the whole service.
fn immovable(found: &GroupFound, routes: &Routes<'_>) -> Option<String> {
    if found.has("stickiness.enabled", "true") && found.has("stickiness.type", "app_cookie") {
        return Some("stickiness follows a cookie of the application (app_cookie)".to_owned());
    }
    let full = routes.get(&found.group.arn)?.iter().find(|route| route.forward.groups.len() >= GROUPS_IN_AN_ACTION)?;
    Some(format!(
        "{} forwards to {} target groups, and there is no room for another: {GROUPS_IN_AN_ACTION} is the limit",
        full.rule.named(full.listener.port),
        full.forward.groups.len()
    ))
}

/// Puts groups together that share a target and its port, at most one for each load balancer.
fn joined<'a>(groups: &[&'a GroupFound], routes: &Routes<'a>) -> Vec<Vec<&'a GroupFound>> {
    let balancers = |found: &GroupFound| -> BTreeSet<&LoadBalancerArn> {
        routes.get(&found.group.arn).into_iter().flatten().map(|route| &route.balancer.arn).collect()
    };
    let mut services: Vec<Vec<&GroupFound>> = Vec::new();
    for group in groups {
        let (own, behind) = (endpoints(group), balancers(group));
        let same = services.iter_mut().find(|service| {
            service.iter().any(|other| !own.is_disjoint(&endpoints(other)))
                && service.iter().all(|other| behind.is_disjoint(&balancers(other)))
        });
        match same {
            Some(service) => service.push(group),
            None => services.push(vec![group]),
        }
    }
    services
}

fn endpoints(found: &GroupFound) -> BTreeSet<(&str, u16)> {
    let port = found.group.settings.port;
    found.health.iter().map(|one| (one.target.id.as_str(), one.target.port.unwrap_or(port))).collect()
}

fn candidate<'a>(groups: Vec<&'a GroupFound>, affixes: &Affixes, routes: &Routes<'a>) -> Candidate<'a> {
    let own = groups.iter().flat_map(|group| routes.get(&group.group.arn).into_iter().flatten().copied());
    let routes: Vec<RouteFound<'a>> = own.collect();
    let mut risks: Vec<String> = groups
        .iter()
        .filter(|found| found.has("stickiness.enabled", "true"))
        .map(|found| format!("sticky sessions of {}", found.group.name))
        .collect();
    if routes.iter().any(|route| route.forward.is_sticky()) {
        risks.push("a route that pins clients to a target group".to_owned());
    }
    if routes.iter().any(|route| route.rule.actions.iter().any(|action| authenticates(&action.kind))) {
        risks.push("a route that authenticates its users".to_owned());
    }
    Candidate {
        name: name_of(&groups, affixes),
        numbered: false,
        traffic: groups.iter().fold(Traffic::default(), |sum, found| sum.with(found.traffic)),
        groups,
        routes,
        risks,
    }
}

fn authenticates(kind: &ActionKind) -> bool {
    matches!(kind, ActionKind::AuthenticateOidc(_) | ActionKind::AuthenticateCognito(_) | ActionKind::JwtValidation(_))
}
