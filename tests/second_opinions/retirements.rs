//! The machine of retirements: each of its ends, and the ways there.

use super::RETIRE;
use super::scenarios::scenario;
use super::script::{Answer, Scenario, fails, moved, retires};
use serde_json::json;

const CHECK: &[&str] = &["Check idle", "Verdict?"];
const DETACH: &[&str] = &["Detach target group", "Verdict?"];
const DELETE: &[&str] = &["Delete target group", "Verdict?"];
const WAIT: &[&str] = &["Wait"];
const APPROVAL: &[&str] = &["Wait for approval"];
const HOOK: &[&str] = &["Call hook"];

fn run(name: &'static str, states: &[&[&'static str]], error: Option<&'static str>, checks: &[Answer]) -> Scenario {
    let mut run = scenario(name, states, error);
    run.machine = RETIRE;
    run.input = json!({ "service": "users" });
    run.answers.insert("check-idle", checks.to_vec());
    run
}

pub(super) fn all() -> Vec<Scenario> {
    let ends = |name, verdict, end: &'static str, error| run(name, &[CHECK, &[end]], error, &[retires(verdict)]);
    let interrupted = Some("Interrupted");
    vec![
        run(
            "retire-to-deregistered",
            &[CHECK, WAIT, CHECK, DETACH, WAIT, CHECK, DETACH, &["Deregistered"]],
            None,
            &[retires("wait"), retires("detach"), retires("detach")],
        )
        .answer("detach-target-group", [retires("wait"), retires("deregistered")]),
        run(
            "retire-with-hook-and-approvals-to-deleted",
            &[CHECK, HOOK, CHECK, APPROVAL, CHECK, DETACH, DELETE, APPROVAL, CHECK, DELETE, &["Deleted"]],
            None,
            &[retires("hook"), retires("approval"), retires("detach"), retires("delete")],
        )
        .answer("hook-move-consumers", [moved()])
        .answer("detach-target-group", [retires("delete")])
        .answer("delete-target-group", [retires("approval"), retires("deleted")]),
        run(
            "retire-hook-fails",
            &[CHECK, HOOK, CHECK, WAIT, CHECK, &["Idle"]],
            None,
            &[retires("hook"), retires("wait"), retires("idle")],
        )
        .answer("hook-move-consumers", [fails("StillUsed")]),
        run("retire-undoes-itself", &[CHECK, DETACH, &["Undone"]], Some("Undone"), &[retires("detach")])
            .answer("detach-target-group", [retires("undone")]),
        ends("retire-detached", "detached", "Detached", None),
        ends("retire-continued", "continued", "Continued", None),
        ends("retire-halted", "halted", "Halted", Some("Halted")),
        ends("retire-refused", "refused", "Refused", Some("Refused")),
        run(
            "retire-not-understood",
            &[&["Check idle", "Not understood", "Refused"]],
            Some("Refused"),
            &[fails("InvalidRequest")],
        ),
        run(
            "retire-denied",
            &[CHECK, &["Detach target group", "Not completed", "Interrupted"]],
            interrupted,
            &[retires("detach")],
        )
        .answer("detach-target-group", [fails("Denied")]),
        run(
            "retire-dies",
            &[&["Check idle", "Not answered", "Interrupted"]],
            interrupted,
            &[fails("Runtime.OutOfMemory")],
        ),
        run(
            "retire-says-something-new",
            &[CHECK, &["Not answered", "Interrupted"]],
            interrupted,
            &[retires("somethingNew")],
        ),
    ]
}
