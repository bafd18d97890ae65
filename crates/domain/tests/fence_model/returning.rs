//! A rollback, step by step: `react-to-alarm`, and `roll-back` in both modes.

use crate::fence::Fence;
use crate::state::{ROUTES, Returner, ReturnerAt, State, Value};
use crate::transitions::Record;
use crossfade_domain::journal::Phase;

impl Fence {
    /// Begins a rollback or joins the one that runs.
    pub(crate) fn rollback_asked(&self, state: &mut State) -> Option<()> {
        match state.head.phase {
            Phase::Planned => {
                self.record(&mut state.head, Record::Refused)?;
                state.release();
                Some(())
            }
            Phase::Moving | Phase::Halted => {
                let slot = self.free(state)?;
                self.record(&mut state.head, Record::RollbackBegun)?;
                state.begin_to_wait();
                state.returners[slot] = Some(invocation(state, false));
                Some(())
            }
            Phase::RollingBack | Phase::Settling if !self.rules.rollbacks_do_not_join => {
                let slot = self.free(state)?;
                state.returners[slot] = Some(invocation(state, false));
                Some(())
            }
            _ => None,
        }
    }

    /// The second look, or the first where nobody completed it.
    pub(crate) fn verify_begins(&self, state: &mut State) -> Option<()> {
        match state.head.phase {
            Phase::RollingBack => self.rollback_asked(state),
            Phase::Settling if self.rules.no_settle || state.has_waited() => {
                let slot = self.free(state)?;
                state.returners[slot] = Some(invocation(state, true));
                Some(())
            }
            _ => None,
        }
    }

    fn free(&self, state: &State) -> Option<usize> {
        state.returners.iter().rev().take(self.extent.returners).position(Option::is_none).map(|slot| 1 - slot)
    }

    pub(crate) fn return_routes(&self, state: &mut State, slot: usize) -> Option<()> {
        let mut returner = state.returners[slot]?;
        let goes_to = match returner.at {
            ReturnerAt::Look if returner.verifies && self.rules.no_second_look => Some(ReturnerAt::Conclude),
            ReturnerAt::Look => {
                let needed = state.routes.map(|value| matches!(value, Value::Step(_)));
                Some(if needed == [false; ROUTES] { ReturnerAt::Conclude } else { ReturnerAt::Check(needed) })
            }
            ReturnerAt::Check(needed) => may_return(state, &returner).then_some(ReturnerAt::Write(needed)),
            ReturnerAt::Write(mut needed) => {
                let route = needed.iter().position(|needed| *needed).expect("a route is to be written");
                state.routes[route] = Value::Baseline;
                (needed[route], returner.wrote) = (false, true);
                Some(if needed == [false; ROUTES] { ReturnerAt::Look } else { ReturnerAt::Check(needed) })
            }
            ReturnerAt::Conclude => {
                state.returners[slot] = None;
                self.conclude(state, &returner);
                return Some(());
            }
        };
        state.returners[slot] = goes_to.map(|at| Returner { at, ..returner });
        Some(())
    }

    /// Every route was seen back.
    fn conclude(&self, state: &mut State, returner: &Returner) {
        if state.head.generation != returner.generation {
            return;
        }
        if returner.verifies && !returner.wrote {
            if self.record(&mut state.head, Record::RollbackVerified).is_some() {
                state.release();
                // Whoever takes the locks waits for the rollback's own writers, who may be past their fence.
                state.begin_to_wait();
            }
            return;
        }
        let news = state.head.phase == Phase::RollingBack || returner.wrote;
        let recorded = news && self.record(&mut state.head, Record::RoutesReturned).is_some();
        if recorded && self.rules.locks_released_before_verify {
            state.release();
        }
    }

    /// The old side has no healthy target, or AWS denies: the routes that are not back stay where they are.
    pub(crate) fn return_is_stuck(&self, state: &mut State, slot: usize) -> Option<()> {
        let returner = state.returners[slot]?;
        if !matches!(returner.at, ReturnerAt::Check(_)) {
            return None;
        }
        state.returners[slot] = None;
        if state.head.generation == returner.generation {
            // Where it cannot be recorded, somebody else has halted or ended the migration.
            let _ = self.record(&mut state.head, Record::Halted);
        }
        Some(())
    }
}

/// The fence of a rollback: the same one still runs, or has halted.
fn may_return(state: &State, returner: &Returner) -> bool {
    state.head.generation == returner.generation
        && matches!(state.head.phase, Phase::RollingBack | Phase::Settling | Phase::Halted)
}

fn invocation(state: &State, verifies: bool) -> Returner {
    Returner { generation: state.head.generation, verifies, at: ReturnerAt::Look, wrote: false, awaited: false }
}
