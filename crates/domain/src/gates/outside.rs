//! Outside gates: an operator's own functions, which ask other metric systems.
//!
//! `check-alarms` answers `ask` with a question for each of them. The machine calls them side by side, and runs
//! `check-alarms` again with what came of it. Nothing that is not an answer in full lets a step pass, and nothing but
//! an answer rolls back.

use crate::journal::Head;
use crate::journal::outside_call::{GroupPair, OutsideCall, Question};
use crate::opinion::{Gate, Opinion, Vote};
use crate::plan::Plan;
use crate::policy::document::written_duration;
use crate::policy::gates::{Gates, OutsideGate};
use crate::policy::service_policy::ServicePolicy;
use crate::weight::Weight;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most seconds that an answer may be old when it counts: a function that is run again late finds it.
const MOST_AGE_SECONDS: u32 = 180;
/// The most characters of an outside gate's reason that go into ours.
const REASON_CHARACTERS: usize = 300;

/// What came of the calls: what each gate answered, or the text of why that is not known.
pub type OutsideAnswers = BTreeMap<String, Result<OutsideAnswer, String>>;

/// An outside gate's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideAnswer {
    /// To continue, to hold or to roll back.
    pub vote: Vote,
    /// Why, in one line.
    pub reason: String,
}

/// The calls of this check.
pub fn calls(plan: &Plan, head: &Head, now: Timestamp) -> Vec<OutsideCall> {
    let step = head.verified_step.unwrap_or(0);
    let pairs = || head.new_groups.iter().map(|(old, new)| GroupPair { old: old.clone(), new: new.clone() });
    let call = |(gate, outside): (&String, &OutsideGate)| OutsideCall {
        function: outside.function.clone(),
        timeout_seconds: outside.timeout_seconds,
        question: Question {
            gate: gate.clone(),
            service: head.service.clone(),
            migration: head.migration.clone(),
            step,
            weight: plan.step(step).map_or(Weight::ZERO, |step| step.weight),
            target_groups: pairs().collect(),
            shifted_at: head.verified_at.unwrap_or(head.since),
            now,
        },
    };
    plan.policy.gates.outside.iter().map(call).collect()
}

/// Reads what the machine hands back: the calls that it was to make, and what came of them, in the same order. None
/// where it was not asked to make any.
pub fn read_answers(
    gates: &BTreeMap<String, OutsideGate>,
    asked: Option<&Value>,
    answers: Option<&Value>,
    now: Timestamp,
) -> Option<OutsideAnswers> {
    let asked = asked?.as_array().filter(|asked| !asked.is_empty())?;
    let asked_at = asked[0].pointer("/question/now").and_then(Value::as_str).and_then(|at| at.parse().ok());
    let age = asked_at.map(|at: Timestamp| u32::try_from(now.duration_since(at).as_secs().max(0)).unwrap_or(u32::MAX));
    let answer = |(name, gate): (&String, &OutsideGate)| {
        let of_gate = |item: &&Value| item.pointer("/question/gate").and_then(Value::as_str) == Some(name);
        let item = answers.and_then(Value::as_array).and_then(|items| items.iter().find(of_gate));
        let read = match (age, item) {
            (None, _) => Err("it is not known when it was asked".to_owned()),
            (Some(age), _) if age > MOST_AGE_SECONDS => Err(format!("its answer is {} old", written_duration(age))),
            (_, None) => Err("the state machine has no answer".to_owned()),
            (_, Some(item)) => read(item, gate),
        };
        (name.clone(), read.map_err(|problem| format!("{}: {problem}", gate.function)))
    };
    Some(gates.iter().map(answer).collect())
}

/// Reads one answer, or what the machine caught instead.
fn read(item: &Value, gate: &OutsideGate) -> Result<OutsideAnswer, String> {
    if let Some(error) = item.get("error") {
        return Err(failure(error, gate));
    }
    let expected = "expected {\"verdict\": \"go\", \"hold\" or \"rollBack\", \"reason\": \"...\"}";
    let Some(payload) = item.pointer("/answer/payload") else {
        return Err(format!("no answer: {expected}"));
    };
    let answered = || format!("answered {}: {expected}", one_line(&payload.to_string()));
    let vote = match payload.get("verdict").and_then(Value::as_str) {
        Some("go") => Vote::GoOn,
        Some("hold") => Vote::Hold,
        Some("rollBack") => Vote::RollBack,
        _ => return Err(answered()),
    };
    let reason = payload.get("reason").and_then(Value::as_str).map(one_line);
    let reason = reason.filter(|reason| !reason.is_empty()).ok_or_else(answered)?;
    Ok(OutsideAnswer { vote, reason })
}

/// What went wrong in a call, in words. The cause of a function's error is a JSON text with `errorMessage`.
fn failure(error: &Value, gate: &OutsideGate) -> String {
    let name = error.get("Error").and_then(Value::as_str).unwrap_or("an unknown error");
    if name == "States.Timeout" {
        return format!("did not answer within {}", written_duration(gate.timeout_seconds));
    }
    let cause = error.get("Cause").and_then(Value::as_str).unwrap_or_default();
    let inner = serde_json::from_str::<Value>(cause).ok();
    let message = inner.as_ref().and_then(|inner| inner.get("errorMessage")).and_then(Value::as_str);
    let message = message.unwrap_or(cause);
    let separator = if message.is_empty() { "" } else { ": " };
    one_line(&format!("failed: {name}{separator}{message}"))
}

/// The beginning of a text of someone else, in one line.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(REASON_CHARACTERS).collect()
}

/// An outside gate's opinion. What could not be read holds. An answer to hold does not hold a shift that was begun.
pub fn outside_opinion(name: &str, said: &Result<OutsideAnswer, String>, shift_begun: bool) -> Opinion {
    let gate = Gate::Outside(name.to_owned());
    match said {
        Err(problem) => Opinion::unreadable(gate, problem),
        Ok(OutsideAnswer { vote: Vote::Hold, reason }) if shift_begun => Opinion::new(gate, Vote::GoOn, reason),
        Ok(OutsideAnswer { vote, reason }) => Opinion::new(gate, *vote, reason),
    }
}

/// The checks that a question to the outside gates counts as, for its place in the history: 5 events of the task that
/// answers `ask`, 2 of the choice, 4 of the map, and at most 15 for each gate, those of three calls that fail.
pub fn checks_of_a_question(outside_gates: usize) -> u32 {
    const EVENTS_OF_A_CHECK: usize = 9;
    u32::try_from((11 + 15 * outside_gates).div_ceil(EVENTS_OF_A_CHECK)).unwrap_or(u32::MAX)
}

/// The checks that one look at all gates counts as.
pub fn checks_of_a_look(policy: &ServicePolicy) -> u32 {
    match policy.gates.outside.len() {
        0 => 1,
        gates => 1 + checks_of_a_question(gates),
    }
}

/// Whether an outside gate decided, by the reason that it gave: every reason begins with the name of its gate.
pub fn decided_outside(gates: &Gates, reason: &str) -> bool {
    reason.split_once(": ").is_some_and(|(gate, _)| gates.outside.contains_key(gate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-01-01T00:10:00Z";

    fn gate() -> OutsideGate {
        OutsideGate { function: "crossfade-hook-errors".into(), timeout_seconds: 10 }
    }

    fn said(came: &Value) -> Result<OutsideAnswer, String> {
        let mut item = json!({"function": "crossfade-hook-errors", "question": {"gate": "errors", "now": NOW}});
        let asked = json!([item.clone()]);
        item.as_object_mut().unwrap().extend(came.as_object().unwrap().clone());
        let gates = BTreeMap::from([("errors".to_owned(), gate())]);
        let answers = read_answers(&gates, Some(&asked), Some(&json!([item])), NOW.parse().unwrap()).unwrap();
        answers["errors"].clone()
    }

    fn answered(payload: &Value) -> Result<OutsideAnswer, String> {
        said(&json!({"answer": {"payload": payload}}))
    }

    #[test]
    fn an_answer_in_full_is_a_vote() {
        let answer = |verdict: &str, vote| {
            let found = answered(&json!({"verdict": verdict, "reason": "12\n  of 100\u{0}failed", "more": [1]}));
            assert_eq!(found, Ok(OutsideAnswer { vote, reason: "12 of 100 failed".into() }));
        };
        answer("go", Vote::GoOn);
        answer("hold", Vote::Hold);
        answer("rollBack", Vote::RollBack);
        let long = answered(&json!({"verdict": "go", "reason": "\u{e9}".repeat(5000)})).unwrap().reason;
        assert_eq!(long.chars().count(), REASON_CHARACTERS);
    }

    #[test]
    fn what_is_no_answer_in_full_is_unreadable_and_names_function_and_problem() {
        let expected = "expected {\"verdict\": \"go\", \"hold\" or \"rollBack\", \"reason\": \"...\"}";
        for payload in [
            json!(null),
            json!("go"),
            json!({}),
            json!({"verdict": "GO", "reason": "fine"}),
            json!({"verdict": "rollback", "reason": "bad"}),
            json!({"verdict": true, "reason": "bad"}),
            json!({"verdict": "rollBack"}),
            json!({"verdict": "rollBack", "reason": " \n"}),
            json!({"verdict": "go", "reason": 7}),
            json!([{"verdict": "rollBack", "reason": "bad"}]),
        ] {
            let problem = answered(&payload).unwrap_err();
            assert_eq!(problem, format!("crossfade-hook-errors: answered {payload}: {expected}").replace("\\n", "\\n"));
        }
        assert_eq!(said(&json!({})).unwrap_err(), format!("crossfade-hook-errors: no answer: {expected}"));
        let failed = |error: &Value| said(&json!({"error": error})).unwrap_err();
        assert_eq!(
            failed(&json!({"Error": "States.Timeout", "Cause": ""})),
            "crossfade-hook-errors: did not answer within 10s"
        );
        assert_eq!(
            failed(&json!({"Error": "NoData", "Cause": "{\"errorMessage\": \"no data: up\", \"stackTrace\": []}"})),
            "crossfade-hook-errors: failed: NoData: no data: up"
        );
        let gone = json!({"Error": "Lambda.ResourceNotFoundException", "Cause": "Function not found: arn"});
        assert_eq!(
            failed(&gone),
            "crossfade-hook-errors: failed: Lambda.ResourceNotFoundException: Function not found: arn"
        );
        assert_eq!(failed(&json!(7)), "crossfade-hook-errors: failed: an unknown error");
    }

    #[test]
    fn an_answer_that_is_missing_or_old_is_unreadable_and_one_that_nobody_asked_for_is_none() {
        let gates = BTreeMap::from([("errors".to_owned(), gate())]);
        let asked = json!([{"question": {"gate": "errors", "now": NOW}}]);
        let answers = json!([{"question": {"gate": "errors"},
            "answer": {"payload": {"verdict": "go", "reason": "fine"}}}]);
        let at = |asked: Option<&Value>, answers: Option<&Value>, now: &str| {
            read_answers(&gates, asked, answers, now.parse().unwrap()).map(|all| all["errors"].clone())
        };
        assert_eq!(at(None, Some(&answers), NOW), None);
        assert_eq!(at(Some(&json!([])), Some(&answers), NOW), None);
        assert!(at(Some(&asked), Some(&answers), "2026-01-01T00:13:00Z").unwrap().is_ok());
        let problem = |asked, answers, now| at(Some(asked), answers, now).unwrap().unwrap_err();
        let old = "crossfade-hook-errors: its answer is 3m1s old";
        assert_eq!(problem(&asked, Some(&answers), "2026-01-01T00:13:01Z"), old);
        let none = "crossfade-hook-errors: the state machine has no answer";
        assert_eq!(problem(&asked, None, NOW), none);
        let other = json!([{"question": {"gate": "other"}}]);
        assert_eq!(problem(&asked, Some(&other), NOW), none);
        let unknown = "crossfade-hook-errors: it is not known when it was asked";
        assert_eq!(problem(&json!([{}]), Some(&answers), NOW), unknown);
    }

    #[test]
    fn only_an_answer_rolls_back_and_what_is_unreadable_holds_even_a_shift_that_was_begun() {
        let answer = |vote| Ok(OutsideAnswer { vote, reason: "12 %".into() });
        let vote = |said: &Result<OutsideAnswer, String>, begun| outside_opinion("errors", said, begun).vote;
        for begun in [false, true] {
            assert_eq!(vote(&answer(Vote::RollBack), begun), Vote::RollBack);
            assert_eq!(vote(&answer(Vote::GoOn), begun), Vote::GoOn);
            assert_eq!(vote(&Err("timed out".into()), begun), Vote::Hold);
        }
        assert_eq!(vote(&answer(Vote::Hold), false), Vote::Hold);
        assert_eq!(vote(&answer(Vote::Hold), true), Vote::GoOn);
        let unread = outside_opinion("errors", &Err("crossfade-hook-errors: timed out".into()), false);
        assert_eq!(
            format!("{}: {}", unread.gate, unread.reason),
            "errors: could not be read: crossfade-hook-errors: timed out"
        );
    }
}
