//! A service starts once those that it comes after have migrated, or with a reason.

use super::stage::{Stage, users};
use crate::simulation::at_once;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::plan::FindingCode;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `users`, which comes after `sessions`; both are on the load balancer and in the stored policy.
fn stage() -> Stage {
    let (stage, _) = Stage::with_users();
    stage.world.add_service("public", "sessions-swarm", &["sessions.example.com"]);
    let mut sessions = users()["service"].clone();
    (sessions["name"], sessions["oldTargetGroups"]) = (json!("sessions"), json!(["sessions-swarm"]));
    sessions["alarms"] = json!([]);
    let mut users = users()["service"].clone();
    users["after"] = json!(["sessions"]);
    let document = json!({"fleet": "f", "services": [sessions, users]});
    at_once(stage.plain.ledger.store_policy("f", &document, Timestamp::UNIX_EPOCH)).unwrap();
    stage
}

fn plan(stage: &Stage, request: &Value) -> Value {
    let input = json!({"request": request, "execution": "arn:aws:states:eu-west-1:1:execution:m:by-hand"});
    stage.call("plan-migration", &input).unwrap().unwrap_or_else(|error| panic!("{}", error.chain()))
}

#[test]
fn a_service_waits_for_those_that_it_comes_after() {
    let mut stage = stage();
    let refused = plan(&stage, &json!({"service": "users"}));
    assert_eq!((refused["verdict"].as_str(), refused["error"].as_str()), (Some("refused"), Some("Refused")));
    let said = "after-not-migrated (sessions): users comes after sessions, which has not migrated (never started); \
                move it first with `crossfade start sessions --wait`, then start users; or start it all the same with \
                `crossfade start users --ignore-after --reason TEXT`";
    assert_eq!(refused["reason"], said);
    assert!(stage.heads().is_empty(), "a refused start takes no lock");

    stage.migrate(json!({"service": "sessions"}));
    assert_eq!(stage.head("sessions").phase, Phase::Migrated, "{}", stage.told());
    stage.start("second", json!({"service": "users"}));
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
}

#[test]
fn a_service_that_is_not_at_its_end_has_not_migrated() {
    let mut stage = stage();
    stage.migrate_until("Check alarms", json!({"service": "sessions"}));
    let refused = plan(&stage, &json!({"service": "users"}));
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("(sessions-1 is moving); wait for it with `crossfade wait sessions`"), "{reason}");
}

#[test]
fn a_dry_run_shows_the_order_as_a_warning() {
    let stage = stage();
    let answer = plan(&stage, &json!({"service": "users", "dryRun": true}));
    assert_eq!(answer["verdict"], "planned");
    let findings = answer["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["code"] == "after-not-migrated").unwrap();
    assert_eq!((found["severity"].as_str(), found["subject"].as_str()), (Some("warning"), Some("sessions")));
}

#[test]
fn the_order_stands_next_to_every_other_reason_against_a_plan() {
    let stage = stage();
    stage.world.fire_alarm("users-5xx");
    let refused = plan(&stage, &json!({"service": "users"}));
    let codes: Vec<&str> =
        refused["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"alarm-firing") && codes.contains(&"after-not-migrated"), "{codes:?}");
}

#[test]
fn a_start_that_ignores_the_order_is_recorded_with_who_and_why() {
    let recorded = |who: Option<&str>| {
        let mut stage = stage();
        let mut request = json!({"service": "users", "ignoreAfter": true, "reason": "sessions stays on Swarm"});
        if let Some(who) = who {
            request["who"] = json!(who);
        }
        stage.migrate(request);
        assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
        let plan = stage.plan("users");
        assert!(plan.findings.iter().any(|finding| finding.code == FindingCode::AfterNotMigrated));
        let planned = |event: &_| matches!(event, &EventKind::Planned { .. });
        let line = stage.recorded("users", |event| planned(&event.kind).then(|| journal_line(event)));
        line[0].clone()
    };
    assert_eq!(
        recorded(Some("ana")),
        "planned: 2 routes locked; users comes after sessions, which has not migrated (never started); ana started \
         users all the same: sessions stays on Swarm"
    );
    assert!(recorded(None).contains("; whoever started execution "), "an execution knows its own name only");
}

#[test]
fn a_start_in_order_records_nothing_about_it() {
    let mut stage = stage();
    stage.migrate(json!({"service": "sessions"}));
    stage.start("second", json!({"service": "users", "ignoreAfter": true, "reason": "in a hurry"}));
    stage.run();
    let ignored = stage.recorded("users", |event| match &event.kind {
        EventKind::Planned { after_ignored, .. } => Some(after_ignored.clone()),
        _ => None,
    });
    assert_eq!(ignored, [None]);
}
