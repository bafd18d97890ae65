//! The three functions of a retirement, and what they share: each call is one look, and does what is its own part.

mod begin;
mod carry_out;
pub mod check_idle;
pub mod delete_target_group;
pub mod detach_target_group;
mod executions;
mod feeds;
mod read;
mod record;
pub mod standing;

pub(super) use executions::replace_execution;

use crate::error::{ActionError, Doing as _};
use crate::payload::Fields;
use crate::ports::Ports;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::retire::Waiver;
use crossfade_domain::retirement::{
    Approval, Doing, Next, RetireCommand, RetireRequest, RetireVerdict, Retirement, RetirementCursor,
    RetirementEventKind, RetirementPhase, Seen, decode_retire_request, due_hook, next,
};
use serde_json::Value;

/// The most looks of one execution: each is about nine events of its history, which holds 25,000.
const MOST_LOOKS: u32 = 2_000;
/// The most things that one look does, one after the other.
const MOST_DOINGS: u32 = 8;
/// The wait between two looks of a person's approval, in seconds.
const APPROVAL_SECONDS: u32 = 300;

/// The wait while a migration holds a route, in seconds.
const HELD_SECONDS: u32 = 60;
/// The wait until a hook that has failed is called again, in seconds.
const HOOK_SECONDS: u32 = 600;

/// What a function does itself. What another function does is its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing that changes a load balancer.
    Proof,
    /// Routes and targets, forth and back.
    Detach,
    /// The groups.
    Delete,
}

impl Part {
    fn of(doing: &Doing) -> Self {
        match doing {
            Doing::Refuse(_) => Self::Proof,
            Doing::IntendDelete | Doing::Delete(_) | Doing::ConfirmDeleted | Doing::GiveDeletionUp(_) => Self::Delete,
            _ => Self::Detach,
        }
    }
}

/// What the machine has sent.
struct Input {
    service: ServiceName,
    request: Option<RetireRequest>,
    looks: u32,
    execution: String,
    /// What the hook answered that this execution has called since the last answer.
    hook_answer: Option<Value>,
    /// Why the hook failed that this execution has called since the last answer.
    hook_failure: Option<String>,
}

impl Input {
    /// What a person has decided about a retirement that has begun.
    fn decision(&self) -> Option<RetireCommand> {
        self.request.as_ref()?.command.filter(|command| *command != RetireCommand::Continue)
    }
}

/// One look at a retirement, and what of it is this function's part.
///
/// # Errors
/// `InvalidRequest` for a wrong input; `Transient` where another execution was faster; the ports'.
pub(super) async fn work(ports: &Ports, part: Part, input: &Value) -> Result<RetirementCursor, ActionError> {
    let input = decode(input)?;
    match look(ports, part, &input).await {
        // An undo or another execution has moved it on, so this one looks again with the same input.
        Err(ActionError::Superseded(why)) => Err(ActionError::NotYet(why)),
        // A migration that holds a route ends, or a person ends it. What a person has asked for is not lost meanwhile.
        Err(ActionError::LockHeld(why)) if input.decision().is_none() => {
            let service = &input.service;
            let retirement = ports.ledger.retirement(service).await;
            let retirement = retirement.doing(|| format!("reading the retirement of {service}"))?;
            let waits = |retirement| cursor(&retirement, &input, RetireVerdict::Wait, HELD_SECONDS, why.clone());
            retirement.map(waits).ok_or(ActionError::LockHeld(why))
        }
        answer => answer,
    }
}

async fn look(ports: &Ports, part: Part, input: &Input) -> Result<RetirementCursor, ActionError> {
    let mut retirement = match find(ports, input).await? {
        Ok(retirement) => retirement,
        Err(refusal) => return Ok(RetirementCursor::refused(&input.service, refusal)),
    };
    executions::enter(ports, &mut retirement, input).await?;
    if let Some(answer) = &input.hook_answer
        && due_hook(&retirement).is_some()
        && retirement.hook_called_by.as_ref() == Some(&input.execution)
    {
        let answer = answer.to_string().chars().take(200).collect();
        record::record(ports, &mut retirement, |_| RetirementEventKind::HookAnswered { answer }).await?;
    }
    if let Some(failure) = input.hook_failure.as_ref().filter(|_| due_hook(&retirement).is_some()) {
        let reason = format!("{failure}; it is called again, and nothing of the old side goes before it succeeds");
        return Ok(cursor(&retirement, input, RetireVerdict::Wait, HOOK_SECONDS, reason));
    }
    let who = input.request.as_ref().map(|request| request.who.clone());
    let mut command = input.decision().zip(who);
    if let Some((RetireCommand::Undo, who)) = &command {
        if retirement.phase.can_be_undone() {
            carry_out::carry_out(ports, &mut retirement, Doing::BeginUndo(format!("undone by {who}"))).await?;
        } else if retirement.phase != RetirementPhase::Undoing {
            let verdict = match retirement.phase {
                RetirementPhase::Undone => RetireVerdict::Undone,
                _ => RetireVerdict::Refused,
            };
            return Ok(cursor(&retirement, input, verdict, 0, too_late(&retirement)));
        }
        command = None;
    }
    let mut done = 0;
    loop {
        let seen = read::read(ports, &retirement, command.is_some()).await?;
        if let Some((command, who)) = command.take() {
            approve(ports, &mut retirement, command, who, &seen).await?;
        }
        let what = next(&retirement, &seen, ports.clock.now());
        let (verdict, seconds, reason) = match what {
            Next::Do(doing) if Part::of(&doing) == part || Part::of(&doing) == Part::Proof => {
                done += 1;
                match carry_out::carry_out(ports, &mut retirement, doing).await? {
                    None if done < MOST_DOINGS => continue,
                    None => (RetireVerdict::Wait, 1, "there is more to do".to_owned()),
                    Some(why) => (RetireVerdict::Wait, 30, why),
                }
            }
            Next::Do(doing) => match Part::of(&doing) {
                Part::Delete => (RetireVerdict::Delete, 0, "the old target groups can be deleted".to_owned()),
                _ => (RetireVerdict::Detach, 0, progress(&retirement, &doing)),
            },
            Next::Wait { seconds, reason } => {
                // What cannot be read at the moment may still wait for it.
                if retirement.to_approve.is_some() && seen.unreadable.is_none() {
                    record::record(ports, &mut retirement, |_| RetirementEventKind::ApprovalNotAwaited).await?;
                }
                (RetireVerdict::Wait, seconds, reason)
            }
            Next::Approve { what, reason } => {
                if retirement.to_approve != Some(what) {
                    record::record(ports, &mut retirement, |_| RetirementEventKind::ApprovalAwaited { what }).await?;
                }
                (RetireVerdict::Approval, APPROVAL_SECONDS, reason)
            }
            Next::Hook(hook) => {
                let (function, execution) = (hook.function.clone(), input.execution.clone());
                let reason = format!("calling {function}");
                if retirement.hook_called_by.as_ref() != Some(&execution) {
                    let called = RetirementEventKind::HookCalled { function, execution };
                    record::record(ports, &mut retirement, |_| called).await?;
                }
                let hooked = cursor(&retirement, input, RetireVerdict::Hook, 0, reason);
                return Ok(RetirementCursor { hook: Some(hook), ..hooked });
            }
            Next::Rest { reason } => {
                executions::rest(ports, &mut retirement).await?;
                (resting_verdict(&retirement), 0, reason)
            }
        };
        return Ok(cursor(&retirement, input, verdict, seconds, reason));
    }
}

fn progress(retirement: &Retirement, doing: &Doing) -> String {
    match doing {
        Doing::IntendDetach { proof, .. } => format!("the old side of {} is idle: {proof}", retirement.service),
        _ => format!("the retirement of {} is {}", retirement.service, retirement.phase.in_words()),
    }
}

fn too_late(retirement: &Retirement) -> String {
    let service = &retirement.service;
    match retirement.phase {
        RetirementPhase::Deleted | RetirementPhase::Deleting => {
            let records = retirement.plan.groups.iter().flat_map(|group| group.record.commands());
            let commands: Vec<String> = records.collect();
            format!(
                "the old target groups of {service} are deleted, so there is no undo; these commands create them \
                 again, with new ARNs: {}",
                commands.join("; ")
            )
        }
        _ => format!("the retirement of {service} is over already: {}", retirement.phase.in_words()),
    }
}

fn resting_verdict(retirement: &Retirement) -> RetireVerdict {
    match retirement.phase {
        RetirementPhase::Proving => RetireVerdict::Idle,
        RetirementPhase::Watching => RetireVerdict::Detached,
        RetirementPhase::Deregistered => RetireVerdict::Deregistered,
        RetirementPhase::Deleted => RetireVerdict::Deleted,
        RetirementPhase::Undone => RetireVerdict::Undone,
        RetirementPhase::Halted => RetireVerdict::Halted,
        RetirementPhase::Refused => RetireVerdict::Refused,
        _ => RetireVerdict::Wait,
    }
}

/// Records what a person approves, with what they were shown.
async fn approve(
    ports: &Ports,
    retirement: &mut Retirement,
    command: RetireCommand,
    who: String,
    seen: &Seen,
) -> Result<(), ActionError> {
    if let Some(why) = &seen.unreadable {
        return Err(ActionError::NotYet(format!("what is to be approved cannot be read: {why}")));
    }
    let (what, accepted) = match command {
        RetireCommand::Approve if retirement.phase == RetirementPhase::Proving => {
            (Approval::Detach, seen.breaks.clone())
        }
        RetireCommand::AcceptNoTraffic if retirement.phase == RetirementPhase::Proving => {
            (Approval::NoTraffic, Vec::new())
        }
        RetireCommand::ApproveDeletion if !retirement.phase.is_over() => (Approval::Delete, Vec::new()),
        _ => return Ok(()),
    };
    record::record(ports, retirement, |_| RetirementEventKind::Approved { what, accepted, who }).await
}

/// The service's retirement: the present one, or a new one where the input asks for it; or why there is none.
async fn find(ports: &Ports, input: &Input) -> Result<Result<Retirement, String>, ActionError> {
    let service = &input.service;
    let present = ports.ledger.retirement(service).await;
    let present = present.doing(|| format!("reading the retirement of {service}"))?;
    let Some(request) = &input.request else {
        return Ok(present.ok_or_else(|| format!("{service} has no retirement")));
    };
    let migration = crate::reads::journal::head_of(ports, service).await?.map(|head| head.migration);
    match present {
        present if request.command == Some(RetireCommand::Continue) => Ok(executions::to_continue(present, input)),
        Some(present) if request.command == Some(RetireCommand::Undo) => Ok(Ok(present)),
        // The old side of a later migration is another one.
        Some(mut present)
            if !present.phase.is_over()
                && (present.phase != RetirementPhase::Deregistered
                    || migration.as_ref() == Some(&present.plan.migration)) =>
        {
            let more: Vec<Waiver> =
                request.waive.iter().filter(|one| !present.plan.terms.waive.contains(one)).cloned().collect();
            if present.phase == RetirementPhase::Proving && !more.is_empty() {
                let waived = RetirementEventKind::Waived { waive: more, who: request.who.clone() };
                record::record(ports, &mut present, |_| waived).await?;
            }
            let further = request.until.filter(|until| *until > present.plan.terms.until);
            if let Some(until) = further.filter(|_| present.phase.can_be_undone()) {
                let raised = RetirementEventKind::UntilRaised { until, who: request.who.clone() };
                record::record(ports, &mut present, |_| raised).await?;
            }
            Ok(Ok(present))
        }
        _ if request.command.is_some() => {
            Ok(Err(format!("{service} has no retirement under way; `crossfade retire {service}` begins one")))
        }
        previous => begin::begin(ports, request, previous.as_ref(), &input.execution).await,
    }
}

fn cursor(
    retirement: &Retirement,
    input: &Input,
    verdict: RetireVerdict,
    wait_seconds: u32,
    reason: String,
) -> RetirementCursor {
    let looks = input.looks + 1;
    let full = looks >= MOST_LOOKS && verdict.goes_on();
    RetirementCursor {
        version: RetirementCursor::VERSION,
        service: retirement.service.clone(),
        number: retirement.number,
        phase: Some(retirement.phase),
        verdict: if full { RetireVerdict::Continued } else { verdict },
        wait_seconds: if full { 0 } else { wait_seconds },
        reason,
        hook: None,
        looks,
    }
}

/// What the machine has caught from a hook, in words.
fn hook_failure(caught: &Value) -> String {
    let text = |field| caught.get(field).and_then(Value::as_str).unwrap_or("nothing more is known");
    let cause: String = text("Cause").chars().take(300).collect();
    format!("the hook failed with {}: {cause}", text("Error"))
}

fn decode(input: &Value) -> Result<Input, ActionError> {
    let mut fields = Fields::of(input, "cursor");
    let service: Option<ServiceName> = fields.required("service");
    let is_cursor = fields.optional::<RetireVerdict>("verdict").is_some();
    let looks = fields.optional("looks").unwrap_or(0);
    let execution = input.get("execution").and_then(Value::as_str).unwrap_or_default().to_owned();
    let hook_answer = fields.value("hookAnswer").cloned();
    let hook_failure = fields.value("error").map(hook_failure);
    let Some(service) = service.filter(|_| fields.problems.is_empty()) else { return Err(fields.refuse()) };
    let request = if is_cursor {
        None
    } else {
        let request = decode_retire_request(input.get("cursor").unwrap_or(&Value::Null));
        Some(request.map_err(|problems| ActionError::InvalidRequest(problems.to_string()))?)
    };
    Ok(Input { service, request, looks, execution, hook_answer, hook_failure })
}
