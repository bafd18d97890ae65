//! The load balancer of an internal route, and the target group behind it.

use crate::load_balancer::difference::{listed, of_health_check, of_what_stays};
use crate::load_balancer::group::{Attributes, GroupSettings, HealthState, Target, TargetGroup};
use crate::load_balancer::membership::is_same_target;
use crate::load_balancer::our_tags::is_of_route;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use crate::planner::inventory::{NameHolder, ObservedGroup};
use crate::planner::{copied_attributes, internal_group_name};
use crate::policy::calling::InternalRoute;
use crate::policy::service_policy::ServicePolicy;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The stack that asks.
    pub stack: &'a str,
    /// The fleet of the service.
    pub fleet: &'a str,
    /// The service's policy.
    pub policy: &'a ServicePolicy,
    /// The policy's internal route.
    pub route: &'a InternalRoute,
}

/// A load balancer of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// Its name.
    pub name: String,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// Its VPC.
    pub vpc: Option<String>,
}

/// The target group that an internal route forwards to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    /// A group that exists anyway: the old one, which is on the load balancer or on none; or the new one, once the old
    /// side has left its routes.
    Existing(TargetGroup),
    /// A copy of an old group, which is on another load balancer: AWS allows one for each group.
    Copy(GroupCopy),
}

/// A copy of an old group, with the same targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCopy {
    /// Its name.
    pub name: String,
    /// The name of the group that it copies.
    pub of: String,
    /// Its settings.
    pub settings: GroupSettings,
    /// Its attributes.
    pub attributes: Attributes,
    /// The copy, if it exists.
    pub exists: Option<TargetGroupArn>,
    /// The targets that are not registered in it yet.
    pub missing: Vec<Target>,
    /// The Auto Scaling groups that register targets in the group that it copies, and not in the copy yet.
    pub scaling_groups: Vec<String>,
}

impl Backing {
    /// The group, if it exists.
    pub fn group(&self) -> Option<&TargetGroupArn> {
        match self {
            Self::Existing(group) => Some(&group.arn),
            Self::Copy(copy) => copy.exists.as_ref(),
        }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Existing(group) => &group.name,
            Self::Copy(copy) => &copy.name,
        }
    }

    /// The group's settings.
    pub fn settings(&self) -> &GroupSettings {
        match self {
            Self::Existing(group) => &group.settings,
            Self::Copy(copy) => &copy.settings,
        }
    }
}

/// What was chosen, as far as it could be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The load balancer; none where there is none whose listeners are worth reading.
    pub balancer: Option<Balancer>,
    /// The group behind the route.
    pub backing: Option<Backing>,
    /// Why nothing is created, each with what to do.
    pub refusals: Vec<String>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Chooses for a service whose old side has left its routes: the new group on the load balancer that the policy names,
/// or else on the one of the earlier route. `new` has each new group that exists, with its load balancer.
pub fn choose_retired(
    wanted: &Wanted<'_>,
    balancers: &[Balancer],
    earlier: Option<&LoadBalancerArn>,
    new: &[(LoadBalancerArn, TargetGroup)],
) -> Choice {
    let mut choice = Choice::default();
    let asked = wanted.route.load_balancer.as_deref().or_else(|| earlier.map(LoadBalancerArn::as_str));
    let found = asked.map_or_else(
        || Err("the policy names no load balancer; set internalRoute.loadBalancer".to_owned()),
        |asked| named(asked, balancers),
    );
    let balancer = match found {
        Ok(balancer) => balancer,
        Err(refusal) => return Choice { refusals: vec![refusal], ..choice },
    };
    choice.refusals.extend(public(wanted, balancer));
    match new.iter().find(|(on, _)| *on == balancer.arn) {
        Some((_, group)) => choice.backing = Some(Backing::Existing(group.clone())),
        None => choice.refusals.push(format!(
            "{service} is retired, and no target group of its new side is left that was on load balancer {}; callers \
             use its direct URLs: `crossfade wiring {service} --direct`",
            balancer.name,
            service = wanted.policy.name
        )),
    }
    choice.balancer = Some(balancer.clone());
    choice
}

/// Chooses the load balancer that the policy names, or the only internal one in the VPC of the old groups; and the
/// group: the old one where it is on that load balancer or on none, else a copy. `copy` is what has the copy's name.
pub fn choose(wanted: &Wanted<'_>, balancers: &[Balancer], old: &[ObservedGroup], copy: Option<&NameHolder>) -> Choice {
    let mut choice = Choice::default();
    let found = match &wanted.route.load_balancer {
        Some(asked) => named(asked, balancers),
        None => only_internal(balancers, old),
    };
    let balancer = match found {
        Ok(balancer) => balancer,
        Err(refusal) => {
            choice.refusals.push(refusal);
            return choice;
        }
    };
    choice.refusals.extend(public(wanted, balancer));
    if balancer.kind != "application" {
        choice.refusals.push(format!(
            "{} is a {} load balancer; name an application load balancer in internalRoute.loadBalancer, since only \
             those split requests by weight",
            balancer.name, balancer.kind
        ));
        return choice;
    }
    match backing(wanted, balancer, old, copy, &mut choice.warnings) {
        Ok(backing) => choice.backing = Some(backing),
        Err(refusals) => choice.refusals.extend(refusals),
    }
    choice.balancer = Some(balancer.clone());
    choice
}

/// Why a load balancer is too public for an internal route.
fn public(wanted: &Wanted<'_>, balancer: &Balancer) -> Option<String> {
    (balancer.scheme != "internal" && !wanted.route.allow_internet_facing).then(|| {
        format!(
            "load balancer {} is internet-facing: calls of other services would leave the network and come back, and \
             anyone could send the host; name an internal one in internalRoute.loadBalancer, or set \
             allowInternetFacing: true",
            balancer.name
        )
    })
}

fn named<'a>(asked: &str, balancers: &'a [Balancer]) -> Result<&'a Balancer, String> {
    let is_it = |balancer: &&Balancer| balancer.name == asked || balancer.arn.as_str() == asked;
    balancers.iter().find(is_it).ok_or_else(|| {
        format!(
            "there is no load balancer {asked} in this account and region; correct internalRoute.loadBalancer, or \
             create it"
        )
    })
}

fn only_internal<'a>(balancers: &'a [Balancer], old: &[ObservedGroup]) -> Result<&'a Balancer, String> {
    let vpcs: Vec<&str> = old.iter().filter_map(|old| old.group.settings.vpc.as_deref()).collect();
    let fits = |balancer: &&Balancer| {
        balancer.kind == "application"
            && balancer.scheme == "internal"
            && balancer.vpc.as_deref().is_some_and(|vpc| vpcs.contains(&vpc))
    };
    let fitting: Vec<&Balancer> = balancers.iter().filter(fits).collect();
    match fitting.as_slice() {
        [only] => Ok(only),
        [] => {
            Err("there is no internal application load balancer in the VPC of the old target groups; create one, or \
                   name another in internalRoute.loadBalancer"
                .to_owned())
        }
        several => {
            let names: Vec<&str> = several.iter().map(|balancer| balancer.name.as_str()).collect();
            Err(format!(
                "{} internal load balancers are in the VPC: {}; name one of them in internalRoute.loadBalancer",
                names.len(),
                names.join(", ")
            ))
        }
    }
}

fn backing(
    wanted: &Wanted<'_>,
    balancer: &Balancer,
    old: &[ObservedGroup],
    copy: Option<&NameHolder>,
    warnings: &mut Vec<String>,
) -> Result<Backing, Vec<String>> {
    let is_on_it = |old: &&ObservedGroup| old.group.load_balancers.contains(&balancer.arn);
    let on_it: Vec<&ObservedGroup> = old.iter().filter(is_on_it).collect();
    if let [first, second, ..] = on_it.as_slice() {
        return Err(vec![format!(
            "{} and {} are both old target groups on load balancer {}; a service has one on each, so split it into two \
             services",
            first.group.name, second.group.name, balancer.name
        )]);
    }
    let same_vpc = |old: &&ObservedGroup| old.group.settings.vpc == balancer.vpc;
    let unattached = |old: &&ObservedGroup| old.group.load_balancers.is_empty();
    let direct = on_it.first().copied();
    let direct = direct.or_else(|| old.iter().filter(same_vpc).find(unattached).filter(|_| copy.is_none()));
    if let Some(direct) = direct {
        return kind_of_targets(direct).map(|()| Backing::Existing(direct.group.clone())).map_err(|why| vec![why]);
    }
    let Some(source) = old.iter().find(same_vpc) else {
        return Err(vec![format!(
            "no old target group was found in the VPC of load balancer {}; correct oldTargetGroups, or name another \
             load balancer in internalRoute.loadBalancer",
            balancer.name
        )]);
    };
    kind_of_targets(source).map_err(|why| vec![why])?;
    copy_of(wanted, balancer, source, copy, warnings)
}

fn kind_of_targets(old: &ObservedGroup) -> Result<(), String> {
    match old.group.settings.target_type.as_str() {
        "instance" | "ip" => Ok(()),
        other => Err(format!(
            "target group {} has targets of type {other}; an internal route needs instances or addresses, which are \
             what can be migrated",
            old.group.name
        )),
    }
}

fn copy_of(
    wanted: &Wanted<'_>,
    balancer: &Balancer,
    source: &ObservedGroup,
    holder: Option<&NameHolder>,
    warnings: &mut Vec<String>,
) -> Result<Backing, Vec<String>> {
    let service = &wanted.policy.name;
    let name = internal_group_name(wanted.stack, service);
    let settings = source.group.settings.clone();
    let is_in = |registered: &[Target], target: &Target| {
        registered.iter().any(|one| is_same_target(one, target, settings.port))
    };
    let serving = source.health.iter().filter(|one| one.state != HealthState::Draining);
    let targets: Vec<Target> = serving.map(|one| one.target.clone()).collect();
    let mut copy = GroupCopy {
        name,
        of: source.group.name.clone(),
        attributes: copied_attributes(source),
        exists: None,
        missing: targets.clone(),
        scaling_groups: Vec::new(),
        settings: settings.clone(),
    };
    let Some(NameHolder { group, tags, health }) = holder else { return Ok(Backing::Copy(copy)) };
    if !is_of_route(tags, wanted.stack, service) {
        return Err(vec![format!(
            "target group {} exists and is not this stack's: expected its tags to say that Crossfade created it for \
             {service}; delete it, or give it another name",
            copy.name
        )]);
    }
    let mut refusals = Vec::new();
    if group.load_balancers.iter().any(|of| *of != balancer.arn) {
        refusals.push(format!(
            "target group {} of the internal route is on another load balancer, {}; `crossfade connect {service} \
             --undo` removes that route first",
            copy.name,
            group.load_balancers[0].name()
        ));
    }
    let stays = of_what_stays(&settings, &group.settings);
    if !stays.is_empty() {
        refusals.push(format!(
            "target group {} is no copy of {} any more: {}; `crossfade connect {service} --undo` removes it, and \
             `crossfade connect {service}` creates it again",
            copy.name,
            copy.of,
            listed(&stays)
        ));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let changed = of_health_check(&settings.health_check, &group.settings.health_check);
    if !changed.is_empty() {
        warnings.push(format!("{} is checked in another way than {}: {}", copy.name, copy.of, listed(&changed)));
    }
    let registered: Vec<Target> = health.iter().map(|one| one.target.clone()).collect();
    let left: Vec<Target> = registered.iter().filter(|one| !is_in(&targets, one)).cloned().collect();
    if !left.is_empty() {
        warnings.push(format!(
            "{} has targets that {} no longer has: {}; deregister them if they are gone",
            copy.name,
            copy.of,
            crate::load_balancer::membership::named(&left)
        ));
    }
    copy.missing.retain(|target| !is_in(&registered, target));
    copy.exists = Some(group.arn.clone());
    Ok(Backing::Copy(copy))
}
