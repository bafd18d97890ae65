//! Internal routes: the last record of each, and those before it.

use super::Table;
use super::item::{self, number};
use super::key;
use super::transact::{Condition, Outcome, put};
use crossfade_actions::ports::LedgerError;
use crossfade_domain::internal_route::Connection;

impl Table {
    pub(super) async fn write_connection(
        &self,
        before: Option<&Connection>,
        after: &Connection,
    ) -> Result<(), LedgerError> {
        let service = &after.service;
        let unchanged = before
            .map_or_else(Condition::absent, |before| Condition::equal(vec![("sequence", number(before.sequence))]));
        let version = u64::from(after.version);
        let mut head = item::with_document(&key::connection(service), version, after);
        head.insert("sequence".to_owned(), number(after.sequence));
        let record = item::with_document(&key::connection_record(service, after.sequence), version, after);
        let writes = vec![put(&self.name, head, Some(unchanged)), put(&self.name, record, Some(Condition::absent()))];
        let outcome = self.transact(service.as_str(), writes).await.map_err(LedgerError::from)?;
        if matches!(outcome, Outcome::ConditionsFailed(_)) {
            let recorded: Option<Connection> = self.document(&key::connection_record(service, after.sequence)).await?;
            if recorded.as_ref() != Some(after) {
                let sequence = recorded.map_or(0, |recorded| recorded.sequence);
                return Err(LedgerError::Contended { service: service.clone(), sequence });
            }
        }
        Ok(())
    }
}
