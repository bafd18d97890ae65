use super::PortError;
use crossfade_domain::internal_route::Connection;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::retirement::{Retirement, RetirementEvent};
use jiff::Timestamp;
use serde_json::Value;

/// Why the table could not be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// The head has another generation than the writer: someone took over.
    #[error("generation {ours} of {service} was superseded by {theirs}")]
    Superseded {
        /// The service.
        service: ServiceName,
        /// The writer's generation.
        ours: u64,
        /// The head's generation.
        theirs: u64,
    },
    /// The head moved on under the same generation; read it again and decide again.
    #[error("the journal of {service} moved on to event {sequence} meanwhile")]
    Contended {
        /// The service.
        service: ServiceName,
        /// The head's last event.
        sequence: u64,
    },
    /// A stored item cannot be read by this version.
    #[error("stored item {key} cannot be read: {detail}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The table could not be used.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A fleet's policy as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPolicy {
    /// The fleet's name.
    pub fleet: String,
    /// The policy, which this version may not be able to decode.
    pub document: Value,
    /// When it was stored; none for what an earlier version has stored.
    pub stored_at: Option<Timestamp>,
}

/// Why a service and its routes could not be locked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TakeError {
    /// The service is in another migration, or another migration holds these routes.
    #[error("held by another migration")]
    Held(Vec<RouteHolder>),
    /// The service's own migration is not over.
    #[error("migration {} is not over", .0.migration)]
    Busy(Box<Head>),
    /// The table could not be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<PortError> for TakeError {
    fn from(error: PortError) -> Self {
        Self::Ledger(error.into())
    }
}

/// The table: heads, locks, plans, journals, the index from alarms to services, policies, internal routes, retirements.
///
/// Every write carries the generation it was made under. Reads are consistent. A write that is retried because its
/// answer was lost finds its own effect and succeeds.
#[async_trait::async_trait]
pub trait Ledger: Send + Sync {
    /// A service's head; none if it never migrated. Answers or fails within 2 s of real time, as do `plan`,
    /// `revised_plan`, `record` and `guarded_by`: a rollback continues without a table that does not answer (invariant
    /// 6).
    async fn head(&self, service: &ServiceName) -> Result<Option<Head>, LedgerError>;

    /// The heads of those services that ever migrated, in the order of their names. Reads 100 of them in a call.
    async fn heads(&self, services: &[ServiceName]) -> Result<Vec<Head>, LedgerError>;

    /// The heads of all migrations that are not over, halted ones included.
    async fn open_heads(&self) -> Result<Vec<Head>, LedgerError>;

    /// A stored plan, as it was made.
    async fn plan(&self, service: &ServiceName, migration: &MigrationId) -> Result<Option<Plan>, LedgerError>;

    /// A plan as a resume has revised it, by the generation that the resume began.
    async fn revised_plan(
        &self,
        service: &ServiceName,
        migration: &MigrationId,
        generation: u64,
    ) -> Result<Option<Plan>, LedgerError>;

    /// A migration's journal, in order.
    async fn events(&self, service: &ServiceName, migration: &MigrationId) -> Result<Vec<Event>, LedgerError>;

    /// Takes the service, every route of the plan and the index of its alarms, or nothing, in one transaction, and
    /// stores plan, head and first event. A route is in the way while a migration holds it, and after that for as long
    /// as a function that was writing to it may live ([`RouteHolder::holds`], at `head.since`). `previous` is the head
    /// that was read before (which must be over). The same migration taken again by the same execution succeeds.
    async fn take(&self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError>;

    /// Writes an event and the head it leads to, on the condition that the stored head still is `before` (generation
    /// and sequence).
    async fn record(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError>;

    /// As `record`, and stores a revision of the plan next to it, and each route's new baseline in the route's lock, in
    /// the same transaction.
    async fn revise(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError>;

    /// As `record`, and releases every lock and index entry of the plan in the same transaction; the locks say from
    /// then on when the routes can be taken ([`Head::routes_free_at`]).
    async fn release(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError>;

    /// As `record`, for the beginning of a rollback after the end: takes every route of the plan and the index of its
    /// alarms again, or nothing, in the same transaction, and stores the plan, which is a revision. A route is in the
    /// way as in `take`, but for the migration's own: its writers are those that settle waits for.
    async fn retake(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), TakeError>;

    /// The migrations that hold these routes, or held them last.
    async fn holders(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError>;

    /// The services that an alarm guards.
    async fn guarded_by(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError>;

    /// Stores a fleet's policy document; a newer one of the same fleet replaces it.
    async fn store_policy(&self, fleet: &str, document: &Value, now: Timestamp) -> Result<(), LedgerError>;

    /// Deletes a fleet's policy document and, in the same transaction, stores the same under another name, if one is
    /// given. Refused if there is no such fleet, or one of the other name.
    async fn remove_policy(&self, fleet: &str, renamed: Option<&StoredPolicy>) -> Result<(), LedgerError>;

    /// Every stored policy document.
    async fn policies(&self) -> Result<Vec<StoredPolicy>, LedgerError>;

    /// A service's internal route as it was last recorded; none if it never had one.
    async fn connection(&self, service: &ServiceName) -> Result<Option<Connection>, LedgerError>;

    /// Records a service's internal route, and keeps what was recorded before, on the condition that `before` is still
    /// the last (by its sequence).
    async fn record_connection(&self, before: Option<&Connection>, after: &Connection) -> Result<(), LedgerError>;

    /// The head of a service's latest retirement; none if it never had one.
    async fn retirement(&self, service: &ServiceName) -> Result<Option<Retirement>, LedgerError>;

    /// The heads of the latest retirements of those services that ever had one, in the order of their names. Reads 100
    /// of them in a call.
    async fn retirements(&self, services: &[ServiceName]) -> Result<Vec<Retirement>, LedgerError>;

    /// The heads of the retirements that an execution should be running ([`Retirement::is_run`]), in the order of their
    /// services' names. One that an earlier version has recorded is among them once an execution has recorded itself.
    async fn open_retirements(&self) -> Result<Vec<Retirement>, LedgerError>;

    /// The journal of a service's `number`th retirement, in order.
    async fn retirement_events(&self, service: &ServiceName, number: u32) -> Result<Vec<RetirementEvent>, LedgerError>;

    /// Writes an event and the head that it leads to in one transaction, on the condition that the stored head still is
    /// `before` (number, generation and sequence; none for the first retirement). In the same transaction it takes the
    /// routes that only `after` holds, all or none, and releases those that only `before` holds. A route is in the way
    /// as in `take`, but for the retirement's own: its writers are those that an undo waits for.
    async fn record_retirement(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError>;
}
