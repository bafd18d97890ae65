//! A rollback, step by step: `react-to-alarm`, and `roll-back` in both modes.

use crate::fence::Fence;
use crate::state::{ROUTES, Returner, ReturnerAt, State, Value};
use crate::transitions::Record;
use crossfade_domain::journal::Phase;

impl Fence {
    /// A rollback starts. The routes are read while the head is: what it sees of them may be older than the fence.
    pub(crate) fn rollback_asked(&self, state: &mut State) -> Option<()> {
        match state.head.phase {
            Phase::Planned => {
                self.record(&mut state.head, Record::Refused)?;
                state.release();
                Some(())
            }
            phase if phase.is_over() => None,
            phase if phase.is_returning() && self.rules.rollbacks_do_not_join => None,
            _ => {
                let slot = self.free(state)?;
                let at = ReturnerAt::Begin(moved(state));
                state.returners[slot] = Some(Returner { at, ..invocation(state, false) });
                Some(())
            }
        }
    }

    /// Begins a rollback or joins the one that runs, which is a check of the fence. A rollback that saw every route at
    /// its baseline looks again: a shift may have written one since.
    fn begin_or_join(&self, state: &mut State, slot: usize, needed: [bool; ROUTES]) -> Option<()> {
        state.returners[slot] = None;
        match state.head.phase {
            Phase::Moving | Phase::Halted => {
                self.record(&mut state.head, Record::RollbackBegun)?;
                state.begin_to_wait();
            }
            Phase::RollingBack | Phase::Settling if !self.rules.rollbacks_do_not_join => {}
            _ => return Some(()),
        }
        let at = if needed == [false; ROUTES] { ReturnerAt::Look } else { ReturnerAt::Write(needed) };
        state.returners[slot] = Some(Returner { at, ..invocation(state, false) });
        Some(())
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
            ReturnerAt::Begin(needed) => return self.begin_or_join(state, slot, needed),
            ReturnerAt::Look if returner.verifies && self.rules.no_second_look => Some(ReturnerAt::Conclude),
            ReturnerAt::Look => {
                let needed = moved(state);
                Some(if needed == [false; ROUTES] { ReturnerAt::Conclude } else { ReturnerAt::Check(needed) })
            }
            ReturnerAt::Check(needed) => may_return(state, &returner).then_some(ReturnerAt::Write(needed)),
            ReturnerAt::Write(mut needed) => {
                let route = needed.iter().position(|needed| *needed).expect("a route is to be written");
                state.routes[route] = Value::Baseline;
                (needed[route], returner.wrote) = (false, true);
                // One check is enough for all of them.
                Some(if needed == [false; ROUTES] { ReturnerAt::Look } else { ReturnerAt::Write(needed) })
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
        if !matches!(returner.at, ReturnerAt::Check(_) | ReturnerAt::Write(_)) {
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

/// The routes that are away from their baseline.
fn moved(state: &State) -> [bool; ROUTES] {
    state.routes.map(|value| matches!(value, Value::Step(_)))
}

/// The fence of a rollback: the same one still runs, or has halted.
fn may_return(state: &State, returner: &Returner) -> bool {
    state.head.generation == returner.generation
        && matches!(state.head.phase, Phase::RollingBack | Phase::Settling | Phase::Halted)
}

fn invocation(state: &State, verifies: bool) -> Returner {
    Returner { generation: state.head.generation, verifies, at: ReturnerAt::Look, wrote: false, awaited: false }
}
