//! The fence of a rollback: one check for a batch of writes.
//!
//! A rollback writes for as long as it runs. Once it was verified, or the migration was resumed, a late writer of it
//! must not touch a route any more. Beginning or joining the rollback is a check of the fence, because both read the
//! head. A check holds for [`HOLDS`], so a service's writes need none in the usual case.
//!
//! Why a batch is enough for invariant 7: between the check and the end of the write there are at most [`HOLDS`] and
//! the 6 s in which a write gives up. Settle, and the time until the locks are free, are each 90 s long and begin after
//! the last moment at which the fence lets a write pass. A function lives for 60 s at most. So a write that has passed
//! is over long before anything is at rest. Until then it can only write a baseline, or take our group out, which the
//! second read expects. A check before each write would only move the same race closer to the write: ELBv2 has no
//! compare-and-set.

use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::journal::head_of;
use crossfade_domain::journal::{Head, Phase};
use futures::lock::Mutex;
use std::time::Duration;

/// How long a check of the fence holds, in real time.
const HOLDS: Duration = Duration::from_secs(3);

/// The fence of one migration's rollback.
pub(crate) struct Fence<'a> {
    head: &'a Head,
    state: Mutex<State>,
}

enum State {
    /// Passed at this time, by [`crate::ports::Clock::real`].
    Passed(Duration),
    NotChecked,
    /// The table did not answer once, and is ignored from then on (invariant 6).
    TableIsSilent,
    Over(ActionError),
}

impl<'a> Fence<'a> {
    /// The fence of a rollback that was begun or joined now, or whose record the table did not take.
    pub(crate) fn of_begun(ports: &Ports, head: &'a Head, recorded: bool) -> Self {
        let state = if recorded { State::Passed(ports.clock.real()) } else { State::TableIsSilent };
        Self { head, state: Mutex::new(state) }
    }

    /// The fence of a rollback that was begun some time ago.
    pub(crate) fn of_running(head: &'a Head) -> Self {
        Self { head, state: Mutex::new(State::NotChecked) }
    }

    /// Whether the rollback may write. Writers that need a check at the same time share one.
    ///
    /// # Errors
    /// `Superseded` when the rollback is over. A table that does not answer stops no rollback.
    pub(crate) async fn check(&self, ports: &Ports) -> Result<(), ActionError> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Over(error) => return Err(error.clone()),
            State::TableIsSilent => return Ok(()),
            State::Passed(at) if ports.clock.real().saturating_sub(*at) <= HOLDS => return Ok(()),
            State::Passed(_) | State::NotChecked => {}
        }
        let asked_at = ports.clock.real();
        let Ok(Some(now)) = head_of(ports, &self.head.service).await else {
            *state = State::TableIsSilent;
            return Ok(());
        };
        let same_rollback = now.migration == self.head.migration && now.generation == self.head.generation;
        if same_rollback && matches!(now.phase, Phase::RollingBack | Phase::Settling | Phase::Halted) {
            *state = State::Passed(asked_at);
            return Ok(());
        }
        let over = ActionError::Superseded(format!(
            "the rollback of {} under generation {} is over: found {} in phase {:?} under generation {}",
            self.head.migration, self.head.generation, now.migration, now.phase, now.generation
        ));
        *state = State::Over(over.clone());
        Err(over)
    }
}
