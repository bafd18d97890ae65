//! The real table of transitions, `journal::Head::apply`, asked once for everything that the model can ask of it.

use crate::state::{Head, LAST_STEP};
use crossfade_domain::journal::{EventKind, Head as RealHead, Phase, Rollback, Trigger};
use crossfade_domain::names::ServiceName;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    ShiftIntended(u32),
    Shifted(u32),
    RollbackBegun,
    RoutesReturned,
    RollbackVerified,
    Finished,
    Halted,
    Resumed,
    Refused,
}

/// Heads of generation 1 and what is recorded, with the heads that they lead to.
pub(crate) struct Transitions(HashMap<(Head, Record), Head>);

impl Transitions {
    pub(crate) fn read() -> Self {
        use Phase as P;
        let phases =
            [P::Planned, P::Moving, P::RollingBack, P::Settling, P::RolledBack, P::Halted, P::Migrated, P::Refused];
        let steps = || (0..=LAST_STEP).map(Some).chain([None]);
        let records: Vec<Record> = (0..=LAST_STEP)
            .flat_map(|step| [Record::ShiftIntended(step), Record::Shifted(step)])
            .chain([Record::RollbackBegun, Record::RoutesReturned, Record::RollbackVerified])
            .chain([Record::Finished, Record::Halted, Record::Resumed, Record::Refused])
            .collect();
        let mut table = HashMap::new();
        for phase in phases {
            for verified in steps() {
                for intended in steps() {
                    for rolls_back in [false, true] {
                        let head = Head { generation: 1, phase, verified, intended, rolls_back, takeovers: 1 };
                        for record in &records {
                            table.extend(after(head, *record).map(|next| ((head, *record), next)));
                        }
                    }
                }
            }
        }
        Self(table)
    }

    /// The head that a record leads to; none where it cannot happen.
    pub(crate) fn after(&self, head: Head, record: Record) -> Option<Head> {
        let next = *self.0.get(&(Head { generation: 1, takeovers: 1, ..head }, record))?;
        let takeovers = head.takeovers + u64::from(matches!(record, Record::RollbackBegun | Record::Resumed));
        Some(Head { generation: head.generation + next.generation - 1, takeovers, ..next })
    }
}

fn after(head: Head, record: Record) -> Option<Head> {
    let service = ServiceName::parse("users").unwrap();
    let mut real = RealHead::first(service, 1, head.generation, "execution".into(), Timestamp::UNIX_EPOCH);
    (real.phase, real.verified_step, real.intended_step) = (head.phase, head.verified, head.intended);
    let begun = Rollback {
        trigger: Trigger::Operator,
        cause: "asked".to_owned(),
        caused_at: Timestamp::UNIX_EPOCH,
        begun_at: Timestamp::UNIX_EPOCH,
        returned_at: None,
        left: BTreeMap::new(),
        left_requests: BTreeMap::new(),
        after_the_end: false,
    };
    real.rollback = head.rolls_back.then_some(begun);
    let reason = || "because".to_owned();
    let kind = match record {
        Record::ShiftIntended(step) => EventKind::ShiftIntended { step, weight: Weight::ZERO },
        Record::Shifted(step) => EventKind::Shifted { step, weight: Weight::ZERO },
        Record::RollbackBegun => {
            EventKind::RollbackBegun { trigger: Trigger::Operator, cause: reason(), caused_at: Timestamp::UNIX_EPOCH }
        }
        Record::RoutesReturned => EventKind::RoutesReturned { written: 1, left: 0 },
        Record::RollbackVerified => EventKind::RollbackVerified { rewritten: 0, left: 0 },
        Record::Finished => EventKind::Finished { listed: None },
        Record::Halted => EventKind::Halted { reason: reason() },
        Record::Resumed => {
            EventKind::Resumed { execution: "second".into(), who: "a person".into(), accepted: Vec::new() }
        }
        Record::Refused => EventKind::Refused { reason: reason() },
    };
    let next = real.apply(&real.next_event(kind, Timestamp::UNIX_EPOCH)).ok()?;
    Some(Head {
        generation: next.generation,
        phase: next.phase,
        verified: next.verified_step,
        intended: next.intended_step,
        rolls_back: next.rollback.is_some(),
        takeovers: head.takeovers,
    })
}
