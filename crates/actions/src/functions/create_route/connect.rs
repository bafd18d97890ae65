//! Gives a service an internal route through a load balancer.

use super::retired::{left_behind, new_groups};
use super::scaling_groups;
use crate::copy_attributes::copy_attributes;
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::ports::{NewGroup, NewListener, NewRule, PortError, Ports, TargetZone};
use crate::reads::inventory::{internal_group, old_groups, tags_of};
use crossfade_domain::internal_route::{
    Backing, Balancer, CONNECTION_VERSION, Choice, Connection, ConnectionState, Decision, GroupCopy, Listener,
    RouteChoice, Surroundings, Wanted, choose, choose_retired, decide, is_as_connected,
};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::our_tags::route_tags;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Condition, Field};
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::planner::inventory::Inventory;
use crossfade_domain::policy::service_policy::ServicePolicy;
use std::time::Duration;

/// Seconds before each further attempt. Together they leave the function time to end; after that its machine retries.
const PAUSES_SECONDS: [u64; 5] = [1, 2, 3, 4, 5];
/// What AWS answers where someone was faster; another reading shows what is there.
const TAKEN: [&str; 3] = ["PriorityInUse", "DuplicateListener", "DuplicateTargetGroupName"];

/// Whose internal route, and who asks for it.
#[derive(Debug, Clone, Copy)]
pub struct RouteRequest<'a> {
    /// The fleet.
    pub fleet: &'a str,
    /// The service's policy.
    pub policy: &'a ServicePolicy,
    /// Who asks, and why.
    pub who: &'a str,
    /// Whether to say what would be done, and to do nothing.
    pub dry_run: bool,
}

/// What came of a request for an internal route.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteOutcome {
    /// Nothing was created, for each of these reasons.
    Refused(Vec<String>),
    /// It was begun and not ended, for each of these reasons. What was created stays, and is recorded as begun.
    Unfinished(Vec<String>),
    /// What would be done.
    Planned(Box<Decision>),
    /// The route exists, read back.
    Connected {
        /// As it was decided last: what was found.
        decision: Box<Decision>,
        /// The record.
        connection: Box<Connection>,
        /// What was created this time, one line each.
        created: Vec<String>,
    },
}

/// Creates the service's internal route: a rule for its host, or a listener on its port, that forwards to the old
/// target group, or to the new one where the old side has been retired from its routes; and a copy of the old group
/// where that is on another load balancer. An Auto Scaling group that registers the old targets registers them in the
/// copy too. Everything gets tags that make it ours.
/// The intent is recorded before the first creation, and the result after the route was read back.
///
/// May run again at any time: it adopts what it created, by its tags, and creates what is missing. It never changes a
/// rule or a listener that exists. It refuses to create a route that a migration under way, or one that has migrated,
/// does not have in its plan: nothing would move it from the old side.
///
/// # Errors
/// `Transient` and `Denied` from the ports, and `Transient` where AWS does not show in time what was created. Running
/// it again is safe.
pub async fn connect(ports: &Ports, request: &RouteRequest<'_>) -> Result<RouteOutcome, ActionError> {
    let service = &request.policy.name;
    let mut decision = match decided(ports, request).await? {
        Err(refusals) => return Ok(RouteOutcome::Refused(refusals)),
        Ok(decision) => decision,
    };
    if !matches!(decision.route, RouteChoice::Exists { .. })
        && let Some(why) = left_behind(ports, service).await?
    {
        return Ok(RouteOutcome::Refused(vec![why]));
    }
    if request.dry_run {
        return Ok(RouteOutcome::Planned(Box::new(decision)));
    }
    let recorded = connection_of(ports, service).await?;
    let created = decision.creates();
    if let (Some(connection), true) = (&recorded, created.is_empty())
        && is_recorded(connection, &decision)
    {
        let (decision, connection) = (Box::new(decision), Box::new(connection.clone()));
        return Ok(RouteOutcome::Connected { decision, connection, created });
    }
    let what = if created.is_empty() { "adopting what exists".to_owned() } else { created.join("; ") };
    let mut note = Note { ports, request, last: recorded };
    note.write(ConnectionState::Connecting, &decision.balancer.arn, (None, None), what.clone()).await?;
    let mut pauses = PAUSES_SECONDS.into_iter();
    let (route, group) = loop {
        let error = match complete(ports, request, &decision).await {
            Ok(done) => break done,
            Err(error) if !is_worth_another_look(&error) => {
                return match error {
                    ActionError::Port { source: PortError::Refused { code, detail, .. }, .. } => {
                        Ok(RouteOutcome::Unfinished(vec![format!("AWS refused to create it: {code}: {detail}")]))
                    }
                    error => Err(error),
                };
            }
            Err(error) => error,
        };
        let Some(seconds) = pauses.next() else { return Err(not_yet(error)) };
        tracing::warn!(error = error.chain(), "looking again");
        ports.clock.pause(Duration::from_secs(seconds)).await;
        decision = match decided(ports, request).await? {
            Err(refusals) => return Ok(RouteOutcome::Unfinished(refusals)),
            Ok(decision) => decision,
        };
    };
    read_back(ports, service, &route, &group).await?;
    let copy = matches!(decision.backing, Backing::Copy(_)).then_some(group);
    note.write(ConnectionState::Connected, &decision.balancer.arn, (Some(route), copy), what).await?;
    let connection = note.last.expect("it was written a moment ago");
    Ok(RouteOutcome::Connected { decision: Box::new(decision), connection: Box::new(connection), created })
}

/// Reads everything and decides, again while AWS shows only half of what it has just created.
async fn decided(ports: &Ports, request: &RouteRequest<'_>) -> Result<Result<Decision, Vec<String>>, ActionError> {
    let mut pauses = PAUSES_SECONDS.into_iter();
    loop {
        match decided_once(ports, request).await {
            Err(error) if is_worth_another_look(&error) => {
                let Some(seconds) = pauses.next() else { return Err(not_yet(error)) };
                ports.clock.pause(Duration::from_secs(seconds)).await;
            }
            decided => return decided,
        }
    }
}

async fn decided_once(ports: &Ports, request: &RouteRequest<'_>) -> Result<Result<Decision, Vec<String>>, ActionError> {
    let policy = request.policy;
    let Some(route) = &policy.internal_route else {
        let service = &policy.name;
        return Ok(Err(vec![format!(
            "the policy of {service} has no internalRoute; add one, such as internalRoute: {{ host: \
             {service}.internal.example.com }}, and store it with `crossfade apply policy.yaml`"
        )]));
    };
    let stack = ports.tagging.stack();
    let wanted = Wanted { stack: &stack, fleet: request.fleet, policy, route };
    let choice = choice(ports, &wanted).await?;
    let around = match &choice.balancer {
        Some(balancer) => surroundings(ports, &balancer.arn).await?,
        None => Surroundings::default(),
    };
    let mut decision = match decide(&wanted, choice, &around) {
        Ok(decision) => decision,
        Err(refusals) => return Ok(Err(refusals)),
    };
    if let Backing::Copy(copy) = &mut decision.backing {
        match scaling_groups::to_attach(ports, copy).await? {
            Ok(names) => copy.scaling_groups = names,
            Err(refusals) => return Ok(Err(refusals)),
        }
    }
    Ok(Ok(decision))
}

/// Reads the load balancers and the groups, and chooses among them.
pub(super) async fn choice(ports: &Ports, wanted: &Wanted<'_>) -> Result<Choice, ActionError> {
    if let Some(new) = new_groups(ports, &wanted.policy.name).await? {
        let earlier = connection_of(ports, &wanted.policy.name).await?.map(|one| one.load_balancer);
        return Ok(choose_retired(wanted, &balancers(ports).await?, earlier.as_ref(), &new));
    }
    let mut inventory = Inventory::default();
    old_groups(ports, wanted.policy, &mut inventory).await?;
    let missing = inventory
        .missing_groups
        .iter()
        .map(|name| format!("there is no target group {name} in this account and region; correct oldTargetGroups"));
    let missing: Vec<String> = missing.collect();
    if inventory.old_groups.is_empty() {
        return Ok(Choice { refusals: missing, ..Choice::default() });
    }
    let copy = internal_group(ports, &wanted.policy.name).await?;
    let mut choice = choose(wanted, &balancers(ports).await?, &inventory.old_groups, copy.as_ref());
    choice.refusals.splice(0..0, missing);
    Ok(choice)
}

async fn balancers(ports: &Ports) -> Result<Vec<Balancer>, ActionError> {
    let found = ports.survey.all_load_balancers().await.doing(|| "reading the load balancers")?;
    let balancers = found.into_iter().map(|one| Balancer {
        arn: one.arn,
        name: one.name,
        kind: one.kind,
        scheme: one.scheme,
        vpc: one.vpc,
    });
    Ok(balancers.collect())
}

/// Reads what is on a load balancer.
pub(super) async fn surroundings(ports: &Ports, balancer: &LoadBalancerArn) -> Result<Surroundings, ActionError> {
    let name = balancer.name();
    let groups = ports.target_groups.target_groups_of(balancer).await;
    let groups = groups.doing(|| format!("reading the target groups of {name}"))?;
    let limits = ports.target_groups.limits().await.doing(|| "reading the account's limits")?;
    let mut listeners = Vec::new();
    let found = ports.survey.listeners_of(balancer).await.doing(|| format!("reading the listeners of {name}"))?;
    for listener in found {
        let rules = ports.rules.rules(&listener.arn).await;
        let rules = rules.doing(|| format!("reading the rules of listener {}", listener.arn))?;
        let mut arns: Vec<String> = vec![listener.arn.as_str().to_owned()];
        arns.extend(rules.iter().filter(|rule| rule.priority.is_some()).map(|rule| rule.id.as_str().to_owned()));
        let mut tags = tags_of(ports, &arns).await?;
        listeners.push(Listener {
            tags: tags.remove(listener.arn.as_str()).unwrap_or_default(),
            rules: rules
                .into_iter()
                .map(|rule| {
                    let own = tags.remove(rule.id.as_str()).unwrap_or_default();
                    (rule, own)
                })
                .collect(),
            arn: listener.arn,
            port: listener.port,
            protocol: listener.protocol,
        });
    }
    let groups = groups.into_iter().map(|group| group.arn).collect();
    Ok(Surroundings { listeners, groups, most_rules: limits.rules })
}

/// Creates what is missing; returns the route and its group.
async fn complete(
    ports: &Ports,
    request: &RouteRequest<'_>,
    decision: &Decision,
) -> Result<(RouteId, TargetGroupArn), ActionError> {
    let service = &request.policy.name;
    let tags = || route_tags(&ports.tagging.stack(), request.fleet, service);
    let group = match &decision.backing {
        Backing::Existing(group) => group.arn.clone(),
        Backing::Copy(copy) => complete_copy(ports, request, copy).await?,
    };
    let actions = vec![Action::forward_to(group.clone())];
    let route = match &decision.route {
        RouteChoice::Exists { route, .. } => route.clone(),
        RouteChoice::Rule { listener, host, priority, .. } => {
            let conditions = vec![Condition::on(Field::Host, [host.as_str()])];
            let (listener, priority) = (listener.clone(), *priority);
            let rule = NewRule { listener, priority, conditions, actions, tags: tags() };
            let created = ports.rules.create_rule(&rule).await;
            RouteId::Rule(created.doing(|| format!("creating the rule of {service} with priority {priority}"))?)
        }
        RouteChoice::Listener { port } => {
            let load_balancer = decision.balancer.arn.clone();
            let listener = NewListener { load_balancer, port: *port, actions, tags: tags() };
            let created = ports.rules.create_listener(&listener).await;
            RouteId::Default(created.doing(|| format!("creating the listener of {service} on port {port}"))?)
        }
    };
    Ok((route, group))
}

async fn complete_copy(
    ports: &Ports,
    request: &RouteRequest<'_>,
    copy: &GroupCopy,
) -> Result<TargetGroupArn, ActionError> {
    let doing = |what: &str| format!("{what} target group {}", copy.name);
    let group = if let Some(group) = &copy.exists {
        group.clone()
    } else {
        let tags = route_tags(&ports.tagging.stack(), request.fleet, &request.policy.name);
        let new = NewGroup { name: copy.name.clone(), settings: copy.settings.clone(), tags };
        ports.target_groups.create_group(&new).await.doing(|| doing("creating"))?.arn
    };
    let refused = copy_attributes(ports, &group, &copy.attributes).await?;
    if !refused.is_empty() {
        tracing::warn!(group = copy.name, refused = refused.join(", "), "attributes were not copied");
    }
    if !copy.missing.is_empty() {
        let registered = ports.target_groups.register(&group, &copy.missing, TargetZone::OfTheirSubnet).await;
        registered.doing(|| doing("registering the targets in"))?;
    }
    for name in &copy.scaling_groups {
        scaling_groups::attach(ports, name, &group).await?;
    }
    Ok(group)
}

/// Whether someone was faster, an answer was lost, or AWS does not know yet what it has just created.
fn is_worth_another_look(error: &ActionError) -> bool {
    match error {
        ActionError::Port { source, .. } => {
            source.is_transient()
                || matches!(source, PortError::NotFound { .. })
                || source.code().is_some_and(|code| TAKEN.contains(&code))
        }
        ActionError::NotYet(_) => true,
        _ => false,
    }
}

/// What is worth another look is worth another call, whatever AWS calls it.
fn not_yet(error: ActionError) -> ActionError {
    match error.class() {
        ErrorClass::Transient => error,
        _ => ActionError::NotYet(error.chain()),
    }
}

/// Reads a route until it forwards as it should.
async fn read_back(
    ports: &Ports,
    service: &ServiceName,
    route: &RouteId,
    group: &TargetGroupArn,
) -> Result<(), ActionError> {
    let doing = || format!("reading back the internal route of {service}");
    let mut pauses = PAUSES_SECONDS.into_iter();
    loop {
        let read = ports.routes.read_routes(std::slice::from_ref(route)).await;
        let seen = match read {
            Ok(read) => read.first().is_some_and(|read| is_as_connected(&read.actions, group, service)),
            Err(error) if error.is_transient() => false,
            Err(error) => return Err(error).doing(doing),
        };
        if seen {
            return Ok(());
        }
        let Some(seconds) = pauses.next() else {
            return Err(ActionError::NotYet(format!(
                "the internal route of {service} was created, and AWS does not show it yet; `crossfade connect \
                 {service}` looks again"
            )));
        };
        ports.clock.pause(Duration::from_secs(seconds)).await;
    }
}

/// Whether the record has what was found.
fn is_recorded(connection: &Connection, decision: &Decision) -> bool {
    let RouteChoice::Exists { route, .. } = &decision.route else { return false };
    let copy = match &decision.backing {
        Backing::Copy(copy) => copy.exists.as_ref(),
        Backing::Existing(_) => None,
    };
    connection.state == ConnectionState::Connected
        && connection.route.as_ref() == Some(route)
        && connection.copy.as_ref() == copy
}

/// The last record of a service's internal route.
pub(super) async fn connection_of(ports: &Ports, service: &ServiceName) -> Result<Option<Connection>, ActionError> {
    ports.ledger.connection(service).await.doing(|| format!("reading the internal route of {service}"))
}

/// Writes the records of one request.
pub(super) struct Note<'a> {
    pub(super) ports: &'a Ports,
    pub(super) request: &'a RouteRequest<'a>,
    pub(super) last: Option<Connection>,
}

impl Note<'_> {
    pub(super) async fn write(
        &mut self,
        state: ConnectionState,
        load_balancer: &LoadBalancerArn,
        (route, copy): (Option<RouteId>, Option<TargetGroupArn>),
        what: String,
    ) -> Result<(), ActionError> {
        let service = &self.request.policy.name;
        let next = Connection {
            version: CONNECTION_VERSION,
            fleet: self.request.fleet.to_owned(),
            service: service.clone(),
            sequence: self.last.as_ref().map_or(1, |last| last.sequence + 1),
            state,
            load_balancer: load_balancer.clone(),
            route,
            copy,
            what,
            who: self.request.who.to_owned(),
            at: self.ports.clock.now(),
        };
        let written = self.ports.ledger.record_connection(self.last.as_ref(), &next).await;
        written.doing(|| format!("recording the internal route of {service}"))?;
        self.last = Some(next);
        Ok(())
    }
}
