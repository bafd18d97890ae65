//! `crossfade judge` as the built command, on the vectors that an independent implementation of the judge computed.

use crate::rehearse::crossfade;
use crate::repository::read;
use serde_json::{Map, Value, json};

/// The file that the command reads, for one vector.
fn replay_file(case: &Value) -> Value {
    let minute = |row: &Value| json!({"age": row[0], "newBad": row[1], "new": row[2], "oldBad": row[3], "old": row[4]});
    let metrics = case["input"].as_object().unwrap().iter().map(|(name, rows)| {
        let minutes: Vec<Value> = rows.as_array().unwrap().iter().map(minute).collect();
        let mut metric = json!({"minutes": minutes});
        if let Some(phi) = case["phi"].get(name) {
            metric["phi"] = phi.clone();
        }
        (name.clone(), metric)
    });
    let nothing_left_out = json!({"warmUp": {"requests": 0, "minutes": 0}});
    json!({"horizonMinutes": 60, "judge": nothing_left_out, "metrics": metrics.collect::<Map<_, _>>()})
}

#[track_caller]
fn close(name: &str, observed: &Value, expected: &Value) {
    let difference = match (observed.as_f64(), expected.as_f64()) {
        (Some(observed), Some(expected)) => (observed - expected).abs(),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    };
    assert!(difference <= 1e-9, "{name}: {observed}, expected {expected}");
}

#[test]
fn the_built_command_gives_every_vectors_verdict_and_evidence() {
    let vectors: Value = serde_json::from_str(&read("research/judge/vectors.json")).unwrap();
    let vectors = vectors.as_object().unwrap();
    assert_eq!(vectors.len(), 12);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("series.json");
    for (name, case) in vectors {
        std::fs::write(&file, replay_file(case).to_string()).unwrap();
        let finished = crossfade(["judge", file.to_str().unwrap(), "--output", "json"]);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{name}");
        let output: Value = serde_json::from_str(&finished.stdout).unwrap();
        let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["metrics", "sentence", "verdict"], "{name}");
        assert_eq!(output["verdict"], case["verdict"], "{name}");
        let metrics = output["metrics"].as_object().unwrap();
        assert_eq!(metrics.len(), case["detail"].as_object().unwrap().len(), "{name}");
        for (metric, expected) in case["detail"].as_object().unwrap() {
            let observed = &metrics[metric];
            close(name, &observed["lnFail"], &expected["ln_m"]);
            close(name, &observed["lnPass"], &expected["ln_pass"]);
            assert_eq!((&observed["bad"], &observed["window"]), (&expected["bad"], &expected["window"]), "{name}");
        }
    }
}

#[test]
fn a_bad_file_is_refused_by_the_built_command_with_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("series.json");
    let name = file.to_str().unwrap();
    let check = |text: &str, expected: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let finished = crossfade(["judge", name]);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{text}");
        let said: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        assert!(said.iter().zip(expected).all(|(said, expected)| said.contains(expected)), "{said:?}");
    };
    check("", &["series.json: empty: expected a JSON object"]);
    check(
        r#"{"horizonMinutes": 0, "metrics": {"latency": {}, "errors": {"minutes": [
            {"age": 0, "newBad": 3, "new": 2, "oldBad": 0, "old": 1.5}]}}}"#,
        &["3 problems", "$.horizonMinutes: 0", "$.metrics.latency: unknown", "minutes[0].old: 1.5"],
    );
    let missing = crossfade(["judge", "no-such-file.json"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.starts_with("error: cannot read no-such-file.json: "), "{}", missing.stderr);
}
