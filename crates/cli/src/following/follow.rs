//! Follows a migration to its end, or to what was asked for. A lost connection is waited out; Ctrl-C leaves the
//! migration running and says so.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::following::interruption::Interruption;
use crate::stack::arguments::Output;
use crate::stack::look::{Look, weight_at};
use crate::stack::session::Session;
use crate::view::console::Console;
use crate::view::look;
use crate::view::screen::Screen;
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::operator::observe::plan_in_force;
use crossfade_aws::DescribedExecution;
use crossfade_domain::gates::approval::waits_for_approval;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Real time that one look may take before the screen says that there is no answer.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);

/// Real time that the table may take where it is not needed.
const TABLE_PATIENCE: Duration = Duration::from_secs(2);

/// What is waited for. The end of the migration ends every wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end.
    End,
    /// The plan is accepted and the locks are held.
    Taken,
    /// A step waits for approval.
    Approval,
    /// Every route was read back at this weight or above.
    Weight(Weight),
}

/// What a wait came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reached {
    /// The migration is over.
    End(Ending),
    /// It goes on, and what was waited for is so.
    There {
        /// The migration.
        migration: MigrationId,
        /// What is so.
        told: String,
        /// The command's exit code.
        code: ExitCode,
    },
}

/// A migration that is followed.
pub struct Follow<'a> {
    session: &'a Session,
    service: ServiceName,
    /// The execution that was started, where one was: it tells how it ended where it left no head.
    execution: Option<String>,
    /// The migration, once it is known.
    migration: Option<MigrationId>,
    plan: Option<Plan>,
    told: u64,
    /// Whether the execution alone says how it ended, as with a rollback, which needs no table.
    by_run: bool,
    /// Whether it is on its way back: then there is nothing left to abort.
    returning: bool,
    interruption: Option<Interruption>,
    /// When what is on the screen was read.
    shown_at: Option<Timestamp>,
    screen: Screen,
}

/// What was seen of it.
struct Seen {
    head: Option<Head>,
    run: Option<DescribedExecution>,
}

impl<'a> Follow<'a> {
    /// Follows an execution that was just started.
    pub fn execution(session: &'a Session, service: &ServiceName, execution: &str) -> Self {
        let mut follow = Self::migration(session, service, None);
        follow.execution = Some(execution.to_owned());
        follow
    }

    /// Follows a migration; the service's latest, where none is named.
    pub fn migration(session: &'a Session, service: &ServiceName, migration: Option<MigrationId>) -> Self {
        Self {
            session,
            service: service.clone(),
            execution: None,
            migration,
            plan: None,
            told: 0,
            by_run: false,
            returning: false,
            interruption: None,
            shown_at: None,
            screen: Screen::none(),
        }
    }

    /// Leaves out what has happened up to an event.
    #[must_use]
    pub fn after_event(mut self, sequence: u64) -> Self {
        self.told = sequence;
        self
    }

    /// Tells the journal of a migration while its rollback, an execution of its own, is followed.
    #[must_use]
    pub fn beside(mut self, head: Option<&Head>) -> Self {
        self.by_run = true;
        self.returning = true;
        self.migration = head.map(|head| head.migration.clone());
        self.told = head.map_or(0, |head| head.sequence);
        self
    }

    /// Takes over who listens for Ctrl-C already.
    #[must_use]
    pub fn interrupted_by(mut self, interruption: Interruption) -> Self {
        self.interruption = Some(interruption);
        self
    }

    /// Shows everything on a screen that is redrawn, not the journal's lines alone.
    #[must_use]
    pub fn on_screen(mut self, screen: Screen) -> Self {
        self.screen = screen;
        self
    }

    /// Follows until something is so, for at most `patience` of world time.
    ///
    /// # Errors
    /// The time is up (exit code 6), access is denied (8), Ctrl-C (130): the migration goes on in each case.
    pub async fn until(
        &mut self,
        until: Until,
        patience: Option<SignedDuration>,
        console: &mut Console<'_>,
    ) -> Result<Reached, Failure> {
        let mut interruption = match self.interruption.take() {
            Some(interruption) => interruption,
            None => Interruption::listen().map_err(|error| Failure::of(&error))?,
        };
        let deadline = patience.map(|patience| self.session.now() + patience);
        // Looking and telling may take as long as a bad line lets them: Ctrl-C and the deadline end them too.
        let session = self.session;
        let reached = tokio::select! {
            reached = self.looking(until, console) => Some(reached),
            () = interruption.wait() => None,
            () = session.until(deadline) => return Err(self.timed_out()),
        };
        reached.unwrap_or_else(|| Err(self.interrupted()))
    }

    /// Looks and tells until something is so.
    async fn looking(&mut self, until: Until, console: &mut Console<'_>) -> Result<Reached, Failure> {
        let mut lost: Option<Timestamp> = None;
        loop {
            match self.look_in_time().await {
                Ok(seen) => {
                    if lost.take().is_some() {
                        self.say("connected again", console);
                    }
                    self.tell(&seen, console).await?;
                    if let Some(reached) = self.reached(&seen, until) {
                        self.screen.leave();
                        return Ok(reached);
                    }
                }
                Err(error) if error.class() == ErrorClass::Transient => {
                    self.note_that_it_is_old();
                    if lost.is_none() {
                        lost = Some(self.session.now());
                        let told = format!("no answer, retrying; the migration continues: {}", error.chain());
                        self.say(&told, console);
                    }
                }
                Err(error) => return Err(self.went_on(self.session.failed(&error))),
            }
            tokio::time::sleep(self.session.period).await;
        }
    }

    /// A line above the screen, where one is drawn.
    fn say(&self, text: &str, console: &mut Console<'_>) {
        if !self.screen.says(text) {
            console.say(text);
        }
    }

    /// What is drawn is as old as its first line says.
    fn note_that_it_is_old(&self) {
        let since = self.shown_at.map_or_else(String::new, |at| format!(" since {}", at.strftime("%H:%M:%S")));
        self.screen.note(&format!("no answer{since}; what is below is as old"));
    }

    /// A look that does not come back is a lost connection: the client's own patience is far longer than a person's.
    async fn look_in_time(&mut self) -> Result<Seen, ActionError> {
        let doing = format!("looking at {}", self.service);
        tokio::time::timeout(LOOK_PATIENCE, self.look())
            .await
            .unwrap_or_else(|_| Err(ActionError::TimedOut { doing, seconds: LOOK_PATIENCE.as_secs() }))
    }

    async fn look(&mut self) -> Result<Seen, ActionError> {
        let head = self.session.ports.ledger.head(&self.service);
        let head = if self.by_run {
            // A rollback goes on without the table, and so does the one who waits for it.
            tokio::time::timeout(TABLE_PATIENCE, head).await.unwrap_or(Ok(None))
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
        // A head tells everything; only what has none yet, or never gets one, is asked about at Step Functions.
        let run = match &self.execution {
            Some(execution) if head.is_none() || self.by_run => {
                let run = self.session.machines.describe(execution).await;
                run.map_err(|source| ActionError::Port { doing: format!("looking at {execution}"), source })?
            }
            _ => None,
        };
        Ok(Seen { head, run })
    }

    /// A head of an earlier migration says nothing about this one.
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
        let head = seen.head.as_ref()?;
        let there = |told: String, code| Some(Reached::There { migration: head.migration.clone(), told, code });
        let verified = weight_at(self.plan.as_ref()?, head.verified_step);
        match until {
            Until::Taken => there(format!("{} has its locks and is on its way", head.migration), ExitCode::Done),
            Until::Approval => {
                let waits = waits_for_approval(head, self.plan.as_ref()?, self.session.now());
                let told = format!(
                    "{} is at {verified} and waits for approval: `crossfade approve {}`",
                    head.migration, self.service
                );
                if waits { there(told, ExitCode::WaitsForApproval) } else { None }
            }
            Until::Weight(weight) if verified >= weight && head.phase == Phase::Moving => {
                there(format!("{}: every route was read back at {verified}", head.migration), ExitCode::Done)
            }
            Until::End | Until::Weight(_) => None,
        }
    }

    async fn tell(&mut self, seen: &Seen, console: &mut Console<'_>) -> Result<(), Failure> {
        let Some(head) = &seen.head else { return Ok(()) };
        console.migration = head.migration.to_string();
        if self.screen.is_shown() {
            let looked = tokio::time::timeout(LOOK_PATIENCE, Look::at(self.session, head.clone())).await;
            if let Ok(Ok(look)) = looked {
                self.screen.show(&look::render(&look));
                self.shown_at = Some(look.now);
            } else {
                self.note_that_it_is_old();
            }
            return Ok(());
        }
        if head.sequence <= self.told {
            return Ok(());
        }
        let events = self.session.ports.ledger.events(&head.service, &head.migration).await;
        let known = self.told;
        for event in events.unwrap_or_default().into_iter().filter(|event| event.sequence > known) {
            self.told = event.sequence;
            if console.output == Output::Json && self.screen.is_stream() {
                console.json_line(&event)?;
            } else {
                console.say(&format!("{}  {}", event.at.strftime("%H:%M:%S"), journal_line(&event)));
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.migration.as_ref().map_or_else(|| self.service.to_string(), ToString::to_string)
    }

    fn goes_on(&self) -> String {
        let service = &self.service;
        if self.returning {
            return format!(
                "the rollback of {} continues by itself: `crossfade wait {service}` reports when every route is back",
                self.name()
            );
        }
        format!(
            "{} continues by itself: `crossfade watch {service}` follows it, `crossfade abort {service}` rolls it back",
            self.name()
        )
    }

    fn timed_out(&self) -> Failure {
        self.screen.leave();
        Failure { code: ExitCode::WaitTimedOut, message: format!("only the wait is over; {}", self.goes_on()) }
    }

    fn interrupted(&self) -> Failure {
        self.screen.leave();
        Failure { code: ExitCode::Interrupted, message: format!("interrupted; {}", self.goes_on()) }
    }

    fn went_on(&self, failure: Failure) -> Failure {
        self.screen.leave();
        if failure.code == ExitCode::NoAccess {
            Failure { message: format!("{}\n  {}", failure.message, self.goes_on()), ..failure }
        } else {
            failure
        }
    }
}
