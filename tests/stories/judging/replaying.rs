//! A migration that is judged again agrees with its journal.

use super::{Served, Stage, a_tenth_fails, fine, serve, some_hang, stage, twice_as_slow, unguarded};
use crate::simulation::at_once;
use crossfade_actions::operator::replay::{NotReplayed, Replay, replay};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::judge::{Verdict, judge};
use crossfade_domain::names::ServiceName;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

fn replayed(stage: &Stage, attempt: u32) -> Result<Replay, NotReplayed> {
    at_once(replay(&stage.plain, &stage.head("users"), attempt)).unwrap()
}

/// Every look of the journal agrees, and the series alone gives the verdict.
#[track_caller]
fn agrees(stage: &Stage, attempt: u32) -> Replay {
    let replay = replayed(stage, attempt).unwrap();
    assert!(!replay.looks.is_empty(), "{}", stage.told());
    assert!(replay.looks.iter().all(|look| look.agrees && look.again == look.journal), "{:#?}", replay.looks);
    let again = judge(&replay.series, &replay.parameters);
    assert_eq!((again.verdict, &again.metrics), (replay.judgement.verdict, &replay.judgement.metrics));
    replay
}

fn looks_in_the_journal(stage: &Stage) -> usize {
    let judged = |event: &_| super::reason_of(event).filter(|reason| reason.contains("judge: "));
    stage.recorded("users", judged).len()
}

#[test]
fn every_look_of_the_journal_is_judged_again_as_it_was() {
    let policies = [json!({}), json!({"onInconclusive": "rollback"}), json!({"minBake": "1m", "slice": "90s"})];
    for policy in &policies {
        for served in [fine as Served, a_tenth_fails, some_hang, twice_as_slow] {
            let mut stage = stage(served);
            stage.migrate(unguarded(policy));
            stage.assert_at_rest("users");
            let replay = agrees(&stage, 1);
            assert_eq!(replay.looks.len(), looks_in_the_journal(&stage));
            let failed = stage.head("users").phase == Phase::RolledBack;
            let verdicts: Vec<Verdict> = replay.minutes.iter().map(|minute| minute.reading.judgement.verdict).collect();
            assert_eq!(verdicts.contains(&Verdict::Fail), failed, "{policy} {verdicts:?}\n{}", stage.told());
        }
    }
}

#[test]
fn it_says_minute_by_minute_what_the_judge_would_have_decided() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(unguarded(&json!({})));
    let replay = agrees(&stage, 1);
    let first = stage.recorded("users", super::time_of_shift)[1];
    assert!(first.duration_since(replay.minutes[0].start) < SignedDuration::from_mins(1));
    for (minute, next) in replay.minutes.iter().zip(&replay.minutes[1..]) {
        assert_eq!(next.start.duration_since(minute.start), SignedDuration::from_mins(1));
    }
    assert!(replay.minutes.iter().all(|minute| minute.weight.to_string() == "50 %"), "{:#?}", replay.minutes);
    assert!(replay.minutes.iter().all(|minute| (minute.new, minute.old) == (200, 200)), "{:#?}", replay.minutes);
    // What rolled back is the first FAIL, three minutes after its minute began.
    let failed = replay.minutes.iter().find(|minute| minute.reading.judgement.verdict == Verdict::Fail).unwrap();
    let decided = replay.looks.last().unwrap();
    assert_eq!(decided.journal, failed.reading.judgement.sentence);
    let after = decided.at.duration_since(failed.start);
    assert!((3..5).contains(&after.as_mins()), "{after}");
}

#[test]
fn a_hold_that_no_comparison_shows_is_judged_again_as_it_was() {
    let (mut stage, service) = Stage::with_users();
    let started = stage.world.now();
    for minute in 0..90 {
        let at = started + SignedDuration::from_secs(60 * minute + 30);
        serve(&stage, at, &service.load_balancer, &service.old_group, fine);
    }
    stage.migrate(unguarded(&json!({"maxHold": "30m"})));
    assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
    let replay = agrees(&stage, 1);
    let objections = &replay.minutes.last().unwrap().reading.objections;
    assert!(objections[0].contains("less than half of its share of 50 %"), "{objections:?}");
    let halted = stage.events("users").into_iter().find(|event| matches!(event.kind, EventKind::Halted { .. }));
    let (halted, last) = (halted.unwrap().at, replay.minutes.last().unwrap().start);
    assert!(last <= halted && halted.duration_since(last) < SignedDuration::from_mins(4), "{last} {halted}");
}

#[test]
fn counts_that_came_later_are_named_look_by_look_with_both_sentences() {
    let (_, service) = Stage::with_users();
    let mut stage = stage(fine);
    stage.migrate(unguarded(&json!({})));
    let before = agrees(&stage, 1);
    let (minute, look) = (&before.minutes[3], &before.looks[0]);
    let new = stage.new_group("users", &service.old_group);
    serve(&stage, minute.start, &service.load_balancer, &new, a_tenth_fails);
    let after = replayed(&stage, 1).unwrap();
    let changed = &after.looks[0];
    assert_eq!((changed.sequence, &changed.journal, changed.agrees), (look.sequence, &look.journal, false));
    assert_ne!(changed.again, look.again);
}

#[test]
fn an_earlier_attempt_is_judged_with_its_own_plan_and_groups() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(unguarded(&json!({})));
    let first = agrees(&stage, 1);
    stage.start("second", unguarded(&json!({"judge": {"factor": 9, "margins": {"errors": 40}}})));
    stage.run();
    assert_eq!(stage.head("users").attempt, 2, "{}", stage.told());
    assert_eq!(agrees(&stage, 1), first);
    assert_eq!(first.judgement.verdict, Verdict::Fail);
    assert_eq!(replayed(&stage, 3), Err(NotReplayed::Unknown));
}

#[test]
fn a_policy_without_a_judge_is_judged_all_the_same_and_has_no_look_to_agree_with() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(unguarded(&json!({"judge": false})));
    let replay = replayed(&stage, 1).unwrap();
    assert_eq!((replay.judgement.verdict, replay.looks.len()), (Verdict::Fail, 0));
}

#[test]
fn without_counts_it_says_why() {
    for (state, expected) in [("Check targets", NotReplayed::NoTraffic), ("Shift weight", NotReplayed::TooShort)] {
        let mut stage = Stage::with_users().0;
        stage.once_before(state, |world| world.fire_alarm("users-5xx"));
        stage.migrate(unguarded(&json!({"alarms": ["users-5xx"]})));
        assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
        stage.world.advance(SignedDuration::from_hours(1));
        assert_eq!(replayed(&stage, 1), Err(expected), "{}", stage.told());
    }

    let mut stage = super::stage(fine);
    let (plain, said) = (stage.plain.clone(), Rc::new(RefCell::new(Vec::new())));
    let heard = said.clone();
    stage.before_checks(move |_, _, _| {
        let users = ServiceName::parse("users".to_owned()).unwrap();
        let found = at_once(plain.ledger.head(&users)).unwrap().unwrap();
        heard.borrow_mut().push(at_once(replay(&plain, &found, 1)).unwrap().map(|replay| replay.minutes.len()));
    });
    stage.migrate(unguarded(&json!({})));
    let first = agrees(&stage, 1).minutes[0].start;
    let early = NotReplayed::TooEarly { from: first + SignedDuration::from_mins(3) };
    assert_eq!(said.borrow()[0], Err(early));
    assert!(said.borrow().iter().any(|said| matches!(said, Ok(minutes) if *minutes > 1)), "{said:?}");

    stage.world.advance(SignedDuration::from_hours(15 * 24));
    assert_eq!(replayed(&stage, 1), Err(NotReplayed::CountsAreGone { first }));
}

#[test]
fn a_replay_changes_nothing() {
    let mut stage = stage(fine);
    stage.migrate(unguarded(&json!({})));
    let (head, events): (_, Vec<Value>) =
        (stage.head("users"), stage.events("users").iter().map(|event| json!(event)).collect());
    agrees(&stage, 1);
    assert_eq!(stage.head("users"), head);
    assert_eq!(stage.events("users").iter().map(|event| json!(event)).collect::<Vec<_>>(), events);
}
