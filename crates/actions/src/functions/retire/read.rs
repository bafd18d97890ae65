//! Reads what a look at a retirement decides by: what its phase asks for, and no more.

use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use crate::reads::calendars::calendars;
use crate::reads::inventory::tags_of;
use crate::reads::journal::head_of;
use crate::routes::list::list;
use crossfade_domain::internal_route::{Connection, ConnectionState};
use crossfade_domain::journal::Phase;
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::load_balancer::group::{HealthState, healthy_count};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::load_balancer::route::Route;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::policy::retire::Evidence;
use crossfade_domain::retirement::{
    AfterDetach, BalancerCounts, Feed, GroupRecord, Idle, IdleWindow, OldCounts, RetiredGroup, Retirement,
    RetirementPhase, Seen, idle_window, judge_idle, judge_watch,
};
use crossfade_domain::windows::Closed;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Reads for one look. What could not be read is in the answer, where the look decides what that means. Unless `all` is
/// wanted, what the phase waits for anyway is not read.
///
/// # Errors
/// The ledger's.
pub(super) async fn read(ports: &Ports, retirement: &Retirement, all: bool) -> Result<Seen, ActionError> {
    let (plan, phase) = (&retirement.plan, retirement.phase);
    let mut seen = Seen::default();
    if phase == RetirementPhase::Proving {
        seen.unmigrated = unmigrated(ports, retirement).await?;
        let kept = plan.zero_since + SignedDuration::from_secs(i64::from(plan.terms.keep_old_seconds));
        let hook_is_due = plan.hook.is_some() && retirement.hook_answered_at.is_none();
        let waits = ports.clock.now() < kept || hook_is_due;
        if seen.unmigrated.is_some() || (waits && !all) {
            return Ok(seen);
        }
    }
    if phase.is_over() {
        return Ok(seen);
    }
    if let Err(error) = look(ports, retirement, &mut seen).await {
        seen.unreadable = Some(error.chain());
    }
    Ok(seen)
}

async fn look(ports: &Ports, retirement: &Retirement, seen: &mut Seen) -> Result<(), ActionError> {
    let (plan, phase) = (&retirement.plan, retirement.phase);
    let mut listed: Vec<Route> = Vec::new();
    for balancer in plan.load_balancers() {
        listed.extend(list(ports, balancer).await?.routes);
    }
    seen.elsewhere = plan.named_elsewhere(&listed);
    seen.live = listed.into_iter().map(|route| (route.id, route.actions)).collect();
    let old: Vec<String> = plan.old_groups().map(|group| group.as_str().to_owned()).collect();
    let groups = ports.target_groups.target_groups(&old).await.doing(|| "reading the old target groups")?;
    for group in groups {
        seen.used_by.extend(group.load_balancers);
        match ports.target_groups.health(&group.arn).await {
            Ok(targets) => {
                seen.registered.insert(group.arn, targets);
            }
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Err(error).doing(|| format!("reading the targets of {}", group.name)),
        }
    }
    if matches!(phase, RetirementPhase::Proving | RetirementPhase::Watching | RetirementPhase::Deregistered) {
        seen.closed = closed(ports, retirement).await;
    }
    if matches!(phase, RetirementPhase::Proving | RetirementPhase::Deregistering | RetirementPhase::Undoing) {
        (seen.fed_by, seen.scaling_groups) = fed_by(ports, retirement).await?;
    }
    match phase {
        RetirementPhase::Proving => {
            seen.breaks = breaks(ports, retirement).await?;
            if plan.terms.waived(Evidence::LoadBalancer).is_none() {
                match idle_window(plan.zero_since, plan.terms.idle_for_seconds, ports.clock.now()) {
                    Ok(window) => seen.idle = Some((window, idle(ports, retirement, &window).await?)),
                    Err(over_at) => seen.window_over_at = Some(over_at),
                }
            }
        }
        RetirementPhase::Watching => seen.after_detach = after_detach(ports, retirement).await?,
        RetirementPhase::Undoing if plan.internal_route => seen.removed = removed(ports, retirement).await?,
        _ => {}
    }
    Ok(())
}

/// Why the service is no longer migrated.
async fn unmigrated(ports: &Ports, retirement: &Retirement) -> Result<Option<String>, ActionError> {
    let service = &retirement.service;
    let head = head_of(ports, service).await?;
    let migrated =
        head.as_ref().is_some_and(|head| head.migration == retirement.plan.migration && head.phase == Phase::Migrated);
    let found =
        head.map_or_else(|| "nothing".to_owned(), |head| format!("{} is {}", head.migration, head.phase.in_words()));
    Ok((!migrated).then(|| format!("{service} is no longer migrated by {}: {found}", retirement.plan.migration)))
}

/// The internal route, if `crossfade connect --undo` has removed it.
async fn removed(ports: &Ports, retirement: &Retirement) -> Result<Option<Connection>, ActionError> {
    let connection = ports.ledger.connection(&retirement.service).await;
    let connection = connection.doing(|| "reading the record of the internal route")?;
    Ok(connection.filter(|connection| connection.state == ConnectionState::Disconnected))
}

async fn closed(ports: &Ports, retirement: &Retirement) -> Option<Closed> {
    let windows = retirement.plan.windows.as_ref()?;
    let calendars = calendars(ports, Some(windows)).await;
    windows.fits(&calendars, ports.clock.now(), retirement.plan.watch_seconds).err()
}

/// What breaks when the old groups have left the routes.
async fn breaks(ports: &Ports, retirement: &Retirement) -> Result<Vec<String>, ActionError> {
    let ours = ports.alarms.guard_prefix();
    let mut breaks = Vec::new();
    for alarm in ports.alarms.alarms_on_groups().await.doing(|| "reading the alarms on target groups")? {
        let watched = retirement.plan.old_groups().find(|group| alarm.groups.contains(group.dimension()));
        if let Some(group) = watched.filter(|_| !alarm.name.starts_with(&ours)) {
            breaks.push(format!(
                "alarm {} watches {}: it will have no data, and fires where missing data counts as breaching",
                alarm.name,
                group.name()
            ));
        }
    }
    let registrars = retirement.plan.registrars.iter();
    breaks.extend(registrars.map(|name| format!("{name} registers targets in the old groups, or replaces them")));
    breaks.sort();
    Ok(breaks)
}

/// The Auto Scaling groups that would register the targets again, and may replace instances that are deregistered; and
/// the names of all.
async fn fed_by(ports: &Ports, retirement: &Retirement) -> Result<(Vec<Feed>, BTreeSet<String>), ActionError> {
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    for group in ports.auto_scaling.all_scaling_groups().await.doing(|| "reading the Auto Scaling groups")? {
        let fed = retirement.plan.old_groups().filter(|old| group.attached.contains(old));
        found.extend(fed.map(|old| Feed {
            scaling_group: group.name.clone(),
            group: old.clone(),
            replaces_unhealthy: group.replaces_unhealthy,
        }));
        names.insert(group.name);
    }
    Ok((found, names))
}

fn query(metric: &'static str, balancer: &LoadBalancerArn, group: Option<&TargetGroupArn>, period: u16) -> MetricQuery {
    let statistic = if metric == "HealthyHostCount" { "Maximum" } else { "Sum" };
    MetricQuery {
        metric,
        load_balancer: balancer.clone(),
        group: group.cloned(),
        period_seconds: period,
        statistic: statistic.to_owned(),
    }
}

fn sum(points: &DataPoints) -> f64 {
    points.iter().map(|(_, value)| value).sum()
}

async fn idle(ports: &Ports, retirement: &Retirement, window: &IdleWindow) -> Result<Idle, ActionError> {
    let plan = &retirement.plan;
    let of = |group: &RetiredGroup| {
        let (balancer, period) = (&group.load_balancer, window.period_seconds);
        [
            query("RequestCount", balancer, Some(&group.record.arn), period),
            query("HealthyHostCount", balancer, Some(&group.record.arn), period),
            query("RequestCount", balancer, Some(&group.new), period),
        ]
    };
    let asked: Vec<MetricQuery> = plan.groups.iter().flat_map(of).collect();
    let answers = ports.metrics.data(&asked, window.since, window.until).await;
    let answers = answers.doing(|| "counting the requests of the old side")?;
    let mut new_requests = 0.0;
    let mut counts = Vec::new();
    for (group, answer) in plan.groups.iter().zip(answers.chunks_exact(3)) {
        let old = &group.record.arn;
        let sticky = plan
            .routes
            .iter()
            .filter_map(|route| forward_of(&route.attached))
            .any(|forward| forward.is_sticky() && forward.weight_of(old).is_some());
        counts.push(OldCounts {
            load_balancer: group.load_balancer.clone(),
            group: old.clone(),
            sticky,
            requests: answer[0].clone(),
            healthy: answer[1].clone(),
        });
        new_requests += sum(&answer[2]);
    }
    Ok(judge_idle(window, &counts, new_requests))
}

/// What was seen since the detach, and in the same time before it.
async fn after_detach(ports: &Ports, retirement: &Retirement) -> Result<Option<AfterDetach>, ActionError> {
    let plan = &retirement.plan;
    let Some(intended) = retirement.detach_intended_at else { return Ok(None) };
    let now = ports.clock.now();
    // The minute of the detach belongs to what came after it: a point has the time at which its minute begins.
    let begun = intended.as_second().div_euclid(60) * 60;
    let detached = Timestamp::from_second(begun).unwrap_or(intended);
    let before = detached - now.duration_since(detached);
    let of = |group: &RetiredGroup| {
        [
            query("HTTPCode_ELB_5XX_Count", &group.load_balancer, None, 60),
            query("HTTPCode_Target_5XX_Count", &group.load_balancer, Some(&group.new), 60),
            query("RequestCount", &group.load_balancer, Some(&group.record.arn), 60),
        ]
    };
    let asked: Vec<MetricQuery> = plan.groups.iter().flat_map(of).collect();
    // What was not seen by the proof, because CloudWatch did not have it yet.
    let unseen = retirement.proved.map_or(detached, |window| window.unseen_since());
    let answers = ports.metrics.data(&asked, before.min(unseen), now).await;
    let answers = answers.doing(|| "counting what happened since the detach")?;
    let mut counts = Vec::new();
    for (group, answer) in plan.groups.iter().zip(answers.chunks_exact(3)) {
        let within = |points: &DataPoints, from: Timestamp, to: Timestamp| -> f64 {
            points.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, value)| value).sum()
        };
        let both = |points: &DataPoints| (within(points, before, detached), within(points, detached, now));
        let health = ports.target_groups.health(&group.new).await;
        let health = health.doing(|| format!("reading the targets of {}", group.new.name()))?;
        counts.push(BalancerCounts {
            name: group.load_balancer.name().to_owned(),
            own: both(&answer[0]),
            new: both(&answer[1]),
            old_requests: retirement.proved.map_or(0.0, |_| within(&answer[2], unseen, now)),
            new_healthy: healthy_count(&health),
        });
    }
    Ok(Some(judge_watch(&counts)))
}

/// These groups in full, but for those that do not exist.
///
/// # Errors
/// The load balancer's.
pub(super) async fn records_of(
    ports: &Ports,
    groups: &[TargetGroupArn],
) -> Result<BTreeMap<TargetGroupArn, GroupRecord>, ActionError> {
    let arns: Vec<String> = groups.iter().map(|group| group.as_str().to_owned()).collect();
    let found = ports.target_groups.target_groups(&arns).await.doing(|| "reading the old target groups")?;
    let mut tags = tags_of(ports, &arns).await?;
    let mut records = BTreeMap::new();
    for group in found {
        let attributes = ports.target_groups.attributes(&group.arn).await;
        let health = ports.target_groups.health(&group.arn).await;
        let health = health.doing(|| format!("reading the targets of {}", group.name))?;
        let registered = health.into_iter().filter(|one| one.state != HealthState::Draining);
        let record = GroupRecord {
            attributes: attributes.doing(|| format!("reading the attributes of {}", group.name))?,
            tags: tags.remove(group.arn.as_str()).unwrap_or_default(),
            targets: registered.map(|one| one.target).collect(),
            arn: group.arn,
            name: group.name,
            settings: group.settings,
        };
        records.insert(record.arn.clone(), record);
    }
    Ok(records)
}
