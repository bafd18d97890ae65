//! What a target answers to a probe: whatever it sends, the verdict is words that fit into a line and into a journal.

use super::Case;
use super::mutation::{any_bytes, bytes, document};
use crossfade_domain::policy::calling::{Compared, Probe, ProbeMethod};
use crossfade_domain::probe::{Answer, Outcome, ROUNDS, Report, Round, compare};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::BTreeSet;

/// A sentence about one probe: three fields with their two values, and what stands around them.
const LONGEST_SENTENCE: usize = 1_000;

pub(super) fn answers() -> Case {
    Box::new(|rng| {
        let probe = Probe {
            path: "/ping".to_owned(),
            method: if rng.random_bool(0.1) { ProbeMethod::Head } else { ProbeMethod::Get },
            expect: 200,
            compare: [Compared::Headers, Compared::Shape, Compared::Body]
                .into_iter()
                .filter(|_| rng.random_bool(0.5))
                .collect::<BTreeSet<_>>(),
        };
        let (old, new) = (answer(rng), answer(rng));
        let rounds: Vec<Round> = (0..ROUNDS).map(|_| round(rng, &old, &new)).collect();
        let verdict = compare(&probe, &rounds);
        let through = "port 443 of public".to_owned();
        let outcome = Outcome { method: probe.method, path: probe.path.clone(), rounds: ROUNDS, through, verdict };
        let report = Report { outcomes: vec![outcome] };
        let said = report.describe();
        let as_expected = |answer: &Result<Answer, String>| answer.as_ref().is_ok_and(|answer| answer.status == 200);
        if report.passed() && !rounds.iter().all(|round| as_expected(&round.new)) {
            return Err(format!("passed without the expected answer: {said}"));
        }
        if said.chars().any(char::is_control) {
            return Err(format!("a terminal is written to by a service: {said:?}"));
        }
        let long = said.chars().count();
        if long > LONGEST_SENTENCE { Err(format!("{long} characters: {said}")) } else { Ok(()) }
    })
}

/// One round: the answers of both sides, some of them changed a little or missing.
fn round(rng: &mut ChaCha8Rng, old: &Answer, new: &Answer) -> Round {
    let mut came = |answer: &Answer| match rng.random_range(0..40) {
        0 => Err("connection\r\nreset".to_owned()),
        1 => Ok(Answer { body: bytes(rng, &answer.body), ..answer.clone() }),
        2 => Ok(Answer { status: 500, ..answer.clone() }),
        _ => Ok(answer.clone()),
    };
    Round { old: [came(old), came(old)], new: came(new) }
}

fn answer(rng: &mut ChaCha8Rng) -> Answer {
    let original = json!({"total": 12, "items": [{"name": "a", "price": 1.5}, null], "token": "s3cr3t"});
    let body = match rng.random_range(0..6) {
        0 => any_bytes(rng),
        1 => original.to_string().into_bytes(),
        2 => bytes(rng, original.to_string().as_bytes()),
        // A name that no one would give a field.
        3 => json!({"a\nfield\u{1b}[31m": 1, "long ".repeat(rng.random_range(0..2_000)): rng.random::<u8>()})
            .to_string()
            .into_bytes(),
        _ => document(rng, &original).to_string().into_bytes(),
    };
    let content = if rng.random_bool(0.5) { "application/json" } else { "text/\u{7}html" };
    Answer { status: 200, headers: vec![("content-type".to_owned(), content.to_owned())], body, cut: false }
}
