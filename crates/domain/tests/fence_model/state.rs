//! What the model remembers: the head, the locks, the routes, and every invocation that is alive.

use crossfade_domain::journal::Phase;

/// Routes of the service.
pub(crate) const ROUTES: usize = 2;
/// The route that the other migration wants as well.
pub(crate) const SHARED: usize = 1;
/// The last step of the longest schedule.
pub(crate) const LAST_STEP: u32 = 1;

/// What a route carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    /// As recorded before the first change.
    Baseline,
    /// A step of the plan.
    Step(u32),
    /// A step of the other migration's plan.
    Other,
}

/// Who holds a route's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Nobody,
    Ours,
    Other,
}

/// The head of the migration, without its number of the last event: a conditional write that is decided anew after each
/// contention is one atomic step here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    pub(crate) generation: u64,
    pub(crate) phase: Phase,
    pub(crate) verified: Option<u32>,
    pub(crate) intended: Option<u32>,
    /// A rollback was begun: what it leaves is never resumed.
    pub(crate) rolls_back: bool,
    /// How often the migration was taken over, by a rollback or by a resume: what the generation stands for.
    pub(crate) takeovers: u64,
}

/// An invocation of `shift-weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Shifter {
    /// Of the cursor that it was invoked with.
    pub(crate) generation: u64,
    /// Takeovers of the head when it was invoked.
    pub(crate) takeovers: u64,
    pub(crate) step: u32,
    pub(crate) at: ShifterAt,
    /// Writes that it made after the migration was taken over; 2 stands for more.
    pub(crate) late_writes: u8,
    /// It was alive when the current settle began, or the current bake: dead when that ends.
    pub(crate) awaited: bool,
}

/// What a shifter does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ShifterAt {
    Intend,
    /// Reads this route and then the head.
    Look(usize),
    /// The fence is passed: nothing but death keeps it from this write, however late.
    Write(usize),
    ReadBack,
    Record,
}

/// An invocation that returns routes: `react-to-alarm`, or `roll-back` in either mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Returner {
    pub(crate) generation: u64,
    /// The second look, which releases the locks.
    pub(crate) verifies: bool,
    pub(crate) at: ReturnerAt,
    /// It has written a route.
    pub(crate) wrote: bool,
    /// As of a shifter.
    pub(crate) awaited: bool,
}

/// What a returner does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ReturnerAt {
    /// Has seen these routes away from their baseline, and has not begun or joined a rollback yet.
    Begin([bool; ROUTES]),
    /// Reads every route.
    Look,
    /// Reads the head, before it writes the first of the routes that it saw away from their baseline.
    Check([bool; ROUTES]),
    /// The fence is passed, as of a shifter, for all of these routes.
    Write([bool; ROUTES]),
    /// Every route was seen back.
    Conclude,
}

/// Another service's migration, which has a plan for the shared route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Other {
    /// It tries to take the route.
    Refused,
    /// It holds the route, and has recorded this baseline.
    Holds(Value),
    /// It has moved the route.
    Moved,
}

/// One moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) locks: [Owner; ROUTES],
    pub(crate) routes: [Value; ROUTES],
    pub(crate) shifters: [Option<Shifter>; 2],
    pub(crate) returners: [Option<Returner>; 2],
    pub(crate) other: Other,
}

impl State {
    /// The locks were just taken.
    pub(crate) fn first(locks: [Owner; ROUTES]) -> Self {
        Self {
            head: Head {
                generation: 1,
                phase: Phase::Planned,
                verified: None,
                intended: None,
                rolls_back: false,
                takeovers: 1,
            },
            locks,
            routes: [Value::Baseline; ROUTES],
            shifters: [None; 2],
            returners: [None; 2],
            other: Other::Refused,
        }
    }

    /// From now on time is waited for: what is alive now will be dead at its end.
    pub(crate) fn begin_to_wait(&mut self) {
        for shifter in self.shifters.iter_mut().flatten() {
            shifter.awaited = true;
        }
        for returner in self.returners.iter_mut().flatten() {
            returner.awaited = true;
        }
    }

    /// Whether everything that was alive at the beginning of the wait is dead.
    pub(crate) fn has_waited(&self) -> bool {
        !self.shifters.iter().flatten().any(|shifter| shifter.awaited)
            && !self.returners.iter().flatten().any(|returner| returner.awaited)
    }

    /// The locks of the migration are free.
    pub(crate) fn release(&mut self) {
        for lock in &mut self.locks {
            if *lock == Owner::Ours {
                *lock = Owner::Nobody;
            }
        }
    }

    /// The same moment, named as all that are like it: two invocations of one kind are alike, and of a generation all
    /// that ever matters is whether it is the head's (1) or an older one (0); so with takeovers.
    pub(crate) fn in_normal_form(mut self) -> Self {
        let current = self.head.generation;
        let takeovers = self.head.takeovers;
        (self.head.generation, self.head.takeovers) = (1, 1);
        for shifter in self.shifters.iter_mut().flatten() {
            shifter.generation = u64::from(shifter.generation == current);
            shifter.takeovers = u64::from(shifter.takeovers == takeovers);
        }
        for returner in self.returners.iter_mut().flatten() {
            returner.generation = u64::from(returner.generation == current);
        }
        self.shifters.sort_unstable();
        self.returners.sort_unstable();
        self
    }
}
