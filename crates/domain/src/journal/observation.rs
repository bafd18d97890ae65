//! What a gate that only observes would have done. It is recorded when it changes, not at every check.

use super::event::EventKind;
use super::head::Head;
use crate::opinion::{Opinion, Vote};

impl Head {
    /// The event that records the opinion of a gate that only observes. None where the gate voted for the same before,
    /// unless the cause is newer: an alarm that fires again is news.
    pub fn observe(&self, opinion: &Opinion) -> Option<EventKind> {
        let Opinion { gate, vote, reason, caused_at } = opinion;
        let before = self.observed.get(gate.as_str());
        let changed = before.map_or(Vote::GoOn, |before| before.vote) != *vote;
        let newer = caused_at.zip(before.and_then(|before| before.caused_at)).is_some_and(|(now, then)| now > then);
        let objects = *vote != Vote::GoOn;
        (changed || (objects && newer)).then(|| EventKind::Observed {
            gate: gate.to_string(),
            vote: *vote,
            reason: if objects { reason.clone() } else { String::new() },
            caused_at: caused_at.filter(|_| objects),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::wording::{journal_line, observed_counts};
    use crate::names::ServiceName;
    use crate::opinion::Gate;
    use crate::weight::Weight;
    use jiff::Timestamp;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_gate_that_observes_is_recorded_when_it_changes_its_mind_and_not_at_every_check() {
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), second(0));
        let mut head = head
            .apply(&head.next_event(EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }, second(0)))
            .unwrap();
        let fired = |at: i64| Opinion {
            caused_at: Some(second(at)),
            ..Opinion::new(Gate::Alarms, Vote::RollBack, format!("fired at {at}"))
        };
        let quiet = || Opinion::new(Gate::Alarms, Vote::GoOn, "users-lag without data");
        let checks = [
            quiet(),
            fired(10),
            fired(10),
            fired(20),
            fired(10),
            quiet(),
            quiet(),
            Opinion::unreadable(Gate::Alarms, "throttled"),
            Opinion::unreadable(Gate::Alarms, "denied"),
            fired(20),
        ];
        let mut events = Vec::new();
        for opinion in checks {
            let Some(kind) = head.observe(&opinion) else { continue };
            let event = head.next_event(kind, second(60));
            head = head.apply(&event).unwrap();
            events.push(event);
        }
        let lines: Vec<String> = events.iter().map(journal_line).collect();
        assert_eq!(
            lines,
            [
                "alarms (observing): would have rolled back: fired at 10",
                "alarms (observing): would have rolled back: fired at 20",
                "alarms (observing): no longer objects",
                "alarms (observing): would have held: could not be read: throttled",
                "alarms (observing): would have rolled back: fired at 20",
            ]
        );
        assert_eq!(observed_counts(&events), ["alarms (observing): would have rolled back 3 times, held once"]);
    }
}
