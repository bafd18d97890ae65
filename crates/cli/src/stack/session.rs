//! An operator's session at a stack: how a command reaches it, and what it prints if it cannot.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::environment::Environment;
use crate::stack::not_signed_in::{NotSignedIn, refuse_another_region, unreachable};
use clap::Args;
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::{LedgerError, PortError, Ports, StoredPolicy};
use crossfade_aws::{Caller, LISTENERS, Machines, SignInOptions, sign_in};
use crossfade_clock::{ChosenClock, chosen_clock};
use crossfade_domain::journal::Head;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::problem::did_you_mean;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Real time between two polls of AWS; a rehearsal on this machine is polled more often.
const PERIOD: Duration = Duration::from_secs(5);
const LOCAL_PERIOD: Duration = Duration::from_millis(250);
/// Real seconds between two looks at the clock while a deadline is waited for.
const LONGEST_STEP: f64 = 1.0;

/// Which stack, and how to print its data. Credentials come from the usual places of AWS tools.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The stack's name; the names of the table and the state machines derive from it.
    #[arg(
        long,
        env = "CROSSFADE_STACK",
        default_value = "crossfade",
        value_name = "NAME",
        value_parser = crate::stack::arguments::stack,
        help_heading = "Connection"
    )]
    pub stack: String,
    /// The region, instead of `AWS_REGION` or the profile's.
    #[arg(long, value_name = "REGION", value_parser = crate::stack::arguments::region, help_heading = "Connection")]
    pub region: Option<String>,
    /// The profile, instead of `AWS_PROFILE`.
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    pub profile: Option<String>,
    /// One endpoint for all of AWS, such as a kept rehearsal's, instead of `AWS_ENDPOINT_URL`.
    #[arg(long, value_name = "URL", value_parser = crate::stack::arguments::endpoint, help_heading = "Connection")]
    pub endpoint_url: Option<String>,
    /// How to print data on standard output.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Connection")]
    pub output: Output,
}

impl Connection {
    /// How to sign in.
    pub fn options(&self) -> SignInOptions {
        SignInOptions {
            stack: self.stack.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    /// The endpoint, if it is not AWS's own.
    pub fn endpoint(&self, environment: &Environment) -> Option<String> {
        self.endpoint_url.clone().or_else(|| environment.get("AWS_ENDPOINT_URL").map(str::to_owned))
    }
}

/// An operator who has signed in to a stack.
pub struct Session {
    /// The ports, with the process's clock.
    pub ports: Ports,
    /// The state machines.
    pub machines: Machines,
    /// The operator.
    pub caller: Caller,
    /// The stack, and where it is.
    pub place: Place,
    /// Real time between two polls.
    pub period: Duration,
    scale: f64,
}

/// What the stored policies name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredServices {
    /// Each service with its fleet.
    pub known: Vec<(String, ServiceName)>,
    /// The problems of the policies that cannot be decoded.
    pub unreadable: Vec<String>,
}

impl StoredServices {
    /// Returns whether a policy names this service.
    pub fn has(&self, service: &ServiceName) -> bool {
        self.known.iter().any(|(_, name)| name == service)
    }
}

/// Where the stack is, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The stack.
    pub stack: String,
    /// The region.
    pub region: String,
    /// The endpoint, if it is not AWS's own.
    pub endpoint: Option<String>,
}

impl Session {
    /// Who gives a command, and why, for the journal.
    pub fn who_and_why(&self, reason: Option<&str>) -> String {
        let who = &self.caller.arn;
        reason.map_or_else(|| who.clone(), |why| format!("{who}: {why}"))
    }

    /// Signs in.
    ///
    /// # Errors
    /// A scaled clock with an endpoint outside this machine, no region or another one than the local world's, no
    /// credentials, or no answer from AWS.
    pub async fn open(connection: &Connection, environment: &Environment) -> Result<Self, NotSignedIn> {
        let endpoint = connection.endpoint(environment);
        let variables = environment.with_endpoint(connection.endpoint_url.as_deref());
        let chosen = chosen_clock(&variables).map_err(|error| NotSignedIn::clock(&error))?;
        let signed_in = sign_in(&connection.options()).await;
        let signed_in = signed_in.map_err(|error| NotSignedIn::of(&error, endpoint.as_deref()))?;
        let local = matches!(chosen, ChosenClock::Onlooker { .. });
        if local {
            refuse_another_region(&signed_in.region, environment.get(LISTENERS).unwrap_or_default())?;
        }
        let place = Place { stack: connection.stack.clone(), region: signed_in.region, endpoint };
        let connections = if local {
            signed_in.connections.asking_at(environment.get(LISTENERS).unwrap_or_default())
        } else {
            signed_in.connections
        };
        Ok(Self {
            ports: connections.with_clock(chosen.port()),
            machines: signed_in.machines,
            caller: signed_in.caller,
            place,
            period: if local { LOCAL_PERIOD } else { PERIOD },
            scale: chosen.scale(),
        })
    }

    /// Returns the time; in a rehearsal, world time.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Returns the world time that passes in this real time.
    pub fn in_world(&self, real: Duration) -> SignedDuration {
        SignedDuration::from_secs_f64(real.as_secs_f64() * self.scale)
    }

    /// Waits until the next look at something. In a rehearsal, in world time, so that it does not depend on the speed
    /// of the machine what is seen.
    pub async fn pause(&self, real: Duration) {
        self.ports.clock.pause(real.mul_f64(self.scale)).await;
    }

    /// Waits until this world time; forever if there is none. It does not make the time pass in a world that waits for
    /// commands, which only [`Session::pause`] does.
    pub async fn until(&self, deadline: Option<Timestamp>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        loop {
            let left = deadline.duration_since(self.now()).as_secs_f64() / self.scale;
            if left <= 0.0 {
                return;
            }
            self.ports.clock.real_pause(Duration::from_secs_f64(left.min(LONGEST_STEP))).await;
        }
    }

    /// What this gives, or `None` after a limit, which is in world time in a rehearsal.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let deadline = self.now() + self.in_world(limit);
        tokio::select! {
            done = work => Some(done),
            () = self.until(Some(deadline)) => None,
        }
    }

    /// Returns the ARN of one of the stack's state machines.
    pub fn machine(&self, name: &str) -> String {
        let Place { stack, region, .. } = &self.place;
        let Caller { account, .. } = &self.caller;
        format!("arn:{}:states:{region}:{account}:stateMachine:{stack}-{name}", self.caller.partition())
    }

    /// Returns the failure for a failed action.
    pub fn failed(&self, error: &ActionError) -> Failure {
        match error {
            ActionError::InvalidRequest(message) => Failure::bad_input(message.clone()),
            ActionError::LockHeld(message) => Failure::new(ExitCode::Held, message.clone()),
            // Crossfade moves no traffic on a route that someone else has changed, until an operator decides.
            ActionError::Drifted(message) | ActionError::NotYet(message) => {
                Failure::new(ExitCode::Halted, message.clone())
            }
            ActionError::Port { doing, source } | ActionError::Ledger { doing, source: LedgerError::Port(source) } => {
                self.port_failed(doing, source)
            }
            ActionError::TimedOut { .. } => {
                let unreachable = unreachable(self.place.endpoint.as_deref());
                Failure::new(ExitCode::NoAccess, format!("{error}\n  {unreachable}"))
            }
            ActionError::Superseded(_)
            | ActionError::NotSeen { .. }
            | ActionError::Ledger { .. }
            | ActionError::Internal(_) => Failure::new(ExitCode::Failed, error.chain()),
        }
    }

    /// Returns the failure for a failed read or write of the table.
    pub fn ledger_failed(&self, doing: &str, source: LedgerError) -> Failure {
        self.failed(&ActionError::Ledger { doing: doing.to_owned(), source })
    }

    /// Returns the failure for a failed call.
    pub fn port_failed(&self, doing: &str, error: &PortError) -> Failure {
        let Place { stack, endpoint, .. } = &self.place;
        match error {
            PortError::Denied { .. } => Failure::new(
                ExitCode::NoAccess,
                format!("{doing}: {error}\n  you are {}; `crossfade doctor` shows your permissions", self.caller.arn),
            ),
            PortError::Throttled { .. } => Failure::new(
                ExitCode::NoAccess,
                format!(
                    "{doing}: {error}\n  AWS limits the request rate of this account; retry in a minute, which is safe"
                ),
            ),
            PortError::Unavailable { .. } => {
                Failure::new(ExitCode::NoAccess, format!("{doing}: {error}\n  {}", unreachable(endpoint.as_deref())))
            }
            PortError::NotFound { operation: "GetItem" | "Query" | "PutItem" | "TransactWriteItems", .. } => {
                self.missing(&format!("table {stack}"), "")
            }
            // Its object is the execution that was to be started, which says nothing about the stack.
            PortError::NotFound { operation: "StartExecution", .. } => self.no_machine(),
            PortError::NotFound { operation: "DescribeStateMachine", object } => {
                self.missing(&format!("state machine {}", object.rsplit(':').next().unwrap_or(object)), "")
            }
            PortError::NotFound { .. } | PortError::Refused { .. } => {
                Failure::new(ExitCode::Failed, format!("{doing}: {error}"))
            }
        }
    }

    /// Returns the failure for something of the stack that does not exist.
    fn missing(&self, what: &str, detail: &str) -> Failure {
        let Place { stack, region, .. } = &self.place;
        Failure::new(
            ExitCode::BadInput,
            format!(
                "there is no {what} in {region} of account {}{detail}\n  is the stack called {stack}, and is it in \
                 {region}? give --stack and --region; `crossfade doctor` shows what is there",
                self.caller.account
            ),
        )
    }

    fn no_machine(&self) -> Failure {
        self.missing(&format!("stack {}", self.place.stack), ": it has no state machine")
    }

    /// Returns the failure of a command. Where the table was missing, or the state machine, this asks for the other: a
    /// stack that has neither does not exist.
    pub async fn explained(&self, failure: Failure) -> Failure {
        let stack = &self.place.stack;
        let is_missing = |found: Result<(), PortError>| matches!(found, Err(PortError::NotFound { .. }));
        let neither = if failure == self.missing(&format!("table {stack}"), "") {
            is_missing(self.machines.look_at(&self.machine("migrate-service")).await)
        } else if failure == self.no_machine() {
            matches!(self.ports.ledger.open_heads().await, Err(LedgerError::Port(PortError::NotFound { .. })))
        } else {
            false
        };
        if neither { self.missing(&format!("stack {stack}"), " (no table, no state machine)") } else { failure }
    }

    /// Returns every service of the stored policies. A policy that this version cannot decode hides only its own
    /// services.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn stored_services(&self) -> Result<StoredServices, Failure> {
        let stored = self.ports.ledger.policies().await;
        let stored = stored.map_err(|source| self.ledger_failed("reading the stored policies", source))?;
        let mut services = StoredServices::default();
        for StoredPolicy { fleet, document, .. } in stored {
            match decode_fleet(&document) {
                Ok(policy) => services.known.extend(policy.services.into_iter().map(|one| (fleet.clone(), one.name))),
                Err(problems) => {
                    let problem =
                        format!("the stored policy of fleet {fleet} cannot be used: {problems}; apply a valid one");
                    services.unreadable.push(problem);
                }
            }
        }
        Ok(services)
    }

    /// Returns the head of a service's latest migration.
    ///
    /// # Errors
    /// The service has never migrated, or is unknown; the table cannot be read.
    pub async fn head_of(&self, service: &ServiceName) -> Result<Head, Failure> {
        let head = self.ports.ledger.head(service).await;
        match head.map_err(|source| self.ledger_failed(&format!("reading the head of {service}"), source))? {
            Some(head) => Ok(head),
            None => Err(self.unknown_or_never_started(service).await),
        }
    }

    /// Returns the failure for a service without a migration.
    pub async fn unknown_or_never_started(&self, service: &ServiceName) -> Failure {
        match self.stored_services().await {
            Err(failure) => failure,
            Ok(known) if known.has(service) => Failure::bad_input(format!(
                "{service} has no migration yet\n  `crossfade plan {service}` shows what would happen, `crossfade \
                 start {service}` begins"
            )),
            Ok(known) => Self::unknown(service, &known),
        }
    }

    /// Returns the failure for an unknown service.
    pub fn unknown(service: &ServiceName, stored: &StoredServices) -> Failure {
        let names: Vec<&str> = stored.known.iter().map(|(_, name)| name.as_str()).collect();
        let near = did_you_mean(service.as_str(), names.iter().copied());
        let listed = if names.is_empty() && stored.unreadable.is_empty() {
            "no policy is stored; `crossfade apply policy.yaml` stores one".to_owned()
        } else {
            format!("the stored policies name {}", names.join(", "))
        };
        let unreadable: Vec<String> = stored.unreadable.iter().map(|problem| format!("\n  {problem}")).collect();
        Failure::bad_input(format!("there is no service {service}{near}\n  {listed}{}", unreadable.concat()))
    }
}
