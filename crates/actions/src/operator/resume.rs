//! `resume`: continues a halted migration in a new execution.

use crate::error::{ActionError, Doing as _};
use crate::ports::{LedgerError, Ports, Started};
use crate::reads::alarms::alarms_since;
use crate::reads::health::too_few_old;
use crate::reads::journal::{head_of, plan_of};
use crate::routes::{list, read};
use crossfade_domain::alarms::quiet::{Objection, objections};
use crossfade_domain::gates::drift::stray_reason;
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::revise;
use crossfade_domain::routing::drift::Drift;
use jiff::{SignedDuration, Timestamp};

/// How a halted migration continues, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// What others changed on routes becomes part of their baselines; otherwise a drifted route refuses the resume.
    pub accept_drift: bool,
    /// Who asked, and why, for the journal.
    pub who: String,
}

/// A migration that continues.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// Its head.
    pub head: Head,
    /// The plan in force from now on.
    pub plan: Plan,
    /// The drift that was accepted.
    pub accepted: Vec<Drift>,
}

/// Continues a migration that halted on its way up, from the recorded step. One write raises the generation, names the
/// new execution and removes what the halt left. Then it starts that execution, whose ARN is in the head that is
/// returned. The step that was reached bakes again. Before all this it checks what may have changed since the start:
/// every alarm exists and none has fired, the old side can take its traffic back, no route has drifted, and no route
/// outside the plan sends traffic to a group of the migration.
///
/// May run again at any time: after a crash between the write and the start it starts what was written. If no one calls
/// it again, the sweep finds the execution missing after two minutes and rolls back.
///
/// # Errors
/// `InvalidRequest` with everything that prevents it, such as a halt in a rollback, which is never resumed; `Drifted`
/// where routes have drifted and nothing else is wrong; `LockHeld` where the migration continues already; `Superseded`
/// where someone else was faster; `Transient` while rules of a probe are left; `Transient` and `Denied` from the ports.
pub async fn resume(ports: &Ports, service: &ServiceName, request: &Resume) -> Result<Resumed, ActionError> {
    let head = head_of(ports, service).await?;
    let head = head.ok_or_else(|| ActionError::InvalidRequest(format!("{service} has no migration to resume")))?;
    let resumed = if begun_by_an_earlier_call(&head)? {
        Resumed { plan: plan_of(ports, &head).await?, head, accepted: Vec::new() }
    } else {
        let execution = execution_of(&head, head.generation + 1)?;
        take_over(ports, &head, request, &execution).await?
    };
    start(ports, &resumed.head).await?;
    Ok(resumed)
}

/// Hands a halted migration to an execution.
///
/// # Errors
/// As [`resume`].
pub(crate) async fn take_over(
    ports: &Ports,
    head: &Head,
    request: &Resume,
    execution: &str,
) -> Result<Resumed, ActionError> {
    may_be_resumed(head)?;
    no_probe_rules(head)?;
    let plan = plan_of(ports, head).await?;
    let (live, accepted) = read::drift(ports, &plan, head).await?;
    let mut problems = not_quiet(ports, &plan, head).await?;
    problems.extend(too_few_old(ports, &plan).await?);
    let listed = list::strays(ports, &plan, head).await;
    let (_, outside) = listed.map_err(|error| {
        ActionError::NotYet(format!("the routes of the old groups' load balancers could not be listed: {error}"))
    })?;
    let mut revised = None;
    if !accepted.is_empty() && request.accept_drift {
        let drifted = accepted.iter().map(|drift| (drift.route.clone(), live.get(&drift.route).cloned())).collect();
        match revise(&plan, &head.new_groups, &drifted, head.generation + 1) {
            Ok(plan) => revised = Some(plan),
            Err(findings) => problems.extend(findings.into_iter().map(|finding| finding.message)),
        }
    }
    let stays = |why: &str| format!("{} stays halted: {why}", head.migration);
    let mut drifted = Vec::new();
    if !accepted.is_empty() && !request.accept_drift {
        let advice =
            "put the routes back, or resume with acceptDrift, which takes them as they are now for their baseline";
        let drifts: Vec<String> = accepted.iter().map(ToString::to_string).collect();
        drifted.push(format!("{}; {advice}", drifts.join("; ")));
    }
    if !outside.is_empty() {
        let advice = format!(
            "take it out and resume again, or roll back with `crossfade rollback {}` and start again, so that the plan \
             includes it",
            head.service
        );
        drifted.push(format!("{}; {advice}", stray_reason(&outside)));
    }
    if problems.is_empty() && !drifted.is_empty() {
        return Err(ActionError::Drifted(stays(&drifted.join("; "))));
    }
    problems.extend(drifted);
    if !problems.is_empty() {
        return Err(ActionError::InvalidRequest(stays(&problems.join("; "))));
    }
    if revised.is_some() {
        writers_are_dead(head, ports.clock.now())?;
    }
    let kind =
        EventKind::Resumed { execution: execution.to_owned(), who: request.who.clone(), accepted: accepted.clone() };
    let event = head.next_event(kind, ports.clock.now());
    let after = head.apply(&event).map_err(|error| ActionError::Superseded(error.to_string()))?;
    let written = match &revised {
        None => ports.ledger.record(head, &event, &after).await,
        Some(plan) => ports.ledger.revise(head, &event, &after, plan).await,
    };
    match written {
        Ok(()) => Ok(Resumed { head: after, plan: revised.unwrap_or(plan), accepted }),
        Err(error @ (LedgerError::Contended { .. } | LedgerError::Superseded { .. })) => {
            let why = format!("{} was resumed or rolled back by someone else at this moment: {error}", head.migration);
            Err(ActionError::Superseded(why))
        }
        Err(error) => Err(error).doing(|| format!("resuming {}", head.migration)),
    }
}

/// Refuses everything but a halt on the way up: after a halt in a rollback, routes are only ever returned.
fn may_be_resumed(head: &Head) -> Result<(), ActionError> {
    let Head { migration, service, .. } = head;
    let refuse = |why: String| Err(ActionError::InvalidRequest(why));
    match head.phase {
        Phase::Halted if head.rollback.is_some() => refuse(format!(
            "{migration} halted in a rollback, which is never resumed upward: {}; start roll-back-service with \
             {{\"service\": \"{service}\"}}, which takes the rollback up again",
            head.reason.as_deref().unwrap_or("no reason was recorded")
        )),
        Phase::Halted => Ok(()),
        Phase::Planned | Phase::Moving => Err(ActionError::LockHeld(format!(
            "{migration} is on its way in execution {}; only a halted migration is resumed",
            head.execution
        ))),
        Phase::RollingBack | Phase::Settling => {
            refuse(format!("{migration} is being rolled back; only a halted migration is resumed"))
        }
        Phase::RolledBack | Phase::Migrated | Phase::Refused => {
            refuse(format!("{migration} is over; start a new migration with {{\"service\": \"{service}\"}}"))
        }
    }
}

/// The alarms that prevent it. One that has fired since the locks were taken would roll the migration back at the next
/// check, whether or not it is quiet again.
async fn not_quiet(ports: &Ports, plan: &Plan, head: &Head) -> Result<Vec<String>, ActionError> {
    // Guard alarms that were not created yet are not missing.
    let names = &if head.guarded { plan.alarms() } else { plan.policy.alarms.clone() };
    let objections = objections(names, &alarms_since(ports, names, head.since).await?, head.since);
    let problem = |objection: &Objection| match objection {
        Objection::Missing { .. } => format!("{objection}, so nothing would guard the migration; put it back"),
        Objection::Firing { .. } => objection.to_string(),
        Objection::Fired { .. } => format!("{objection}, which is a reason to roll back"),
    };
    Ok(objections.iter().map(problem).collect())
}

/// Refuses to read new baselines while a function from before the halt can still write to a route.
fn writers_are_dead(head: &Head, now: Timestamp) -> Result<(), ActionError> {
    let Some(halted_at) = head.halted_at else { return Ok(()) };
    let dead_at = halted_at + SignedDuration::from_secs(i64::from(SETTLE_SECONDS));
    if now >= dead_at {
        return Ok(());
    }
    Err(ActionError::NotYet(format!(
        "a function that was writing when {} halted may still be alive; try again in {} s to accept what others did \
         to routes",
        head.migration,
        dead_at.duration_since(now).as_secs() + 1
    )))
}

/// Refuses to read routes while a probe that was cut off may have left rules, which would look like someone else's.
fn no_probe_rules(head: &Head) -> Result<(), ActionError> {
    let Some(listener) = head.probing.first() else { return Ok(()) };
    Err(ActionError::NotYet(format!(
        "{} halted while its new side was probed, and the rules for that are still on listener {listener}; the sweep \
         deletes them within three minutes of the halt, so resume again then",
        head.migration
    )))
}

/// Whether this head was written by a call of [`resume`] that may not have started the execution.
fn begun_by_an_earlier_call(head: &Head) -> Result<bool, ActionError> {
    let on_its_way = matches!(head.phase, Phase::Planned | Phase::Moving) && head.resumed_at.is_some();
    Ok(on_its_way && head.execution == execution_of(head, head.generation)?)
}

/// The ARN of the execution that resumes a migration: on the machine of the execution before it, under a name that no
/// earlier execution can have had.
fn execution_of(head: &Head, generation: u64) -> Result<String, ActionError> {
    let name = format!("{}-{}-resume-{generation}", head.service, head.attempt);
    match head.execution.rsplit_once(':') {
        Some((machine, _)) if machine.contains(":execution:") => Ok(format!("{machine}:{name}")),
        _ => Err(ActionError::Internal(format!(
            "{} is no execution's ARN: expected one in the head of {}",
            head.execution, head.migration
        ))),
    }
}

async fn start(ports: &Ports, head: &Head) -> Result<(), ActionError> {
    let started =
        ports.executions.start_resumed(&head.service, &head.execution).await.doing(|| {
            format!("starting the execution that resumes {}, which is recorded: resume again", head.migration)
        })?;
    match started {
        Started::New(_) => Ok(()),
        Started::Already => Err(ActionError::Superseded(format!(
            "execution {} is over without ending {}; the sweep rolls it back",
            head.execution, head.migration
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;
    use crossfade_domain::names::ListenerArn;

    fn head(execution: &str) -> Head {
        let service = ServiceName::parse("users").unwrap();
        Head::first(service, 3, 4, execution.to_owned(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_new_execution_is_known_before_it_is_started() {
        let arn = "arn:aws:states:eu-west-1:1:execution:crossfade-migrate-service:";
        let execution = execution_of(&head(&format!("{arn}first")), 5).unwrap();
        assert_eq!(execution, format!("{arn}users-3-resume-5"));
        assert_eq!(execution_of(&head("first"), 5).unwrap_err().class(), ErrorClass::Internal);
    }

    #[test]
    fn nothing_is_resumed_while_rules_of_a_probe_are_left() {
        let mut halted = head("first");
        assert!(no_probe_rules(&halted).is_ok());
        let listener = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/public/50dc6c495c0c9188/f2f7dc8efc522ab2";
        halted.probing.push(ListenerArn::parse(listener).unwrap());
        assert_eq!(no_probe_rules(&halted).unwrap_err().class(), ErrorClass::Transient);
    }

    #[test]
    fn nothing_is_accepted_while_a_writer_of_before_the_halt_may_live() {
        let mut halted = head("first");
        halted.halted_at = Some(Timestamp::UNIX_EPOCH);
        let second = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(writers_are_dead(&halted, second(89)).unwrap_err().class(), ErrorClass::Transient);
        assert!(writers_are_dead(&halted, second(90)).is_ok());
    }
}
