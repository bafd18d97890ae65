//! The beginning of a retirement: its plan.

use super::read::records_of;
use super::record::write;
use crate::error::{ActionError, Doing as _};
use crate::functions::plan_migration::policy_of;
use crate::ports::Ports;
use crate::reads::journal::{head_of, plan_of};
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::retirement::{RetireRequest, Retirement, RetirementEventKind, plan_retirement, watch_seconds};
use std::collections::BTreeSet;

/// Plans a retirement and records its first line; or says why there is none.
///
/// # Errors
/// The ports'.
pub(super) async fn begin(
    ports: &Ports,
    request: &RetireRequest,
    previous: Option<&Retirement>,
    execution: &str,
) -> Result<Result<Retirement, String>, ActionError> {
    let first = match planned(ports, request, previous).await? {
        Ok(first) => first,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (plan, who) = (Box::new(first.plan.clone()), request.who.clone());
    let execution = Some(execution.to_owned()).filter(|execution| !execution.is_empty());
    let kind = RetirementEventKind::Begun { plan, who, execution };
    Ok(Ok(write(ports, previous, &first, kind).await?))
}

/// The retirement that a request begins, and nothing is recorded; or why there is none. The policy is the stored one,
/// or, where no stored policy names the service, that of its migration.
///
/// # Errors
/// The ports'.
pub(super) async fn planned(
    ports: &Ports,
    request: &RetireRequest,
    previous: Option<&Retirement>,
) -> Result<Result<Retirement, String>, ActionError> {
    let service = &request.service;
    let Some(head) = head_of(ports, service).await? else {
        return Ok(Err(format!("{service} has not migrated; `crossfade start {service}` moves it")));
    };
    let plan = plan_of(ports, &head).await?;
    let policy = policy_of(ports, &PlanRequest::dry_run(service)).await?.unwrap_or_else(|_| plan.policy.clone());
    let mut terms = policy.retire.clone();
    terms.until = request.until.unwrap_or(terms.until);
    terms.add_waivers(&request.waive);
    let old: Vec<TargetGroupArn> = plan.groups.iter().map(|group| group.old.clone()).collect();
    let records = records_of(ports, &old).await?;
    let balancers: BTreeSet<_> = plan.groups.iter().map(|group| &group.load_balancer).collect();
    let mut idle_timeouts = Vec::new();
    for balancer in balancers {
        let attributes = ports.survey.balancer_attributes(balancer).await;
        let attributes = attributes.doing(|| format!("reading the attributes of {}", balancer.name()))?;
        let timeout = attributes.get("idle_timeout.timeout_seconds").and_then(|seconds| seconds.parse::<u32>().ok());
        idle_timeouts.extend(timeout);
    }
    let watch = watch_seconds(records.values().map(|record| &record.attributes), &idle_timeouts);
    let planned = plan_retirement(&head, &plan, &policy, &terms, &records, watch);
    let begun = |plan| Retirement::first(service.clone(), previous, plan, &request.who, ports.clock.now());
    Ok(planned.map(begun).map_err(|problems| problems.join("; ")))
}
