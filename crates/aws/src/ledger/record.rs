//! Writes an event and the head it leads to.

use super::item::{self, text};
use super::key::{self, Key};
use super::take::still;
use super::transact::{Condition, Outcome, Unmet, delete, put};
use super::{Table, item::Item};
use crossfade_actions::ports::LedgerError;
use crossfade_domain::journal::{Event, Head};

/// The positions among the writes.
const HEAD: usize = 0;
const EVENT: usize = 1;
const FIRST_FREED: usize = 2;

impl Table {
    /// `freed` are the keys that go in the same transaction, as far as they are this migration's.
    pub(super) async fn write_event(
        &self,
        before: &Head,
        event: &Event,
        after: &Head,
        mut freed: Vec<Key>,
    ) -> Result<(), LedgerError> {
        let service = &before.service;
        loop {
            let mut writes = vec![
                put(&self.name, item::of_head(after), Some(still(before))),
                put(&self.name, item::of_event(service, event), Some(Condition::absent())),
            ];
            writes.extend(freed.iter().map(|key| delete(&self.name, key.attributes(), ours_or_absent(before))));
            let unmet = match self.transact(service.as_str(), writes).await? {
                Outcome::Done => return Ok(()),
                Outcome::ConditionsFailed(unmet) => unmet,
            };
            let (head, recorded) = (Outcome::unmet(&unmet, HEAD), Outcome::unmet(&unmet, EVENT));
            if head.is_some() || recorded.is_some() {
                let head = head.and_then(|unmet| unmet.stored.as_ref());
                return self.why_not_recorded(before, event, head, recorded).await;
            }
            // Only what is not ours was in the way: another migration has taken it since, and keeps it.
            let kept: Vec<usize> = unmet.iter().map(|unmet| unmet.write - FIRST_FREED).collect();
            let mut index = 0..;
            freed.retain(|_| !kept.contains(&index.next().expect("an open range has no end")));
        }
    }

    /// A write whose answer was lost finds its own event.
    async fn why_not_recorded(
        &self,
        before: &Head,
        event: &Event,
        head: Option<&Item>,
        recorded: Option<&Unmet>,
    ) -> Result<(), LedgerError> {
        let service = &before.service;
        let recorded: Option<Event> = match recorded {
            Some(Unmet { stored: Some(stored), .. }) => Some(item::document(stored)?),
            _ => self.document(&key::event(service, &event.migration, event.sequence)).await?,
        };
        if recorded.as_ref() == Some(event) {
            return Ok(());
        }
        let head: Option<Head> = match head {
            Some(stored) => Some(item::document(stored)?),
            None => self.document(&key::head(service)).await?,
        };
        let service = service.clone();
        Err(match head {
            Some(head) if head.generation != before.generation || head.migration != before.migration => {
                LedgerError::Superseded { service, ours: before.generation, theirs: head.generation }
            }
            head => LedgerError::Contended { service, sequence: head.map_or(0, |head| head.sequence) },
        })
    }
}

fn ours_or_absent(head: &Head) -> Condition {
    Condition::equal(vec![("service", text(&head.service)), ("migration", text(&head.migration))]).or_absent()
}
