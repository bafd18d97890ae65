//! How a migration ended, and the exit code for it.

use crate::exit_code::ExitCode;
use crossfade_aws::{DescribedExecution, ExecutionState};
use crossfade_domain::journal::{Head, Phase, Rollback};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::routing::stray::{StrayRoute, describe};
use serde::Serialize;

/// What is known of a migrated service while no one has listed its routes again.
const ALL_AT_THE_END: &str = "all traffic was on the new cluster when it ended, every route read back";
/// What is known once they are listed and none sends traffic to the old side.
const ALL_NOW: &str = "all traffic is on the new cluster, every route read back";

/// How a migration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All traffic is on the new cluster; every route was read back.
    Migrated,
    /// The migration has ended, and a route that its plan did not have sends traffic to the old cluster.
    NotAllTraffic,
    /// Rolled back by a gate and verified.
    RolledBack,
    /// Rolled back by an operator, or because someone stopped the execution, and verified.
    Aborted,
    /// The plan was refused, or withdrawn before it changed a route.
    Refused,
    /// Another migration holds the service or a route.
    Held,
    /// An operator must decide.
    Halted,
    /// The execution failed in a way that the state machine does not handle.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Migrated,
        Self::NotAllTraffic,
        Self::RolledBack,
        Self::Aborted,
        Self::Refused,
        Self::Held,
        Self::Halted,
        Self::Failed,
    ];

    /// Returns the exit code of a command that waited for this.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Migrated => ExitCode::Done,
            Self::RolledBack => ExitCode::RolledBack,
            Self::Aborted => ExitCode::Aborted,
            Self::Refused => ExitCode::BadInput,
            Self::Held => ExitCode::Held,
            Self::Halted | Self::NotAllTraffic => ExitCode::Halted,
            Self::Failed => ExitCode::Failed,
        }
    }

    /// Describes the outcome in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::NotAllTraffic => "migrated, but not all traffic is on the new cluster",
            Self::RolledBack | Self::Aborted | Self::Refused | Self::Held | Self::Halted | Self::Failed => {
                self.code().words()
            }
        }
    }
}

/// The end of a migration, as printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The service.
    pub service: ServiceName,
    /// The migration, if one began.
    pub migration: Option<MigrationId>,
    /// How it ended.
    pub outcome: Outcome,
    /// The command's exit code.
    pub exit_code: ExitCode,
    /// The reason, in one sentence.
    pub reason: String,
    /// What to do next.
    pub next: String,
    /// The execution that was followed.
    pub execution: Option<String>,
    /// Seconds from the cause of a rollback until every route was read back.
    pub seconds_to_safe: Option<f64>,
    /// What a rollback left as someone else made it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<String>,
}

impl Ending {
    /// Returns the end of the head's migration; `None` while it is under way. `Settling` is not an end, because the
    /// second check is due.
    pub fn of_head(head: &Head) -> Option<Self> {
        let by_a_person =
            head.commands.abort || head.rollback.as_ref().is_some_and(|rollback| rollback.trigger.is_a_persons());
        let outcome = match head.phase {
            Phase::Planned | Phase::Moving | Phase::RollingBack | Phase::Settling => return None,
            Phase::Migrated => Outcome::Migrated,
            Phase::RolledBack | Phase::Refused if by_a_person => Outcome::Aborted,
            Phase::RolledBack => Outcome::RolledBack,
            Phase::Refused => Outcome::Refused,
            Phase::Halted => Outcome::Halted,
        };
        let reason = match (&head.reason, head.phase) {
            (Some(reason), _) => reason.clone(),
            (None, Phase::Migrated) => ALL_AT_THE_END.to_owned(),
            (None, _) => head.rollback.as_ref().map_or_else(String::new, |rollback| rollback.cause.clone()),
        };
        Some(Self {
            service: head.service.clone(),
            migration: Some(head.migration.clone()),
            outcome,
            exit_code: outcome.code(),
            reason,
            next: next(outcome, &head.service),
            execution: Some(head.execution.clone()),
            seconds_to_safe: head.rollback.as_ref().and_then(seconds_to_safe),
            left_alone: head.rollback.as_ref().and_then(Rollback::left_alone),
        })
    }

    /// Returns the end of a migration after its routes were listed again: `left` has those that send traffic to the old
    /// side, or the text of what could not be listed. Any other end stays as it is.
    #[must_use]
    pub fn with_listing(mut self, left: Result<Vec<StrayRoute>, String>) -> Self {
        if self.outcome != Outcome::Migrated {
            return self;
        }
        match left {
            Ok(left) if left.is_empty() => ALL_NOW.clone_into(&mut self.reason),
            Ok(left) => {
                self.outcome = Outcome::NotAllTraffic;
                self.exit_code = self.outcome.code();
                self.reason = describe(&left);
                self.next = next(self.outcome, &self.service);
            }
            Err(error) => self.reason = format!("{ALL_AT_THE_END}; its routes cannot be listed now: {error}"),
        }
        self
    }

    /// Returns the end of an execution without a head; `None` while it runs.
    pub fn of_run(service: &ServiceName, run: &DescribedExecution) -> Option<Self> {
        let outcome = match (run.state, run.error.as_deref()) {
            (ExecutionState::Running, _) => return None,
            (ExecutionState::Succeeded, _) => Outcome::Migrated,
            (ExecutionState::Failed, Some("LockHeld")) => Outcome::Held,
            (ExecutionState::Failed, Some("Refused" | "InvalidRequest")) => Outcome::Refused,
            (ExecutionState::Failed, Some("RolledBack")) => Outcome::RolledBack,
            (ExecutionState::Failed, Some("Halted")) => Outcome::Halted,
            (ExecutionState::Failed, _) => Outcome::Failed,
            (ExecutionState::Stopped, _) => Outcome::Aborted,
        };
        let reason = run.cause.clone().or_else(|| run.error.clone()).unwrap_or_else(|| match run.state {
            ExecutionState::Stopped => "the execution was stopped before it planned anything".to_owned(),
            _ => "the execution ended without a reason".to_owned(),
        });
        Some(Self {
            service: service.clone(),
            migration: None,
            outcome,
            exit_code: outcome.code(),
            reason,
            next: next(outcome, service),
            execution: Some(run.arn.clone()),
            seconds_to_safe: None,
            left_alone: None,
        })
    }

    /// Adds what the rollback left as someone else made it, which the end of an execution does not show.
    #[must_use]
    pub fn with_what_was_left(self, head: Option<&Head>) -> Self {
        let rollback = head.and_then(|head| head.rollback.as_ref());
        Self { left_alone: rollback.and_then(Rollback::left_alone), ..self }
    }

    /// Returns one line for people.
    pub fn line(&self) -> String {
        let who = self.migration.as_ref().map_or_else(|| self.service.to_string(), ToString::to_string);
        let safe = self.seconds_to_safe.map(|seconds| format!(" (every route back {seconds:.0}s after the cause)"));
        format!("{who}: {}{}: {}", self.outcome.words(), safe.unwrap_or_default(), self.reason)
    }
}

fn seconds_to_safe(rollback: &Rollback) -> Option<f64> {
    let returned = rollback.returned_at?;
    Some(returned.duration_since(rollback.caused_at).as_secs_f64().max(0.0))
}

fn next(outcome: Outcome, service: &ServiceName) -> String {
    match outcome {
        Outcome::Migrated => {
            format!("keep the old side until it is retired: `crossfade rollback {service}` goes back to it")
        }
        Outcome::NotAllTraffic => format!(
            "give these routes the target group of the new cluster, or take them out; `crossfade status {service}` \
             lists them again"
        ),
        Outcome::RolledBack | Outcome::Aborted => {
            format!("fix the cause, then `crossfade start {service}` starts the next attempt")
        }
        Outcome::Refused => format!("fix what is named, then `crossfade start {service}`"),
        Outcome::Held => format!("wait for the other migration or abort it, then `crossfade start {service}`"),
        Outcome::Halted => format!(
            "`crossfade resume {service}` continues it, `crossfade rollback {service}` rolls \
                                    it back"
        ),
        Outcome::Failed => format!("`crossfade status {service}` shows its state"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::journal::{Commands, EventKind, Trigger};
    use crossfade_domain::load_balancer::route::RouteId;
    use crossfade_domain::names::TargetGroupArn;
    use crossfade_domain::routing::stray::Side;
    use crossfade_domain::weight::Weight;
    use jiff::Timestamp;

    fn moving() -> Head {
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        after(&head, EventKind::ShiftIntended { step: 0, weight: Weight::ZERO })
    }

    fn after(head: &Head, kind: EventKind) -> Head {
        head.apply(&head.next_event(kind, Timestamp::UNIX_EPOCH)).unwrap()
    }

    fn rolled_back(trigger: Trigger) -> Head {
        let begun = EventKind::RollbackBegun { trigger, cause: "users-5xx".into(), caused_at: Timestamp::UNIX_EPOCH };
        let settling = after(&after(&moving(), begun), EventKind::RoutesReturned { written: 2, left: 0 });
        assert_eq!(Ending::of_head(&settling), None, "the second check is due");
        after(&settling, EventKind::RollbackVerified { rewritten: 0, left: 0 })
    }

    #[test]
    fn a_head_at_rest_has_an_exit_code_and_one_on_its_way_has_none() {
        let code = |head: &Head| Ending::of_head(head).map(|ending| ending.exit_code);
        assert_eq!(code(&moving()), None);
        assert_eq!(code(&after(&moving(), EventKind::Finished { listed: None })), Some(ExitCode::Done));
        assert_eq!(code(&rolled_back(Trigger::AlarmEvent)), Some(ExitCode::RolledBack));
        assert_eq!(code(&rolled_back(Trigger::Sweep)), Some(ExitCode::RolledBack));
        for persons in [Trigger::Operator, Trigger::Stopped] {
            assert_eq!(code(&rolled_back(persons)), Some(ExitCode::Aborted), "{persons:?}");
        }
        assert_eq!(code(&after(&moving(), EventKind::Halted { reason: "drift".into() })), Some(ExitCode::Halted));
    }

    #[test]
    fn the_end_of_an_execution_says_what_its_rollback_left_as_someone_else_made_it() {
        let mut head = rolled_back(Trigger::Operator);
        let at_baseline = Ending::of_head(&head).unwrap();
        assert_eq!(at_baseline.clone().with_what_was_left(Some(&head)).left_alone, None);
        let rule = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/1/2/3";
        head.rollback.as_mut().unwrap().left.insert(RouteId::parse(rule).unwrap(), "users-swarm 40".into());
        let left = at_baseline.with_what_was_left(Some(&head)).left_alone.unwrap();
        assert!(left.contains("users-swarm 40"), "{left}");
    }

    #[test]
    fn all_traffic_is_said_of_a_migrated_service_only_after_its_routes_were_listed() {
        let ended = || Ending::of_head(&after(&moving(), EventKind::Finished { listed: None })).unwrap();
        assert!(ended().reason.starts_with("all traffic was on the new cluster when it ended"), "{}", ended().reason);
        assert_eq!(ended().with_listing(Ok(vec![])).reason, ALL_NOW);
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/1/2/3";
        let group = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-swarm/1";
        let left = StrayRoute {
            route: RouteId::parse(arn).unwrap(),
            requests: "path /api/*, port 443".into(),
            group: TargetGroupArn::parse(group).unwrap(),
            side: Side::Old,
        };
        let found = ended().with_listing(Ok(vec![left]));
        assert_eq!((found.outcome, found.exit_code), (Outcome::NotAllTraffic, ExitCode::Halted));
        assert_eq!(
            found.line(),
            "users-1: migrated, but not all traffic is on the new cluster: public:443 path /api/* sends \
             traffic to the old group users-swarm"
        );
        let unread = ended().with_listing(Err("throttled".into()));
        assert_eq!(unread.exit_code, ExitCode::Done, "what was listed at the end stays true");
        assert!(unread.reason.contains("cannot be listed now: throttled"), "{}", unread.reason);
    }

    #[test]
    fn what_a_person_takes_back_before_the_first_change_is_aborted() {
        let planned = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        let refused = EventKind::Refused { reason: "no".into() };
        assert_eq!(Ending::of_head(&after(&planned, refused.clone())).unwrap().outcome, Outcome::Refused);
        let commands = Commands { abort: true, ..Commands::default() };
        let aborted = after(&planned, EventKind::Commanded { commands, reason: "Abort by me".into() });
        assert_eq!(Ending::of_head(&after(&aborted, refused)).unwrap().outcome, Outcome::Aborted);
    }

    #[test]
    fn an_execution_without_a_head_tells_by_its_error() {
        let run = |state, error: Option<&str>| DescribedExecution {
            arn: "arn".into(),
            name: "users-1".into(),
            state,
            error: error.map(str::to_owned),
            cause: Some("why".into()),
            output: None,
            started: Timestamp::UNIX_EPOCH,
            stopped: None,
        };
        let service = ServiceName::parse("users").unwrap();
        let code = |state, error| Ending::of_run(&service, &run(state, error)).map(|ending| ending.exit_code);
        assert_eq!(code(ExecutionState::Running, None), None);
        assert_eq!(code(ExecutionState::Failed, Some("LockHeld")), Some(ExitCode::Held));
        assert_eq!(code(ExecutionState::Failed, Some("InvalidRequest")), Some(ExitCode::BadInput));
        assert_eq!(code(ExecutionState::Failed, Some("Halted")), Some(ExitCode::Halted));
        assert_eq!(code(ExecutionState::Failed, Some("States.Runtime")), Some(ExitCode::Failed));
        assert_eq!(code(ExecutionState::Stopped, None), Some(ExitCode::Aborted));
    }
}
