//! What a run starts from, what people and other systems do in it, and how it must end.

use super::outside::OutsideDoes;
use super::timers::at_once;
use crossfade_actions::ports::TargetGroups as _;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::TargetGroupArn;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use crossfade_world::World;
use crossfade_world::world::ServiceOnBalancer;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The weights of the steps in percent, the attach first.
pub(super) const WEIGHTS: [f64; 3] = [0.0, 20.0, 100.0];
/// Watches the answers of the public load balancer's targets; evaluated every minute.
pub(super) const ERRORS: &str = "users-5xx";
/// One of our own alarms, where the policy asks for them; fires only by hand.
pub(super) const GUARD: &str = "crossfade-guard-users-1-errors";
/// When the freeze of most scenarios begins that have one: in the first bake.
const FROZEN_SECONDS: i64 = 80;
/// When it ends.
const FROZEN_UNTIL_SECONDS: i64 = 1_500;
/// Fires only by hand.
pub(super) const LATENCY: &str = "users-latency";

/// How a migration may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Outcome {
    Migrated,
    RolledBack,
    Halted,
    Refused,
}

/// Where a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Two rules of one load balancer.
    TwoRules,
    /// Three rules of one load balancer, one with a third group beside; a rule and the default action of another.
    FiveRoutes,
    /// Two rules; the targets of the old group are sticky.
    Sticky,
}

/// The service as it was put up.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) old: Vec<TargetGroupArn>,
    pub(super) routes: Vec<RouteId>,
    /// Somebody else's group on the public load balancer.
    pub(super) other: String,
    pub(super) policy: Value,
    /// Rules that somebody has added to the service's listener since.
    pub(super) added: Vec<String>,
}

/// When something is done: once, the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// Before the start.
    Before,
    /// The execution enters a state.
    Entered(&'static str),
    /// Something is recorded in the journal, such as `shifted 1`.
    Recorded(&'static str),
    /// Seconds after the start.
    After(i64),
}

/// What somebody or something does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The new side answers with errors, which the alarm on them sees.
    NewSideFails,
    /// The new side refuses every request with 404, which no alarm sees.
    NewSideRefuses,
    FireAlarm(&'static str),
    QuietAlarm(&'static str),
    DeleteAlarm(&'static str),
    /// `abort`, as a command in the journal.
    Abort,
    Pause,
    Resume {
        accept_drift: bool,
    },
    /// `rollback`: starts `roll-back-service`, then stops the execution.
    RollBack,
    Stop,
    /// `rollback` of what has migrated: starts `roll-back-service`. There is nothing to stop.
    RollBackTheMigrated,
    /// A second start of the same service.
    StartAgain,
    /// Another migration of the service, when the first is over.
    StartAnew,
    /// Somebody adds a group to a route.
    AddGroup(usize),
    /// Somebody takes that group out of the route again.
    TakeOtherOut(usize),
    /// Somebody sets the weight of the new group in a route.
    SetNewWeight(usize, u16),
    /// Somebody takes the new group out of a route.
    TakeNewOut(usize),
    /// Somebody takes the old group out of a route.
    TakeOldOut(usize),
    /// Somebody adds a rule that sends a path to the old group.
    AddRule,
    /// Somebody adds a rule that sends a path to the new group.
    AddRuleToNew,
    /// Somebody deletes that rule again.
    DeleteRule,
    OldSideFails,
    /// One of two: enough for its traffic, too few to take all of it back.
    OldSideLosesATarget,
    OldSideRecovers,
    NewSideSickens,
    /// An alarm of that name fires in another account or region, whose events are forwarded to ours.
    FireAlarmElsewhere {
        account: &'static str,
        region: &'static str,
    },
    /// The stack is deployed so that it takes no policy inside an input.
    RefuseInlinePolicies,
    /// Calls of a verb get no answer from now on.
    NeverAnswers(&'static str),
    /// A neighbour uses up the account's concurrency for so many minutes.
    ThrottleInvocations(i64),
    /// The outside gate does this from now on.
    OutsideGate(OutsideDoes),
    /// The new side answers the probes with a member that the old one does not have.
    NewSideAnswersOtherwise,
    /// `wait --probe-from-here`: sends the probes that the migration waits for, until it does not.
    SendProbes,
    /// Somebody deletes the rules of the probes.
    DeleteProbeRules,
    /// The new groups have the health check of an earlier attempt, and a target whose address somebody else has by now.
    EarlierTargetStays,
}

/// Whether the new side is compared with the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    Off,
    /// In bakes that are too short for a verdict.
    Looks,
    /// In a first step that bakes for so long that it can decide, with few looks.
    HasTime,
}

/// What happens to a migration, and how it ends.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the policy, on its own")]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) script: Vec<(When, Act)>,
    /// How it ends when nothing else goes wrong.
    pub(super) ends: Outcome,
    /// How else it may end when something else goes wrong at a bad moment.
    pub(super) or: Vec<Outcome>,
    pub(super) on_drift: &'static str,
    /// Whether the policy has hooks, which move the service's consumers.
    pub(super) hooks: bool,
    /// Whether the alarms only observe.
    pub(super) alarms_observe: bool,
    /// Whether the policy has an outside gate.
    pub(super) asks_outside: bool,
    /// Whether the policy asks for guard alarms.
    pub(super) guards: bool,
    /// Whether only the guard alarms watch the answers, and hear of a minute two minutes after its end.
    pub(super) late: bool,
    pub(super) judge: Judge,
    /// Whether the policy lets a hold take a month.
    pub(super) holds_a_month: bool,
    /// A freeze of the policy, in seconds from the start.
    pub(super) frozen: Option<(i64, i64)>,
    /// Whether a change calendar freezes it, and not the policy itself.
    pub(super) by_calendar: bool,
    /// Whether the policy has probes.
    pub(super) probes: bool,
    /// Whether a command outside sends their requests.
    pub(super) from_here: bool,
    /// The invariant that is broken when it ends otherwise.
    pub(super) about: usize,
}

/// States of `migrate-service` that a migration which goes well passes.
pub(super) const STATES: [&str; 12] = [
    "Plan migration",
    "Create target group",
    "Attach at weight 0",
    "Register targets",
    "Check targets",
    "Wait for targets",
    "Shift weight",
    "Bake slice",
    "Check alarms",
    "Verdict?",
    "Targets ready?",
    "Finish migration",
];

fn scenario(name: impl Into<String>, ends: Outcome, script: Vec<(When, Act)>) -> Scenario {
    Scenario {
        name: name.into(),
        shape: Shape::TwoRules,
        script,
        ends,
        or: Vec::new(),
        on_drift: "halt",
        hooks: false,
        alarms_observe: false,
        asks_outside: false,
        guards: false,
        late: false,
        judge: Judge::Off,
        holds_a_month: false,
        frozen: None,
        by_calendar: false,
        probes: false,
        from_here: false,
        about: 13,
    }
}

/// The list.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut list = without_windows();
    list.extend(with_windows());
    list.extend(with_probes());
    list
}

fn without_windows() -> Vec<Scenario> {
    use Outcome as O;
    let mut list = vec![
        scenario("straight", O::Migrated, vec![]),
        Scenario { shape: Shape::FiveRoutes, ..scenario("five-routes", O::Migrated, vec![]) },
        Scenario { shape: Shape::Sticky, ..scenario("sticky", O::Migrated, vec![]) },
        scenario("started-twice", O::Migrated, vec![(When::Recorded("shifted 1"), Act::StartAgain)]),
    ];
    let moments = [
        ("attach", "intended 0"),
        ("shift-1", "intended 1"),
        ("step-1", "shifted 1"),
        ("shift-2", "intended 2"),
        ("step-2", "shifted 2"),
    ];
    for (at, when) in moments {
        let fire = Act::FireAlarm(LATENCY);
        list.push(scenario(format!("alarm-at-{at}"), O::RolledBack, vec![(When::Recorded(when), fire)]));
    }
    let failing = vec![(When::Recorded("shifted 1"), Act::NewSideFails)];
    list.push(scenario("new-side-fails", O::RolledBack, failing.clone()));
    list.push(Scenario { shape: Shape::FiveRoutes, ..scenario("five-routes-fail", O::RolledBack, failing.clone()) });
    list.push(Scenario { shape: Shape::Sticky, ..scenario("sticky-fails", O::RolledBack, failing) });
    for state in STATES {
        let unchanged = matches!(state, "Create target group" | "Attach at weight 0");
        let ends = if unchanged { O::Refused } else { O::RolledBack };
        let mut aborted = scenario(format!("abort-in-{}", slug(state)), ends, vec![(When::Entered(state), Act::Abort)]);
        if matches!(state, "Plan migration" | "Create target group" | "Attach at weight 0") {
            aborted.or = vec![O::Refused, O::RolledBack];
        }
        if state == "Finish migration" {
            aborted.or = vec![O::Migrated];
        }
        list.push(aborted);
    }
    list.push(scenario("rollback-by-hand", O::RolledBack, vec![(When::Recorded("shifted 1"), Act::RollBack)]));
    list.push(scenario("stopped-by-hand", O::RolledBack, vec![(When::Recorded("intended 1"), Act::Stop)]));
    for (at, when) in [("attach", "shifted 0"), ("step-1", "shifted 1"), ("step-2", "shifted 2")] {
        list.push(scenario(format!("group-added-at-{at}"), O::Halted, vec![(When::Recorded(when), Act::AddGroup(1))]));
    }
    let weight = vec![(When::Recorded("shifted 1"), Act::SetNewWeight(0, 900))];
    list.push(scenario("weight-set-by-hand", O::Halted, weight));
    let taken = vec![(When::Recorded("shifted 1"), Act::TakeNewOut(0))];
    list.push(scenario("new-group-taken-out", O::Halted, taken));
    for (at, when) in [("attach", "shifted 0"), ("step-1", "shifted 1")] {
        let taken = [0, 1].map(|route| (When::Recorded(when), Act::TakeNewOut(route))).to_vec();
        list.push(scenario(format!("new-group-taken-out-everywhere-at-{at}"), O::Halted, taken));
    }
    let drifted = vec![(When::Recorded("shifted 1"), Act::AddGroup(0))];
    list.push(Scenario { on_drift: "rollback", ..scenario("drift-rolls-back", O::RolledBack, drifted) });
    let both =
        vec![(When::Recorded("shifted 1"), Act::AddGroup(1)), (When::Recorded("halted"), Act::FireAlarm(LATENCY))];
    list.push(scenario("alarm-after-halt", O::RolledBack, both));
    let no_way_back =
        vec![(When::Recorded("shifted 2"), Act::TakeOldOut(0)), (When::Recorded("halted"), Act::FireAlarm(LATENCY))];
    list.push(scenario("old-group-taken-out", O::Halted, no_way_back));
    list.extend(with_a_new_rule());
    list.push(scenario("old-side-fails", O::Halted, vec![(When::Recorded("shifted 1"), Act::OldSideFails)]));
    let dead =
        vec![(When::Recorded("shifted 2"), Act::OldSideFails), (When::Recorded("shifted 2"), Act::FireAlarm(LATENCY))];
    list.push(scenario("old-side-fails-then-alarm", O::Halted, dead));
    let both_dead =
        vec![(When::Recorded("shifted 1"), Act::OldSideFails), (When::Recorded("shifted 1"), Act::NewSideSickens)];
    list.push(scenario("both-sides-fail", O::RolledBack, both_dead));
    let between = |act| (When::Recorded("judged advance"), act);
    list.push(scenario("new-side-sickens-before-a-shift", O::RolledBack, vec![between(Act::NewSideSickens)]));
    let held = vec![between(Act::OldSideLosesATarget), (When::After(500), Act::OldSideRecovers)];
    list.push(scenario("held-shift-goes-on", O::Migrated, held));
    list.push(scenario("new-side-sickens", O::RolledBack, vec![(When::Recorded("shifted 1"), Act::NewSideSickens)]));
    let never = vec![(When::Recorded("shifted 0"), Act::NewSideSickens)];
    list.push(scenario("new-side-never-healthy", O::RolledBack, never));
    let cleared =
        vec![(When::Recorded("shifted 1"), Act::FireAlarm(LATENCY)), (When::After(200), Act::QuietAlarm(LATENCY))];
    list.push(scenario("alarm-that-clears", O::RolledBack, cleared));
    list.push(scenario("alarm-is-missing", O::Refused, vec![(When::Before, Act::DeleteAlarm(LATENCY))]));
    list.push(scenario("alarm-fires-already", O::Refused, vec![(When::Before, Act::FireAlarm(LATENCY))]));
    list.push(scenario("alarm-is-deleted", O::Halted, vec![(When::Recorded("shifted 1"), Act::DeleteAlarm(LATENCY))]));
    let fires = vec![(When::Recorded("shifted 1"), Act::FireAlarm(LATENCY))];
    list.push(Scenario { alarms_observe: true, ..scenario("alarm-observes", O::Migrated, fires) });
    list.extend(with_an_outside_gate());
    list.extend(with_hooks());
    let guard = vec![(When::Recorded("shifted 1"), Act::FireAlarm(GUARD))];
    list.push(Scenario { guards: true, ..scenario("guards", O::Migrated, vec![]) });
    list.push(Scenario { guards: true, ..scenario("guard-alarm-fires", O::RolledBack, guard) });
    let unwatched = vec![(When::Before, Act::DeleteAlarm(ERRORS)), (When::Recorded("shifted 1"), Act::NewSideFails)];
    let late = scenario("guard-alarm-hears-late", O::RolledBack, unwatched);
    list.push(Scenario { guards: true, late: true, ..late });
    list.extend(resumed());
    list.push(Scenario { judge: Judge::Looks, ..scenario("judged", O::Migrated, vec![]) });
    let sick = vec![(When::Recorded("intended 1"), Act::NewSideRefuses)];
    let sick = scenario("judged-and-sick", O::RolledBack, sick);
    list.push(Scenario { judge: Judge::HasTime, ..sick });
    let throttled = vec![(When::Recorded("shifted 1"), Act::ThrottleInvocations(10))];
    list.push(scenario("invocations-throttled", O::Migrated, throttled));
    list.extend(started_anew());
    list.extend(of_stacks_and_alarms());
    list.extend(after_the_end());
    for scenario in &mut list {
        scenario.about = about(&scenario.name);
    }
    list
}

/// What the stack does not allow, and alarms at bad moments or elsewhere.
fn of_stacks_and_alarms() -> [Scenario; 4] {
    use Outcome as O;
    // With five routes, because a shift that is fenced off may still make the one write that is under way.
    let at_shift = vec![(When::Recorded("intended 1"), Act::FireAlarm(LATENCY))];
    let at_shift = scenario("five-routes-and-an-alarm-at-shift-1", O::RolledBack, at_shift);
    let hangs = [Act::NeverAnswers("health"), Act::FireAlarm(LATENCY)].map(|act| (When::Recorded("shifted 1"), act));
    let elsewhere = [(ACCOUNT, "eu-west-9"), ("999999999999", REGION)]
        .map(|(account, region)| (When::Recorded("shifted 1"), Act::FireAlarmElsewhere { account, region }));
    [
        Scenario { shape: Shape::FiveRoutes, ..at_shift },
        scenario("alarm-while-health-hangs", O::RolledBack, hangs.to_vec()),
        scenario("alarm-elsewhere", O::Migrated, elsewhere.to_vec()),
        scenario("inline-policy-refused", O::Refused, vec![(When::Before, Act::RefuseInlinePolicies)]),
    ]
}

/// The invariant that is broken when a scenario of that name ends otherwise.
fn about(name: &str) -> usize {
    let is = |part: &str| name.contains(part);
    if is("after-the-end") {
        13
    } else if is("alarm") || is("new-side-fails") || is("outside-gate") {
        9
    } else if is("rule-added") {
        3
    } else if is("group") || is("weight-set") || is("drift") {
        5
    } else if is("judged-and-sick") {
        10
    } else if is("old-side") {
        11
    } else if is("target-left") {
        20
    } else if is("throttled") {
        14
    } else {
        13
    }
}

/// Somebody adds a rule while the migration is under way: to the old group, or to the new one.
fn with_a_new_rule() -> Vec<Scenario> {
    use Outcome as O;
    let added = |when| (When::Recorded(when), Act::AddRule);
    let mut list = vec![scenario("rule-added-before-the-attach", O::Refused, vec![added("groups created")])];
    for (at, when) in
        [("attach", "shifted 0"), ("step-1", "shifted 1"), ("shift-2", "intended 2"), ("step-2", "shifted 2")]
    {
        list.push(scenario(format!("rule-added-at-{at}"), O::Halted, vec![added(when)]));
    }
    let at_the_end = vec![(When::Entered("Finish migration"), Act::AddRule)];
    list.push(scenario("rule-added-at-the-end", O::Halted, at_the_end));
    let to_the_new = vec![(When::Recorded("shifted 1"), Act::AddRuleToNew)];
    list.push(scenario("rule-added-to-the-new-group", O::Halted, to_the_new));
    let rolled_back = scenario("rule-added-rolls-back", O::RolledBack, vec![added("shifted 2")]);
    list.push(Scenario { on_drift: "rollback", ..rolled_back });
    let resumes = (When::Recorded("halted"), Act::Resume { accept_drift: false });
    let taken_out = vec![added("shifted 2"), (When::Recorded("halted"), Act::DeleteRule), resumes.clone()];
    list.push(scenario("rule-added-and-deleted-again", O::Migrated, taken_out));
    list.push(scenario("rule-added-and-not-resumed", O::Halted, vec![added("shifted 2"), resumes]));
    list
}

/// A second migration after one that was rolled back.
fn started_anew() -> [Scenario; 2] {
    let by_hand = || (When::Recorded("shifted 1"), Act::RollBack);
    let after = |act| (When::Recorded("rolled back"), act);
    // The second one may be stopped before it begins, or be the one that a fault rolls back.
    let anew = |name, script| Scenario {
        or: vec![Outcome::RolledBack, Outcome::Refused],
        ..scenario(name, Outcome::Migrated, script)
    };
    let left = vec![by_hand(), after(Act::EarlierTargetStays), after(Act::StartAnew)];
    [anew("started-anew", vec![by_hand(), after(Act::StartAnew)]), anew("started-anew-with-a-target-left", left)]
}

/// An outside gate rolls back by its answer alone; without one, the migration waits and then halts.
fn with_an_outside_gate() -> Vec<Scenario> {
    let asks = |name, ends, does: Option<OutsideDoes>| {
        let script = does.map(|does| (When::Recorded("shifted 1"), Act::OutsideGate(does)));
        Scenario { asks_outside: true, ..scenario(name, ends, script.into_iter().collect()) }
    };
    vec![
        asks("outside-gate", Outcome::Migrated, None),
        asks("outside-gate-rolls-back", Outcome::RolledBack, Some(OutsideDoes::votes("rollBack"))),
        asks("outside-gate-never-answers", Outcome::Halted, Some(OutsideDoes::Hangs)),
    ]
}

/// What is asked of a service that has migrated: by a person, who may be stopped before it begins, or by an alarm.
fn after_the_end() -> Vec<Scenario> {
    use Outcome as O;
    let ended = |act| vec![(When::Entered("Migrated"), act)];
    let by_hand = |name, script| Scenario { or: vec![O::Migrated], ..scenario(name, O::RolledBack, script) };
    let edited =
        vec![(When::Entered("Migrated"), Act::AddGroup(1)), (When::Entered("Migrated"), Act::RollBackTheMigrated)];
    let dead =
        vec![(When::Entered("Migrated"), Act::OldSideFails), (When::Entered("Migrated"), Act::RollBackTheMigrated)];
    vec![
        by_hand("rollback-after-the-end", ended(Act::RollBackTheMigrated)),
        by_hand("rollback-as-it-ends", vec![(When::Recorded("finished"), Act::RollBackTheMigrated)]),
        by_hand("group-added-and-rollback-after-the-end", edited),
        Scenario {
            hooks: true,
            or: vec![O::Migrated, O::Halted],
            ..scenario("hooks-and-rollback-after-the-end", O::RolledBack, ended(Act::RollBackTheMigrated))
        },
        // Health that cannot be read withholds nothing, until it can be read before the first write.
        Scenario { or: vec![O::Halted], ..scenario("old-side-fails-and-rollback-after-the-end", O::Migrated, dead) },
        scenario("alarm-after-the-end", O::Migrated, ended(Act::FireAlarm(LATENCY))),
    ]
}

/// A hook that fails rolls back on the way up, and halts after a rollback.
fn with_hooks() -> Vec<Scenario> {
    use Outcome as O;
    let hooked =
        |name, ends, or: &[O], script| Scenario { hooks: true, or: or.to_vec(), ..scenario(name, ends, script) };
    let fire = || Act::FireAlarm(LATENCY);
    vec![
        hooked("hooks", O::Migrated, &[O::RolledBack], vec![]),
        hooked("hooks-and-an-alarm", O::RolledBack, &[O::Halted], vec![(When::Recorded("shifted 1"), fire())]),
        hooked("hooks-and-an-alarm-in-one", O::RolledBack, &[O::Halted], vec![(When::Entered("Call hook"), fire())]),
    ]
}

/// Halted migrations, and people who let them go on.
fn resumed() -> Vec<Scenario> {
    use Outcome as O;
    let edited = || (When::Recorded("shifted 1"), Act::AddGroup(1));
    let resumes = |accept_drift| (When::Recorded("halted"), Act::Resume { accept_drift });
    let put_back = (When::Recorded("halted"), Act::TakeOtherOut(1));
    let alarm = (When::Recorded("shifted 2"), Act::FireAlarm(LATENCY));
    let in_rollback = vec![
        (When::Recorded("shifted 2"), Act::TakeOldOut(0)),
        (When::Recorded("halted"), Act::FireAlarm(LATENCY)),
        (When::Recorded("halted in a rollback"), Act::Resume { accept_drift: true }),
    ];
    let deleted = vec![(When::Recorded("shifted 1"), Act::DeleteAlarm(LATENCY)), resumes(false)];
    vec![
        scenario("resumed-after-group-was-put-back", O::Migrated, vec![edited(), put_back, resumes(false)]),
        scenario("resumed-with-the-new-group", O::Migrated, vec![edited(), resumes(true)]),
        scenario("resumed-with-the-new-group-then-alarm", O::RolledBack, vec![edited(), resumes(true), alarm]),
        scenario("not-resumed-against-a-new-group", O::Halted, vec![edited(), resumes(false)]),
        scenario("resumed-after-a-pause", O::Migrated, vec![(When::Recorded("shifted 1"), Act::Pause), resumes(false)]),
        scenario("not-resumed-without-its-alarm", O::Halted, deleted),
        scenario("not-resumed-in-a-rollback", O::Halted, in_rollback),
    ]
}

/// A freeze for longer than `maxHold`, from before the start or over the first bake.
fn with_windows() -> Vec<Scenario> {
    use Outcome as O;
    let frozen = |from, name, ends, script| Scenario {
        frozen: Some((from, FROZEN_UNTIL_SECONDS)),
        about: 16,
        ..scenario(name, ends, script)
    };
    let over = |name, ends, script| frozen(FROZEN_SECONDS, name, ends, script);
    let in_the_freeze = |act| (When::After(700), act);
    let held = vec![
        (When::After(FROZEN_SECONDS), Act::OldSideLosesATarget),
        (When::After(FROZEN_UNTIL_SECONDS + 120), Act::OldSideRecovers),
    ];
    vec![
        frozen(-60, "frozen-at-the-start", O::Migrated, vec![]),
        Scenario { by_calendar: true, ..over("calendar-closes-and-opens", O::Migrated, vec![]) },
        over("freeze-begins-and-ends", O::Migrated, vec![]),
        over("held-in-a-freeze", O::Migrated, held),
        over("alarm-in-a-freeze", O::RolledBack, vec![in_the_freeze(Act::FireAlarm(LATENCY))]),
        over("abort-in-a-freeze", O::RolledBack, vec![in_the_freeze(Act::Abort)]),
    ]
}

/// The new side is probed before the first shift. A time in every answer is noise.
fn with_probes() -> Vec<Scenario> {
    use Outcome as O;
    let probed = |name, ends, script| Scenario { probes: true, about: 18, ..scenario(name, ends, script) };
    let differs = vec![(When::Recorded("groups created"), Act::NewSideAnswersOtherwise)];
    let from_here = |name, ends, script| Scenario { from_here: true, ..probed(name, ends, script) };
    let sent = || (When::Recorded("probes offered"), Act::SendProbes);
    let deleted = |when| vec![sent(), (when, Act::DeleteProbeRules)];
    let waits = || When::Entered("Wait for answers");
    vec![
        probed("probed", O::Migrated, vec![]),
        Scenario { shape: Shape::FiveRoutes, ..probed("five-routes-probed", O::Migrated, vec![]) },
        probed("probed-and-different", O::RolledBack, differs.clone()),
        probed("abort-in-probe-service", O::RolledBack, vec![(When::Entered("Probe service"), Act::Abort)]),
        from_here("probed-from-here", O::Migrated, vec![sent()]),
        from_here("probed-from-here-and-different", O::RolledBack, [differs, vec![sent()]].concat()),
        from_here("probed-from-here-twice", O::Migrated, vec![sent(), (waits(), Act::SendProbes)]),
        from_here("probe-rule-deleted-while-asked", O::Migrated, deleted(waits())),
        from_here("probe-rule-deleted-after-the-report", O::Migrated, deleted(When::Recorded("probes reported"))),
        from_here("abort-while-probes-are-awaited", O::RolledBack, vec![sent(), (waits(), Act::Abort)]),
    ]
}

/// Scenarios that wait for long: a fault at each of their thousands of calls would take hours.
pub(super) fn long_scenarios() -> Vec<Scenario> {
    let pause = || (When::Recorded("shifted 1"), Act::Pause);
    let resume = (When::Recorded("halted"), Act::Resume { accept_drift: false });
    let month = |name, ends, script| Scenario { holds_a_month: true, ..scenario(name, ends, script) };
    let nobody =
        Scenario { probes: true, from_here: true, ..scenario("no-one-sends-probes", Outcome::RolledBack, vec![]) };
    vec![
        nobody,
        month("held-for-a-month", Outcome::Halted, vec![pause()]),
        month("held-for-a-month-and-resumed", Outcome::Migrated, vec![pause(), resume]),
    ]
}

fn slug(state: &str) -> String {
    state.to_lowercase().replace(' ', "-").replace('?', "")
}

impl Shape {
    /// Puts the service up.
    pub(super) fn set_up(self, world: &World) -> Setup {
        world.add_alarm(LATENCY);
        let hosts: &[&str] =
            if self == Self::FiveRoutes { &["a.test", "b.test", "c.test"] } else { &["a.test", "b.test"] };
        let public = world.add_service("public", "users-swarm", hosts);
        let other = world.add_service("public", "other", &["other.test"]).old_group;
        let mut services = vec![public.clone()];
        let mut routes: Vec<String> = public.rules.clone();
        if self == Self::FiveRoutes {
            let internal = world.add_service("internal", "users-swarm-internal", &["users.internal"]);
            world.with(|state| {
                let actions = json!([{"Type": "forward", "TargetGroupArn": internal.old_group}]);
                let input = json!({"ListenerArn": internal.listener, "DefaultActions": actions});
                state.elbv2.call_json(state.now, "ModifyListener", &input).unwrap();
                let weights = [(public.old_group.as_str(), 3), (other.as_str(), 1)];
                state.elbv2.set_weights(state.now, &public.rules[2], &weights).unwrap();
            });
            routes.extend(internal.rules.clone());
            routes.push(internal.listener.clone());
            services.push(internal);
        }
        if self == Self::Sticky {
            let attributes = json!([{"Key": "stickiness.enabled", "Value": "true"},
                {"Key": "stickiness.type", "Value": "lb_cookie"}]);
            let input = json!({"TargetGroupArn": public.old_group, "Attributes": attributes});
            world.with(|state| {
                state.elbv2.call_json(state.now, "ModifyTargetGroupAttributes", &input).unwrap();
            });
        }
        put_error_alarm(world, &public);
        let names = if self == Self::FiveRoutes {
            json!(["users-swarm", "users-swarm-internal"])
        } else {
            json!(["users-swarm"])
        };
        let _quiet_from_the_start = world.take_events();
        Setup {
            old: services.iter().map(|service| TargetGroupArn::parse(service.old_group.clone()).unwrap()).collect(),
            routes: routes.into_iter().map(|route| RouteId::parse(route).unwrap()).collect(),
            other,
            added: Vec::new(),
            policy: json!({
                "name": "users", "oldTargetGroups": names,
                "newTargets": {"instances": [{"id": "i-0bbbbbbbbbbbbbbb1", "port": 30080},
                {"id": "i-0bbbbbbbbbbbbbbb2", "port": 30080}]},
                "schedule": [{"weight": 20, "bake": "2m"}, {"weight": 100, "bake": "2m"}],
                "slice": "1m", "minHealthy": 2, "maxHold": "10m", "targetsTimeout": "5m",
                "alarms": [ERRORS, LATENCY], "judge": false,
            }),
        }
    }
}

/// Two answers of 500 to 599 within a minute are too many.
fn put_error_alarm(world: &World, public: &ServiceOnBalancer) {
    let dimension = public.load_balancer.rsplit_once(":loadbalancer/").unwrap().1;
    let alarm = json!({
        "AlarmName": ERRORS, "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": [{"Name": "LoadBalancer", "Value": dimension}], "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 2.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    });
    world.with(|state| {
        state.cloudwatch.call(state.now, "PutMetricAlarm", &alarm).unwrap();
        let quiet = json!({"AlarmName": ERRORS, "StateValue": "OK", "StateReason": "quiet from the start"});
        state.cloudwatch.call(state.now, "SetAlarmState", &quiet).unwrap();
        state.cloudwatch.evaluate(state.now);
    });
}

impl Setup {
    /// The alarms of the policy.
    pub(super) fn alarms(&self) -> impl Iterator<Item = &str> {
        self.policy["alarms"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether the policy lets its alarms only observe.
    pub(super) fn alarms_observe(&self) -> bool {
        self.policy["gates"]["alarms"] == "observe"
    }

    /// The listeners that the routes are on.
    pub(super) fn listeners(&self) -> BTreeSet<String> {
        let listeners = self.routes.iter().filter_map(|route| {
            let text = route.as_str().replacen(":listener-rule/", ":listener/", 1);
            match route {
                RouteId::Rule(_) => text.rsplit_once('/').map(|(listener, _)| listener.to_owned()),
                RouteId::Default(_) => Some(text),
            }
        });
        listeners.collect()
    }

    /// The rules as the load balancer describes them, without what we may change and what somebody has added.
    pub(super) fn untouchable(&self, world: &World) -> Vec<Value> {
        let describe = |listener: &String| {
            world.with(|state| {
                let input = json!({"ListenerArn": listener});
                state.elbv2.call_json(state.now, "DescribeRules", &input).unwrap()
            })
        };
        let mut rules = Vec::new();
        for listener in &self.listeners() {
            for rule in describe(listener).list_at("Rules") {
                if rule.text_at("RuleArn").is_some_and(|arn| self.added.iter().any(|added| added == arn)) {
                    continue;
                }
                let mut rule = rule.clone();
                rule.remove("Actions");
                rules.push(json!(format!("{rule:?}")));
            }
        }
        rules
    }
}

/// Reads a group's name out of the world.
pub(super) fn group_exists(world: &World, name: &str) -> bool {
    !at_once(world.target_groups(&[name.to_owned()])).unwrap().is_empty()
}
