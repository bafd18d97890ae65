//! What a rollback reads of its routes, and of the health of the groups behind them.

use crate::error::{ActionError, ErrorClass};
use crate::ports::Ports;
use crate::reads::deadline::within;
use crate::reads::health::health_of_pair;
use crate::retry::{retry, retry_while};
use crate::routes::read::{self, Live};
use crossfade_domain::journal::Head;
use crossfade_domain::load_balancer::group::{Target, TargetHealth, healthy_count};
use crossfade_domain::load_balancer::membership::Membership;
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::rollback::GroupHealth;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, join_all};
use std::collections::BTreeMap;
use std::time::Duration;

/// Attempts of a read of all routes.
const READ_TRIES: u32 = 3;
/// How long all routes may take to be read, and then those that have to be read one by one.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long one route may take to be read again.
const READ_ONE_WITHIN: Duration = Duration::from_secs(6);

/// One read of every route.
pub(crate) struct Look {
    /// The live actions; a route that no longer exists is absent.
    pub(crate) live: Live,
    /// The routes that could not be read.
    pub(crate) unread: BTreeMap<RouteId, ActionError>,
    /// When the routes were read, by [`crate::ports::Clock::real`].
    pub(crate) read_at: Duration,
}

impl Look {
    /// Reads every route. Where the batch cannot be read, each route is read on its own.
    pub(crate) async fn at(ports: &Ports, plan: &Plan) -> Self {
        let read_at = ports.clock.real();
        let busy = |error: &ActionError| error.class() == ErrorClass::Transient;
        let doing = || format!("reading the routes of {}", plan.service);
        let batch = retry_while(ports, READ_TRIES, busy, || read::read_all(ports, plan));
        if let Ok(live) = within(ports, READ_WITHIN, doing, batch).await {
            return Self { live, unread: BTreeMap::new(), read_at };
        }
        let read_at = ports.clock.real();
        let (mut live, mut unread) = (Live::new(), BTreeMap::new());
        let one_by_one = plan.routes.iter().map(|route| async move {
            let doing = format!("reading {}", route.named());
            let one = read::read(ports, std::slice::from_ref(&route.id), &doing);
            (&route.id, within(ports, READ_WITHIN, || doing.clone(), one).await)
        });
        for (id, one) in join_all(one_by_one).await {
            match one {
                Ok(one) => live.extend(one),
                Err(error) => {
                    unread.insert(id.clone(), error);
                }
            }
        }
        Self { live, unread, read_at }
    }
}

/// Reads one route again; none where it no longer exists.
///
/// # Errors
/// The load balancer's; `Transient` when it does not answer in time.
pub(crate) async fn look_again(ports: &Ports, route: &PlannedRoute) -> Result<Option<Route>, ActionError> {
    let doing = || format!("reading {}", route.named());
    let text = doing();
    let read = retry(ports, &text, || ports.routes.read_routes(std::slice::from_ref(&route.id)));
    Ok(within(ports, READ_ONE_WITHIN, doing, read).await?.pop())
}

/// The health of each pair of an old and a new group. A pair is read when it is first asked about, or before that by
/// [`HealthReads::all`]; what is not known after two seconds is unreadable.
pub(crate) struct HealthReads<'a>(BTreeMap<TargetGroupArn, Shared<BoxFuture<'a, GroupHealth>>>);

/// Counts the healthy targets that a new group has of this attempt: others may serve another service by now, so they
/// keep no traffic from the old side (invariant 20).
fn healthy_of_this_attempt(plan: &Plan, old: &TargetGroupArn) -> impl Fn(&[TargetHealth]) -> u32 + use<> {
    let listed = plan.policy.new_targets.listed().map(<[Target]>::to_vec);
    let port = plan.group_of(old).map_or(0, |group| group.settings.port);
    move |registered| healthy_count(&Membership::of(listed.as_deref(), port, registered).listed)
}

impl<'a> HealthReads<'a> {
    /// Of the groups behind the routes of a plan.
    pub(crate) fn of(ports: &'a Ports, plan: &Plan, head: &Head) -> Self {
        let mut reads = BTreeMap::new();
        for route in &plan.routes {
            if let Some(new) = head.new_groups.get(&route.old) {
                let count = healthy_of_this_attempt(plan, &route.old);
                let read = || health_of_pair(ports, route.old.clone(), new.clone(), count).boxed().shared();
                reads.entry(route.old.clone()).or_insert_with(read);
            }
        }
        Self(reads)
    }

    /// The health of the pair of an old group; unreadable where it has no new group.
    pub(crate) async fn of_old(&self, old: &TargetGroupArn) -> GroupHealth {
        match self.0.get(old) {
            Some(read) => read.clone().await,
            None => GroupHealth::default(),
        }
    }

    /// Reads every pair, while something else is done.
    pub(crate) fn all(&self) -> impl Future<Output = Vec<GroupHealth>> + use<'a> {
        join_all(self.0.values().cloned().collect::<Vec<_>>())
    }
}
