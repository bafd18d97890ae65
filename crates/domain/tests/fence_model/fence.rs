//! What can happen next: every step of every invocation, each death, each event from outside.

use crate::properties::properties;
use crate::rules::{Extent, Rules};
use crate::state::{Head, Other, Owner, SHARED, State, Value};
use crate::transitions::{Record, Transitions};
use crossfade_domain::journal::{Phase, Trigger};
use stateright::{Model, Property};

/// The system under one set of rules.
pub(crate) struct Fence {
    pub(crate) rules: Rules,
    pub(crate) extent: Extent,
    pub(crate) transitions: Transitions,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happens {
    /// The execution of a generation invokes `shift-weight`.
    ShiftBegins { generation: u64 },
    /// A shifter makes its next step.
    Shift(usize),
    /// It is killed, or runs into its timeout.
    ShifterDies(usize),
    /// Somebody asks for a rollback.
    RollbackAsked(Trigger),
    /// The second look is begun.
    VerifyBegins,
    /// A returner makes its next step.
    Return(usize),
    /// It finds what only a person can mend, and halts.
    ReturnIsStuck(usize),
    /// As of a shifter.
    ReturnerDies(usize),
    /// Drift, a hold that lasted too long: the migration halts on its way up.
    Halt,
    /// A person resumes it.
    Resume,
    /// `finish-migration`, after the final bake.
    Finish,
    /// The other migration takes its route, or moves it.
    OtherGoesOn,
}

impl Model for Fence {
    type State = State;
    type Action = Happens;

    fn init_states(&self) -> Vec<State> {
        let shared = if self.rules.one_route_is_not_locked { Owner::Nobody } else { Owner::Ours };
        let mut locks = [Owner::Ours; 2];
        locks[SHARED] = shared;
        vec![State::first(locks)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Happens>) {
        actions.extend([0, 1].map(|generation| Happens::ShiftBegins { generation }));
        for (slot, _) in state.shifters.iter().enumerate().filter(|(_, shifter)| shifter.is_some()) {
            actions.extend([Happens::Shift(slot), Happens::ShifterDies(slot)]);
        }
        let triggers = [Trigger::AlarmEvent, Trigger::CheckAlarms, Trigger::Sweep, Trigger::Operator];
        actions.extend(
            triggers.into_iter().filter(|trigger| asks(*trigger, state.head.phase)).map(Happens::RollbackAsked),
        );
        actions.push(Happens::VerifyBegins);
        for (slot, _) in state.returners.iter().enumerate().filter(|(_, returner)| returner.is_some()) {
            actions.extend([Happens::Return(slot), Happens::ReturnIsStuck(slot), Happens::ReturnerDies(slot)]);
        }
        actions.extend([Happens::Halt, Happens::Resume, Happens::Finish, Happens::OtherGoesOn]);
    }

    fn next_state(&self, state: &State, what: Happens) -> Option<State> {
        let mut next = state.clone();
        let happened = match what {
            Happens::ShiftBegins { generation } => self.shift_begins(&mut next, generation),
            Happens::Shift(slot) => self.shift(&mut next, slot),
            Happens::ShifterDies(slot) => next.shifters[slot].take().map(drop),
            Happens::RollbackAsked(_) => self.rollback_asked(&mut next),
            Happens::VerifyBegins => self.verify_begins(&mut next),
            Happens::Return(slot) => self.return_routes(&mut next, slot),
            Happens::ReturnIsStuck(slot) => self.return_is_stuck(&mut next, slot),
            Happens::ReturnerDies(slot) => next.returners[slot].take().map(drop),
            Happens::Halt => {
                (state.head.phase == Phase::Moving).then(|| self.record(&mut next.head, Record::Halted)).flatten()
            }
            Happens::Resume => self.extent.resumes.then(|| self.resume(&mut next)).flatten(),
            Happens::Finish => self.finish(&mut next),
            Happens::OtherGoesOn => self.other_goes_on(&mut next),
        };
        happened.map(|()| next.in_normal_form()).filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties()
    }
}

impl Fence {
    pub(crate) fn new(rules: Rules, extent: Extent) -> Self {
        Self { rules, extent, transitions: Transitions::read() }
    }

    /// Writes to the head; none where the table refuses it.
    pub(crate) fn record(&self, head: &mut Head, record: Record) -> Option<()> {
        let generation = head.generation;
        *head = self.transitions.after(*head, record)?;
        if self.rules.rollback_keeps_the_generation && record == Record::RollbackBegun {
            head.generation = generation;
        }
        Some(())
    }

    /// A person lets a halted migration go on, in an execution of its own.
    fn resume(&self, state: &mut State) -> Option<()> {
        let generation = state.head.generation;
        if self.rules.what_a_rollback_left_is_resumed {
            state.head.rolls_back = false;
        }
        self.record(&mut state.head, Record::Resumed)?;
        if self.rules.resume_keeps_the_generation {
            state.head.generation = generation;
        }
        Some(())
    }

    fn finish(&self, state: &mut State) -> Option<()> {
        let head = state.head;
        let last =
            head.phase == Phase::Moving && head.verified == Some(self.extent.last_step) && head.intended.is_none();
        let baked = self.rules.no_final_bake || state.has_waited();
        let everywhere = state.routes.iter().all(|value| *value == Value::Step(self.extent.last_step));
        if !(last && baked && everywhere) {
            return None;
        }
        self.record(&mut state.head, Record::Finished)?;
        state.release();
        Some(())
    }

    fn other_goes_on(&self, state: &mut State) -> Option<()> {
        let writers_are_dead = self.rules.locks_are_free_at_once || state.has_waited();
        match state.other {
            Other::Refused if state.locks[SHARED] == Owner::Nobody && writers_are_dead => {
                state.locks[SHARED] = Owner::Other;
                state.other = Other::Holds(state.routes[SHARED]);
            }
            Other::Holds(_) => {
                state.routes[SHARED] = Value::Other;
                state.other = Other::Moved;
            }
            _ => return None,
        }
        Some(())
    }

    /// From this moment everything dies but one rollback, which is begun anew by whoever may: whether it ends by
    /// itself.
    pub(crate) fn a_rollback_alone_comes_to_an_end(&self, state: &State) -> bool {
        const STEPS: usize = 24;
        let mut state = state.clone();
        (state.shifters, state.returners) = ([None; 2], [None; 2]);
        let mut begun = state.head.phase.is_returning();
        for _ in 0..STEPS {
            match state.head.phase {
                Phase::RolledBack | Phase::Refused | Phase::Migrated => return true,
                Phase::Halted if begun => return true,
                _ => {}
            }
            let went_on = if state.returners[1].is_some() {
                self.return_routes(&mut state, 1)
            } else if state.head.phase == Phase::Settling {
                self.verify_begins(&mut state)
            } else {
                begun = true;
                self.rollback_asked(&mut state)
            };
            if went_on.is_none() {
                return false;
            }
        }
        false
    }
}

/// Whether a rollback is asked for in this phase. The sweep leaves a halted migration to a person and to its alarms;
/// the gates look only on the way up.
fn asks(trigger: Trigger, phase: Phase) -> bool {
    match trigger {
        Trigger::CheckAlarms | Trigger::OutsideGate | Trigger::Failure => {
            matches!(phase, Phase::Planned | Phase::Moving)
        }
        Trigger::Sweep | Trigger::Stopped => !phase.is_over() && phase != Phase::Halted,
        Trigger::AlarmEvent | Trigger::Health | Trigger::Operator => !phase.is_over(),
    }
}
