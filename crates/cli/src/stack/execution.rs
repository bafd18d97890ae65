//! An execution of a state machine: started under a name of its own, and looked at until it ends.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::missing_machine::not_started;
use crate::stack::session::Session;
use crossfade_actions::ports::PortError;
use crossfade_aws::{DescribedExecution, ExecutionState, StartResult};
use crossfade_domain::names::ServiceName;
use serde_json::Value;
use std::time::Duration;

/// Real time between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// How many names are tried: another terminal may ask in the same millisecond.
const NAMES: i64 = 5;
/// Looks at an execution that Step Functions may not know yet.
const UNKNOWN_LOOKS: u32 = 30;
/// Letters of the service's name in an execution's, which has 80 at most.
const LETTERS: usize = 40;

/// An execution for one service.
pub struct Execution<'a> {
    session: &'a Session,
    /// Its ARN.
    pub arn: String,
    unknown: u32,
}

impl<'a> Execution<'a> {
    /// Starts a machine for a service. `verb` is part of the execution's name.
    ///
    /// # Errors
    /// The stack has no such machine; no access.
    pub async fn start(
        session: &'a Session,
        machine: &str,
        service: &ServiceName,
        verb: &str,
        input: &Value,
    ) -> Result<Self, Failure> {
        let short: String = service.as_str().chars().take(LETTERS).collect();
        let now = session.now().as_millisecond();
        for number in 0..NAMES {
            let name = format!("{short}-{verb}-{}", now + number);
            match session.machines.start(&session.machine(machine), &name, input).await {
                Ok(StartResult::Running(arn)) => return Ok(Self { session, arn, unknown: 0 }),
                Ok(StartResult::NameUsed) => {}
                Err(error) => return Err(not_started(session, machine, &name, &error).await),
            }
        }
        Err(Failure::new(
            ExitCode::Failed,
            format!(
                "{NAMES} names of executions of {machine} are used already, so nothing was asked for {service}; repeat \
                 the command"
            ),
        ))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.arn.rsplit(':').next().unwrap_or(&self.arn)
    }

    /// Returns it once it has ended. It runs on without this terminal, so a look that fails for now is repeated.
    ///
    /// # Errors
    /// It does not exist; no access.
    pub async fn ended(&mut self) -> Result<Option<DescribedExecution>, Failure> {
        let reading = format!("reading execution {}", self.name());
        match self.session.machines.describe(&self.arn).await {
            Ok(Some(described)) => Ok((described.state != ExecutionState::Running).then_some(described)),
            // Step Functions may not know for a moment what it has just started.
            Ok(None) if self.unknown < UNKNOWN_LOOKS => {
                self.unknown += 1;
                Ok(None)
            }
            Ok(None) => {
                let gone = PortError::NotFound { operation: "DescribeExecution", object: self.arn.clone() };
                Err(self.session.port_failed(&reading, &gone))
            }
            Err(error) if error.is_transient() => Ok(None),
            Err(error) => Err(self.session.port_failed(&reading, &error)),
        }
    }

    /// Waits until the next look.
    pub async fn pause(&self) {
        self.session.pause(self.session.period.min(PERIOD)).await;
    }
}
