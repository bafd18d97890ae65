//! Fleets: their heads and journals.

use super::Table;
use super::item::{self, Item, number, text};
use super::key;
use super::transact::{Condition, Outcome, put};
use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_actions::ports::{FleetWriteError, Fleets, LedgerError};
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::wording::announcement;
use futures::{StreamExt as _, TryStreamExt as _};

/// `GetItem`s under way at a time.
const READS_AT_A_TIME: usize = 16;

#[async_trait::async_trait]
impl Fleets for Table {
    async fn fleet(&self, fleet: &str) -> Result<Option<FleetHead>, LedgerError> {
        self.named(self.document_within_2_s(&key::fleet_head(fleet)).await)
    }

    async fn fleets(&self) -> Result<Vec<FleetHead>, LedgerError> {
        let names = self.named(self.query(key::FLEETS, None).await.map_err(LedgerError::from))?;
        let keys = names.iter().map(|item| key::fleet_head(&key::Key::of(item).sk)).collect::<Vec<_>>();
        let heads: Vec<Option<FleetHead>> = futures::stream::iter(keys)
            .map(|key| async move { self.document(&key).await })
            .buffered(READS_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(heads.into_iter().flatten().collect())
    }

    async fn fleet_entries(&self, fleet: &str, run: u32) -> Result<Vec<FleetEntry>, LedgerError> {
        let items = self.query(&key::fleet_partition(fleet), Some(key::fleet_entries(run))).await;
        self.named(items.map_err(LedgerError::from))?.iter().map(item::document).collect()
    }

    async fn record_fleet(
        &self,
        before: Option<&FleetHead>,
        entry: &FleetEntry,
        after: &FleetHead,
    ) -> Result<(), FleetWriteError> {
        let unchanged = before.map_or_else(Condition::absent, |head| {
            let run = number(u64::from(head.run));
            Condition::equal(vec![
                ("run", run),
                ("generation", number(head.generation)),
                ("sequence", number(head.sequence)),
            ])
        });
        let fleet = &after.fleet;
        let mut writes = vec![
            put(&self.name, of_head(after), Some(unchanged)),
            put(&self.name, of_entry(fleet, entry), Some(Condition::absent())),
        ];
        if before.is_none() {
            let mut named = key::fleet_index(fleet).attributes();
            named.insert("version".to_owned(), number(u64::from(after.version)));
            writes.push(put(&self.name, named, None));
        }
        let outcome = self.transact(fleet, writes).await.map_err(LedgerError::from)?;
        if matches!(outcome, Outcome::ConditionsFailed(_)) {
            let key = key::fleet_entry(fleet, entry.run, entry.sequence);
            let recorded: Option<FleetEntry> = self.document(&key).await?;
            if recorded.as_ref() != Some(entry) {
                return Err(FleetWriteError::Moved(fleet.clone()));
            }
        }
        if let Some((change, _)) = announcement(entry) {
            tracing::info!(fleetChange = change, fleet, run = entry.run, "recorded");
        }
        Ok(())
    }
}

fn of_head(head: &FleetHead) -> Item {
    let mut item = item::with_document(&key::fleet_head(&head.fleet), u64::from(head.version), head);
    item.insert("run".to_owned(), number(u64::from(head.run)));
    item.insert("generation".to_owned(), number(head.generation));
    item.insert("sequence".to_owned(), number(head.sequence));
    item.insert("execution".to_owned(), text(&head.execution));
    item
}

/// An entry that changes where the run stands has a `fleetChange`, which the template's pipe announces.
fn of_entry(fleet: &str, entry: &FleetEntry) -> Item {
    let key = key::fleet_entry(fleet, entry.run, entry.sequence);
    let mut item = item::with_document(&key, u64::from(entry.version), entry);
    if let Some((change, reason)) = announcement(entry) {
        let run = entry.run.to_string();
        let at = entry.at.to_string();
        let attributes = [("fleetChange", change), ("fleet", fleet), ("run", &run), ("at", &at), ("reason", &reason)];
        item.extend(attributes.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))));
    }
    item
}
