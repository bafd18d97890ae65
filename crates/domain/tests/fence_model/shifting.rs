//! `shift-weight`, step by step.

use crate::fence::Fence;
use crate::state::{ROUTES, Shifter, ShifterAt, State, Value};
use crate::transitions::Record;
use crossfade_domain::journal::Phase;

impl Fence {
    /// The execution of a generation invokes it; one that has not heard of its end yet does so, too.
    pub(crate) fn shift_begins(&self, state: &mut State, generation: u64) -> Option<()> {
        let head = state.head;
        let ours = head.generation == generation && matches!(head.phase, Phase::Planned | Phase::Moving);
        if !ours && !self.rules.no_check_at_the_start {
            return None;
        }
        let step = head.intended.or(head.verified.map(|step| step + 1)).unwrap_or(0);
        if step > self.extent.last_step {
            return None;
        }
        let slot = state.shifters.iter_mut().rev().take(self.extent.shifters).find(|slot| slot.is_none())?;
        // A step that was begun already is not recorded again.
        let at = if head.intended == Some(step) { ShifterAt::Look(0) } else { ShifterAt::Intend };
        *slot = Some(Shifter { generation, takeovers: head.takeovers, step, at, late_writes: 0, awaited: false });
        Some(())
    }

    pub(crate) fn shift(&self, state: &mut State, slot: usize) -> Option<()> {
        let shifter = state.shifters[slot]?;
        let step = shifter.step;
        let goes_to = match shifter.at {
            ShifterAt::Intend => self.intend(state, &shifter).then_some(ShifterAt::Look(0)),
            ShifterAt::Look(route) if state.routes[route] == Value::Step(step) => Some(beyond(route)),
            ShifterAt::Look(route) => self.look(state, &shifter, route).then_some(ShifterAt::Write(route)),
            ShifterAt::Write(route) => {
                state.routes[route] = Value::Step(step);
                Some(beyond(route))
            }
            ShifterAt::ReadBack => {
                state.routes.iter().all(|value| *value == Value::Step(step)).then_some(ShifterAt::Record)
            }
            ShifterAt::Record => {
                self.record_shift(state, &shifter);
                None
            }
        };
        let fenced = was_taken_over(state, &shifter);
        let late = u8::from(fenced && matches!(shifter.at, ShifterAt::Write(_)));
        let late_writes = (shifter.late_writes + late).min(2);
        state.shifters[slot] = goes_to.map(|at| Shifter { at, late_writes, ..shifter });
        Some(())
    }

    /// Whether the step is intended after this, by us or by another invocation.
    fn intend(&self, state: &mut State, shifter: &Shifter) -> bool {
        let head = &mut state.head;
        let ours = head.generation == shifter.generation;
        let next = head.verified.map_or(0, |verified| verified + 1);
        let in_order = self.rules.intent_out_of_order || (head.intended.is_none() && shifter.step == next);
        ours && (head.intended == Some(shifter.step)
            || (in_order && self.record(head, Record::ShiftIntended(shifter.step)).is_some()))
    }

    /// Reads a route, then the head: whether it may be written.
    fn look(&self, state: &mut State, shifter: &Shifter, route: usize) -> bool {
        let before = shifter.step.checked_sub(1).map_or(Value::Baseline, Value::Step);
        let head = &mut state.head;
        if state.routes[route] != before {
            if head.generation == shifter.generation && head.phase == Phase::Moving {
                self.record(head, Record::Halted).expect("a migration on its way up can halt");
            }
            return false;
        }
        let same = head.generation == shifter.generation;
        let intended = head.phase == Phase::Moving && head.intended == Some(shifter.step);
        self.rules.no_check_before_a_write || (same && (intended || self.rules.fence_by_generation_alone))
    }

    fn record_shift(&self, state: &mut State, shifter: &Shifter) {
        let head = &mut state.head;
        let ours = head.generation == shifter.generation && head.intended == Some(shifter.step);
        if ours && self.record(head, Record::Shifted(shifter.step)).is_some() {
            // The bake begins; what else shifts at this moment is dead when it ends.
            state.begin_to_wait();
        }
    }
}

fn beyond(route: usize) -> ShifterAt {
    if route + 1 < ROUTES { ShifterAt::Look(route + 1) } else { ShifterAt::ReadBack }
}

/// Whether a rollback or a resume has begun since a shifter was invoked.
fn was_taken_over(state: &State, shifter: &Shifter) -> bool {
    state.head.takeovers != shifter.takeovers
        || state.head.phase.is_returning()
        || state.head.phase == Phase::RolledBack
}
