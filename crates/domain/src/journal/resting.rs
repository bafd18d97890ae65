//! Since when a migration is as it is.

use super::{Head, Phase};
use jiff::Timestamp;

impl Head {
    /// Since when the migration is as it is: halted since it halted, back since every route was seen back, at its weight since
    /// that was read back.
    pub fn at_rest_since(&self) -> Timestamp {
        let by_phase = match self.phase {
            Phase::Halted => self.halted_at,
            Phase::RollingBack => self.rollback.as_ref().map(|rollback| rollback.begun_at),
            Phase::Settling | Phase::RolledBack => self.rollback.as_ref().and_then(|rollback| rollback.returned_at),
            Phase::Moving | Phase::Migrated => self.verified_at,
            Phase::Planned | Phase::Refused => None,
        };
        by_phase.unwrap_or(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServiceName;
    use crate::journal::{Happening, Trigger};
    use crate::weight::Weight;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_migration_rests_since_it_came_to_rest_and_not_since_its_last_shift() {
        let after = |head: &Head, what, second| head.after(&head.next_event(what, at(second))).unwrap();
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), at(1));
        assert_eq!(head.at_rest_since(), at(1));
        let head = after(&head, Happening::ShiftIntended { step: 0, weight: Weight::ZERO }, 2);
        let head = after(&head, Happening::Shifted { step: 0, weight: Weight::ZERO }, 3);
        assert_eq!(head.at_rest_since(), at(3));
        let halted = after(&head, Happening::Halted { reason: "drift".into() }, 4);
        assert_eq!(halted.at_rest_since(), at(4));
        let begun = Happening::RollbackBegun { trigger: Trigger::Operator, cause: "me".into(), caused_at: at(5) };
        let back = after(&halted, begun, 6);
        assert_eq!(back.at_rest_since(), at(6));
        let back = after(&back, Happening::RoutesReturned { written: 1 }, 7);
        let back = after(&back, Happening::RollbackVerified { rewritten: 0 }, 8);
        assert_eq!(back.at_rest_since(), at(7));
    }
}
