//! The rules through which the new side is probed, and what is asked through them.

use crate::internal_route::{Listener, Surroundings};
use crate::load_balancer::action::{Action, ActionKind};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::{Condition, Field, Rule};
use crate::names::{ListenerArn, LoadBalancerArn, TargetGroupArn};
use crate::policy::calling::Probe;
use crate::policy::wiring::deciding::{Asked, Decided, decided, named};
use std::collections::BTreeSet;

/// The header that leads a probe to the new side.
pub const HEADER: &str = "x-crossfade-probe";
/// AWS takes no more values in all conditions of a rule together.
const MOST_VALUES: usize = 5;
/// The highest priority that AWS takes.
const LAST_PRIORITY: u16 = 50_000;

/// A route of the service, and the new group that users will reach through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbedRoute<'a> {
    /// The route.
    pub id: &'a RouteId,
    /// The new group.
    pub new: &'a TargetGroupArn,
}

/// A load balancer of the service's routes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbedBalancer<'a> {
    /// Its ARN.
    pub arn: &'a LoadBalancerArn,
    /// Its DNS name: the host of a request through a route that looks at no host.
    pub dns_name: &'a str,
    /// Its listeners with their rules.
    pub around: &'a Surroundings,
}

/// A temporary rule that forwards requests with the token to the new group, and to no other.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeRule {
    /// The load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The listener.
    pub listener: ListenerArn,
    /// The listener's port.
    pub port: Option<u16>,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// Free, and lower than those of the routes that the requests take without the token.
    pub priority: u16,
    /// The token in the header, and what the route itself looks at where AWS's five values allow it.
    pub conditions: Vec<Condition>,
    /// The new group.
    pub group: TargetGroupArn,
    /// What the header says.
    pub token: String,
    /// What is asked through it.
    pub requests: Vec<ProbeRequest>,
}

/// One probe through one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The policy's probe.
    pub probe: Probe,
    /// The `Host` header.
    pub host: String,
}

impl ProbeRule {
    /// Its complete actions.
    pub fn actions(&self) -> Vec<Action> {
        vec![Action::forward_to(self.group.clone())]
    }
}

/// How a service is probed.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePlan {
    /// The rules, at least one.
    pub rules: Vec<ProbeRule>,
    /// What is not probed although other listeners are, in sentences.
    pub left_out: Vec<String>,
}

/// Plans the probes: on each listener, every path that reaches the service there.
///
/// # Errors
/// Every reason why the policy's probes cannot run, each with what to do: a path that reaches the service through no
/// listener, a route that authenticates, no free priority, no room for a rule.
pub fn plan(
    balancers: &[ProbedBalancer<'_>],
    routes: &[ProbedRoute<'_>],
    probes: &[Probe],
    token: &str,
) -> Result<ProbePlan, Vec<String>> {
    let mut plan = ProbePlan { rules: Vec::new(), left_out: Vec::new() };
    let mut refusals = Vec::new();
    let mut asked = BTreeSet::new();
    let mut unreached = Vec::new();
    for balancer in balancers {
        let before = plan.rules.len();
        for listener in &balancer.around.listeners {
            let doors = doors(balancer, listener, routes);
            if doors.is_empty() {
                continue;
            }
            let mut ways: Vec<Way<'_>> = Vec::new();
            for probe in probes {
                match way_of(listener, &doors, probe) {
                    Ok(found) => {
                        asked.insert((probe.method, probe.path.as_str()));
                        ways.push(found);
                    }
                    Err(why) => unreached.push((probe, why)),
                }
            }
            rules_of(balancer, listener, &ways, token, &mut plan.rules, &mut refusals);
        }
        let added = plan.rules.len() - before;
        refusals.extend(no_room(balancer, added));
    }
    for (probe, why) in unreached {
        let line = format!("{} is not probed there: {why}", probe.describe());
        let elsewhere = asked.contains(&(probe.method, probe.path.as_str()));
        if elsewhere { plan.left_out.push(line) } else { refusals.push(line) }
    }
    if plan.rules.is_empty() && refusals.is_empty() {
        refusals.push("no route of the service was found to probe through; `crossfade check` lists its routes".into());
    }
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

/// A route of the service on one listener.
struct Door<'a> {
    rule: &'a Rule,
    new: &'a TargetGroupArn,
    host: String,
}

fn doors<'a>(balancer: &ProbedBalancer<'a>, listener: &'a Listener, routes: &[ProbedRoute<'a>]) -> Vec<Door<'a>> {
    let rules = listener.rules.iter().map(|(rule, _)| rule);
    let of_service = rules.filter_map(|rule| {
        let route = routes.iter().find(|route| *route.id == rule.id)?;
        Some(Door { rule, new: route.new, host: host_for(rule, balancer.dns_name) })
    });
    of_service.collect()
}

/// A host that a rule takes: one without wildcards if it names one.
fn host_for(rule: &Rule, otherwise: &str) -> String {
    let hosts = rule.conditions.iter().filter(|one| one.field == Field::Host && !one.regex);
    let values: Vec<&String> = hosts.flat_map(|one| &one.values).collect();
    let plain = values.iter().find(|value| !value.contains(['*', '?']));
    match plain.or(values.first()) {
        Some(value) => value.replace('*', "probe").replace('?', "p").to_ascii_lowercase(),
        None => otherwise.to_owned(),
    }
}

/// A probe, and the route that it takes without the token.
struct Way<'a> {
    probe: &'a Probe,
    rule: &'a Rule,
    new: &'a TargetGroupArn,
    host: String,
}

/// The route of the service that a probe takes on a listener, or why it takes none.
fn way_of<'a>(listener: &'a Listener, doors: &[Door<'a>], probe: &'a Probe) -> Result<Way<'a>, String> {
    let rules: Vec<Rule> = listener.rules.iter().map(|(rule, _)| rule.clone()).collect();
    let (path, query) = probe.path_and_query();
    let mut why = String::new();
    for door in doors {
        let asked = Asked { method: probe.method.as_str(), host: &door.host, path, query };
        match decided(&rules, asked) {
            Decided::By(rule) if rule.id == door.rule.id => {
                if let Some(kind) = authenticates(&door.rule.actions) {
                    return Err(format!(
                        "{} authenticates users ({kind}), and a probe cannot log in: AWS does not show the secret; \
                         choose a path of a route without authentication",
                        named(door.rule)
                    ));
                }
                return Ok(Way { probe, rule: door.rule, new: door.new, host: door.host.clone() });
            }
            Decided::By(other) if doors.iter().all(|door| door.rule.id != other.id) => {
                why = format!("{} takes it, which is no route of the service", named(other));
            }
            Decided::Perhaps(other) => {
                why = format!("it is not certain whether {} takes it", named(other));
            }
            Decided::By(_) | Decided::Unknown => {}
        }
    }
    if why.is_empty() {
        why.push_str("no rule takes it");
    }
    let port = listener.port.map_or_else(|| "the listener".to_owned(), |port| format!("port {port}"));
    Err(format!("on {port}, {why}; correct probes in the policy"))
}

/// What a route does before it forwards, if a probe cannot do the same.
fn authenticates(actions: &[Action]) -> Option<&'static str> {
    actions.iter().find_map(|action| match &action.kind {
        ActionKind::AuthenticateOidc(_) => Some("OIDC"),
        ActionKind::AuthenticateCognito(_) => Some("Cognito"),
        ActionKind::JwtValidation(_) => Some("a JSON web token"),
        ActionKind::Unknown(_) => Some("an action that this version does not know"),
        ActionKind::Forward(_) | ActionKind::Redirect(_) | ActionKind::FixedResponse(_) => None,
    })
}

/// Plans one rule for each new group that a listener's probes go to.
fn rules_of(
    balancer: &ProbedBalancer<'_>,
    listener: &Listener,
    ways: &[Way<'_>],
    token: &str,
    planned: &mut Vec<ProbeRule>,
    refusals: &mut Vec<String>,
) {
    let mut used: BTreeSet<u16> = listener.rules.iter().filter_map(|(rule, _)| rule.priority).collect();
    let groups: BTreeSet<&TargetGroupArn> = ways.iter().map(|one| one.new).collect();
    for group in groups {
        let through: Vec<&Way<'_>> = ways.iter().filter(|one| one.new == group).collect();
        // The default rule comes after every number.
        let own = through.iter().map(|one| one.rule.priority.unwrap_or(LAST_PRIORITY + 1)).min().unwrap_or_default();
        let Some(priority) = (1..own).find(|number| !used.contains(number)) else {
            refusals.push(format!(
                "no priority before rule {own} on port {} of {} is free, and a probe rule has to come before the \
                 route; give that rule a higher number, or take probes out of the policy",
                listener.port.unwrap_or_default(),
                balancer.arn.name()
            ));
            continue;
        };
        used.insert(priority);
        // Each rule has a token of its own, or the first one would take the requests of the second.
        let token = format!("{token}-{}", planned.len());
        planned.push(ProbeRule {
            load_balancer: balancer.arn.clone(),
            listener: listener.arn.clone(),
            port: listener.port,
            protocol: listener.protocol.clone(),
            priority,
            conditions: conditions(&token, &through),
            group: group.clone(),
            token,
            requests: through
                .iter()
                .map(|one| ProbeRequest { probe: one.probe.clone(), host: one.host.clone() })
                .collect(),
        });
    }
}

/// The token; and the host and the path of the route, where there is a single one and AWS's limit allows it.
fn conditions(token: &str, through: &[&Way<'_>]) -> Vec<Condition> {
    let mut conditions = vec![Condition::on(Field::Header(HEADER.to_owned()), [token])];
    let routes: BTreeSet<&RouteId> = through.iter().map(|one| &one.rule.id).collect();
    if let ([first, ..], 1) = (through, routes.len()) {
        let of_route = first.rule.conditions.iter().filter(|one| matches!(one.field, Field::Host | Field::Path));
        let of_route: Vec<&Condition> = of_route.collect();
        let values: usize = of_route.iter().map(|one| one.values.len()).sum();
        if values < MOST_VALUES {
            conditions.extend(of_route.into_iter().cloned());
        }
    }
    conditions
}

fn no_room(balancer: &ProbedBalancer<'_>, added: usize) -> Option<String> {
    let rules = balancer.around.listeners.iter().flat_map(|listener| &listener.rules);
    let used = rules.filter(|(rule, _)| rule.priority.is_some()).count();
    let most = usize::try_from(balancer.around.most_rules).unwrap_or(usize::MAX);
    (added > 0 && used + added > most).then(|| {
        format!(
            "{} has {used} rules of the {most} that AWS allows, and probes need {added} more for a few minutes; raise \
             the quota \"Rules per Application Load Balancer\", delete some, or take probes out of the policy",
            balancer.arn.name()
        )
    })
}
