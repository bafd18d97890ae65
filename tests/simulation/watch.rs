//! The invariants of `docs/internals/architecture.md`, checked after every write. It knows what the routes, the table
//! and the health were, and takes nobody's word for it.

use self::probes::Probed;
use self::value::{Carries, alike, carries, new_share, taken_out};
use super::account::Account;
use super::consumers::{self, Consumers};
use super::outside::{self, Outside};
use super::ports::Caller;
use super::scenario::{Setup, WEIGHTS};
use super::timers::at_once;
use crossfade_actions::ports::Routes as _;
use crossfade_domain::journal::{EventKind, Trigger};
use crossfade_domain::load_balancer::action::{Action, Forward, forward_of};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::routing::drift::describe;
use crossfade_world::World;
use crossfade_world::ledger::Items;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

mod evidence;
pub(super) mod probes;
pub(super) mod rest;
pub(super) mod value;

/// Healthy targets that the policy of every run asks for, and that each old group has at first.
pub(super) const HEALTHY: u32 = 2;

/// One more than the highest number of an invariant.
pub(super) const INVARIANTS: usize = 21;

/// The longest that a function which writes to routes lives.
const LONGEST_WRITER: SignedDuration = SignedDuration::from_secs(60);

/// How long after an alarm traffic may be raised by a function that the gates had sent off before it: its tries, and
/// some.
const SENT_OFF: SignedDuration = SignedDuration::from_mins(2);

/// Verbs whose answers a gate must not do without.
pub(super) const ALARMS: &str = "alarms";
pub(super) const FIRINGS: &str = "firings";
pub(super) const METRICS: &str = "metric_data";

/// What a run did against an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The invariant's number.
    pub(super) invariant: usize,
    pub(super) text: String,
}

/// What was seen of a run so far.
pub(super) struct Watch {
    pub(super) setup: Setup,
    pub(super) violations: Vec<Violation>,
    /// How often each invariant was looked at.
    pub(super) checks: [u64; INVARIANTS],
    routes: BTreeMap<RouteId, Watched>,
    groups: BTreeSet<TargetGroupArn>,
    late_groups: BTreeSet<TargetGroupArn>,
    /// Since when a script holds a group sick.
    sick_since: BTreeMap<TargetGroupArn, Timestamp>,
    /// When a rollback last took a new group out of a route, which makes its targets unused.
    returned_at: Option<Timestamp>,
    /// The value of a route that an invocation read last.
    reads: BTreeMap<(u64, RouteId), usize>,
    /// Calls of invocations that have not answered, or not with what was asked for.
    unread: BTreeSet<(u64, &'static str)>,
    /// In how many minutes both sides had requests, by the invocation that read them.
    compared: BTreeMap<u64, usize>,
    meant: BTreeMap<RouteId, Vec<Action>>,
    gave_up: bool,
    pub(super) last_write: Option<Timestamp>,
    /// When an alarm fired while a new group had traffic, until it has none any more.
    exposed_since_alarm: Option<Timestamp>,
    /// The longest time from an alarm to no traffic on the new side.
    pub(super) seconds_to_safety: Option<f64>,
    /// When an alarm fired first.
    pub(super) alarm_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    /// Routes that somebody edited after the end, which nobody watches then.
    pub(super) edited_after_the_end: BTreeSet<RouteId>,
    pub(super) consumers: Consumers,
    /// When a rollback was begun first: whoever shifts is fenced off from then on.
    fenced_at: Option<Timestamp>,
    /// The routes that each shift has written after that.
    after_the_fence: BTreeMap<u64, BTreeSet<RouteId>>,
    pub(super) outside: Outside,
    /// The freeze of the policy.
    pub(super) frozen: Option<(Timestamp, Timestamp)>,
    /// When the locks were released last after routes had been written to.
    released_at: Option<Timestamp>,
    pub(super) probes: Probed,
}

struct Watched {
    /// What it is rolled back to.
    baseline: Vec<Action>,
    /// A person made it so at a resume.
    accepted: bool,
    /// Every value so far, that of before the migration first.
    values: Vec<Vec<Action>>,
    /// Index and value of somebody else's edit.
    foreign: Option<(usize, Vec<Action>)>,
}

/// What a route carries now.
pub(super) struct Seen<'a> {
    pub(super) route: &'a RouteId,
    pub(super) live: &'a [Action],
    pub(super) baseline: &'a [Action],
    /// What somebody else made of it.
    pub(super) edit: Option<&'a Vec<Action>>,
    /// The baseline is what a person accepted.
    pub(super) accepted: bool,
}

impl Watched {
    fn at_first(actions: Vec<Action>) -> Self {
        Self { baseline: actions.clone(), accepted: false, values: vec![actions], foreign: None }
    }

    /// Whether it carries what somebody else made of it.
    fn is_edited(&self) -> bool {
        self.foreign.as_ref().is_some_and(|(_, edit)| equivalent(edit, self.live()))
    }

    fn baseline(&self) -> &[Action] {
        &self.baseline
    }

    fn live(&self) -> &[Action] {
        self.values.last().expect("a route has its baseline at least")
    }
}

impl Watch {
    pub(super) fn over(setup: Setup, world: &World) -> Self {
        let read = at_once(world.read_routes(&setup.routes)).unwrap();
        let routes = read.into_iter().map(|route| (route.id, Watched::at_first(route.actions))).collect();
        Self {
            setup,
            violations: Vec::new(),
            checks: [0; INVARIANTS],
            routes,
            groups: BTreeSet::new(),
            late_groups: BTreeSet::new(),
            sick_since: BTreeMap::new(),
            returned_at: None,
            reads: BTreeMap::new(),
            unread: BTreeSet::new(),
            meant: BTreeMap::new(),
            gave_up: false,
            last_write: None,
            exposed_since_alarm: None,
            seconds_to_safety: None,
            alarm_at: None,
            finished_at: None,
            edited_after_the_end: BTreeSet::new(),
            consumers: Consumers::default(),
            fenced_at: None,
            after_the_fence: BTreeMap::new(),
            outside: Outside::default(),
            frozen: None,
            released_at: None,
            compared: BTreeMap::new(),
            probes: Probed::default(),
        }
    }

    pub(super) fn expect(&mut self, invariant: usize, holds: bool, text: impl FnOnce() -> String) {
        self.checks[invariant] += 1;
        if !holds {
            self.violations.push(Violation { invariant, text: text() });
        }
    }

    /// Our new groups so far.
    pub(super) fn groups(&self) -> &BTreeSet<TargetGroupArn> {
        &self.groups
    }

    /// A group was created; by a call that hung, when nobody waited for it any more, where it is `late`.
    pub(super) fn created(&mut self, group: &TargetGroupArn, late: bool) {
        self.groups.insert(group.clone());
        if late {
            self.late_groups.insert(group.clone());
        }
    }

    /// Groups that nobody could know of when the migration was taken back.
    pub(super) fn late_groups(&self) -> &BTreeSet<TargetGroupArn> {
        &self.late_groups
    }

    pub(super) fn sick(&mut self, group: &TargetGroupArn, now: Timestamp) {
        self.sick_since.entry(group.clone()).or_insert(now);
    }

    pub(super) fn asked(&mut self, invocation: u64, verb: &'static str) {
        self.unread.insert((invocation, verb));
    }

    pub(super) fn answered(&mut self, invocation: u64, verb: &'static str) {
        self.unread.remove(&(invocation, verb));
    }

    pub(super) fn meant(&mut self, route: &RouteId, actions: &[Action]) {
        self.meant.insert(route.clone(), actions.to_vec());
    }

    pub(super) fn last_meant(&self, route: &RouteId) -> Option<&Vec<Action>> {
        self.meant.get(route)
    }

    pub(super) fn give_up(&mut self) {
        self.gave_up = true;
    }

    pub(super) fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// The value that a route should have, as whoever does not look believes.
    pub(super) fn unedited(&self, route: &RouteId) -> Option<&Vec<Action>> {
        let watched = self.routes.get(route)?;
        let (index, _) = watched.foreign.as_ref()?;
        watched.values.get(index - 1)
    }

    pub(super) fn read(&mut self, invocation: u64, routes: &[RouteId]) {
        for route in routes {
            if let Some(watched) = self.routes.get(route) {
                self.reads.insert((invocation, route.clone()), watched.values.len() - 1);
            }
        }
    }

    /// Somebody else edited a route.
    pub(super) fn edited(&mut self, route: &RouteId, live: Vec<Action>, now: Timestamp) {
        let watched = self.routes.get_mut(route).expect("a script edits routes of the service");
        let before = watched.foreign.as_ref().and_then(|(index, _)| watched.values.get(index - 1));
        let put_back = before.is_some_and(|before| equivalent(before, &live));
        watched.foreign = (!put_back).then(|| (watched.values.len(), live.clone()));
        watched.values.push(live);
        if self.finished_at.is_some() {
            self.edited_after_the_end.insert(route.clone());
        }
        self.settle_exposure(now);
    }

    pub(super) fn alarm_fired(&mut self, now: Timestamp) {
        if self.setup.alarms_observe() {
            return;
        }
        self.alarm_at.get_or_insert(now);
        if self.is_exposed() && self.finished_at.is_none() {
            self.exposed_since_alarm.get_or_insert(now);
        }
    }

    fn is_exposed(&self) -> bool {
        self.routes.values().any(|watched| new_share(watched.live(), &self.groups) > 0.0)
    }

    fn settle_exposure(&mut self, now: Timestamp) {
        if let Some(since) = self.exposed_since_alarm
            && !self.is_exposed()
        {
            let seconds = now.duration_since(since).as_secs_f64();
            self.seconds_to_safety = Some(self.seconds_to_safety.map_or(seconds, |most: f64| most.max(seconds)));
            self.exposed_since_alarm = None;
        }
    }

    /// Whether an alarm has fired and the new side still has traffic.
    pub(super) fn is_unsafe(&self) -> bool {
        self.exposed_since_alarm.is_some()
    }

    pub(super) fn recorded(&mut self, kind: &EventKind, at: Timestamp) {
        consumers::look_at(self, kind);
        match kind {
            EventKind::Finished { .. } => {
                self.finished_at = Some(at);
                self.exposed_since_alarm = None;
                self.released_at = Some(at);
            }
            EventKind::RollbackBegun { trigger, .. } => {
                self.fenced_at.get_or_insert(at);
                let ended = self.finished_at.take().is_some();
                self.expect(13, !ended || *trigger == Trigger::Operator, || {
                    format!("{trigger:?} has begun to roll back a service that had migrated")
                });
            }
            EventKind::ShiftIntended { step, .. } => {
                if let Some((from, to)) = self.frozen {
                    self.expect(16, at < from || at >= to, || format!("step {step} begins at {at}, in the freeze"));
                }
                let added = self.setup.added.clone();
                self.expect(3, added.is_empty(), || {
                    format!("step {step} begins, and the plan does not have {added:?}")
                });
            }
            EventKind::RollbackVerified { .. } => self.released_at = Some(at),
            EventKind::Planned { .. } => {
                if let Some((from, to)) = self.frozen {
                    self.expect(16, at < from || at >= to, || format!("a migration starts at {at}, in the freeze"));
                }
                self.taken(at);
            }
            EventKind::Resumed { accepted, .. } => {
                let accepted: BTreeSet<RouteId> = accepted.iter().map(|drift| drift.route.clone()).collect();
                self.resumed(&accepted);
            }
            _ => {}
        }
    }

    /// The locks were taken, by the first migration or by one after it.
    fn taken(&mut self, now: Timestamp) {
        let dead = self.released_at.is_none_or(|released| now.duration_since(released) >= LONGEST_WRITER);
        self.expect(7, dead, || "the locks were taken while a writer of the migration before may live".to_owned());
        (self.alarm_at, self.finished_at, self.fenced_at) = (None, None, None);
    }

    /// A person let a halted migration go on, and accepted what others did to these routes.
    fn resumed(&mut self, accepted: &BTreeSet<RouteId>) {
        let overlooked = self.routes.iter().find(|(route, watched)| watched.is_edited() && !accepted.contains(*route));
        let overlooked = overlooked.map(|(route, _)| route.describe());
        self.expect(5, overlooked.is_none(), || format!("resumed over somebody's edit of {overlooked:?}"));
        for (_, watched) in self.routes.iter_mut().filter(|(route, _)| accepted.contains(*route)) {
            let live = watched.live().to_vec();
            watched.baseline = taken_out(&live, &self.groups).unwrap_or(live);
            watched.accepted = true;
            watched.foreign = None;
        }
    }

    /// Looks at a write of one of our functions.
    pub(super) fn wrote(
        &mut self,
        account: &Account,
        who: &Caller,
        route: &RouteId,
        before: &[Action],
        after: &[Action],
    ) {
        let now = account.now();
        let name = route.describe();
        let who_wrote = format!("{} #{}", who.function, who.invocation);
        let said = |what: &str| format!("{who_wrote} {what}: {name}: {} -> {}", describe(before), describe(after));
        let Some(watched) = self.routes.get(route) else {
            self.expect(1, false, || said("wrote to a route that is not the service's"));
            return;
        };
        let baseline = watched.baseline().to_vec();
        let foreign = watched.foreign.clone();
        let total = forward_of(after).map_or(0, Forward::total);
        self.expect(1, total > 0, || said("left a route without weight"));
        let value = carries(&baseline, after, &self.groups, &WEIGHTS);
        let of_foreign = foreign.as_ref().is_some_and(|(_, edit)| {
            equivalent(edit, after) || taken_out(edit, &self.groups).is_some_and(|left| alike(&left, after))
        });
        self.expect(1, of_foreign || value != Carries::Other, || said("wrote neither baseline nor a planned step"));
        self.expect(4, of_foreign || value.keeps_the_rest(), || said("changed more than weights"));

        if let Some((index, edit)) = &foreign
            && equivalent(before, edit)
        {
            let knew = self.reads.get(&(who.invocation, route.clone())).is_some_and(|read| read >= index);
            self.expect(5, !knew || of_foreign, || said("overwrote somebody else's edit knowingly"));
        }
        if !equivalent(before, after) {
            let over = account.head().is_some_and(|head| head.phase.is_over());
            self.expect(7, !over, || said("moved traffic after the end"));
        }
        if who.function == "shift-weight" && self.fenced_at.is_some_and(|at| who.started < at && at < now) {
            let written = self.after_the_fence.entry(who.invocation).or_default();
            written.insert(route.clone());
            let one = written.len() == 1;
            self.expect(7, one, || said("was fenced off, and wrote more than what was under way"));
        }
        self.look_at_health(account, who, before, after, said);
        let watched = self.routes.get_mut(route).expect("it was there a moment ago");
        watched.values.push(after.to_vec());
        self.last_write = Some(now);
        self.settle_exposure(now);
    }

    fn look_at_health(
        &mut self,
        account: &Account,
        who: &Caller,
        before: &[Action],
        after: &[Action],
        said: impl Fn(&str) -> String,
    ) {
        let (was, is) = (new_share(before, &self.groups), new_share(after, &self.groups));
        let old = forward_of(&self.baseline_of(after)).map(|forward| forward.groups.clone()).unwrap_or_default();
        let old: Vec<TargetGroupArn> =
            old.into_iter().map(|tuple| tuple.group).filter(|group| self.setup.old.contains(group)).collect();
        let new: Vec<TargetGroupArn> = forward_of(after)
            .or(forward_of(before))
            .map(|forward| forward.groups.iter().map(|tuple| tuple.group.clone()).collect::<Vec<_>>())
            .unwrap_or_default()
            .into_iter()
            .filter(|group| self.groups.contains(group))
            .collect();
        // What fell sick, or was returned, after the function began may have been read before: the race that settle
        // covers.
        let known = |watch: &Self, group: &TargetGroupArn| {
            let since = [watch.sick_since.get(group).copied(), watch.returned_at];
            since.into_iter().flatten().all(|since| since <= who.started)
        };
        let named = |actions: &[Action]| {
            forward_of(actions).is_some_and(|it| it.groups.iter().any(|tuple| self.groups.contains(&tuple.group)))
        };
        if named(before) && !named(after) {
            self.returned_at = Some(account.now());
        }
        if is > was {
            self.look_at_probes(account, &new, &said);
            let overlooked = self.alarm_at.filter(|at| was > 0.0 && who.started.duration_since(*at) > SENT_OFF);
            self.expect(9, overlooked.is_none(), || said("gave more traffic long after an alarm that nobody saw"));
            for group in &new {
                let unlisted = account.unlisted(group, &self.setup.policy);
                self.expect(20, unlisted.is_empty(), || said(&format!("gave traffic to {unlisted:?} as well")));
                let enough = account.healthy(group) >= HEALTHY || !known(self, group);
                self.expect(2, enough, || said("gave traffic to a new group without enough healthy targets"));
            }
            for group in &old {
                let enough = account.healthy(group) >= HEALTHY || !known(self, group);
                self.expect(11, enough, || said("went up although the old group could not take it back"));
            }
        } else if was > is {
            let news = forward_of(before).map(|forward| forward.groups.clone()).unwrap_or_default();
            let new_is_well = news
                .iter()
                .filter(|tuple| self.groups.contains(&tuple.group))
                .all(|tuple| account.healthy(&tuple.group) >= HEALTHY);
            for group in &old {
                let dead = account.healthy(group) == 0 && known(self, group);
                self.expect(6, !(dead && new_is_well), || said("returned traffic from a well group to a dead one"));
            }
        }
    }

    /// The baseline of the route whose forward this is, found by its old group.
    fn baseline_of(&self, actions: &[Action]) -> Vec<Action> {
        let named: BTreeSet<_> = forward_of(actions)
            .map(|forward| forward.groups.iter().map(|tuple| tuple.group.clone()).collect())
            .unwrap_or_default();
        let with_old = |watched: &&Watched| {
            forward_of(watched.baseline()).is_some_and(|forward| {
                forward.groups.iter().any(|tuple| self.setup.old.contains(&tuple.group) && named.contains(&tuple.group))
            })
        };
        self.routes.values().find(with_old).map(|watched| watched.baseline().to_vec()).unwrap_or_default()
    }

    /// A shift counts only when its function has read every route back.
    pub(super) fn shift_counted(&mut self, who: &Caller, step: u32) {
        for route in self.setup.routes.clone() {
            let read = self.reads.get(&(who.invocation, route.clone())).copied();
            let watched = &self.routes[&route];
            let value = read.map(|index| watched.values[index].clone()).unwrap_or_default();
            let found = carries(watched.baseline(), &value, &self.groups, &WEIGHTS);
            self.expect(3, found.is_step(step), || {
                format!("step {step} was counted although {} was read with {}", route.describe(), describe(&value))
            });
        }
    }

    /// Locks and journal, after every write to the table.
    pub(super) fn table_written(&mut self, items: &Items) {
        for (migration, plan) in &items.plans {
            let Some(head) = items.heads.values().find(|head| head.migration == *migration) else { continue };
            let ours = |route: &RouteId| {
                items.locks.get(route).is_some_and(|lock| lock.migration == *migration && lock.free_at.is_none())
            };
            let locks = plan.routes.iter().filter(|route| ours(&route.id)).count();
            let wanted = if head.phase.is_over() { 0 } else { plan.routes.len() };
            self.expect(8, locks == wanted, || {
                format!("{migration} in phase {:?} has {locks} locks, expected {wanted}", head.phase)
            });
            let alarms = plan.alarms();
            let guarded = alarms
                .iter()
                .filter(|alarm| items.guards.get(*alarm).is_some_and(|services| services.contains(&plan.service)));
            let (guarded, wanted) = (guarded.count(), if head.phase.is_over() { 0 } else { alarms.len() });
            self.expect(13, guarded == wanted, || {
                format!("{guarded} alarms guard {migration} in phase {:?}, expected {wanted}", head.phase)
            });
        }
        for (migration, journal) in &items.journals {
            let whole = journal.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence);
            let head = items.heads.values().find(|head| head.migration == *migration);
            let complete = head.is_none_or(|head| head.sequence == journal.len() as u64);
            self.expect(13, whole && complete, || {
                let numbers: Vec<u64> = journal.iter().map(|event| event.sequence).collect();
                format!(
                    "the journal of {migration} has gaps: {numbers:?}, head at {:?}",
                    head.map(|head| head.sequence)
                )
            });
        }
    }

    /// What each route carries now, with its baseline and the edit of somebody else.
    pub(super) fn values(&self) -> impl Iterator<Item = Seen<'_>> {
        self.routes.iter().map(|(route, watched)| Seen {
            route,
            live: watched.live(),
            baseline: watched.baseline(),
            edit: watched.foreign.as_ref().map(|(_, edit)| edit),
            accepted: watched.accepted,
        })
    }
}
