//! The machine of internal routes: each of its ends.

use super::CONNECT;
use super::scenarios::scenario;
use super::script::{Answer, Scenario, connects, fails};
use serde_json::json;

pub(super) fn all() -> Vec<Scenario> {
    const ANSWERED: &[&str] = &["Create route", "Verdict?"];
    const FAILED: &[&str] = &["Create route"];
    let run = |name, states: &[&[&'static str]], error, answers: &[Answer]| {
        let mut run = scenario(name, states, error);
        run.machine = CONNECT;
        run.input = json!({ "service": "users" });
        run.answers.insert("create-route", answers.to_vec());
        run
    };
    let ends = |name, verdict, end: &'static str, error| run(name, &[ANSWERED, &[end]], error, &[connects(verdict)]);
    vec![
        ends("connect-connected", "connected", "Connected", None),
        ends("connect-removed", "removed", "Removed", None),
        ends("connect-nothing", "nothing", "Removed", None),
        ends("connect-would-connect", "wouldConnect", "Planned", None),
        ends("connect-would-remove", "wouldRemove", "Planned", None),
        ends("connect-refused", "refused", "Refused", Some("Refused")),
        ends("connect-unfinished", "unfinished", "Not finished", Some("NotFinished")),
        run(
            "connect-says-something-new",
            &[ANSWERED, &["Not answered", "Not finished"]],
            Some("NotAnswered"),
            &[connects("somethingNew")],
        ),
        run(
            "connect-dies",
            &[FAILED, &["Not answered", "Not finished"]],
            Some("NotAnswered"),
            &[fails("Runtime.OutOfMemory")],
        ),
        run("connect-denied", &[FAILED, &["Not completed", "Not finished"]], Some("Denied"), &[fails("Denied")]),
        run(
            "connect-not-understood",
            &[FAILED, &["Not understood", "Refused"]],
            Some("InvalidRequest"),
            &[fails("InvalidRequest")],
        ),
        run(
            "connect-retried",
            &[ANSWERED, &["Connected"]],
            None,
            &[fails("Transient"), fails("Transient"), connects("connected")],
        ),
    ]
}
