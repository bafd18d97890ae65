//! The table: what the functions answer, and which states the machines must then enter.

use super::script::{Answer, Scenario, asks, conducts, fails, hook, moved, says, votes};
use super::{FLEET, MIGRATE, ROLL_BACK};
use super::{connections, retirements};
use serde_json::json;

const PLAN: &[&str] = &["Plan migration", "Planned?"];
const ATTACH: &[&str] =
    &["Create target group", "Create guard alarms", "Attach at weight 0", "Attached?", "Register targets"];
const TARGETS: &[&str] = &["Check targets", "Targets ready?"];
const SHIFT: &[&str] = &["Shift weight", "Shifted?"];
const PROBE: &[&str] = &["Probe service", "Probed?"];
const SLICE: &[&str] = &["Bake slice", "Check alarms", "Verdict?"];
const ASK: &[&str] = &["Ask outside gates"];
const HOOK: &[&str] = &["Call hook"];
const HOOK_BACK: &[&str] = &["Call hook after rollback"];
const FINISH: &[&str] = &["Finish migration", "Finished?", "Migrated"];
const ACT: &[&str] = &["Returned already?"];
const ROLL_BACK_STATES: &[&str] = &["Roll back", "Rollback verdict?"];
const VERIFY: &[&str] = &["Settle", "Verify rollback", "Verified?"];
const ROLLED_BACK: &[&str] = &["Rolled back"];
const HALTED: &[&str] = &["Halted"];
const WITHDRAWN: &[&str] = &["Withdrawn", "Refused"];
const ROLLBACK_FAILED: &[&str] = &["Rollback failed", "Halted"];

pub(super) fn scenario(name: &'static str, states: &[&[&'static str]], error: Option<&'static str>) -> Scenario {
    Scenario {
        name,
        machine: MIGRATE,
        input: json!({ "service": "users" }),
        answers: [].into(),
        states: states.concat(),
        error,
        too_slow_for_moto: false,
    }
}

impl Scenario {
    pub(super) fn answer<const N: usize>(mut self, function: &'static str, answers: [Answer; N]) -> Self {
        self.answers.insert(function, answers.into());
        self
    }

    /// What all functions up to the first shift answer when nothing is wrong; `shifts` follow the attach.
    fn attached<const N: usize>(self, shifts: [Answer; N]) -> Self {
        let mut this = self
            .answer("plan-migration", [says("proceed")])
            .answer("create-target-group", [says("proceed")])
            .answer("create-guard-alarms", [says("proceed")])
            .answer("register-targets", [says("proceed")])
            .answer("check-targets", [says("ready")]);
        this.answers.insert("shift-weight", std::iter::once(says("proceed")).chain(shifts).collect());
        this
    }

    fn rolls_back(self) -> Self {
        self.answer("roll-back", [says("settle"), says("rolledBack")])
    }

    /// It is told that somebody else returns the routes.
    fn returned_already(mut self) -> Self {
        self.input["waitSeconds"] = json!(1);
        self
    }

    fn of_roll_back_service<const N: usize>(mut self, answers: [Answer; N]) -> Self {
        self.machine = ROLL_BACK;
        self.answer("roll-back", answers)
    }
}

pub(super) fn all() -> Vec<Scenario> {
    let mut all = ends_before_a_change();
    all.extend(ends_on_the_way_up());
    all.extend(errors());
    all.extend(rollbacks());
    all.extend(hooks());
    all.extend(probes());
    all.push(outside_gates());
    all.extend(fleets());
    all.extend(connections::all());
    all.extend(retirements::all());
    all
}

fn ends_before_a_change() -> Vec<Scenario> {
    vec![
        scenario("dry-run", &[PLAN, &["Planned"]], None).answer("plan-migration", [says("planned")]),
        scenario("refused", &[PLAN, &["Refused"]], Some("Refused")).answer("plan-migration", [says("refused")]),
        scenario("closed-window", &[PLAN, &["Wait for window"], PLAN, &["Planned"]], None)
            .answer("plan-migration", [says("closed"), says("planned")]),
        scenario("lock-held", &[&["Plan migration", "Not planned", "Refused"]], Some("LockHeld"))
            .answer("plan-migration", [fails("LockHeld")]),
        scenario("invalid-request", &[&["Plan migration", "Not planned", "Refused"]], Some("InvalidRequest"))
            .answer("plan-migration", [fails("InvalidRequest")]),
        scenario("plan-fails", &[&["Plan migration"], ROLL_BACK_STATES, WITHDRAWN], Some("Refused"))
            .answer("plan-migration", [fails("Internal")])
            .answer("roll-back", [says("refused")]),
        scenario(
            "error-before-the-first-change",
            &[PLAN, &["Create target group"], ROLL_BACK_STATES, WITHDRAWN],
            Some("Refused"),
        )
        .answer("plan-migration", [says("proceed")])
        .answer("create-target-group", [fails("Denied")])
        .answer("roll-back", [says("refused")]),
    ]
}

fn probes() -> Vec<Scenario> {
    let probed = |name, rest: &[&[&'static str]], error, answer| {
        scenario(name, &[&[PLAN, ATTACH, TARGETS, SHIFT, PROBE], rest].concat(), Some(error))
            .attached([says("probe")])
            .answer("probe-service", [answer])
    };
    vec![
        probed("probes-pass", &[SHIFT, SLICE, HALTED], "Halted", says("ready"))
            .attached([says("probe"), says("bake")])
            .answer("check-alarms", [says("halt")]),
        probed("probes-fail", &[ROLL_BACK_STATES, VERIFY, ROLLED_BACK], "RolledBack", says("rollBack")).rolls_back(),
        probed("probed-and-fenced", &[VERIFY, ROLLED_BACK], "RolledBack", says("stop"))
            .answer("roll-back", [says("rolledBack")]),
        probed("probed-and-halted", &[HALTED], "Halted", says("halt")),
        scenario(
            "probes-wait-for-a-command",
            &[PLAN, ATTACH, TARGETS, SHIFT, PROBE, &["Wait for answers"], PROBE, SHIFT, SLICE, HALTED],
            Some("Halted"),
        )
        .attached([says("probe"), says("bake")])
        .answer("probe-service", [says("wait"), says("ready")])
        .answer("check-alarms", [says("halt")]),
        scenario(
            "probes-raise-an-error",
            &[PLAN, ATTACH, TARGETS, SHIFT, &["Probe service"], ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
            Some("RolledBack"),
        )
        .attached([says("probe")])
        .answer("probe-service", [fails("Denied")])
        .rolls_back(),
    ]
}

fn ends_on_the_way_up() -> Vec<Scenario> {
    let up = |name, rest: &[&[&'static str]], error| {
        scenario(name, &[&[PLAN, ATTACH, TARGETS, SHIFT], rest].concat(), error).attached([says("bake")])
    };
    vec![
        up("straight-through", &[SLICE, SLICE, SHIFT, SLICE, FINISH], None)
            .attached([says("bake"), says("bake")])
            .answer("check-alarms", [says("bake"), says("advance"), says("finish")])
            .answer("finish-migration", [says("migrated")]),
        up("hold-and-approval", &[SLICE, SLICE, SLICE, FINISH], None)
            .answer("check-alarms", [says("hold"), says("approval"), says("finish")])
            .answer("finish-migration", [says("migrated")]),
        scenario(
            "targets-need-time",
            &[PLAN, ATTACH, TARGETS, &["Wait for targets"], TARGETS, SHIFT, SLICE, HALTED],
            Some("Halted"),
        )
        .attached([says("bake")])
        .answer("check-targets", [says("wait"), says("ready")])
        .answer("check-alarms", [says("halt")]),
        scenario(
            "capacity-needs-time",
            &[PLAN, ATTACH, TARGETS, SHIFT, &["Wait for capacity"], SHIFT, SLICE, HALTED],
            Some("Halted"),
        )
        .attached([says("wait"), says("bake")])
        .answer("check-alarms", [says("halt")]),
        scenario(
            "attach-makes-way",
            &[PLAN, &ATTACH[..4], &["Wait to attach"], &ATTACH[2..], TARGETS, SHIFT, SLICE, HALTED],
            Some("Halted"),
        )
        .attached([says("bake")])
        .answer("shift-weight", [says("wait"), says("proceed"), says("bake")])
        .answer("check-alarms", [says("halt")]),
        up("held-shift-goes-back-to-the-gates", &[SLICE, SHIFT, SLICE, SLICE, SHIFT, SLICE, FINISH], None)
            .attached([says("bake"), says("hold"), says("bake")])
            .answer("check-alarms", [says("advance"), says("hold"), says("advance"), says("finish")])
            .answer("finish-migration", [says("migrated")]),
        up(
            "sick-during-a-held-shift",
            &[SLICE, SHIFT, SLICE, ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
            Some("RolledBack"),
        )
        .attached([says("bake"), says("hold")])
        .answer("check-alarms", [says("advance"), says("rollBack")])
        .rolls_back(),
        up("alarm-at-a-step", &[SLICE, SHIFT, SLICE, ROLL_BACK_STATES, VERIFY, ROLLED_BACK], Some("RolledBack"))
            .attached([says("bake"), says("bake")])
            .answer("check-alarms", [says("advance"), says("rollBack")])
            .rolls_back(),
        up("stopped-by-an-alarm-event", &[SLICE, VERIFY, ROLLED_BACK], Some("RolledBack"))
            .answer("check-alarms", [says("stop")])
            .answer("roll-back", [says("rolledBack")]),
        up("stopped-at-the-end", &[SLICE, &["Finish migration", "Finished?"], VERIFY, ROLLED_BACK], Some("RolledBack"))
            .answer("check-alarms", [says("finish")])
            .answer("finish-migration", [says("stop")])
            .answer("roll-back", [says("rolledBack")]),
        up("halt", &[SLICE, HALTED], Some("Halted")).answer("check-alarms", [says("halt")]),
        up("unknown-verdict", &[SLICE, ROLL_BACK_STATES, VERIFY, ROLLED_BACK], Some("RolledBack"))
            .answer("check-alarms", [says("somethingNew")])
            .rolls_back(),
        scenario(
            "targets-never-healthy",
            &[PLAN, ATTACH, TARGETS, ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
            Some("RolledBack"),
        )
        .attached([])
        .answer("check-targets", [says("rollBack")])
        .rolls_back(),
        scenario("fenced-at-the-attach", &[PLAN, &ATTACH[..4], VERIFY, ROLLED_BACK], Some("RolledBack"))
            .answer("plan-migration", [says("proceed")])
            .answer("create-target-group", [says("proceed")])
            .answer("create-guard-alarms", [says("proceed")])
            .answer("shift-weight", [says("stop")])
            .answer("roll-back", [says("rolledBack")]),
    ]
}

fn errors() -> Vec<Scenario> {
    let mut exhausted = scenario(
        "retries-run-out",
        &[PLAN, ATTACH, TARGETS, &["Shift weight"], ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
        Some("RolledBack"),
    )
    .attached([const { Answer::Error("Transient") }; 13])
    .rolls_back();
    exhausted.too_slow_for_moto = true;
    vec![
        exhausted,
        scenario(
            "error-after-the-first-change",
            &[PLAN, ATTACH, TARGETS, &["Shift weight"], ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
            Some("RolledBack"),
        )
        .attached([fails("Internal")])
        .rolls_back(),
        scenario("retried-transient", &[PLAN, ATTACH, TARGETS, SHIFT, SLICE, FINISH], None)
            .attached([fails("Transient"), says("bake")])
            .answer("check-alarms", [says("finish")])
            .answer("finish-migration", [says("migrated")]),
        scenario("a-function-dies-once", &[PLAN, ATTACH, TARGETS, SHIFT, SLICE, FINISH], None)
            .attached([fails("Runtime.ExitError"), says("bake")])
            .answer("check-alarms", [says("finish")])
            .answer("finish-migration", [fails("Sandbox.Timedout"), says("migrated")]),
    ]
}

fn rollbacks() -> Vec<Scenario> {
    let failing = |name, rest: &[&[&'static str]], error| {
        scenario(name, &[&[PLAN, ATTACH, TARGETS, SHIFT, SLICE], rest].concat(), error)
            .attached([says("bake")])
            .answer("check-alarms", [says("rollBack")])
    };
    vec![
        failing("rollback-fails", &[&["Roll back"], ROLLBACK_FAILED], Some("Halted"))
            .answer("roll-back", [fails("Denied")]),
        failing("rollback-withheld", &[ROLL_BACK_STATES, HALTED], Some("Halted")).answer("roll-back", [says("halt")]),
        failing("rollback-says-something-new", &[ROLL_BACK_STATES, ROLLBACK_FAILED], Some("Halted"))
            .answer("roll-back", [says("somethingNew")]),
        failing("second-look-fails", &[ROLL_BACK_STATES, &VERIFY[..2], ROLLBACK_FAILED], Some("Halted"))
            .answer("roll-back", [says("settle"), fails("Internal")]),
        failing(
            "second-look-finds-a-late-writer",
            &[ROLL_BACK_STATES, VERIFY, VERIFY, ROLLED_BACK],
            Some("RolledBack"),
        )
        .answer("roll-back", [says("settle"), says("settle"), says("rolledBack")]),
        failing("rollback-retried", &[ROLL_BACK_STATES, VERIFY, ROLLED_BACK], Some("RolledBack"))
            .answer("roll-back", [fails("Transient"), says("settle"), fails("Transient"), says("rolledBack")]),
        scenario("roll-back-service", &[ACT, ROLL_BACK_STATES, VERIFY, ROLLED_BACK], None)
            .of_roll_back_service([says("settle"), says("rolledBack")]),
        scenario("roll-back-service-settles-first", &[ACT, VERIFY, VERIFY, ROLLED_BACK], None)
            .of_roll_back_service([says("settle"), says("rolledBack")])
            .returned_already(),
        scenario("roll-back-service-finds-nothing", &[ACT, ROLL_BACK_STATES, WITHDRAWN], Some("Refused"))
            .of_roll_back_service([says("refused")]),
        scenario(
            "roll-back-service-is-asked-wrongly",
            &[ACT, &["Roll back", "Not understood", "Refused"]],
            Some("InvalidRequest"),
        )
        .of_roll_back_service([fails("InvalidRequest")]),
        scenario("roll-back-service-fails", &[ACT, &["Roll back"], ROLLBACK_FAILED], Some("Halted"))
            .of_roll_back_service([fails("Superseded")]),
        scenario(
            "roll-back-service-halts-at-the-second-look",
            &[ACT, ROLL_BACK_STATES, VERIFY, HALTED],
            Some("Halted"),
        )
        .of_roll_back_service([says("settle"), says("halt")]),
    ]
}

/// The first time it answers, the second time it does not, and the last time it answers badly.
fn outside_gates() -> Scenario {
    let look = &SLICE[1..];
    let states = [
        &[PLAN, ATTACH, TARGETS, SHIFT][..],
        &[SLICE, ASK, look, SLICE, ASK, look],
        &[SLICE, ASK, look, ROLL_BACK_STATES, VERIFY, ROLLED_BACK],
    ];
    scenario("outside-gates", &states.concat(), Some("RolledBack"))
        .attached([says("bake")])
        .answer("check-alarms", [asks(), says("bake"), asks(), says("hold"), asks(), says("rollBack")])
        .answer("hook-errors", [votes("go"), fails("NoData"), votes("rollBack")])
        .rolls_back()
}

fn hooks() -> Vec<Scenario> {
    const MOVE: &str = "hook-move-consumers";
    let (first, each, back) = (|| hook("beforeFirstShift"), || hook("afterEachShift"), || hook("afterRollback"));
    let look = &VERIFY[1..];
    vec![
        scenario("hooks-on-the-way-up", &[PLAN, ATTACH, TARGETS, SHIFT, HOOK, SHIFT, HOOK, SHIFT, SLICE, FINISH], None)
            .attached([first(), each(), says("bake")])
            .answer(MOVE, [moved(), fails("Transient"), moved()])
            .answer("check-alarms", [says("finish")])
            .answer("finish-migration", [says("migrated")]),
        scenario(
            "a-hook-fails",
            &[PLAN, ATTACH, TARGETS, SHIFT, HOOK, ROLL_BACK_STATES, VERIFY, HOOK_BACK, look, ROLLED_BACK],
            Some("RolledBack"),
        )
        .attached([first()])
        .answer(MOVE, [fails("Runtime.HandlerError"), moved()])
        .answer("roll-back", [says("settle"), back(), says("rolledBack")]),
        scenario("roll-back-service-brings-home", &[ACT, ROLL_BACK_STATES, VERIFY, HOOK_BACK, look, ROLLED_BACK], None)
            .of_roll_back_service([says("settle"), back(), says("rolledBack")])
            .answer(MOVE, [moved()]),
        scenario("the-last-hook-fails", &[ACT, ROLL_BACK_STATES, VERIFY, HOOK_BACK, look, HALTED], Some("Halted"))
            .of_roll_back_service([says("settle"), back(), says("halt")])
            .answer(MOVE, [fails("KafkaIsDown")]),
    ]
}

/// The conductor's machine: each of its ends, and the looks before it.
fn fleets() -> Vec<Scenario> {
    const LOOK: &[&str] = &["Check fleet", "Verdict?"];
    const WAIT: &[&str] = &["Wait"];
    let run = |name, states: &[&[&'static str]], error, answers: &[Answer]| {
        let mut run = scenario(name, states, error);
        run.machine = FLEET;
        run.input = json!({ "fleet": "eks-2026" });
        run.answers.insert("check-fleet", answers.to_vec());
        run
    };
    let ends = |name, verdict, end: &'static str, error| {
        run(name, &[LOOK, WAIT, LOOK, &[end]], error, &[conducts("wait"), conducts(verdict)])
    };
    let mut all = vec![
        ends("fleet-migrated", "migrated", "Migrated", None),
        ends("fleet-conducted-elsewhere", "elsewhere", "Conducted elsewhere", None),
        ends("fleet-continued", "continued", "Continued", None),
        ends("fleet-incomplete", "incomplete", "Incomplete", Some("Incomplete")),
        ends("fleet-stopped", "stopped", "Stopped", Some("Stopped")),
        ends("fleet-aborted", "aborted", "Aborted", Some("Aborted")),
        ends("fleet-returned", "returned", "Returned", Some("Returned")),
        run("fleet-refused", &[LOOK, &["Refused"]], Some("Refused"), &[conducts("refused")]),
        run(
            "fleet-says-something-new",
            &[LOOK, &["Not conducted", "Conductor failed"]],
            Some("ConductorFailed"),
            &[conducts("somethingNew")],
        ),
        run(
            "fleet-look-fails",
            &[LOOK, WAIT, &["Check fleet", "Not conducted", "Conductor failed"]],
            Some("ConductorFailed"),
            &[conducts("wait"), fails("Denied")],
        ),
        run(
            "fleet-not-understood",
            &[&["Check fleet", "Not understood", "Refused"]],
            Some("Refused"),
            &[fails("InvalidRequest")],
        ),
    ];
    let retried = run(
        "fleet-look-retried",
        &[LOOK, WAIT, LOOK, &["Migrated"]],
        None,
        &[conducts("wait"), fails("Transient"), fails("Transient"), conducts("migrated")],
    );
    all.push(retried);
    all
}
