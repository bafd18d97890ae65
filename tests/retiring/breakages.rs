//! The checks detect a retirement that is broken on purpose.

use super::broken::Breakage;
use super::stage::{Retiring, terms};
use crossfade_domain::retirement::RetireVerdict;
use jiff::SignedDuration;
use serde_json::json;

/// Runs a retirement for some hours, with what `happens` before each look.
fn violations(breakage: Option<Breakage>, until: &str, happens: impl Fn(&Retiring)) -> Vec<String> {
    let mut run = Retiring::new(terms(until));
    run.breakage = breakage;
    for _ in 0..40 {
        happens(&run);
        match run.look() {
            Some(Ok(cursor)) if cursor.verdict == RetireVerdict::Approval => {
                run.command(json!({"command": "approveDeletion", "who": "ana"}));
            }
            Some(Ok(cursor)) if !cursor.verdict.goes_on() => break,
            _ => {}
        }
        run.pass(3);
    }
    let seen = run.seen.lock().unwrap();
    seen.violations.clone()
}

/// Nothing is violated without the breakage, and something with it.
#[track_caller]
fn check(breakage: Breakage, until: &str, words: &str, happens: impl Fn(&Retiring)) {
    assert_eq!(violations(None, until, &happens), [""; 0], "without {breakage:?}");
    let found = violations(Some(breakage), until, &happens);
    assert!(found.iter().any(|one| one.contains(words)), "{breakage:?} is not caught: {found:#?}");
}

#[test]
fn silence_without_a_positive_control_that_counts_is_caught() {
    let mut run = Retiring::new(terms("deregistered"));
    (run.counted, run.breakage) = (false, Some(Breakage::NoPositiveControl));
    for _ in 0..40 {
        run.use_old();
        run.look();
        run.pass(3);
    }
    let seen = run.seen.lock().unwrap();
    assert!(seen.violations.iter().any(|one| one.contains("although the old side was used")), "{:#?}", seen.violations);
}

#[test]
fn partial_data_that_is_accepted_is_caught() {
    check(Breakage::PartialDataIsAccepted, "deregistered", "although the old side was used", |run| {
        run.use_old();
        run.stage.calls.clear();
        run.stage.calls.always("metric_data", crate::simulation::PortFault::FailsBefore);
    });
}

#[test]
fn a_window_that_is_not_counted_from_the_last_weight_is_caught() {
    check(Breakage::WindowBeginsTooEarly, "deregistered", "by a window from", |run| {
        // The old side's targets were counted before the migration too.
        let (old, balancer) = (run.old(), run.service.load_balancer.split_once("loadbalancer/").unwrap().1.to_owned());
        run.stage.world.with(|state| {
            for minute in 0..60 {
                let at = state.now - SignedDuration::from_mins(minute);
                state.cloudwatch.record_hosts(at, &balancer, old.dimension(), 2, 0);
            }
        });
        run.request(&run.new, 200);
    });
}

#[test]
fn targets_that_are_deregistered_before_the_detach_are_caught() {
    check(Breakage::AttachedRoutesAreNotSeen, "deregistered", "while a rule names the group", |_| ());
}

#[test]
fn a_rule_of_someone_else_that_is_not_seen_is_caught() {
    check(Breakage::OtherRulesAreNotSeen, "deleted", "while a rule names the group", |run| {
        let rules = run.call("DescribeRules", &json!({"ListenerArn": run.service.listener}));
        if !rules.to_string().contains("/else/*") {
            run.stage.world.someone_adds_rule(&run.service.listener, "/else/*", &run.service.old_group).unwrap();
        }
    });
}

#[test]
fn targets_that_go_before_the_detach_has_reached_every_node_are_caught() {
    check(Breakage::NoWait, "deregistered", "within 120 s of the last rule", |_| ());
}

#[test]
fn a_group_that_is_recorded_after_its_deletion_is_caught() {
    check(Breakage::RecordedAfterDeletion, "deleted", "deleted before it was recorded", |_| ());
}

#[test]
fn an_undo_that_forgets_stickiness_is_caught() {
    let undone = |breakage| {
        let mut run = Retiring::on(terms("deregistered"), |stage, service| {
            let attributes = json!({"TargetGroupArn": service.old_group, "Attributes": [
                {"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"},
            ]});
            let now = stage.world.now();
            let set = |state: &mut crossfade_world::world::WorldState| {
                state.elbv2.call_json(now, "ModifyTargetGroupAttributes", &attributes).unwrap();
            };
            stage.world.with(set);
        });
        assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
        run.breakage = breakage;
        run.command(json!({"command": "undo", "who": "ana"}));
        for _ in 0..20 {
            run.look();
            run.pass(1);
        }
        (run.is_attached(), format!("{:#?}", run.said))
    };
    let (attached, said) = undone(None);
    assert!(attached, "{said}");
    assert!(!undone(Some(Breakage::UndoForgetsStickiness)).0);
}
