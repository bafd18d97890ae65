//! `crossfade judge` on a file of counts.

use super::*;
use crossfade_domain::judge::{Before, MetricKind, MetricSeries, Minute, PairSeries, Series};
use crossfade_domain::policy::service_policy::{TargetsWarmUp, Tolerated};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Runs the command on a file with this text: exit code, standard output, standard error.
fn run_on(text: &str, output: Output) -> (ExitCode, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("series.json");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = on_file(&file, output, &mut stdout, &mut stderr);
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&file, "series.json");
    (code, text(stdout), text(stderr))
}

#[test]
fn the_vectors_come_out_as_they_went_in() {
    let vectors: Value = serde_json::from_str(include_str!("../../../../../research/judge/vectors.json")).unwrap();
    for (name, case) in vectors.as_object().unwrap() {
        let metrics: serde_json::Map<String, Value> = case["input"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(metric, rows)| {
                let minute = |row: &Value| {
                    json!({"age": row[0], "newBad": row[1], "new": row[2], "oldBad": row[3], "old": row[4]})
                };
                let minutes: Vec<Value> = rows.as_array().unwrap().iter().map(minute).collect();
                let phi = case["phi"].get(metric).cloned().unwrap_or(json!(1.0));
                (metric.clone(), json!({"phi": phi, "minutes": minutes}))
            })
            .collect();
        let nothing_left_out = json!({"warmUp": {"requests": 0, "minutes": 0}});
        let file = json!({"horizonMinutes": 60, "judge": nothing_left_out, "metrics": metrics}).to_string();
        let (code, stdout, stderr) = run_on(&file, Output::Json);
        assert_eq!((code, stderr.as_str()), (ExitCode::Done, ""), "{name}");
        let output: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(output["verdict"], case["verdict"], "{name}");
        for (metric, expected) in case["detail"].as_object().unwrap() {
            let observed = &output["metrics"][metric];
            assert_eq!(observed["window"], expected["window"], "{name}");
            assert_eq!(observed["bad"], expected["bad"], "{name}");
            for (observed, expected) in [("lnFail", "ln_m"), ("lnPass", "ln_pass")]
                .map(|(ours, theirs)| (observed[ours].as_f64(), expected[theirs].as_f64()))
            {
                assert_eq!(observed.is_some(), expected.is_some(), "{name}");
                assert!((observed.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() <= 1e-9, "{name}");
            }
        }
    }
}

const REGRESSION: &str = r#"{"horizonMinutes": 60, "metrics": {"errors": {"phi": 1, "minutes": [
    {"age": 0, "newBad": 2, "new": 100, "oldBad": 2, "old": 1900},
    {"age": 1, "newBad": 2, "new": 100, "oldBad": 2, "old": 1900},
    {"age": 2, "newBad": 9, "new": 100, "oldBad": 2, "old": 1900},
    {"age": 3, "newBad": 9, "new": 100, "oldBad": 2, "old": 1900},
    {"age": 4, "newBad": 9, "new": 100, "oldBad": 2, "old": 1900}]}}}"#;

#[test]
fn people_read_the_verdict_first_and_then_the_evidence() {
    let (code, stdout, stderr) = run_on(REGRESSION, Output::Human);
    assert_eq!((code, stderr.as_str()), (ExitCode::Done, ""));
    insta::assert_snapshot!(stdout, @r"
    FAIL: new cluster fails 6.2 % of requests (31 of 500), old 0.1 % (10 of 9,500), tolerated 0.26 %; chance of a false alarm < 1 in 100,000

    metric         harm (ln)  fine (ln)  minutes      bad          bad at new          bad at old
    errors            12.442    -17.457        3       31           31 of 500          10 of 9500

    A metric rolls back at 6.908 of harm and 5 bad requests; all pass at 2.996 of fine, 3 minutes and harm below 0.
    ");
}

#[test]
fn scripts_read_promised_keys_and_null_for_what_was_not_judged() {
    let (_, stdout, _) = run_on(r#"{"horizonMinutes": 60, "metrics": {"slow": {"minutes": []}}}"#, Output::Json);
    insta::assert_snapshot!(stdout, @r#"
    {
      "metrics": {
        "slow": {
          "bad": 0,
          "lnFail": null,
          "lnPass": 0.0,
          "window": [
            0,
            0,
            0,
            0
          ]
        }
      },
      "sentence": "too early: 0 of 3 minutes judged at this step",
      "verdict": "INCONCLUSIVE"
    }
    "#);
}

fn check_refusal(text: &str, expected: &str) {
    let (code, stdout, stderr) = run_on(text, Output::Json);
    assert_eq!((code, stdout.as_str()), (ExitCode::BadInput, ""), "{text}");
    assert_eq!(stderr, expected, "{text}");
}

#[test]
fn a_bad_file_gets_one_error_that_names_every_problem() {
    check_refusal(
        r#"{"horizon": 60, "metrics": {"latency": {}, "errors": {"phi": 0.5, "minutes": [
            {"age": 0, "newBad": -1, "new": "many", "oldBad": 2.5, "old": 10, "weight": 3}, 7]},
            "slow": {"phi": null}, "very_slow": []}}"#,
        "error: cannot judge series.json: 12 problems\n\x20 $.horizon: unknown field; expected one of \
         horizonMinutes, judge, warmed, metrics\n\x20 $.horizonMinutes: missing: expected a whole number from 1 to \
         4294967295\n\x20 $.metrics.latency: unknown field; expected one of errors, slow, client_errors, \
         very_slow\n\x20 $.metrics.errors.phi: 0.5: expected a number from 1\n\x20 \
         $.metrics.errors.minutes[0].weight: unknown \
         field; expected one of age, newBad, newBadByOld, new, oldBad, old, targets\n\x20 \
         $.metrics.errors.minutes[0].newBad: -1: \
         expected a whole number from 0 to 9007199254740992\n\x20 $.metrics.errors.minutes[0].new: \"many\": \
         expected a whole number from 0 to 9007199254740992\n\x20 $.metrics.errors.minutes[0].oldBad: 2.5: \
         expected a whole number from 0 to 9007199254740992\n\x20 $.metrics.errors.minutes[1]: 7: expected an \
         object\n\x20 $.metrics.slow.phi: null: expected a number from 1\n\x20 $.metrics.slow.minutes: missing: \
         expected a list\n\x20 $.metrics.very_slow: a list: expected an object\n",
    );
}

/// One metric of one minute that repeats, with the rest of the file.
fn ten_minutes(rest: &Value, minute: &Value) -> Value {
    let minutes: Vec<Value> = (0..10).map(|age| with(minute, &json!({"age": age}))).collect();
    with(&json!({"horizonMinutes": 60, "metrics": {"errors": {"minutes": minutes}}}), rest)
}

fn with(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

#[track_caller]
fn judged(file: &Value) -> Value {
    let (code, stdout, stderr) = run_on(&file.to_string(), Output::Json);
    assert_eq!((code, stderr.as_str()), (ExitCode::Done, ""), "{file}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn more_bad_requests_than_requests_count_as_all_of_them() {
    let minute = |bad: u32| json!({"newBad": bad, "new": 40, "oldBad": 0, "old": 400});
    let all = judged(&ten_minutes(&json!({}), &minute(40)));
    assert_eq!(judged(&ten_minutes(&json!({}), &minute(70))), all);
    assert_eq!(all["verdict"], "FAIL");
}

#[test]
fn the_judge_of_a_policy_applies_to_the_file() {
    let verdict = |judge: Value| {
        let minute = json!({"newBad": 60, "new": 1000, "oldBad": 20, "old": 1900});
        judged(&ten_minutes(&json!({"judge": judge}), &minute))["verdict"].clone()
    };
    assert_eq!(verdict(json!(true)), "FAIL");
    assert_ne!(verdict(json!({"factor": 8, "cap": 20})), "FAIL");
    assert_ne!(verdict(json!({"margins": {"errors": 5}})), "FAIL");
    let stricter: Value = serde_json::from_str(REGRESSION).unwrap();
    assert_eq!(judged(&stricter)["verdict"], "FAIL");
    let stricter = with(&stricter, &json!({"judge": {"alpha": 0.000_001}}));
    assert_eq!(judged(&stricter)["verdict"], "INCONCLUSIVE");
}

#[test]
fn healthy_targets_and_what_a_hook_has_sent_decide_when_slowness_counts() {
    let file = |more: &Value, targets: u32| {
        let minute = json!({"newBad": 90, "new": 900, "oldBad": 5, "old": 900, "targets": targets});
        let mut file = ten_minutes(more, &minute);
        let slow = file["metrics"]["errors"].take();
        file["metrics"] = json!({"slow": slow});
        judged(&file)
    };
    assert_eq!(file(&json!({}), 3)["metrics"]["slow"]["bad"], 90 * 3);
    assert_eq!(file(&json!({}), 1)["metrics"]["slow"]["bad"], 90 * 5);
    assert_eq!(file(&json!({"warmed": 2_000}), 3)["metrics"]["slow"]["bad"], 90 * 10);
}

#[test]
fn what_the_old_cluster_failed_before_caps_the_factor() {
    let minute = json!({"newBad": 14, "new": 100, "oldBad": 100, "old": 1000});
    let mut file = ten_minutes(&json!({}), &minute);
    let before = judged(&file)["metrics"]["errors"]["lnFail"].as_f64().unwrap();
    file["metrics"]["errors"]["oldShare"] = json!(0.1);
    assert!(judged(&file)["metrics"]["errors"]["lnFail"].as_f64().unwrap() > before + 0.1);
}

#[test]
fn a_pair_that_fails_alone_is_named() {
    let minutes = |minute: &Value| -> Vec<Value> { (0..20).map(|age| with(minute, &json!({"age": age}))).collect() };
    let busy = minutes(&json!({"newBad": 0, "new": 20_000, "oldBad": 0, "old": 20_000}));
    let quiet = minutes(&json!({"newBad": 20, "new": 20, "oldBad": 0, "old": 20}));
    let pairs = json!([{"name": "public", "minutes": busy}, {"name": "internal", "phi": 1.5, "minutes": quiet}]);
    let output = judged(&json!({"horizonMinutes": 60, "metrics": {"errors": {"pairs": pairs}}}));
    assert_eq!(output["verdict"], "FAIL");
    let sentence = output["sentence"].as_str().unwrap();
    assert!(sentence.contains("internal"), "{sentence}");
}

#[test]
fn what_a_file_adds_is_checked_as_strictly_as_the_rest() {
    let one = r#"[{"age": 0, "newBad": 0, "new": 1, "oldBad": 0, "old": 1}]"#;
    let two = r#"[{"age": 0, "newBad": 0, "new": 1, "oldBad": 0, "old": 1, "targets": -1}]"#;
    check_refusal(
        &format!(
            r#"{{"horizonMinutes": 60, "judge": {{"factor": 0.5}}, "warmed": "many", "metrics": {{
                "errors": {{"minutes": {one}, "pairs": [{{"minutes": {two}}}, {{"name": "", "minutes": []}}]}},
                "slow": {{"oldShare": 5, "pairs": []}},
                "very_slow": {{"pairs": [{{"name": "a", "minutes": {one}}}, {{"name": "b", "minutes": []}}]}}}}}}"#
        ),
        "error: cannot judge series.json: 9 problems\n\x20 $.judge.factor: 0.5: expected a number from 1 to \
         10\n\x20 $.warmed: \"many\": expected a whole number from 0 to 9007199254740992\n\x20 \
         $.metrics.errors.minutes: expected minutes or pairs, not both\n\x20 $.metrics.errors.pairs[0].name: \
         missing: expected the name of its load balancer\n\x20 \
         $.metrics.errors.pairs[0].minutes[0].targets: -1: expected a whole number from 0 to 4294967295\n\x20 \
         $.metrics.errors.pairs[1].name: empty: expected the name of its load balancer\n\x20 \
         $.metrics.slow.oldShare: 5: expected a number from 0 to 1\n\x20 $.metrics.slow.pairs: empty: expected \
         at least one pair\n\x20 $.metrics.very_slow.pairs[1]: expected minutes of the same ages as the first \
         pair's\n",
    );
    check_refusal(
        &format!(r#"{{"horizonMinutes": 60, "judge": false, "metrics": {{"errors": {{"minutes": {one}}}}}}}"#),
        "error: cannot judge series.json: $.judge: false: expected true, or an object such as { factor: 2 }\n",
    );
}

#[test]
fn fractions_and_negative_counts_are_refused() {
    let count = "a whole number from 0 to 9007199254740992";
    check_refusal(
        r#"{"horizonMinutes": 60, "metrics": {"errors": {"minutes": [
            {"age": 1, "newBad": -8, "new": 7.5, "oldBad": 0, "old": 9}]}}}"#,
        &format!(
            "error: cannot judge series.json: 2 problems\n\x20 $.metrics.errors.minutes[0].newBad: -8: expected \
             {count}\n\x20 $.metrics.errors.minutes[0].new: 7.5: expected {count}\n"
        ),
    );
}

#[test]
fn more_minutes_than_any_schedule_has_are_refused() {
    let minutes = vec!["0"; 1_008_001].join(",");
    check_refusal(
        &format!(r#"{{"horizonMinutes": 60, "metrics": {{"slow": {{"minutes": [{minutes}]}}}}}}"#),
        "error: cannot judge series.json: $.metrics.slow.minutes: 1008001 minutes: expected at most 1008000\n",
    );
}

#[test]
fn a_text_that_is_not_json_is_refused_with_its_place() {
    for empty in ["", " \n"] {
        check_refusal(
            empty,
            "error: cannot judge series.json: empty: expected a JSON object with horizonMinutes and metrics\n",
        );
    }
    check_refusal("[]", "error: cannot judge series.json: $: a list: expected an object\n");
    check_refusal(
        "{\"horizonMinutes\": 60,",
        "error: cannot judge series.json: not JSON: EOF while parsing a value at line 1 column 22\n",
    );
    check_refusal(
        r#"{"horizonMinutes": 60, "metrics": {}}"#,
        "error: cannot judge series.json: $.metrics: empty: expected one of errors, slow, client_errors, \
         very_slow\n",
    );
}

#[test]
fn a_missing_file_is_named() {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    assert_eq!(on_file("no-such-file.json", Output::Human, &mut stdout, &mut stderr), ExitCode::BadInput);
    let message = String::from_utf8(stderr).unwrap();
    assert!(message.starts_with("error: cannot read no-such-file.json: "), "{message}");
}

#[test]
fn a_file_is_told_from_a_service_by_its_name_or_by_being_there() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("users");
    std::fs::write(&there, "").unwrap();
    for file in ["-", "counts.json", "./users", "folder/", there.to_str().unwrap(), "src/lib.rs"] {
        assert_eq!(subject(file), Ok(Subject::File(file.to_owned())));
    }
    assert_eq!(subject("users"), Ok(Subject::Service(ServiceName::parse("users".to_owned()).unwrap())));
    // A directory is no file.
    assert!(matches!(subject("src"), Ok(Subject::Service(_))));
    let error = subject("9 lives").unwrap_err();
    assert!(error.starts_with("there is no such file, and of a service: expected "), "{error}");
}

#[test]
fn a_flag_for_services_is_refused_with_a_file() {
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        judge: JudgeArguments,
    }
    for (flag, value) in [("--attempt", "1"), ("--save", "again.json")] {
        let line = <Line as clap::Parser>::parse_from(["judge", "counts.json", flag, value]);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = run_on_file("counts.json", &line.judge, &mut stdout, &mut stderr);
        assert_eq!((code, stdout.len()), (ExitCode::BadInput, 0));
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(said, format!("error: {flag} is for a service, and counts.json is a file\n"));
    }
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let minute = |age| Minute { age, new_bad: 70, new: 40, old_bad: 1, old: 3 };
    let pair = |name: &str, targets: Vec<u32>| PairSeries {
        name: name.to_owned(),
        before: Before { dispersion: 1.733, old_share: Some(0.012_345) },
        minutes: vec![minute(0), minute(1)],
        targets,
        new_bad_by_old: vec![80, 9],
    };
    let before = Before { dispersion: 5.0, old_share: None };
    let metric = MetricSeries { before, pairs: vec![pair("public", vec![3, 2]), pair("internal", vec![0, 1])] };
    let warm_up = TargetsWarmUp { requests: 500, minutes: 0, errors: true };
    let tolerated = Tolerated { factor: 1.7, alpha: 0.000_3, warm_up, ..Tolerated::default() };
    let metrics = [(MetricKind::Errors, metric.clone()), (MetricKind::VerySlow, metric)].into();
    let counts = CountsFile { horizon_minutes: 74, tolerated, warmed: 310, series: Series { metrics } };
    let text = counts.text();
    assert_eq!(CountsFile::parse(&text), Ok(counts));
    assert!(text.lines().count() > 8, "a minute to a line:\n{text}");
}
