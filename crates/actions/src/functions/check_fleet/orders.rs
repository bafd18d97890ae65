//! Does what a look has decided. Each order may be carried out again.

use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::operator::commands::{Command, command};
use crate::ports::{MigrationOrder, Ports, RetireOrder, RollBackOrder, Started};
use crate::reads::deadline::within;
use crate::reads::journal::head_of;
use crossfade_domain::fleet::decide::Order;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::journal::{Phase, Trigger};
use crossfade_domain::names::ServiceName;
use futures::future::join_all;
use std::time::Duration;

/// How long one order may take, in real time. With the reads before it, this fits into the function's 60 s.
const ORDER_WITHIN: Duration = Duration::from_secs(15);

/// Carries out all orders side by side, and returns what could not be done. It is asked for again at the next look.
pub(super) async fn carry_out(ports: &Ports, fleet: &FleetHead, orders: &[Order]) -> Vec<String> {
    let done = join_all(orders.iter().map(|order| {
        let doing = move || format!("{order:?}");
        within(ports, ORDER_WITHIN, doing, carry(ports, fleet, order))
    }));
    done.await.into_iter().filter_map(Result::err).map(|error| error.chain()).collect()
}

async fn carry(ports: &Ports, fleet: &FleetHead, order: &Order) -> Result<(), ActionError> {
    match order {
        Order::Start { service, execution, without } => {
            let started = ports.executions.start_migration(execution, &start_of(fleet, service, without)).await;
            started.doing(|| format!("starting the migration of {service}"))?;
            Ok(())
        }
        Order::Hold(service) => tell(ports, fleet, service, Command::Pause).await,
        Order::Release(service) => tell(ports, fleet, service, Command::Continue).await,
        Order::Return(service) => return_it(ports, fleet, service).await,
        Order::Retire { service, execution, until, by } => {
            let by = by.as_deref().unwrap_or("as its policy says");
            let who = format!("fleet {}: {by}", fleet.fleet);
            let order = RetireOrder { service: service.clone(), until: *until, who, continues: false };
            let started = ports.executions.start_retirement(execution, &order).await;
            started.doing(|| format!("starting the retirement of {service}"))?;
            Ok(())
        }
    }
}

/// The start of a service, with why it may ignore windows, or the skipped services that it comes after.
fn start_of(fleet: &FleetHead, service: &ServiceName, without: &[ServiceName]) -> MigrationOrder {
    let skipped = |name: &ServiceName| {
        let why = fleet.service(name).reason.unwrap_or_default();
        format!("{name} is skipped, and what comes after it starts without it ({why})")
    };
    let windows = || fleet.reason.clone().unwrap_or_else(|| "the run ignores windows and freezes".to_owned());
    let why: Vec<String> = without.iter().map(skipped).chain(fleet.windows_ignored.then(windows)).collect();
    MigrationOrder {
        ignore_after: !without.is_empty(),
        now: fleet.windows_ignored,
        who: format!("fleet {}", fleet.fleet),
        reason: why.join("; "),
        service: service.clone(),
    }
}

/// Tells a migration something. One that is no longer on its way up does not take it, which the next look sees.
async fn tell(ports: &Ports, fleet: &FleetHead, service: &ServiceName, what: Command) -> Result<(), ActionError> {
    match command(ports, service, what, &in_the_name_of(fleet)).await {
        Err(error) if error.class() == ErrorClass::InvalidRequest => Ok(()),
        told => told.map(|_| ()),
    }
}

/// Starts the rollback of a service. Its name is the same for the same run, migration and request, so a second order
/// finds the first one's execution.
async fn return_it(ports: &Ports, fleet: &FleetHead, service: &ServiceName) -> Result<(), ActionError> {
    let Some(head) = head_of(ports, service).await? else { return Ok(()) };
    if matches!(head.phase, Phase::RolledBack | Phase::Refused) {
        return Ok(());
    }
    let since = fleet.service(service).since.as_second();
    let name = format!("{service}-{}-fleet-{since}", head.attempt);
    let mut order = RollBackOrder::new(service, Trigger::Operator, &in_the_name_of(fleet));
    order.migration = Some(head.migration.clone());
    let started = ports.executions.start_roll_back(&name, &order).await;
    match started.doing(|| format!("starting the rollback of {service}"))? {
        Started::New(_) | Started::Already => Ok(()),
    }
}

fn in_the_name_of(fleet: &FleetHead) -> String {
    let why = fleet.reason.as_deref().unwrap_or("the run goes on");
    format!("fleet {}: {why}", fleet.fleet)
}
