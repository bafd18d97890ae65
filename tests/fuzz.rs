//! Arbitrary and mutated input at every door: whatever comes in is taken or refused in words, and never a panic.
//!
//! Everything follows from a seed. `just fuzz 10m` continues with new seeds for as long; a case that fails prints its
//! target and its seed, and `CROSSFADE_FUZZ_CASE='target/seed'` runs it again.

mod aws_answers;
mod invocations;
mod mutation;
mod policies;
mod probed;
mod stored;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A door: runs one case drawn from a generator. The error is what is wrong with what came of it.
type Case = Box<dyn FnMut(&mut ChaCha8Rng) -> Result<(), String>>;

/// A door by its name, with the cases that run with all other tests.
struct Door {
    name: &'static str,
    cases: u64,
    open: fn() -> Case,
}

const DOORS: [Door; 11] = [
    Door { name: "policy-file", cases: 300, open: policies::files },
    Door { name: "policy-document", cases: 500, open: policies::documents },
    Door { name: "console-input", cases: 100, open: invocations::console_inputs },
    Door { name: "cursor", cases: 150, open: invocations::cursors },
    Door { name: "fleet-input", cases: 100, open: invocations::fleet_inputs },
    Door { name: "outside-answer", cases: 1000, open: invocations::outside_answers },
    Door { name: "alarm-event", cases: 100, open: invocations::alarm_events },
    Door { name: "execution-event", cases: 60, open: invocations::execution_events },
    Door { name: "stored-item", cases: 500, open: stored::items },
    Door { name: "aws-answer", cases: 400, open: aws_answers::answers },
    Door { name: "probed-answer", cases: 500, open: probed::answers },
];

/// Runs one case; the error names it.
fn run(door: &Door, case: &mut Case, seed: u64) -> Result<(), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let ran = catch_unwind(AssertUnwindSafe(|| case(&mut rng))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    });
    ran.map_err(|problem| {
        let name = door.name;
        format!("{name}/{seed}: {problem}\nto see it again: CROSSFADE_FUZZ_CASE='{name}/{seed}' just fuzz 1s")
    })
}

/// Runs the first cases of a door.
fn check(name: &str) {
    let door = DOORS.iter().find(|door| door.name == name).unwrap();
    let mut case = (door.open)();
    let wrong: Vec<String> = (0..door.cases).filter_map(|seed| run(door, &mut case, seed).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), door.cases, wrong[..wrong.len().min(5)].join("\n"));
}

#[test]
fn a_policy_file_is_taken_or_refused_with_every_place() {
    check("policy-file");
}

#[test]
fn a_policy_document_is_taken_or_refused_with_every_place() {
    check("policy-document");
}

#[test]
fn a_console_input_is_answered_and_a_wrong_one_with_its_places() {
    check("console-input");
}

#[test]
fn a_cursor_is_answered_or_refused_with_its_places() {
    check("cursor");
}

#[test]
fn an_answer_of_an_outside_gate_is_a_vote_or_unreadable_and_only_one_that_says_so_rolls_back() {
    check("outside-answer");
}

#[test]
fn an_alarm_event_is_answered_or_refused_in_words() {
    check("alarm-event");
}

#[test]
fn an_execution_event_is_answered_or_refused_in_words() {
    check("execution-event");
}

#[test]
fn a_stored_item_is_read_and_used_or_refused_in_words() {
    check("stored-item");
}

#[test]
fn an_answer_of_aws_is_read_or_refused_with_its_operation() {
    check("aws-answer");
}

#[test]
fn whatever_a_probed_target_answers_the_verdict_fits_into_a_line() {
    check("probed-answer");
}

/// Runs new seeds for `CROSSFADE_FUZZ_SECONDS`, or the one case of `CROSSFADE_FUZZ_CASE`.
#[test]
fn for_longer() {
    if let Some(named) = variable("CROSSFADE_FUZZ_CASE") {
        let (name, seed) = named.split_once('/').unwrap();
        let door = DOORS.iter().find(|door| door.name == name).unwrap_or_else(|| panic!("no door is called {name}"));
        run(door, &mut (door.open)(), seed.parse().unwrap()).unwrap();
        return;
    }
    let seconds = variable("CROSSFADE_FUZZ_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(0);
    let (began, longest) = (Instant::now(), Duration::from_secs(seconds));
    let mut cases = 0;
    for block in 1.. {
        for door in &DOORS {
            if began.elapsed() >= longest {
                eprintln!("fuzz: {cases} cases in {:.0} s, without a panic", began.elapsed().as_secs_f64());
                return;
            }
            let mut case = (door.open)();
            for seed in block * door.cases..(block + 1) * door.cases {
                run(door, &mut case, seed).unwrap();
                cases += 1;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one way to ask a test for more, or for one case")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
