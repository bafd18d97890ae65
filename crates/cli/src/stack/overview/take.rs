//! Reads an overview. One service that cannot be read hides no other.

use super::{Overview, ServiceSeen};
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::fleets::{StoredFleet, is_of_this_run};
use crate::stack::position::Position;
use crate::stack::session::Session;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::observe::{Listings, plan_in_force};
use crossfade_actions::ports::{LedgerError, PortError};
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::Retirement;
use futures::{StreamExt as _, stream};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one read may take. In real time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many plans are read at once.
const AT_ONCE: usize = 8;
/// After so many reads in a row without an answer, the others are not tried.
const IN_A_ROW: usize = 3;

/// What has been found missing so far.
struct Missing<'a> {
    session: &'a Session,
    words: Vec<String>,
    code: ExitCode,
}

impl Missing<'_> {
    /// Notes a read that failed.
    fn note(&mut self, doing: &str, error: LedgerError) {
        let why = self.counted(&ActionError::Ledger { doing: doing.to_owned(), source: error });
        self.words.push(why);
    }

    /// Why a read failed. The first one that did decides how the command ends.
    fn counted(&mut self, error: &ActionError) -> String {
        if self.code == ExitCode::Done {
            self.code = self.session.failed(error).code;
        }
        error.chain()
    }
}

impl Overview {
    /// Reads everything.
    ///
    /// # Errors
    /// Neither the stored policies nor the open migrations can be read, so that there is nothing to show.
    pub async fn take(session: &Session) -> Result<Self, Failure> {
        let ledger = &session.ports.ledger;
        let mut missing = Missing { session, words: Vec::new(), code: ExitCode::Done };
        let (policies, open) = tokio::join!(in_time(ledger.policies()), in_time(ledger.open_heads()));
        let (policies, open) = match (policies, open) {
            (Err(error), Err(_)) => return Err(session.ledger_failed("reading the stored policies", error)),
            (policies, open) => (
                policies.unwrap_or_else(|error| {
                    missing.note("the services that only the stored policies name are missing", error);
                    Vec::new()
                }),
                open.unwrap_or_else(|error| {
                    missing.note("the services that no stored policy names are missing", error);
                    Vec::new()
                }),
            ),
        };
        // A migration that was started with `--policy` may be of a service that no stored policy names.
        let mut services: BTreeMap<ServiceName, ServiceSeen> =
            open.into_iter().map(|head| (head.service.clone(), ServiceSeen::named(head.service))).collect();
        let mut stored: Vec<StoredFleet> = policies.into_iter().map(StoredFleet::of).collect();
        stored.sort_by(|a, b| a.name.cmp(&b.name));
        for fleet in &stored {
            for service in &fleet.policy.services {
                let name = service.name.clone();
                let seen = ServiceSeen { fleet: Some(fleet.name.clone()), ..ServiceSeen::named(name.clone()) };
                services.insert(name, seen);
            }
        }
        let unusable = stored.iter().filter_map(|fleet| fleet.problem.clone()).collect();
        let fleets = runs(session, stored, &mut missing).await;
        positions(session, &mut services, &mut missing).await;
        retirements(session, &mut services, &mut missing).await;
        left_behind(session, &mut services).await;
        for seen in services.values_mut() {
            let of_fleet = |(fleet, _): &&(StoredFleet, FleetHead)| Some(&fleet.name) == seen.fleet.as_ref();
            let Some((_, run)) = fleets.iter().find(of_fleet) else { continue };
            let is_of_run = seen.position.as_ref().is_none_or(|position| is_of_this_run(run, &position.head));
            seen.run = run.services.get(&seen.service).filter(|_| is_of_run).cloned();
        }
        let services = services.into_values().collect();
        Ok(Self { now: session.now(), services, fleets, unusable, missing: missing.words, code: missing.code })
    }
}

/// The runs of the fleets that are not over.
async fn runs(session: &Session, stored: Vec<StoredFleet>, missing: &mut Missing<'_>) -> Vec<(StoredFleet, FleetHead)> {
    let mut runs = Vec::new();
    for fleet in stored {
        match in_time(session.ports.fleets.fleet(&fleet.name)).await {
            Ok(head) => runs.extend(head.filter(|head| head.state != RunState::Over).map(|head| (fleet, head))),
            Err(error) => missing.note(&format!("the run of fleet {} is missing", fleet.name), error),
        }
    }
    runs
}

/// Reads heads and plans.
async fn positions(session: &Session, services: &mut BTreeMap<ServiceName, ServiceSeen>, missing: &mut Missing<'_>) {
    let ledger = &session.ports.ledger;
    let names: Vec<ServiceName> = services.keys().cloned().collect();
    let all = in_time(ledger.heads(&names)).await;
    let of = |head: Head| (head.service.clone(), head);
    let heads = all_or_each(all, of, &names, async |name| ledger.head(name).await).await;
    let mut found = Vec::new();
    for (name, head) in heads {
        match (head, services.get_mut(&name)) {
            (Ok(head), _) => found.extend(head),
            (Err(error), Some(seen)) => {
                let doing = "reading its migration".to_owned();
                seen.unread = Some(missing.counted(&ActionError::Ledger { doing, source: error }));
            }
            (Err(_), None) => {}
        }
    }
    let plans = stream::iter(found).map(async |head: Head| {
        let plan = tokio::time::timeout(PATIENCE, plan_in_force(&session.ports, &head)).await;
        (head, plan)
    });
    let mut plans = plans.buffered(AT_ONCE);
    while let Some((head, plan)) = plans.next().await {
        let plan = plan.unwrap_or_else(|_| {
            Err(ActionError::TimedOut { doing: "reading its plan".to_owned(), seconds: PATIENCE.as_secs() })
        });
        if let Err(error) = &plan {
            let why = missing.counted(error);
            missing.words.push(format!("the weight of {} is missing: {why}", head.service));
        }
        if let Some(seen) = services.get_mut(&head.service) {
            seen.position = Some(Position::of(head, plan.ok(), session.now()));
        }
    }
}

/// Reads what has become of the old sides of the services that have migrated.
async fn retirements(session: &Session, services: &mut BTreeMap<ServiceName, ServiceSeen>, missing: &mut Missing<'_>) {
    let ledger = &session.ports.ledger;
    let names: Vec<ServiceName> =
        services.values().filter(|seen| has_migrated(seen)).map(|seen| seen.service.clone()).collect();
    let all = in_time(ledger.retirements(&names)).await;
    let of = |one: Retirement| (one.service.clone(), one);
    for (name, retirement) in all_or_each(all, of, &names, async |name| ledger.retirement(name).await).await {
        let Some(seen) = services.get_mut(&name) else { continue };
        match retirement {
            Ok(retirement) => {
                let migration = seen.position.as_ref().map(|position| &position.head.migration);
                seen.retirement = retirement.filter(|one| Some(&one.plan.migration) == migration);
            }
            Err(error) => missing.note(&format!("the retirement of {name} is missing"), error),
        }
    }
}

/// Lists what the load balancers of the services that have migrated have on the old side.
async fn left_behind(session: &Session, services: &mut BTreeMap<ServiceName, ServiceSeen>) {
    let mut listings = Listings::default();
    for seen in services.values_mut().filter(|seen| has_migrated(seen)) {
        let plan = seen.position.as_ref().and_then(|position| position.plan.as_ref());
        seen.left = match plan {
            Some(plan) => Some(listings.left_on_the_old_side(&session.ports, plan).await),
            None => Some(Err("its plan could not be read".to_owned())),
        };
    }
}

fn has_migrated(seen: &ServiceSeen) -> bool {
    seen.position.as_ref().is_some_and(|position| position.head.phase == Phase::Migrated)
}

/// What was read of each service: all at once, or, where that failed, one by one. A single item that cannot be read
/// fails a read of all.
async fn all_or_each<T>(
    all: Result<Vec<T>, LedgerError>,
    of: impl Fn(T) -> (ServiceName, T),
    names: &[ServiceName],
    one: impl AsyncFn(&ServiceName) -> Result<Option<T>, LedgerError>,
) -> Vec<(ServiceName, Result<Option<T>, LedgerError>)> {
    if let Ok(all) = all {
        let mut found: BTreeMap<ServiceName, T> = all.into_iter().map(of).collect();
        return names.iter().map(|name| (name.clone(), Ok(found.remove(name)))).collect();
    }
    let mut each = Vec::new();
    let (mut failures, mut last) = (0, None);
    for name in names {
        let read = match &last {
            Some(error) if failures >= IN_A_ROW => Err(LedgerError::clone(error)),
            _ => in_time(one(name)).await,
        };
        match &read {
            // An item that this version cannot read is an answer.
            Ok(_) | Err(LedgerError::Unreadable { .. }) => failures = 0,
            Err(error) => {
                failures += 1;
                last = Some(error.clone());
            }
        }
        each.push((name.clone(), read));
    }
    each
}

/// Treats a slow answer as none: the SDK waits far longer than a person would.
async fn in_time<T>(read: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", PATIENCE.as_secs());
        Err(LedgerError::Port(PortError::Unavailable { operation: "a read", object: "the table".to_owned(), detail }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn names(count: usize) -> Vec<ServiceName> {
        (0..count).map(|number| ServiceName::parse(format!("s{number}")).unwrap()).collect()
    }

    fn denied() -> LedgerError {
        let (object, detail) = ("s1".to_owned(), "no route to host".to_owned());
        LedgerError::Port(PortError::Unavailable { operation: "GetItem", object, detail })
    }

    fn unreadable() -> LedgerError {
        LedgerError::Unreadable { key: "s1".to_owned(), detail: "version 9".to_owned() }
    }

    /// Reads five services one by one, of which those are answered that `answer` says; returns what was found of each,
    /// and how many were asked for.
    async fn each(answer: impl Fn(usize) -> Result<Option<ServiceName>, LedgerError>) -> (Vec<Option<bool>>, usize) {
        let (names, asked) = (names(5), Cell::new(0));
        let of = |name: ServiceName| (name.clone(), name);
        let one = async |name: &ServiceName| {
            asked.set(asked.get() + 1);
            answer(names.iter().position(|other| other == name).unwrap())
        };
        let read = all_or_each(Err(unreadable()), of, &names, one).await;
        (read.into_iter().map(|(_, one)| one.ok().map(|one| one.is_some())).collect(), asked.get())
    }

    #[tokio::test]
    async fn one_item_that_cannot_be_read_hides_no_other() {
        let one = |number: usize| if number == 1 { Err(unreadable()) } else { Ok(names(5).get(number).cloned()) };
        let (found, asked) = each(one).await;
        assert_eq!(found, [Some(true), None, Some(true), Some(true), Some(true)]);
        assert_eq!(asked, 5);
    }

    #[tokio::test]
    async fn a_table_that_does_not_answer_is_not_asked_for_every_service() {
        let (found, asked) = each(|_| Err(denied())).await;
        assert_eq!(found, [None; 5]);
        assert_eq!(asked, 3);
        let (found, asked) = each(|number| if number.is_multiple_of(2) { Err(denied()) } else { Ok(None) }).await;
        assert_eq!(found, [None, Some(false), None, Some(false), None]);
        assert_eq!(asked, 5);
    }
}
