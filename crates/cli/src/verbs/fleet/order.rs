//! Brings a command to a fleet: one execution of `migrate-fleet`, which conducts the run from then on.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::fleets::StoredFleet;
use crate::stack::missing_machine::not_started;
use crate::stack::session::Session;
use crate::view::console::Console;
use crate::view::fleet::execution_name;
use clap::Args;
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_aws::{ExecutionState, StartResult};
use crossfade_domain::fleet::cursor::FleetCursor;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::outlook::FleetStep;
use serde_json::{Value, json};
use std::time::Duration;

/// The state machine.
pub(crate) const MACHINE: &str = "migrate-fleet";
/// How long a command may take until the fleet's head shows it. In real time: a function that is started for the first
/// time, throttled or retried needs a while.
const TAKEN_WITHIN: Duration = Duration::from_mins(3);
/// Real time between two looks for it.
const PERIOD: Duration = Duration::from_secs(1);
/// How many names are tried: another terminal may send a command in the same millisecond.
const NAMES: i64 = 5;
/// Letters of the fleet's name in an execution's, which has 80 at most.
const LETTERS: usize = 40;

/// Why; what every command to a fleet takes.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why; the fleet's journal records it.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// What became of a command.
#[derive(Debug)]
pub(super) struct Taken {
    /// The head that shows it.
    pub(super) head: FleetHead,
    /// Why it changed nothing, if so.
    pub(super) already: Option<String>,
}

/// A command on its way.
pub(super) struct Order<'a> {
    session: &'a Session,
    fleet: &'a StoredFleet,
    verb: &'static str,
    execution: String,
}

impl<'a> Order<'a> {
    /// Starts the execution that brings the command. `what` has the fields that only this command has.
    ///
    /// # Errors
    /// The stack has no machine for fleets; no access.
    pub(super) async fn send(
        session: &'a Session,
        fleet: &'a StoredFleet,
        verb: &'static str,
        what: Value,
        why: &Why,
    ) -> Result<Self, Failure> {
        let mut input = what;
        input["fleet"] = json!(fleet.name);
        input["who"] = json!(session.caller.arn);
        if let Some(reason) = &why.reason {
            input["reason"] = json!(reason);
        }
        let machine = session.machine(MACHINE);
        let name: String = fleet
            .name
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
            .take(LETTERS)
            .collect();
        let now = session.now().as_millisecond();
        for number in 0..NAMES {
            let name = format!("{name}-{verb}-{}", now + number);
            match session.machines.start(&machine, &name, &input).await {
                Ok(StartResult::Running(execution)) => return Ok(Self { session, fleet, verb, execution }),
                Ok(StartResult::NameUsed) => {}
                Err(error) => return Err(not_started(session, MACHINE, &name, &error).await),
            }
        }
        Err(Failure::new(
            ExitCode::Failed,
            format!(
                "{NAMES} names of executions of {MACHINE} are used already, so nothing was asked for; repeat the \
                 command, or see what others have asked for: crossfade fleet status {}",
                fleet.name
            ),
        ))
    }

    /// Waits until the fleet's head shows the command, or its execution has ended without it.
    ///
    /// # Errors
    /// It was refused (exit code 2); nothing shows it in time (6); no access.
    pub(super) async fn taken(&self, console: &mut Console<'_>) -> Result<Taken, Failure> {
        let taken = async {
            let mut told = false;
            loop {
                match self.look().await {
                    Ok(Some(taken)) => return taken,
                    Ok(None) => {}
                    Err(error) if error.class() == ErrorClass::Transient => {
                        if !told {
                            console.say(&format!("no answer, retrying; the command is on its way: {}", error.chain()));
                            told = true;
                        }
                    }
                    Err(error) => return Err(self.session.failed(&error)),
                }
                self.session.pause(self.session.period.min(PERIOD)).await;
            }
        };
        self.session.within(TAKEN_WITHIN, taken).await.unwrap_or_else(|| Err(self.not_shown()))
    }

    /// None while nothing shows what became of it.
    async fn look(&self) -> Result<Option<Result<Taken, Failure>>, ActionError> {
        let name = &self.fleet.name;
        let head = self.session.ports.fleets.fleet(name).await;
        let head = head.map_err(|source| ActionError::Ledger { doing: format!("reading fleet {name}"), source })?;
        if let Some(head) = head.as_ref().filter(|head| head.execution == self.execution) {
            return Ok(Some(Ok(Taken { head: head.clone(), already: None })));
        }
        let doing = || format!("reading execution {}", execution_name(&self.execution));
        let described = self.session.machines.describe(&self.execution).await;
        let described = described.map_err(|source| ActionError::Port { doing: doing(), source })?;
        let Some(described) = described else { return Ok(None) };
        // Its last answer says what became of it, whatever the states of the machine are called.
        let answer = self.session.machines.last_answer(&self.execution).await;
        let answer = answer.map_err(|source| ActionError::Port { doing: doing(), source })?;
        let cursor = answer.and_then(|answer| serde_json::from_value::<FleetCursor>(answer.payload).ok());
        let cause = || {
            let texts: Vec<String> = [described.error.clone(), described.cause.clone()].into_iter().flatten().collect();
            texts.join(": ")
        };
        let runs = described.state == ExecutionState::Running;
        Ok(Some(match (cursor, head) {
            (None, _) if runs => return Ok(None),
            // Another command came right after it, and conducts from then on.
            (Some(cursor), Some(head)) if runs && cursor.verdict == FleetStep::Wait => {
                Ok(Taken { head, already: None })
            }
            (Some(cursor), _) if cursor.verdict == FleetStep::Refused => Err(Failure::bad_input(cursor.reason)),
            (Some(cursor), Some(head)) => Ok(Taken { head, already: Some(cursor.reason) }),
            _ => Err(Failure::new(
                ExitCode::Failed,
                format!(
                    "execution {} ended: {}\n  crossfade fleet status {name} shows where the run is",
                    execution_name(&self.execution),
                    cause()
                ),
            )),
        }))
    }

    fn not_shown(&self) -> Failure {
        let name = &self.fleet.name;
        let by_hand = match self.verb {
            "abort" | "rollback" => "; crossfade abort SERVICE returns each service without the fleet",
            _ => "",
        };
        Failure::new(
            ExitCode::WaitTimedOut,
            format!(
                "execution {} runs, and fleet {name} does not show the command yet: crossfade fleet status \
                 {name}{by_hand}",
                execution_name(&self.execution)
            ),
        )
    }
}
