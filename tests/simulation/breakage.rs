//! Deliberate breakages: what the simulation is for is to catch them. Each stands between the actions and the world, or
//! in the machines, so that no production code has a switch for it.

use super::account::{Account, names};
use super::ports::Caller;
use super::scenario::WEIGHTS;
use super::watch::Watch;
use crossfade_actions::ports::PortError;
use crossfade_domain::alarms::alarm::{Alarm, AlarmState, Firing};
use crossfade_domain::journal::probe_round::{ProbeReport, ProbeRound, ReportedAnswer};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::group::{HealthState, TargetHealth};
use crossfade_domain::load_balancer::route::Route;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::probe::ROUNDS;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use crossfade_world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// Reads show what was meant to be written, whether or not it was.
    NoReadBack,
    /// The second look comes at once.
    NoSettle,
    /// Writers are told that nobody took over, and the table takes whatever they write.
    NoGenerationCheck,
    OneRouteIsNotLocked,
    /// After one failed write no other is made.
    RollbackStopsAtFirstError,
    MissingAlarmIsQuiet,
    UnreadableAlarmIsQuiet,
    /// Only what fires at the moment counts.
    FiringsAreForgotten,
    /// Reads hide what somebody else changed.
    DriftIsOverwritten,
    LocksAreKept,
    JournalLosesLines,
    /// The sweep believes that every execution lives.
    DeadExecutionsLookAlive,
    /// The new side is always taken for healthy.
    NewSideLooksHealthy,
    /// The old side is always taken for healthy.
    OldSideLooksHealthy,
    /// The machine calls a rollback done after the first look.
    RollbackIsNotVerified,
    /// The machine tries nothing again.
    NothingIsTriedAgain,
    /// The machine retries a throttled invocation as often as a fault of the service.
    ThrottlesAreFaults,
    /// The machine forgets how many checks it has made.
    ChecksAreNotCounted,
    /// The machine says that the hook after a rollback has answered, and does not call it.
    LastHookIsSkipped,
    /// The machine answers for the outside gate, and does not ask it.
    OutsideGateIsSkipped,
    /// The machine goes on although a hook of the way up was not called.
    FirstHookIsSkipped,
    /// A resume leaves the generation as it is.
    ResumeKeepsGeneration,
    /// What a person accepts at a resume is not stored.
    AcceptedDriftIsForgotten,
    /// A resume does not see what somebody else changed.
    ResumeOverlooksDrift,
    /// The last step and the end do not see what somebody added since.
    EndDoesNotListAgain,
    /// A shift does not see what somebody added since.
    ShiftsDoNotListAgain,
    /// A resume does not see that an alarm is gone.
    ResumeOverlooksAlarms,
    /// Routes can be taken by the next migration as soon as one is over.
    LocksAreFreeAtOnce,
    /// A rollback after the end moves routes whose locks it has not taken again.
    LocksAreNotRetaken,
    /// An alarm rolls back what has migrated, as if it were still on its way.
    AlarmsMoveTheMigrated,
    /// A shift that has to wait is only tried again, and nobody looks at the gates meanwhile.
    HeldShiftsSkipTheGates,
    /// Metrics that cannot be read are taken for an hour without requests.
    UnreadableMetricsAreQuiet,
    /// Guard alarms take a minute that has not arrived for a good one.
    LateMinutesAreGood,
    /// Targets that an earlier attempt left are not seen, so they stay.
    UnlistedTargetsStay,
    /// Every Auto Scaling group is taken for one that replaces no unhealthy instance.
    ScalingGroupsLookHarmless,
    /// New groups stay attached to their Auto Scaling group.
    ScalingGroupsAreKept,
    /// The clock of the functions runs three minutes ahead, so that minutes are judged before they have settled.
    NewestMinutesAreJudged,
    /// What waits for an answer waits as long as its function lives.
    DeadlinesNeverEnd,
    /// The search by tags finds new groups that name no load balancer.
    NewGroupsNameNoLoadBalancer,
    /// A shift checks the generation once, and then writes to every route.
    ShiftsCheckTheFenceOnce,
    /// A rollback is not told that it is over.
    RollbacksNeverLookOver,
    /// The machine does not tell a function what the stack allows.
    StackLimitsAreNotTold,
    /// Neither the rule nor the function sees that an alarm's event is of another account or region.
    EventsElsewhereAreOurs,
    /// What raises traffic does not ask for a window.
    WindowsAreIgnored,
    /// A closed window holds back what returns a route, as if that raised traffic.
    WindowsBlockRollbacks,
    /// A hold counts the time in which the windows are closed towards `maxHold`.
    ClosedTimeCounts,
    /// Nor does any other group name one during a rollback.
    NoGroupNamesALoadBalancer,
    /// Rules that a probe has created look deleted, and are still there.
    ProbeRulesStay,
    /// A shift believes that the probes have passed.
    ProbesAreSkipped,
    /// A report that no command has made looks as if it had everything.
    AnyReportPasses,
    /// The old side's own answers look all the same.
    NoiseIsNotSeen,
    /// Where a service of a fleet falls, its siblings are stopped, as a Map would.
    SiblingsAreStopped,
    /// A fleet tolerates one failure more than its policy says.
    BudgetIsOffByOne,
    /// A fleet starts all services of a wave at once.
    ConcurrencyIsIgnored,
    /// A fleet knows nothing of what comes after what.
    OrderIsIgnored,
    /// A fleet takes the outcome of an earlier migration for that of the one it has started.
    StaleOutcomesCount,
    /// A fleet that was held or has stopped goes on at the next look.
    StopsAreForgotten,
    /// A fleet that holds its services does not tell them.
    HoldsAreNotWritten,
    /// A fleet's head is written whatever is stored.
    FleetHeadsAreNotFenced,
    /// The sweep takes a conductor that a person stopped for one that died.
    StoppedConductorsLookDead,
    /// The sweep takes a conductor that died for one that runs.
    DeadConductorsLookAlive,
    /// The sweep takes a retirement's execution that a person stopped for one that died.
    StoppedRetirementsLookDead,
    /// The sweep takes a retirement's execution that runs for one that died.
    RunningRetirementsLookDead,
    /// The sweep takes a retirement's execution that died for one that runs.
    DeadRetirementsLookAlive,
    /// A fleet that a person holds retires what has migrated.
    HeldFleetsRetire,
    /// A fleet takes a service that was rolled back for one that has migrated.
    RolledBackLooksMigrated,
    /// A rollback of everything begins with the first wave.
    WavesReturnForwards,
    /// Who connects a service does not see which of the priorities that it may use are taken.
    TakenPrioritiesLookFree,
    /// Who connects a service does not see the rules that decide before its own.
    EarlierRulesAreNotSeen,
    /// Who connects a service does not see what an earlier run has created.
    OwnRulesAreNotSeen,
    /// An internal route always looks as if no one used it.
    RoutesLookUnused,
}

impl Breakage {
    pub(super) fn of_machine(self, definition: &mut Value) {
        let states = definition["States"].as_object_mut().unwrap();
        match self {
            Self::NoSettle => {
                states["Settle"] = json!({"Type": "Wait", "Seconds": 1, "Next": "Verify rollback"});
            }
            Self::RollbackIsNotVerified => states["Settle"]["Next"] = json!("Rolled back"),
            Self::NothingIsTriedAgain => {
                for (_, state) in states.iter_mut() {
                    state.as_object_mut().unwrap().remove("Retry");
                }
            }
            Self::ThrottlesAreFaults => {
                for retriers in states.values_mut().filter_map(|state| state.get_mut("Retry")?.as_array_mut()) {
                    let throttle = json!("Lambda.TooManyRequestsException");
                    let own = retriers.iter().position(|retrier| retrier["ErrorEquals"] == json!([throttle])).unwrap();
                    retriers.remove(own);
                    retriers[0]["ErrorEquals"].as_array_mut().unwrap().push(throttle);
                }
            }
            Self::ChecksAreNotCounted if states.contains_key("Bake slice") => {
                states["Bake slice"]["Next"] = json!("Forget the checks");
                let forget = json!({"Type": "Pass", "Result": 0, "ResultPath": "$.checks", "Next": "Check alarms"});
                states.insert("Forget the checks".to_owned(), forget);
            }
            Self::LastHookIsSkipped => {
                states["Call hook after rollback"] = json!({"Type": "Pass", "Next": "Verify rollback"});
            }
            Self::HeldShiftsSkipTheGates => {
                let choices = states.get_mut("Shifted?").and_then(|state| state["Choices"].as_array_mut());
                for held in choices.into_iter().flatten().filter(|choice| choice["StringEquals"] == "hold") {
                    held["Next"] = json!("Try the shift again");
                }
                // The last step of every scenario, which is the only one that is held with traffic.
                let last = WEIGHTS.len() - 1;
                if states.contains_key("Shifted?") {
                    states.insert(
                        "Try the shift again".to_owned(),
                        json!({"Type": "Pass", "Result": last, "ResultPath": "$.step", "Next": "Wait for capacity"}),
                    );
                }
            }
            Self::StackLimitsAreNotTold if states.contains_key("Plan migration") => {
                states["Plan migration"]["Parameters"]["Payload"].as_object_mut().unwrap().remove("stack");
            }
            Self::OutsideGateIsSkipped if states.contains_key("Ask outside gates") => {
                let answers = json!([{"question": {"gate": "errors"},
                    "answer": {"payload": {"verdict": "go", "reason": "nobody asked"}}}]);
                states["Ask outside gates"] =
                    json!({"Type": "Pass", "Result": answers, "ResultPath": "$.answers", "Next": "Check alarms"});
            }
            Self::FirstHookIsSkipped if states.contains_key("Call hook") => {
                states["Call hook"] = json!({"Type": "Pass", "Next": "Shift weight"});
            }
            _ => {}
        }
        if self == Self::RollbackIsNotVerified {
            states.remove("Call hook after rollback");
            states.remove("Verify rollback");
            states.remove("Verified?");
        }
    }

    pub(super) fn of_read(self, function: &str, watch: &Watch, routes: &mut [Route]) {
        for route in routes {
            let shown = match self {
                Self::NoReadBack => watch.last_meant(&route.id),
                Self::DriftIsOverwritten => watch.unedited(&route.id),
                Self::ResumeOverlooksDrift if function == "resume" => watch.unedited(&route.id),
                _ => None,
            };
            if let Some(actions) = shown {
                route.actions.clone_from(actions);
            }
        }
    }

    pub(super) fn of_listing(self, function: &str, watch: &Watch, routes: &mut Vec<Route>) {
        let blind = match self {
            Self::EndDoesNotListAgain => matches!(function, "check-alarms" | "finish-migration"),
            Self::ShiftsDoNotListAgain => function == "shift-weight",
            _ => false,
        };
        if blind {
            routes.retain(|route| !watch.setup.added.iter().any(|added| added == route.id.as_str()));
        }
    }

    pub(super) fn of_health(self, watch: &Watch, group: &TargetGroupArn, health: &mut Vec<TargetHealth>) {
        if self == Self::UnlistedTargetsStay && watch.groups().contains(group) {
            health.retain(|one| names(&watch.setup.policy, &one.target));
        }
        let lies = match self {
            Self::NewSideLooksHealthy => watch.groups().contains(group),
            Self::OldSideLooksHealthy => watch.setup.old.contains(group),
            _ => false,
        };
        if lies {
            for target in health {
                target.state = HealthState::Healthy;
            }
        }
    }

    pub(super) fn of_alarms(
        self,
        function: &str,
        names: &[String],
        answer: Result<Vec<Alarm>, PortError>,
    ) -> Result<Vec<Alarm>, PortError> {
        let quiet = |name: &String| Alarm {
            name: name.clone(),
            state: AlarmState::Ok,
            since: Timestamp::UNIX_EPOCH,
            reason: "quiet, says the breakage".to_owned(),
            actions_enabled: true,
        };
        match (self, answer) {
            (Self::UnreadableAlarmIsQuiet, Err(_)) => Ok(names.iter().map(quiet).collect()),
            (Self::ResumeOverlooksAlarms, answer) if function != "resume" => answer,
            (Self::MissingAlarmIsQuiet | Self::ResumeOverlooksAlarms, Ok(mut found)) => {
                let missing: Vec<&String> =
                    names.iter().filter(|name| !found.iter().any(|alarm| alarm.name == **name)).collect();
                found.extend(missing.into_iter().map(quiet));
                Ok(found)
            }
            (_, answer) => answer,
        }
    }

    /// Puts an alarm again, with an expression that fills in what has not arrived.
    pub(super) fn of_new_alarm(self, world: &World, name: &str) {
        if self != Self::LateMinutesAreGood {
            return;
        }
        world.with(|state| {
            let described = state.cloudwatch.call(state.now, "DescribeAlarms", &json!({"AlarmNames": [name]})).unwrap();
            let mut alarm = described["MetricAlarms"][0].clone();
            for metric in alarm["Metrics"].as_array_mut().unwrap() {
                if let Some(expression) = metric["Expression"].as_str() {
                    metric["Expression"] = json!(expression.replace("IF(requests ", "IF(FILL(requests, 0) "));
                }
            }
            state.cloudwatch.call(state.now, "PutMetricAlarm", &alarm).unwrap();
        });
    }

    /// An event, as whoever does not look where it is from takes it.
    pub(super) fn of_event(self, event: &Value) -> Value {
        let mut event = event.clone();
        if self == Self::EventsElsewhereAreOurs {
            event["account"] = json!(ACCOUNT);
            event["region"] = json!(REGION);
        }
        event
    }

    pub(super) fn of_firings(self, answer: Result<Vec<Firing>, PortError>) -> Result<Vec<Firing>, PortError> {
        match self {
            Self::FiringsAreForgotten => answer.map(|_| Vec::new()),
            Self::UnreadableAlarmIsQuiet => Ok(answer.unwrap_or_default()),
            _ => answer,
        }
    }

    pub(super) fn of_head(self, account: &Account, who: &Caller, head: Option<Head>) -> Option<Head> {
        let mut head = head?;
        match self {
            Self::NoSettle => {
                if let Some(rollback) = &mut head.rollback {
                    rollback.begun_at -= SignedDuration::from_hours(1);
                }
            }
            Self::WindowsAreIgnored => head.commands.ignore_windows = true,
            // What waits has no windows then, and what raises traffic has.
            Self::ClosedTimeCounts if who.function == "check-alarms" => head.commands.ignore_windows = true,
            Self::ProbesAreSkipped if who.function == "shift-weight" => head.probed = true,
            Self::AnyReportPasses if who.function == "probe-service" => {
                head.probe_round.as_deref_mut().into_iter().for_each(report_all);
            }
            Self::AlarmsMoveTheMigrated if head.phase == Phase::Migrated => head.phase = Phase::Moving,
            Self::RollbacksNeverLookOver if who.function == "roll-back" && head.phase.is_over() => {
                head.phase = Phase::RollingBack;
            }
            // What was true when the function began: a fence that is looked at once.
            Self::NoGenerationCheck | Self::ShiftsCheckTheFenceOnce
                if who.function == "shift-weight" && head.phase != Phase::Moving =>
            {
                let items = account.ledger.snapshot();
                let begun = items.journals[&head.migration].iter().rev().find(|event| event.at <= who.started);
                if begun.is_some_and(|event| event.generation < head.generation) {
                    head.generation = begun.map_or(0, |event| event.generation);
                    head.phase = Phase::Moving;
                }
            }
            _ => {}
        }
        Some(head)
    }
}

fn report_all(round: &mut ProbeRound) {
    let requests = round.rules.iter().flat_map(|rule| rule.requests.iter().map(move |request| (rule, request.probe)));
    let answers = requests.map(|(rule, probe)| {
        let rule = rule.rule.clone();
        ReportedAnswer { rule, probe, rounds: ROUNDS, same: true }
    });
    let answers = answers.collect();
    round.report = Some(ProbeReport { who: "no one".to_owned(), answers, reason: "all is well.".to_owned() });
}
