//! Follows a fleet's run to its end. If the connection is lost, it waits. Ctrl-C leaves the run as it is and says so.

use crate::ending::failure::Failure;
use crate::ending::fleet::FleetEnding;
use crate::exit_code::ExitCode;
use crate::following::interruption::Interruption;
use crate::stack::arguments::Output;
use crate::stack::fleets::{Conductor, FleetReading, StoredFleet, conductor};
use crate::stack::session::Session;
use crate::view::console::Console;
use crate::view::fleet::{execution_name, render};
use crate::view::screen::Screen;
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::wording::lines;
use jiff::SignedDuration;
use std::time::Duration;

/// How long one poll may take before the screen says that there is no answer. In real time.
const POLL_LIMIT: Duration = Duration::from_secs(5);
/// How many polls there are for one look at the conductor's execution.
const POLLS_OF_A_LOOK: u32 = 12;

/// Follows one run of a fleet.
pub struct FollowFleet<'a> {
    session: &'a Session,
    fleet: StoredFleet,
    /// The run.
    run: u32,
    /// The sequence of the last entry that was printed.
    printed: u64,
    polls: u32,
    /// The execution that was seen not to conduct any more, once that is said.
    without_conductor: Option<String>,
    interruption: Option<Interruption>,
    screen: Screen,
}

impl<'a> FollowFleet<'a> {
    /// Follows the run of this head, from here on.
    pub fn run(session: &'a Session, fleet: &StoredFleet, head: &FleetHead) -> Self {
        Self {
            session,
            fleet: fleet.clone(),
            run: head.run,
            printed: head.sequence,
            polls: 0,
            without_conductor: None,
            interruption: None,
            screen: Screen::none(),
        }
    }

    /// Prints the entries after this one.
    #[must_use]
    pub fn after_entry(mut self, sequence: u64) -> Self {
        self.printed = sequence;
        self
    }

    /// Uses a listener for Ctrl-C that is already running.
    #[must_use]
    pub fn interrupted_by(mut self, interruption: Interruption) -> Self {
        self.interruption = Some(interruption);
        self
    }

    /// Shows the whole run on a screen, not only the new lines of the journal.
    #[must_use]
    pub fn on_screen(mut self, screen: Screen) -> Self {
        self.screen = screen;
        self
    }

    /// Follows the run until it is over or has stopped, for at most `limit` of world time.
    ///
    /// # Errors
    /// The wait timed out (exit code 6), access is denied (8), Ctrl-C (130). The run continues in each case.
    pub async fn to_end(
        &mut self,
        limit: Option<SignedDuration>,
        console: &mut Console<'_>,
    ) -> Result<FleetEnding, Failure> {
        let mut interruption = match self.interruption.take() {
            Some(interruption) => interruption,
            None => Interruption::listen().map_err(|error| Failure::of(&error))?,
        };
        let deadline = limit.map(|limit| self.session.now() + limit);
        let session = self.session;
        let ended = tokio::select! {
            ended = self.poll(console) => ended,
            () = interruption.wait() => Err(self.left(ExitCode::Interrupted, "interrupted")),
            () = session.until(deadline) => Err(self.left(ExitCode::WaitTimedOut, "only the wait timed out")),
        };
        self.screen.leave();
        ended
    }

    async fn poll(&mut self, console: &mut Console<'_>) -> Result<FleetEnding, Failure> {
        let mut lost = None;
        loop {
            match self.look_in_time(console).await {
                Ok(ending) => {
                    if lost.take().is_some() {
                        self.say("connected again", console);
                    }
                    if let Some(ending) = ending? {
                        return Ok(ending);
                    }
                }
                Err(error) if error.class() == ErrorClass::Transient => {
                    if lost.is_none() {
                        lost = Some(self.session.now());
                        let message = format!("no answer, retrying; the fleet continues: {}", error.chain());
                        self.say(&message, console);
                    }
                    self.screen.note("no answer; the data below is older");
                }
                Err(error) => {
                    let failure = self.session.failed(&error);
                    return Err(Failure { message: format!("{}\n  {}", failure.message, self.continues()), ..failure });
                }
            }
            self.session.pause(self.session.period).await;
        }
    }

    /// Looks once, and treats a slow answer as a lost connection.
    async fn look_in_time(
        &mut self,
        console: &mut Console<'_>,
    ) -> Result<Result<Option<FleetEnding>, Failure>, ActionError> {
        let doing = format!("reading fleet {}", self.fleet.name);
        tokio::time::timeout(POLL_LIMIT, self.look(console))
            .await
            .unwrap_or_else(|_| Err(ActionError::TimedOut { doing, seconds: POLL_LIMIT.as_secs() }))
    }

    async fn look(&mut self, console: &mut Console<'_>) -> Result<Result<Option<FleetEnding>, Failure>, ActionError> {
        let name = self.fleet.name.clone();
        let head = self.session.ports.fleets.fleet(&name).await;
        let head = head.map_err(|source| ActionError::Ledger { doing: format!("reading fleet {name}"), source })?;
        let Some(head) = head else { return Ok(Ok(None)) };
        console.migration = format!("{name}, run {}", head.run);
        if head.run == self.run && self.screen.is_shown() {
            let reading = FleetReading::take(self.session, self.fleet.clone(), head.clone()).await?;
            let whole = format!("crossfade fleet status {name}");
            self.screen.show(&render(&reading, console.page), Some(&whole));
        } else if head.run != self.run || head.sequence > self.printed {
            let entries = self.session.ports.fleets.fleet_entries(&name, self.run).await;
            let doing = || format!("reading the journal of fleet {name}");
            let entries = entries.map_err(|source| ActionError::Ledger { doing: doing(), source })?;
            if let Err(failure) = self.tell(&entries, console) {
                return Ok(Err(failure));
            }
            // Another run has begun meanwhile, so this one is over. Its journal says how it ended.
            if head.run != self.run {
                return Ok(Ok(ended_before(&head, self.run, &entries)));
            }
        }
        if !self.screen.is_shown() {
            self.look_at_the_conductor(&head, console).await;
        }
        Ok(Ok(FleetEnding::of_head(&head)))
    }

    fn tell(&mut self, entries: &[FleetEntry], console: &mut Console<'_>) -> Result<(), Failure> {
        let known = self.printed;
        for entry in entries.iter().filter(|entry| entry.sequence > known) {
            self.printed = entry.sequence;
            if console.output == Output::Json && self.screen.is_stream() {
                console.json_line(entry)?;
                continue;
            }
            for line in lines(entry) {
                console.say(&format!("{}  {line}", entry.at.strftime("%H:%M:%S")));
            }
        }
        Ok(())
    }

    /// Says once if nobody conducts the run any more.
    async fn look_at_the_conductor(&mut self, head: &FleetHead, console: &mut Console<'_>) {
        let due = self.polls.is_multiple_of(POLLS_OF_A_LOOK);
        self.polls = self.polls.wrapping_add(1);
        if !due || self.without_conductor.as_deref() == Some(&head.execution) {
            return;
        }
        if let Conductor::Ended(why) = conductor(self.session, head).await {
            self.without_conductor = Some(head.execution.clone());
            console.say(&format!(
                "nobody conducts the run: execution {}: {why}; nothing new starts, what moves is guarded by its own \
                 gates and alarms; to go on: crossfade fleet start {}",
                execution_name(&head.execution),
                self.fleet.name
            ));
        }
    }

    /// Prints a line; above the screen if one is drawn.
    fn say(&self, text: &str, console: &mut Console<'_>) {
        if !self.screen.says(text) {
            console.say(text);
        }
    }

    fn continues(&self) -> String {
        let StoredFleet { name, .. } = &self.fleet;
        format!(
            "run {} of {name} continues without this command: `crossfade fleet watch {name}` follows it, `crossfade \
             fleet pause {name}` holds it, `crossfade fleet abort {name}` returns what moves",
            self.run
        )
    }

    fn left(&self, code: ExitCode, why: &str) -> Failure {
        Failure::new(code, format!("{why}; {}", self.continues()))
    }
}

/// How a run ended that another one has followed.
fn ended_before(head: &FleetHead, run: u32, entries: &[FleetEntry]) -> Option<FleetEnding> {
    let first = FleetHead { run, ..FleetHead::first(&head.fleet, None, "", head.since) };
    FleetEnding::of_head(&entries.iter().fold(first, |head, entry| head.apply(entry)))
}
