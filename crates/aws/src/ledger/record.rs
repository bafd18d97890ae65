//! Writes an event and the head that it leads to.

use super::Table;
use super::change;
use super::item::{self, Item, number, text};
use super::key::{self, Key};
use super::transact::{Condition, Outcome, Unmet, delete, put};
use aws_sdk_dynamodb::types::TransactWriteItem;
use crossfade_actions::ports::LedgerError;
use crossfade_domain::journal::{Event, Head};

/// The positions among the writes.
pub(super) const HEAD: usize = 0;
pub(super) const EVENT: usize = 1;
const FIRST_EXTRA: usize = 2;

/// A write in the same transaction as an event.
#[derive(Debug, Clone)]
pub(super) enum ExtraWrite {
    /// A new item, which nobody else can have written.
    New(Item),
    /// A replaced item, if it is this migration's.
    Put(Item),
    /// A deleted item, if it is this migration's.
    Delete(Key),
}

impl ExtraWrite {
    fn write(&self, table: &str, head: &Head) -> TransactWriteItem {
        match self {
            Self::New(item) => put(table, item.clone(), None),
            Self::Put(item) => put(table, item.clone(), Some(ours_or_absent(head))),
            Self::Delete(key) => delete(table, key.attributes(), ours_or_absent(head)),
        }
    }
}

impl Table {
    /// Writes an event, the head that it leads to, and the items that belong to it.
    pub(super) async fn write_event(
        &self,
        before: &Head,
        event: &Event,
        after: &Head,
        mut extra: Vec<ExtraWrite>,
    ) -> Result<(), LedgerError> {
        let service = &before.service;
        loop {
            let mut writes = vec![
                put(&self.name, item::of_head(after), Some(head_unchanged(before))),
                put(&self.name, item::of_event(service, event), Some(Condition::absent())),
            ];
            writes.extend(extra.iter().map(|write| write.write(&self.name, before)));
            let unmet = match self.transact(service.as_str(), writes).await? {
                Outcome::Done => {
                    change::log(service, event);
                    return Ok(());
                }
                Outcome::ConditionsFailed(unmet) => unmet,
            };
            let (head, recorded) = (Outcome::unmet(&unmet, HEAD), Outcome::unmet(&unmet, EVENT));
            if head.is_some() || recorded.is_some() {
                let head = head.and_then(|unmet| unmet.stored.as_ref());
                return self.why_not_recorded(before, event, head, recorded).await;
            }
            // Only other migrations' items failed their conditions. Those migrations have taken them since, and keep
            // them.
            let kept: Vec<usize> = unmet.iter().map(|unmet| unmet.write - FIRST_EXTRA).collect();
            let mut index = 0..;
            extra.retain(|_| !kept.contains(&index.next().expect("an open range has no end")));
        }
    }

    /// Finds out why a write failed. A write whose response was lost finds its own event.
    pub(super) async fn why_not_recorded(
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
            change::log(service, event);
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

/// The head is still the one that was read.
pub(super) fn head_unchanged(head: &Head) -> Condition {
    Condition::equal(vec![
        ("generation", number(head.generation)),
        ("sequence", number(head.sequence)),
        ("migration", text(&head.migration)),
    ])
}

/// The item is this migration's.
pub(super) fn ours(head: &Head) -> Condition {
    Condition::equal(vec![("service", text(&head.service)), ("migration", text(&head.migration))])
}

fn ours_or_absent(head: &Head) -> Condition {
    ours(head).or_absent()
}
