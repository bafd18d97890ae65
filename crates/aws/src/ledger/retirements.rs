//! Retirements: their heads and journals, and the routes that they hold.

use super::Table;
use super::item::{self, FREE_AT, Item, milliseconds, number, text};
use super::key;
use super::read::{READS_AT_A_TIME, readable};
use super::transact::{Condition, Outcome, Unmet, put};
use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_actions::ports::{LedgerError, TakeError};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::retirement::{Retirement, RetirementEvent, retirement_announcement};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

/// The position of the first lock among the writes.
const FIRST_LOCK: usize = 2;
/// Whether an execution should be running the retirement of a mark.
const IS_RUN: &str = "isRun";

impl Table {
    pub(super) async fn write_retirement(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError> {
        let service = &after.service;
        let held: Vec<&RouteId> = before.into_iter().flat_map(Retirement::held_routes).collect();
        let kept: Vec<&RouteId> = after.held_routes().collect();
        let unchanged = before.map_or_else(Condition::absent, |head| {
            Condition::equal(vec![
                ("number", number(u64::from(head.number))),
                ("generation", number(head.generation)),
                ("sequence", number(head.sequence)),
            ])
        });
        let mut writes = vec![
            put(&self.name, of_head(after), Some(unchanged)),
            put(&self.name, of_event(after, event), Some(Condition::absent())),
        ];
        let ours = Condition::equal(vec![("service", text(service)), ("migration", text(&after.lock_id()))]);
        let free = ours.or_absent().or_at_most(FREE_AT, milliseconds(event.at));
        let taken = kept.iter().filter(|route| !held.contains(route));
        writes.extend(taken.map(|route| put(&self.name, of_lock(after, route, None), Some(free.clone()))));
        let free_at = Some(Retirement::routes_free_at(event.at));
        let released = held.iter().filter(|route| !kept.contains(route));
        writes.extend(released.map(|route| put(&self.name, of_lock(after, route, free_at), Some(free.clone()))));
        if before.is_some_and(Retirement::is_run) != after.is_run() {
            writes.push(put(&self.name, of_index(after), None));
        }
        match self.transact(service.as_str(), writes).await.map_err(LedgerError::from)? {
            Outcome::Done => {}
            Outcome::ConditionsFailed(unmet) => self.why_not_retired(before, event, after, &unmet).await?,
        }
        log(event, after);
        Ok(())
    }

    /// The heads of those that are marked. One that this version cannot read is left out, as with migrations.
    pub(super) async fn retirements_that_are_run(&self) -> Result<Vec<Retirement>, LedgerError> {
        let marks = self.query(key::RETIREMENTS, None).await?;
        let run = marks.iter().filter(|mark| mark.get(IS_RUN) == Some(&AttributeValue::Bool(true)));
        let services = run.map(item::service).collect::<Result<Vec<_>, _>>()?;
        let heads: Vec<Option<Retirement>> = futures::stream::iter(services)
            .map(|service| async move { readable(self.document(&key::retirement(&service)).await) })
            .buffered(READS_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(heads.into_iter().flatten().filter(Retirement::is_run).collect())
    }

    /// Finds out why a write failed. A write whose response was lost finds its own event.
    async fn why_not_retired(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
        unmet: &[Unmet],
    ) -> Result<(), TakeError> {
        let service = &after.service;
        let recorded: Option<RetirementEvent> =
            self.document(&key::retirement_event(service, event.number, event.sequence)).await?;
        if recorded.as_ref() == Some(event) {
            return Ok(());
        }
        let head: Option<Retirement> = self.document(&key::retirement(service)).await?;
        match (head, before) {
            (Some(head), Some(before)) if head.generation != before.generation => {
                let (ours, theirs) = (before.generation, head.generation);
                return Err(LedgerError::Superseded { service: service.clone(), ours, theirs }.into());
            }
            (Some(head), before) if before.is_none_or(|before| head.sequence != before.sequence) => {
                return Err(LedgerError::Contended { service: service.clone(), sequence: head.sequence }.into());
            }
            _ => {}
        }
        let locks = unmet.iter().filter(|unmet| unmet.write >= FIRST_LOCK).filter_map(|unmet| unmet.stored.as_ref());
        let holders: Vec<RouteHolder> = locks.map(item::document).collect::<Result<_, _>>()?;
        if holders.is_empty() {
            let sequence = before.map_or(0, |before| before.sequence);
            return Err(LedgerError::Contended { service: service.clone(), sequence }.into());
        }
        Err(TakeError::Held(holders))
    }
}

/// Reports the record of an end that needs a person: the template counts these lines.
fn log(event: &RetirementEvent, after: &Retirement) {
    if let Some((change, reason)) = retirement_announcement(event) {
        let service = after.service.as_str();
        tracing::warn!(retirementChange = change, service, retirement = event.number, reason, "recorded");
    }
}

fn of_head(head: &Retirement) -> Item {
    let mut item = item::with_document(&key::retirement(&head.service), u64::from(head.version), head);
    item.insert("number".to_owned(), number(u64::from(head.number)));
    item.insert("generation".to_owned(), number(head.generation));
    item.insert("sequence".to_owned(), number(head.sequence));
    item
}

/// It stays when the retirement is over: who writes a journal may not delete.
fn of_index(head: &Retirement) -> Item {
    let mut item = item::of_index(&key::retirement_index(&head.service), &head.service, &head.lock_id());
    item.insert(IS_RUN.to_owned(), AttributeValue::Bool(head.is_run()));
    item
}

fn of_event(head: &Retirement, event: &RetirementEvent) -> Item {
    let key = key::retirement_event(&head.service, event.number, event.sequence);
    item::with_document(&key, u64::from(event.version), event)
}

/// A lock as a migration has it, so that each is in the other's way.
fn of_lock(head: &Retirement, route: &RouteId, free_at: Option<Timestamp>) -> Item {
    let (service, migration) = (head.service.clone(), head.lock_id());
    let holder = RouteHolder { route: route.clone(), service, migration, since: head.since, free_at };
    let mut item = item::with_document(&key::lock(route), u64::from(head.version), &holder);
    item.insert("service".to_owned(), text(&head.service));
    item.insert("migration".to_owned(), text(&head.lock_id()));
    item.insert("since".to_owned(), text(&head.since));
    if let Some(free_at) = free_at {
        item.insert(FREE_AT.to_owned(), milliseconds(free_at));
    }
    item
}
