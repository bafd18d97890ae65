//! `plan-migration`: policy and inventory to a plan, and the locks.

mod after;
mod policy_of;
mod stack_limits;
mod window;

use self::after::after_ignored;
pub(crate) use self::policy_of::policy_of;
use self::stack_limits::StackLimits;
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::Migration;
use crate::migration::probe_rules::plan_probes;
use crate::operator::observe::not_at_the_end;
use crate::operator::resume::{Resume, Resumed, take_over};
use crate::payload::Fields;
use crate::ports::{Ports, TakeError};
use crate::reads::alarms::{alarms, taken_names};
use crate::reads::inventory::read_inventory;
use crate::reads::journal::head_of;
use crossfade_domain::alarms::alarm::AlarmState;
use crossfade_domain::alarms::guard_alarm::guard_alarms;
use crossfade_domain::alarms::quiet::{AlarmsRead, objections};
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::summary::{in_words, with_examples};
use crossfade_domain::plan::{Finding, FindingCode, Plan, Severity};
use crossfade_domain::planner::inventory::{RouteHolder, held_by};
use crossfade_domain::planner::plan;
use crossfade_domain::policy::request::{PlanRequest, ResumeRequest, decode_request};
use crossfade_domain::policy::service_policy::ServicePolicy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Plans a service's migration and takes its locks. `{"request": {"service": ..., "policy"?: ..., "dryRun"?: bool},
/// "execution": "<arn>"}`. With `{"request": {"service": ..., "resume": true, "acceptDrift"?: bool}, ...}` it hands the
/// service's halted migration to this execution. With `"ignoreAfter": true, "reason": "..."` it starts although a
/// service that it comes after has not migrated, which the journal then records.
///
/// `"stack": {"inlinePolicies": "accepted" | "refused", "loadBalancers": "<pattern>"}` has what the stack allows. Where
/// it refuses inline policies, a request may bring its own policy for a dry run only. A plan with a route on a load
/// balancer that the pattern does not match is refused. Without `stack`, everything is allowed.
///
/// With `"now": true, "reason": "..."` the windows of the policy do not count; the journal has who asked, and why.
///
/// Returns `proceed` with the locks held; `closed` where no window is open for the first step, with nothing written and
/// no lock held: the machine waits and calls this function again; `advance` where a resumed migration continues at a
/// step above 0; `refused` with the findings and the error name `Refused`, `LockHeld` or `InvalidRequest`; `migrated`
/// where the service has migrated already and its routes say so; `planned` with the plan for a dry run, which writes
/// nothing. Of a code that was found often there are three findings and their number. A plan of more than 100 kB is
/// left out: `crossfade plan` shows it. The alarms are read again once the locks are held, so no alarm that fires in
/// between is lost.
///
/// May run again at any time: the execution finds the migration that it has begun.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the ports, and `Transient` while a writer of a
/// migration that is over may live.
pub async fn plan_migration(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    match decode(input)? {
        Ok(Decoded { request, execution, limits }) => {
            plan_within(ports, &request, &execution, &limits).await.map(for_a_machine)
        }
        Err(Wrong { service, problems }) => Ok(refused(&service, Refusal::InvalidRequest, problems, Vec::new())),
    }
}

/// The same for a request that is decoded already, in the name of an execution.
///
/// # Errors
/// As for [`plan_migration`], but for a wrong payload.
pub async fn plan_service(ports: &Ports, request: &PlanRequest, execution: &str) -> Result<Cursor, ActionError> {
    plan_within(ports, request, execution, &StackLimits::default()).await
}

async fn plan_within(
    ports: &Ports,
    request: &PlanRequest,
    execution: &str,
    limits: &StackLimits,
) -> Result<Cursor, ActionError> {
    let previous = head_of(ports, &request.service).await?;
    if !request.dry_run
        && let Some(own) = previous.as_ref().filter(|head| head.execution == execution)
    {
        return again(ports, own, request).await;
    }
    if let Some(how) = request.resume {
        return take_up(ports, request, how, previous.as_ref(), execution).await;
    }
    let policy = match policy_of(ports, request).await? {
        Ok(policy) => policy,
        Err(problem) => return Ok(refused(&request.service, Refusal::InvalidRequest, problem, Vec::new())),
    };
    if let Some(busy) = previous.as_ref().filter(|head| !head.phase.is_over() && !request.dry_run) {
        return Ok(refused(&request.service, Refusal::LockHeld, busy_with(busy), Vec::new()));
    }
    if let Some(head) = previous.as_ref().filter(|head| head.phase == Phase::Migrated)
        && let Some(migrated) = migrated_already(ports, head, &policy).await?
    {
        return Ok(migrated);
    }

    if let Some(waits) = window::waits(ports, request, &policy).await {
        return Ok(waits);
    }

    let attempt = previous.as_ref().map_or(1, |head| head.attempt + 1);
    let migration = MigrationId::of(&request.service, attempt);
    // Before the alarms are read: one that fires and clears while the rest is gathered has fired since the plan was
    // made.
    let created = ports.clock.now();
    let inventory = read_inventory(ports, &policy).await?;
    let too_early = after::findings(ports, &policy, request, execution).await?;
    let mut plan = match plan(&policy, &inventory, migration, created) {
        Ok(plan) => guarded(ports, plan, attempt),
        Err(mut findings) => {
            findings.extend(too_early);
            return Ok(refused_by(&request.service, findings));
        }
    };
    plan.probe_from = request.probe_from;
    let after_ignored = after_ignored(&too_early).filter(|_| request.ignore_after);
    let (mut objections, warnings): (Vec<Finding>, Vec<Finding>) =
        too_early.into_iter().partition(|finding| finding.severity == Severity::Refusal);
    plan.findings.extend(warnings);
    objections.extend(limits.objections(&plan));
    objections.extend(taken_guards(ports, &plan).await?);
    objections.extend(unprobeable(ports, &plan).await?);
    if !objections.is_empty() {
        return Ok(refused_by(&request.service, objections));
    }
    if request.dry_run {
        return Ok(planned(plan));
    }

    let generation = previous.as_ref().map_or(1, |head| head.generation + 1);
    let start = Head::first(plan.service.clone(), attempt, generation, execution.to_owned(), ports.clock.now());
    let routes = u32::try_from(plan.routes.len()).expect("a plan has at most 90 routes");
    let event = start.next_event(EventKind::Planned { routes, after_ignored }, start.since);
    let head = start.apply(&event).map_err(|error| ActionError::Internal(error.to_string()))?;
    let in_the_way = |holders: &[RouteHolder]| held_by(holders, |route| plan.name_of(route));
    match ports.ledger.take(previous.as_ref(), &head, &plan, &event).await {
        Ok(()) => confirm(ports, Migration { head, plan: Arc::new(plan) }, request).await,
        // No one holds a route any more: it is only too early, and the machine retries.
        Err(TakeError::Held(holders)) if holders.iter().all(|holder| holder.free_at.is_some()) => {
            Err(ActionError::NotYet(in_the_way(&holders)))
        }
        Err(TakeError::Held(holders)) => {
            Ok(refused(&plan.service, Refusal::LockHeld, in_the_way(&holders), Vec::new()))
        }
        Err(TakeError::Busy(busy)) => Ok(refused(&plan.service, Refusal::LockHeld, busy_with(&busy), Vec::new())),
        Err(TakeError::Ledger(error)) => Err(error).doing(|| format!("taking the locks of {}", plan.migration)),
    }
}

/// The plan with the alarms that we create; their names are known before their groups are.
fn guarded(ports: &Ports, mut plan: Plan, attempt: u32) -> Plan {
    let prefix = ports.alarms.guard_prefix();
    plan.guards = guard_alarms(plan.policy.guard_alarms, &prefix, &plan.service, attempt, &plan.groups);
    plan
}

/// A finding for each guard alarm whose name someone else's alarm has: it would only be refused when it is created.
async fn taken_guards(ports: &Ports, plan: &Plan) -> Result<Vec<Finding>, ActionError> {
    let finding = |name: String| Finding {
        code: FindingCode::GuardAlarmNameTaken,
        severity: Severity::Refusal,
        message: format!(
            "an alarm of this name exists, and its tags do not say that Crossfade created it for {}; if nobody needs \
             it, aws cloudwatch delete-alarms --alarm-names {name}; else write guardAlarms: none and name alarms of \
             your own",
            plan.service
        ),
        subject: name,
    };
    let taken = taken_names(ports, &plan.guard_names(), &plan.service).await?;
    Ok(taken.into_iter().map(finding).collect())
}

/// A finding for each reason why the policy's probes could not run: what the policy asks for is not left out.
async fn unprobeable(ports: &Ports, plan: &Plan) -> Result<Vec<Finding>, ActionError> {
    if plan.policy.probes.is_empty() {
        return Ok(Vec::new());
    }
    let reasons = plan_probes(ports, plan, &BTreeMap::new()).await?.err().unwrap_or_default();
    let finding = |message| Finding {
        code: FindingCode::ProbesCannotRun,
        severity: Severity::Refusal,
        subject: plan.service.to_string(),
        message,
    };
    Ok(reasons.into_iter().map(finding).collect())
}

/// An operator's input that cannot be read. It is an answer and no error, since the console shows an error's cause as
/// raw JSON.
struct Wrong {
    /// The service, as far as the input names one.
    service: ServiceName,
    problems: String,
}

/// A request with what surrounds it.
struct Decoded {
    request: PlanRequest,
    execution: String,
    limits: StackLimits,
}

fn decode(input: &Value) -> Result<Result<Decoded, Wrong>, ActionError> {
    let mut fields = Fields::root(input);
    let execution = fields.required::<String>("execution");
    // The machine itself calls wrongly.
    let limits = StackLimits::read(&input["stack"])?;
    let request = match fields.value("request").map(decode_request) {
        None => {
            fields.problems.push("$.request: expected an object, found nothing".to_owned());
            None
        }
        Some(Err(problems)) => {
            fields.problems.extend(problems.0.iter().map(ToString::to_string));
            None
        }
        Some(Ok(request)) => {
            fields.problems.extend(limits.objection_to_policy(&request));
            Some(request)
        }
    };
    match (request, execution) {
        (Some(request), Some(execution)) if fields.problems.is_empty() => {
            Ok(Ok(Decoded { request, execution, limits }))
        }
        (_, Some(_)) => Ok(Err(Wrong { service: named(&input["request"]), problems: fields.problems.join("; ") })),
        // The machine itself calls wrongly.
        (_, None) => Err(fields.refuse()),
    }
}

/// The service that a wrong request names, else `unnamed`.
fn named(request: &Value) -> ServiceName {
    let service = &request["service"];
    let name = service.as_str().or_else(|| service["name"].as_str()).unwrap_or_default();
    ServiceName::parse(name.to_owned())
        .unwrap_or_else(|_| ServiceName::parse("unnamed".to_owned()).expect("is the name of a service"))
}

/// The answer for a service that has migrated away from these old groups, if all its routes still are where it ended: a
/// deploy job starts its service again and again. Otherwise there is something to plan.
async fn migrated_already(ports: &Ports, head: &Head, policy: &ServicePolicy) -> Result<Option<Cursor>, ActionError> {
    let ended = Migration::of(ports, head.clone()).await?;
    if ended.plan.policy.old_target_groups != policy.old_target_groups
        || !not_at_the_end(ports, head, &ended.plan).await?.is_empty()
    {
        return Ok(None);
    }
    let reason = format!(
        "{} has migrated already: {} has all its traffic on the new cluster, read back",
        head.service, head.migration
    );
    Ok(Some(ended.answer(ended.plan.last_step(), NextStep::Migrated, reason)))
}

/// Continues what the same execution has begun before.
async fn again(ports: &Ports, head: &Head, request: &PlanRequest) -> Result<Cursor, ActionError> {
    if head.phase.is_over() {
        let reason = head.reason.clone().unwrap_or_else(|| format!("{} is over", head.migration));
        return Ok(refused(&head.service, Refusal::Refused, reason, Vec::new()));
    }
    confirm(ports, Migration::of(ports, head.clone()).await?, request).await
}

/// Reads the alarms again, now that an alarm's event would find the migration. The event of an alarm that fired after
/// the first read and before the locks were held has found none.
async fn confirm(ports: &Ports, mut migration: Migration, request: &PlanRequest) -> Result<Cursor, ActionError> {
    window::override_them(ports, &mut migration, request).await?;
    if migration.head.phase == Phase::Planned
        && let Some(reason) = not_quiet(ports, &migration.plan).await?
    {
        let refusal = migration
            .release(ports, |now| (now.phase == Phase::Planned).then(|| EventKind::Refused { reason: reason.clone() }));
        refusal.await?;
        return Ok(refused(&migration.head.service, Refusal::Refused, reason, Vec::new()));
    }
    let (routes, steps) = (migration.plan.routes.len(), migration.plan.last_step());
    let (step, verdict) = entry(&migration.head);
    let mut reason = format!("{}: {routes} routes in {steps} steps, locks held", migration.head.migration);
    if verdict == NextStep::Advance {
        reason = format!("{reason}; continues at step {step}");
    }
    let warnings = in_words(&migration.plan.findings, |finding| finding.message.clone());
    if !warnings.is_empty() {
        reason = format!("{reason}; {warnings}");
    }
    Ok(migration.answer(step, verdict, reason))
}

/// Where the machine continues: from the beginning until the new groups are attached, then at the step that the journal
/// has.
fn entry(head: &Head) -> (u32, NextStep) {
    match head.intended_step.or(head.verified_step) {
        Some(step) if step > 0 => (step, NextStep::Advance),
        _ => (0, NextStep::Proceed),
    }
}

/// Continues a halted migration in this execution.
async fn take_up(
    ports: &Ports,
    request: &PlanRequest,
    how: ResumeRequest,
    head: Option<&Head>,
    execution: &str,
) -> Result<Cursor, ActionError> {
    let service = &request.service;
    let Some(head) = head else {
        return Ok(refused(service, Refusal::Refused, format!("{service} has no migration to resume"), Vec::new()));
    };
    let by = Resume { accept_drift: how.accept_drift, who: after::who_and_why(request, execution) };
    match take_over(ports, head, &by, execution).await {
        Ok(Resumed { head, plan, .. }) => confirm(ports, Migration { head, plan: Arc::new(plan) }, request).await,
        Err(error) => match error.class() {
            ErrorClass::LockHeld => Ok(refused(service, Refusal::LockHeld, error.chain(), Vec::new())),
            // The migration stays where it was, so this is an answer.
            ErrorClass::InvalidRequest | ErrorClass::Drifted | ErrorClass::Superseded => {
                Ok(refused(service, Refusal::Refused, error.chain(), Vec::new()))
            }
            _ => Err(error),
        },
    }
}

/// Why the alarms forbid a start. One that fired and cleared since the plan was made counts.
async fn not_quiet(ports: &Ports, plan: &Plan) -> Result<Option<String>, ActionError> {
    let names = &plan.policy.alarms;
    let found = alarms(ports, names).await?;
    // An alarm that became quiet since then had fired before, or had no data: only its history shows which.
    let changed = found.iter().filter(|alarm| alarm.state != AlarmState::Alarm && alarm.since > plan.created);
    let changed: Vec<String> = changed.map(|alarm| alarm.name.clone()).collect();
    let firings = if changed.is_empty() {
        Vec::new()
    } else {
        ports.alarms.firings(&changed, plan.created).await.doing(|| "reading the history of the alarms")?
    };
    let objections = objections(names, &AlarmsRead { found, firings }, plan.created);
    Ok(objections.first().map(|objection| format!("{objection}, seen once the locks were held")))
}

fn planned(plan: Plan) -> Cursor {
    let (routes, steps) = (plan.routes.len(), plan.last_step());
    let reason = format!("{} would move {routes} routes in {steps} steps; nothing was written", plan.service);
    Cursor {
        findings: plan.findings.clone(),
        plan: Some(Box::new(plan.clone())),
        ..Cursor::without_migration(plan.service, NextStep::Planned, reason)
    }
}

fn refused_by(service: &ServiceName, findings: Vec<Finding>) -> Cursor {
    let refusals: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Refusal).collect();
    // A caller may wait for a lock, and must correct everything else.
    let only_held = refusals.iter().all(|finding| finding.code == FindingCode::RouteHeld);
    let error = if only_held { Refusal::LockHeld } else { Refusal::Refused };
    let reason = in_words(refusals, |finding| format!("{}: {}", finding.headline(), finding.message));
    refused(service, error, reason, findings)
}

/// The most bytes of a plan in the answer to a machine. A payload may have 262,144, and one that is longer fails the
/// execution with an error that no `Catch` sees.
const MOST_PLAN_BYTES: usize = 100_000;

/// The answer as a machine can carry it: three findings of each code, and no plan that is too long, since the command
/// line shows all of both.
fn for_a_machine(mut answer: Cursor) -> Cursor {
    let all = format!("\"crossfade plan {}\"", answer.service);
    answer.findings = with_examples(&answer.findings, &all);
    let Some(plan) = answer.plan.as_mut() else { return answer };
    plan.findings = with_examples(&plan.findings, &all);
    let bytes = serde_json::to_vec(plan).map_or(usize::MAX, |text| text.len());
    if bytes > MOST_PLAN_BYTES {
        answer.plan = None;
        answer.reason =
            format!("{}; the plan has {bytes} bytes, too many for an execution: {all} shows it", answer.reason);
    }
    answer
}

fn refused(service: &ServiceName, error: Refusal, reason: String, findings: Vec<Finding>) -> Cursor {
    Cursor { error: Some(error), findings, ..Cursor::without_migration(service.clone(), NextStep::Refused, reason) }
}

fn busy_with(head: &Head) -> String {
    format!("{} is in migration {} since {} (phase {:?})", head.service, head.migration, head.since, head.phase)
}
