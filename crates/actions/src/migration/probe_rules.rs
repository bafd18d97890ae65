//! The rules through which the new side of a service is probed: planned, created, deleted.

use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::write_journal::record;
use crate::ports::{NewRule, PortError, Ports};
use crate::retry::retry;
use crossfade_domain::internal_route::{Listener, Surroundings};
use crossfade_domain::journal::probe_round::{OfferedRule, ProbeRound};
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::our_tags::probe_tags;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Field, Rule};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn, TargetGroupArn};
use crossfade_domain::plan::Plan;
use crossfade_domain::probe::{HEADER, ProbePlan, ProbeRule, ProbedBalancer, ProbedRoute, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Seconds before each further check that a rule is deleted.
const PAUSES_SECONDS: [u64; 3] = [1, 2, 4];

/// The planned rules, and the DNS names of their load balancers.
pub(crate) struct Planned {
    pub(crate) plan: ProbePlan,
    pub(crate) dns_names: BTreeMap<LoadBalancerArn, String>,
}

/// Reads the load balancers of a plan and plans the probes of its policy, or says every reason why they cannot run.
/// `new_groups` has the new group of each old one; before they exist, the old ones stand for them.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn plan_probes(
    ports: &Ports,
    of: &Plan,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
) -> Result<Result<Planned, Vec<String>>, ActionError> {
    let wanted: BTreeSet<&LoadBalancerArn> = of.groups.iter().map(|group| &group.load_balancer).collect();
    let balancers = ports.survey.all_load_balancers().await.doing(|| "reading the load balancers")?;
    let balancers: Vec<_> = balancers.into_iter().filter(|balancer| wanted.contains(&balancer.arn)).collect();
    let most_rules = ports.target_groups.limits().await.doing(|| "reading the account's limits")?.rules;
    let mut around = Vec::new();
    for balancer in &balancers {
        around.push(surroundings(ports, &balancer.arn, most_rules).await?);
    }
    let probed: Vec<ProbedBalancer<'_>> = balancers
        .iter()
        .zip(&around)
        .map(|(one, around)| ProbedBalancer { arn: &one.arn, dns_name: &one.dns_name, around })
        .collect();
    let routes: Vec<ProbedRoute<'_>> = of
        .routes
        .iter()
        .map(|route| ProbedRoute { id: &route.id, new: new_groups.get(&route.old).unwrap_or(&route.old) })
        .collect();
    let planned = plan(&probed, &routes, &of.policy.probes, &ports.probes.token());
    let dns_names = balancers.iter().map(|one| (one.arn.clone(), one.dns_name.clone())).collect();
    Ok(planned.map(|plan| Planned { plan, dns_names }))
}

async fn surroundings(ports: &Ports, balancer: &LoadBalancerArn, most_rules: u32) -> Result<Surroundings, ActionError> {
    let listeners = ports.survey.listeners_of(balancer).await;
    let listeners = listeners.doing(|| format!("reading the listeners of {}", balancer.name()))?;
    let mut around = Surroundings { most_rules, ..Surroundings::default() };
    for listener in listeners {
        let rules = rules_of(ports, &listener.arn).await?;
        around.listeners.push(Listener {
            arn: listener.arn,
            port: listener.port,
            protocol: listener.protocol,
            tags: Tags::new(),
            rules: rules.into_iter().map(|rule| (rule, Tags::new())).collect(),
        });
    }
    Ok(around)
}

async fn rules_of(ports: &Ports, listener: &ListenerArn) -> Result<Vec<Rule>, ActionError> {
    retry(ports, &format!("reading the rules of listener {listener}"), || ports.rules.rules(listener)).await
}

/// Creates a rule.
///
/// # Errors
/// The load balancer's; `Transient` where someone was faster and has the priority.
pub(crate) async fn create_probe_rule(ports: &Ports, head: &Head, rule: &ProbeRule) -> Result<RuleArn, ActionError> {
    let new = NewRule {
        listener: rule.listener.clone(),
        priority: rule.priority,
        conditions: rule.conditions.clone(),
        actions: rule.actions(),
        tags: probe_tags(&ports.tagging.stack(), &head.service, &head.migration),
    };
    match ports.rules.create_rule(&new).await {
        Err(PortError::Refused { code, .. }) if code == "PriorityInUse" => {
            Err(ActionError::NotYet(format!("priority {} was taken by someone else a moment ago", rule.priority)))
        }
        created => created.doing(|| format!("creating the probe rule with priority {}", rule.priority)),
    }
}

/// Refuses to believe answers if their rule is gone: without it, the old side answers in the new one's place.
///
/// # Errors
/// The load balancer's; `Transient` where the rule is gone.
pub(crate) async fn is_still_there(ports: &Ports, listener: &ListenerArn, rule: &RuleArn) -> Result<(), ActionError> {
    let rules = rules_of(ports, listener).await?;
    if rules.iter().any(|one| matches!(&one.id, RouteId::Rule(arn) if arn == rule)) {
        return Ok(());
    }
    Err(ActionError::NotYet(format!("probe rule {rule} was deleted before its requests were answered")))
}

/// What the headers of the rules of a round say, in their order. None where a rule is not as it was created: it is
/// gone, or it takes other requests, or sends them elsewhere.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn tokens(ports: &Ports, round: &ProbeRound) -> Result<Option<Vec<String>>, ActionError> {
    let mut tokens = Vec::new();
    for offered in &round.rules {
        let rules = match rules_of(ports, &offered.listener).await {
            Err(ActionError::Port { source: PortError::NotFound { .. }, .. }) => return Ok(None),
            rules => rules?,
        };
        let Some(token) = token_of(&rules, offered) else { return Ok(None) };
        tokens.push(token);
    }
    Ok(Some(tokens))
}

fn token_of(rules: &[Rule], offered: &OfferedRule) -> Option<String> {
    let rule = rules.iter().find(|one| matches!(&one.id, RouteId::Rule(arn) if *arn == offered.rule))?;
    let only_new = forward_of(&rule.actions)
        .is_some_and(|forward| forward.groups.iter().all(|one| one.group == offered.group && one.weight > 0));
    let header = rule.conditions.iter().find(|condition| is_header(&condition.field))?;
    match header.values.as_slice() {
        [token] if only_new && !header.regex => Some(token.clone()),
        _ => None,
    }
}

fn is_header(field: &Field) -> bool {
    matches!(field, Field::Header(name) if name.eq_ignore_ascii_case(HEADER))
}

/// Deletes every probe rule of a migration, and reads back that they are gone.
///
/// # Errors
/// The load balancer's; `Transient` while one is still there.
pub(crate) async fn delete_probe_rules(ports: &Ports, head: &Head) -> Result<(), ActionError> {
    for listener in &head.probing {
        let mut pauses = PAUSES_SECONDS.into_iter();
        loop {
            let rules = match rules_of(ports, listener).await {
                // The rules of a listener go with it.
                Err(ActionError::Port { source: PortError::NotFound { .. }, .. }) => break,
                rules => rules?,
            };
            let ours = probe_rules(&rules, head);
            let Some(first) = ours.first() else { break };
            let mut failure = ActionError::NotYet(format!("probe rule {first} was deleted and is still there"));
            for rule in &ours {
                let doing = format!("deleting probe rule {rule}");
                match retry(ports, &doing, || ports.rules.delete_rule(rule)).await {
                    Ok(()) => {}
                    // The role may delete only what has our tags, and those of a new rule may be late.
                    Err(error) if error.class() == ErrorClass::Denied => failure = error,
                    Err(error) => return Err(error),
                }
            }
            let Some(seconds) = pauses.next() else { return Err(failure) };
            ports.clock.pause(Duration::from_secs(seconds)).await;
        }
    }
    Ok(())
}

/// Deletes the probe rules that a function has left which was killed, and records it.
///
/// # Errors
/// As [`delete_probe_rules`], and the ledger's.
pub(crate) async fn delete_left_probe_rules(ports: &Ports, head: &mut Head) -> Result<(), ActionError> {
    if head.probing.is_empty() {
        return Ok(());
    }
    delete_probe_rules(ports, head).await?;
    record(ports, head, |now| (!now.probing.is_empty()).then_some(EventKind::ProbeRulesDeleted)).await
}

/// The probe rules of a migration among a listener's rules, recognised by what they do, since tags may be late. A
/// rollback without the table may have sent one to the old group.
fn probe_rules(rules: &[Rule], head: &Head) -> Vec<RuleArn> {
    let is_ours = |rule: &&Rule| {
        let of_migration =
            |group: &TargetGroupArn| head.new_groups.iter().any(|(old, new)| group == old || group == new);
        rule.conditions.iter().any(|condition| is_header(&condition.field))
            && forward_of(&rule.actions)
                .is_some_and(|forward| forward.groups.iter().all(|one| of_migration(&one.group)))
    };
    let arns = rules.iter().filter(is_ours).filter_map(|rule| match &rule.id {
        RouteId::Rule(arn) => Some(arn.clone()),
        RouteId::Default(_) => None,
    });
    arns.collect()
}
