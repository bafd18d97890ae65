//! Follows a migration to its end, or until a condition holds. If the connection is lost, it waits. Ctrl-C leaves the
//! migration running and says so.

mod from_here;
mod stopped;

use self::from_here::FromHere;
use crate::ending::failure::Failure;
use crate::ending::outcome::{Ending, Outcome};
use crate::exit_code::ExitCode;
use crate::following::interruption::Interruption;
use crate::stack::arguments::Output;
use crate::stack::reading::{Reading, weight_at};
use crate::stack::session::Session;
use crate::view::console::Console;
use crate::view::reading;
use crate::view::screen::Screen;
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::operator::observe::{Listings, plan_in_force};
use crossfade_aws::DescribedExecution;
use crossfade_domain::gates::approval::waits_for_approval;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Event, Head, Phase};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long one poll may take before the screen says that there is no answer. In real time.
const POLL_LIMIT: Duration = Duration::from_secs(5);

/// How long a rollback waits for the table, which it does not need. In real time.
const TABLE_LIMIT: Duration = Duration::from_secs(2);

/// What to wait for. The end of the migration ends every wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end.
    End,
    /// The plan is accepted and the locks are held, or the start waits for a window.
    Taken,
    /// A step waits for approval.
    Approval,
    /// Every route was read back at this weight or above.
    Weight(Weight),
}

/// The result of a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Reached {
    /// The migration is over.
    End(Ending),
    /// The migration continues, and the condition holds.
    There {
        /// The migration; none while its start waits for a window.
        migration: Option<MigrationId>,
        /// The condition, in words.
        message: String,
        /// The command's exit code.
        code: ExitCode,
    },
}

/// Follows one migration.
pub struct Follow<'a> {
    session: &'a Session,
    service: ServiceName,
    /// The execution, if this command started it. It shows how the migration ended if there is no head.
    execution: Option<String>,
    /// The migration, once known.
    migration: Option<MigrationId>,
    plan: Option<Plan>,
    /// The sequence of the last event that was printed.
    printed: u64,
    /// Whether only the execution shows how it ended, as for a rollback, which does not need the table.
    by_run: bool,
    /// Whether it is being rolled back, so that there is nothing to abort.
    returning: bool,
    interruption: Option<Interruption>,
    /// Why the start waits for a window, as it was last printed.
    closed: Option<String>,
    /// When the data on the screen was read.
    shown_at: Option<Timestamp>,
    /// Whether this command sends the requests of probes, and what it has done about it.
    from_here: Option<Box<FromHere>>,
    screen: Screen,
}

/// What one poll read.
struct Seen {
    head: Option<Head>,
    run: Option<DescribedExecution>,
    /// Why the start waits for a window, if it does.
    closed: Option<String>,
}

impl<'a> Follow<'a> {
    /// Follows an execution that was just started.
    pub fn execution(session: &'a Session, service: &ServiceName, execution: &str) -> Self {
        let mut follow = Self::migration(session, service, None);
        follow.execution = Some(execution.to_owned());
        follow
    }

    /// Follows a migration; the service's latest if none is given.
    pub fn migration(session: &'a Session, service: &ServiceName, migration: Option<MigrationId>) -> Self {
        Self {
            session,
            service: service.clone(),
            execution: None,
            migration,
            plan: None,
            printed: 0,
            by_run: false,
            returning: false,
            interruption: None,
            closed: None,
            shown_at: None,
            from_here: None,
            screen: Screen::none(),
        }
    }

    /// Skips the events up to this one.
    #[must_use]
    pub fn after_event(mut self, sequence: u64) -> Self {
        self.printed = sequence;
        self
    }

    /// Prints the journal of a migration while following the execution of its rollback.
    #[must_use]
    pub fn with_journal_of(mut self, head: Option<&Head>) -> Self {
        self.by_run = true;
        self.returning = true;
        self.migration = head.map(|head| head.migration.clone());
        self.printed = head.map_or(0, |head| head.sequence);
        self
    }

    /// Uses a listener for Ctrl-C that is already running.
    #[must_use]
    pub fn interrupted_by(mut self, interruption: Interruption) -> Self {
        self.interruption = Some(interruption);
        self
    }

    /// Shows the whole status on a screen, not only the new lines of the journal.
    #[must_use]
    pub fn on_screen(mut self, screen: Screen) -> Self {
        self.screen = screen;
        self
    }

    /// Follows the migration until the condition holds, for at most `limit` of world time.
    ///
    /// # Errors
    /// The wait timed out (exit code 6), access is denied (8), Ctrl-C (130). The migration continues in each case.
    pub async fn until(
        &mut self,
        until: Until,
        limit: Option<SignedDuration>,
        console: &mut Console<'_>,
    ) -> Result<Reached, Failure> {
        let mut interruption = match self.interruption.take() {
            Some(interruption) => interruption,
            None => Interruption::listen().map_err(|error| Failure::of(&error))?,
        };
        let deadline = limit.map(|limit| self.session.now() + limit);
        // A bad connection can slow down every poll, so Ctrl-C and the deadline also end a poll.
        let session = self.session;
        let reached = tokio::select! {
            reached = self.poll(until, console) => Some(reached),
            () = interruption.wait() => None,
            () = session.until(deadline) => return Err(self.timed_out()),
        };
        reached.unwrap_or_else(|| Err(self.interrupted()))
    }

    /// Polls and prints what is new until the condition holds.
    async fn poll(&mut self, until: Until, console: &mut Console<'_>) -> Result<Reached, Failure> {
        let mut lost: Option<Timestamp> = None;
        loop {
            match self.read_in_time().await {
                Ok(seen) => {
                    if lost.take().is_some() {
                        self.say("connected again", console);
                    }
                    self.tell(&seen, console).await?;
                    if let Some(reached) = self.reached(&seen, until) {
                        self.screen.leave();
                        return Ok(self.listed_again(reached).await);
                    }
                    Box::pin(self.probe_from_here(seen.head.as_ref(), console)).await?;
                }
                Err(error) if error.class() == ErrorClass::Transient => {
                    self.note_that_it_is_old();
                    if lost.is_none() {
                        lost = Some(self.session.now());
                        let message = format!("no answer, retrying; the migration continues: {}", error.chain());
                        self.say(&message, console);
                    }
                }
                Err(error) => return Err(self.failed(self.session.failed(&error))),
            }
            self.session.pause(self.session.period).await;
        }
    }

    /// Prints a line; above the screen if one is drawn.
    fn say(&self, text: &str, console: &mut Console<'_>) {
        if !self.screen.says(text) {
            console.say(text);
        }
    }

    /// Says above the screen how old its data is.
    fn note_that_it_is_old(&self) {
        let since = self.shown_at.map_or_else(String::new, |at| format!(" since {}", at.strftime("%H:%M:%S")));
        self.screen.note(&format!("no answer{since}; the data below is from then"));
    }

    /// Reads once, and treats a slow answer as a lost connection: the SDK waits far longer than a person would.
    async fn read_in_time(&mut self) -> Result<Seen, ActionError> {
        let doing = format!("reading {}", self.service);
        tokio::time::timeout(POLL_LIMIT, self.read())
            .await
            .unwrap_or_else(|_| Err(ActionError::TimedOut { doing, seconds: POLL_LIMIT.as_secs() }))
    }

    async fn read(&mut self) -> Result<Seen, ActionError> {
        let head = self.session.ports.ledger.head(&self.service);
        let head = if self.by_run {
            // A rollback does not need the table, so waiting for one must not either.
            tokio::time::timeout(TABLE_LIMIT, head).await.unwrap_or(Ok(None))
        } else {
            head.await
        };
        let head = match head {
            Err(_) if self.by_run => None,
            head => {
                let doing = format!("reading the head of {}", self.service);
                head.map_err(|source| ActionError::Ledger { doing, source })?.filter(|head| self.is_followed(head))
            }
        };
        if let Some(head) = head.as_ref().filter(|_| !self.by_run) {
            self.migration = Some(head.migration.clone());
            self.returning = head.phase.is_returning();
            if self.plan.is_none() {
                self.plan = Some(plan_in_force(&self.session.ports, head).await?);
            }
        }
        // The head shows everything. Only an execution without a head is read from Step Functions.
        let run = match &self.execution {
            Some(execution) if head.is_none() || self.by_run => {
                let run = self.session.machines.describe(execution).await;
                run.map_err(|source| ActionError::Port { doing: format!("reading {execution}"), source })?
            }
            _ => None,
        };
        let closed = match &run {
            Some(run) if !self.by_run && Ending::of_run(&self.service, run).is_none() => self.waits_for_window().await,
            _ => None,
        };
        Ok(Seen { head, run, closed })
    }

    /// Why the execution waits for a window, if that is its last answer.
    async fn waits_for_window(&self) -> Option<String> {
        let answer = self.session.machines.last_answer(self.execution.as_ref()?).await.ok()??;
        (answer.payload["verdict"] == "closed").then(|| answer.payload["reason"].as_str().map(str::to_owned))?
    }

    /// Returns whether the head is of the followed migration, not of an earlier one.
    fn is_followed(&self, head: &Head) -> bool {
        match (&self.migration, &self.execution) {
            (Some(migration), _) => head.migration == *migration,
            (None, Some(execution)) => head.execution == *execution,
            (None, None) => true,
        }
    }

    fn reached(&self, seen: &Seen, until: Until) -> Option<Reached> {
        let ending = match (&seen.head, &seen.run) {
            (Some(head), _) if !self.by_run => Ending::of_head(head),
            (_, Some(run)) => Ending::of_run(&self.service, run),
            (_, None) => None,
        };
        if let Some(ending) = ending {
            return Some(Reached::End(ending));
        }
        if let (Some(reason), Until::Taken) = (&seen.closed, until) {
            let message = format!("{} waits and starts by itself: {reason}", self.service);
            return Some(Reached::There { migration: None, message, code: ExitCode::Done });
        }
        let head = seen.head.as_ref()?;
        let migration = Some(head.migration.clone());
        let there = |message: String, code| Some(Reached::There { migration, message, code });
        let verified = weight_at(self.plan.as_ref()?, head.verified_step);
        match until {
            Until::Taken => there(format!("{} holds its locks and is under way", head.migration), ExitCode::Done),
            Until::Approval => {
                let waits = waits_for_approval(head, self.plan.as_ref()?, self.session.now());
                let message = format!(
                    "{} is at {verified} and waits for approval: `crossfade approve {}`",
                    head.migration, self.service
                );
                if waits { there(message, ExitCode::WaitsForApproval) } else { None }
            }
            Until::Weight(weight) if verified >= weight && head.phase == Phase::Moving => {
                there(format!("{}: every route was read back at {verified}", head.migration), ExitCode::Done)
            }
            Until::End | Until::Weight(_) => None,
        }
    }

    /// Says of a migrated service what its load balancers have now: no one looks for new routes after the end.
    async fn listed_again(&self, reached: Reached) -> Reached {
        match (reached, &self.plan) {
            (Reached::End(ending), Some(plan)) if ending.outcome == Outcome::Migrated => {
                let left = Listings::default().left_on_the_old_side(&self.session.ports, plan).await;
                Reached::End(ending.with_listing(left))
            }
            (reached, _) => reached,
        }
    }

    async fn tell(&mut self, seen: &Seen, console: &mut Console<'_>) -> Result<(), Failure> {
        if let Some(reason) = seen.closed.as_ref().filter(|_| self.closed != seen.closed) {
            self.say(&format!("{} waits: {reason}", self.service), console);
            self.closed.clone_from(&seen.closed);
        }
        let Some(head) = &seen.head else { return Ok(()) };
        console.migration = head.migration.to_string();
        if self.screen.is_shown() {
            let taken = tokio::time::timeout(POLL_LIMIT, Reading::take(self.session, head.clone())).await;
            if let Ok(Ok(reading)) = taken {
                self.screen.show(
                    &reading::render(&reading, console.page),
                    Some(&format!("crossfade status {}", self.service)),
                );
                self.shown_at = Some(reading.now);
            } else {
                self.note_that_it_is_old();
            }
            return Ok(());
        }
        if head.sequence <= self.printed {
            return Ok(());
        }
        let events = self.session.ports.ledger.events(&head.service, &head.migration).await;
        let known = self.printed;
        // The requests are counted after the end, when perhaps no one follows any more.
        let is_news = |event: &Event| event.sequence > known && !event.kind.is_about_requests();
        for event in events.unwrap_or_default().into_iter().filter(is_news) {
            self.printed = event.sequence;
            if console.output == Output::Json && self.screen.is_stream() {
                console.json_line(&event)?;
            } else {
                console.say(&format!("{}  {}", event.at.strftime("%H:%M:%S"), journal_line(&event)));
            }
        }
        Ok(())
    }
}
