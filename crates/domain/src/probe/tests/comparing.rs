use crate::policy::calling::{Compared, Probe, ProbeMethod};
use crate::probe::{Answer, Difference, LONGEST_BODY, ROUNDS, Round, Verdict, compare};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn probe(compared: &[Compared]) -> Probe {
    Probe {
        path: "/ping".into(),
        method: ProbeMethod::Get,
        expect: 200,
        compare: compared.iter().copied().collect::<BTreeSet<_>>(),
    }
}

fn answered(body: impl Into<Vec<u8>>) -> Answer {
    Answer { status: 200, body: body.into(), ..Answer::default() }
}

/// As many rounds as a probe has; a body is made of its round and of its place in it: 0 and 2 are the old side's.
fn rounds(of: impl Fn(usize, usize) -> Value) -> Vec<Round> {
    let answer = |round, place| Ok(answered(of(round, place).to_string()));
    (0..ROUNDS).map(|round| Round { old: [answer(round, 0), answer(round, 2)], new: answer(round, 1) }).collect()
}

/// The same answers in every round.
fn always(old: &Answer, new: &Answer) -> Vec<Round> {
    vec![Round { old: [Ok(old.clone()), Ok(old.clone())], new: Ok(new.clone()) }; ROUNDS]
}

fn differing(verdict: &Verdict) -> Vec<&str> {
    match verdict {
        Verdict::Differs { differences } => differences.iter().map(|one| one.field.as_str()).collect(),
        Verdict::Same { .. } => Vec::new(),
        Verdict::NotComparable { why } => panic!("not comparable: {why}"),
    }
}

const SAME: Verdict = Verdict::Same { noise: Vec::new() };

#[test]
fn equal_answers_are_the_same_at_every_level() {
    let answer = Answer { headers: vec![("etag".into(), "7".into())], ..answered("{\"total\": 12}") };
    for levels in [&[][..], &[Compared::Headers], &[Compared::Shape], &[Compared::Body]] {
        assert_eq!(compare(&probe(levels), &always(&answer, &answer)), SAME);
    }
}

#[test]
fn the_new_side_must_answer_as_expected_in_every_round() {
    let old = answered("");
    let mut seen = always(&old, &old);
    seen[4].new = Ok(Answer { status: 500, ..old.clone() });
    let expected = Difference { field: "status".into(), old: "200".into(), new: "500, expected 200".into() };
    assert_eq!(compare(&probe(&[]), &seen), Verdict::Differs { differences: vec![expected] });
    seen[4].new = Err("timed out after 10 s".into());
    let Verdict::Differs { differences } = compare(&probe(&[]), &seen) else { panic!("it differs") };
    assert_eq!(differences[0].new, "no answer: timed out after 10 s, expected 200");
}

#[test]
fn an_old_side_that_answers_otherwise_is_nothing_to_compare_with() {
    let good = answered("");
    let mut seen = always(&good, &good);
    seen[2].old[1] = Ok(Answer { status: 503, ..good.clone() });
    let Verdict::NotComparable { why } = compare(&probe(&[]), &seen) else { panic!("not comparable") };
    assert!(why.contains("the old side answered 503, and the policy expects 200"), "{why}");
    seen[2].old[1] = Err("connection refused".into());
    let Verdict::NotComparable { why } = compare(&probe(&[]), &seen) else { panic!("not comparable") };
    assert!(why.contains("did not answer (connection refused)"), "{why}");
    assert!(matches!(compare(&probe(&[]), &[]), Verdict::NotComparable { .. }), "never asked is no evidence");
}

#[test]
fn each_level_sees_its_own_part_of_an_answer() {
    let old = Answer { headers: vec![("content-type".into(), "application/json".into())], ..answered("{\"a\": 1}") };
    let other_type = Answer { headers: vec![("content-type".into(), "text/plain".into())], ..old.clone() };
    let other_value = Answer { body: b"{\"a\": 2}".to_vec(), ..old.clone() };
    let other_shape = Answer { body: b"{\"a\": \"1\", \"b\": null}".to_vec(), ..old.clone() };
    let (headers, shape, body) = (&[Compared::Headers][..], &[Compared::Shape][..], &[Compared::Body][..]);
    let check = |levels: &[Compared], new: &Answer, expected: &[&str]| {
        assert_eq!(differing(&compare(&probe(levels), &always(&old, new))), expected, "{levels:?}");
    };
    for new in [&other_type, &other_value, &other_shape] {
        check(&[], new, &[]);
    }
    check(headers, &other_type, &["header content-type"]);
    check(headers, &other_shape, &[]);
    check(shape, &other_value, &[]);
    check(shape, &other_shape, &["body.a", "body.b"]);
    check(body, &other_value, &["body.a"]);
    check(shape, &answered("<html>"), &["body", "body.a"]);
    let head = Probe { method: ProbeMethod::Head, ..probe(body) };
    assert_eq!(compare(&head, &always(&old, &other_value)), SAME, "a HEAD has no body");
}

#[test]
fn a_list_has_one_shape_and_many_values() {
    let old = answered("{\"items\": [{\"id\": 1}, {\"id\": 2}]}");
    let longer = answered("{\"items\": [{\"id\": 1}, {\"id\": 2}, {\"id\": 3}]}");
    let mixed = answered("{\"items\": [{\"id\": 1}, {\"id\": \"2\"}]}");
    let seen = |levels: &[Compared], new| compare(&probe(levels), &always(&old, new));
    assert_eq!(seen(&[Compared::Shape], &longer), SAME);
    let shape = seen(&[Compared::Shape], &mixed);
    let Verdict::Differs { differences } = &shape else { panic!("{shape:?}") };
    assert_eq!((differences[0].field.as_str(), differences[0].new.as_str()), ("body.items[].id", "number or string"));
    assert_eq!(differing(&seen(&[Compared::Body], &longer)), ["body.items", "body.items[2]", "body.items[2].id"]);
}

#[test]
fn what_the_old_side_itself_changes_is_noise() {
    let body = probe(&[Compared::Body]);
    // A counter, a clock that moves once, members with random names, and a list whose length varies.
    let counter = rounds(|round, place| json!({"total": 12, "request": round * 3 + place}));
    let clock = rounds(|round, place| json!({"total": 12, "second": usize::from(round * 3 + place > 6)}));
    let names = rounds(|round, place| json!({"total": 12, "by": {format!("id-{round}-{place}"): 1}}));
    let list = rounds(|round, place| json!({"total": 12, "last": vec![0; 1 + (round + place) % 4]}));
    for (seen, noisy) in [(counter, "body.request"), (clock, "body.second"), (names, "body.by"), (list, "body.last")] {
        let verdict = compare(&body, &seen);
        let Verdict::Same { noise } = &verdict else { panic!("{noisy}: {verdict:?}") };
        assert!(noise.iter().all(|field| field.starts_with(noisy)) && !noise.is_empty(), "{noise:?}");
    }
}

#[test]
fn a_clock_that_moves_right_before_the_last_answer_of_the_new_side_is_seen_to_move() {
    for moved in 0..ROUNDS * 3 {
        let seen = rounds(|round, place| json!({"minute": usize::from(round * 3 + place >= moved)}));
        assert!(differing(&compare(&probe(&[Compared::Body]), &seen)).is_empty(), "moved before answer {moved}");
    }
}

#[test]
fn a_difference_next_to_noise_is_found() {
    let seen = rounds(|round, place| json!({"at": round * 3 + place, "total": if place == 1 { 13 } else { 12 }}));
    assert_eq!(differing(&compare(&probe(&[Compared::Body]), &seen)), ["body.total"]);
    // One odd answer of ten on the old side does not hide that the new one is always another.
    let seen = rounds(|round, place| {
        let odd = (round, place) == (3, 2);
        json!({"cache": if place == 1 { "none" } else if odd { "miss" } else { "hit" }})
    });
    assert_eq!(differing(&compare(&probe(&[Compared::Body]), &seen)), ["body.cache"]);
    // Once in five is enough where the old side never changes.
    let seen = rounds(|round, place| json!({"total": if (round, place) == (2, 1) { 13 } else { 12 }}));
    assert_eq!(differing(&compare(&probe(&[Compared::Body]), &seen)), ["body.total"]);
}

#[test]
fn secrets_are_masked_and_long_values_cut() {
    let old = answered(json!({"apiToken": "s3cr3t", "text": "a".repeat(200), "line": "a\u{1b}[31m"}).to_string());
    let new = answered(json!({"apiToken": "other", "text": "b".repeat(80), "line": "b"}).to_string());
    let Verdict::Differs { differences } = compare(&probe(&[Compared::Body]), &always(&old, &new)) else {
        panic!("it differs")
    };
    let [token, _, text] = differences.as_slice() else { panic!("{differences:?}") };
    assert_eq!((token.old.as_str(), token.new.as_str()), ("(masked)", "(masked)"));
    assert_eq!(text.old.chars().count(), 80);
    assert!(text.old.ends_with('…'));
    let plain = answered("a\u{1b}[31m");
    let Verdict::Differs { differences } = compare(&probe(&[Compared::Body]), &always(&plain, &answered("b"))) else {
        panic!("it differs")
    };
    assert!(!differences[0].old.contains('\u{1b}'), "a terminal is not to be written to by a service");
}

#[test]
fn a_fields_name_is_shown_like_a_value() {
    let name = format!("line\n{}", "a".repeat(200));
    let Verdict::Differs { differences } =
        compare(&probe(&[Compared::Body]), &always(&answered(json!({&name: 1}).to_string()), &answered("{}")))
    else {
        panic!("it differs")
    };
    let shown = &differences[1].field;
    assert!(shown.starts_with("body.line a") && shown.chars().count() == 80, "{shown}");
}

#[test]
fn a_body_that_was_not_read_whole_is_not_compared() {
    let long = Answer { cut: true, ..answered(vec![b'a'; LONGEST_BODY]) };
    for level in [Compared::Shape, Compared::Body] {
        assert!(matches!(compare(&probe(&[level]), &always(&long, &long)), Verdict::NotComparable { .. }));
    }
    assert_eq!(compare(&probe(&[Compared::Headers]), &always(&long, &long)), SAME);
}

#[test]
fn a_verdict_reads_back() {
    let odd = Difference { field: "status".into(), old: "200".into(), new: "500".into() };
    for verdict in
        [SAME, Verdict::Differs { differences: vec![odd] }, Verdict::NotComparable { why: "it is cut".into() }]
    {
        let stored = serde_json::to_value(&verdict).unwrap();
        assert_eq!(serde_json::from_value::<Verdict>(stored).unwrap(), verdict);
    }
}

proptest! {
    /// Whatever a service answers with, a new side that answers the same in each round is not accused.
    #[test]
    fn a_new_side_that_answers_as_the_old_one_is_never_accused(values in prop::collection::vec(0_u8..4, ROUNDS)) {
        let seen = rounds(|round, _| json!({"value": values[round], format!("member-{}", values[round]): 1}));
        prop_assert!(differing(&compare(&probe(&[Compared::Body]), &seen)).is_empty());
    }
}
