//! The host of functions, with a real function as a real process.

use crossfade_rehearsal::clock::WorldClock;
use crossfade_rehearsal::functions::lambda_host::{FunctionSpec, Functions, HostSettings, LambdaHost};
use crossfade_world::latency::INVOKE_WARM;
use crossfade_world::states::TaskError;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "crossfade-stub";
const ARN: &str = "arn:aws:lambda:eu-west-1:000000000000:function:crossfade-stub";

/// Cargo builds the examples of this package together with its tests.
fn stub() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("examples/stub-function");
    assert!(binary.exists(), "{} is built by `cargo test` without `--test`", binary.display());
    binary
}

/// A host in a world whose time passes as soon as nothing works.
struct Host {
    host: LambdaHost,
    clock: WorldClock,
}

impl Host {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskError> {
        self.host.invoke(function, payload, self.clock.work()).await.0
    }
}

impl std::ops::Deref for Host {
    type Target = LambdaHost;

    fn deref(&self) -> &LambdaHost {
        &self.host
    }
}

fn host_with(timeout: Duration, logs: Option<&Path>) -> Host {
    let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
    let settings = HostSettings {
        endpoint_url: "http://127.0.0.1:9".into(),
        region: "eu-west-1".into(),
        clock: clock.clone(),
        log_directory: logs.map(Path::to_owned),
    };
    let spec = FunctionSpec {
        name: NAME.into(),
        arn: ARN.into(),
        binary: stub(),
        environment: BTreeMap::from([("CROSSFADE_TABLE".to_owned(), "crossfade".to_owned())]),
        timeout,
        memory_megabytes: 256,
        reserved: false,
    };
    Host { host: LambdaHost::new(settings, [spec]), clock }
}

fn host() -> Host {
    host_with(Duration::from_secs(30), None)
}

fn error_of(result: Result<Value, TaskError>) -> (String, Value) {
    let error = result.unwrap_err();
    (error.error, serde_json::from_str(&error.cause).expect("a function's cause is JSON"))
}

#[tokio::test]
async fn a_function_answers_and_sees_only_the_environment_of_its_own() {
    let host = host();
    let answer = host.invoke(&format!("{ARN}:7"), json!({ "service": "users" })).await.unwrap();
    assert_eq!(answer["payload"], json!({ "service": "users" }));
    assert_eq!(answer["arn"], ARN);
    let environment = answer["environment"].as_object().unwrap();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", NAME),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_SDK_UA_APP_ID", NAME),
        ("CROSSFADE_TABLE", "crossfade"),
    ] {
        assert_eq!(environment.get(name), Some(&json!(value)), "{name}");
    }
    assert!(environment["CROSSFADE_CLOCK"].as_str().unwrap().ends_with(",driven"), "{environment:?}");
    // Cargo and the shell set these for the tests; a function must not see who started it.
    assert!(!environment.keys().any(|name| name.starts_with("CARGO") || name == "PATH"), "{environment:?}");
}

#[tokio::test]
async fn a_reported_failure_and_a_panic_leave_the_process_alive() {
    let host = host();
    let before = host.invoke(NAME, json!({})).await.unwrap();
    let (error, cause) = error_of(host.invoke(NAME, json!({ "do": "fail" })).await);
    assert_eq!(error, "Transient");
    assert_eq!(cause, json!({ "errorType": "Transient", "errorMessage": "as the payload asked" }));
    let (_, cause) = error_of(host.invoke(NAME, json!({ "do": "panic" })).await);
    assert!(cause["errorMessage"].as_str().unwrap().contains("panicked"), "{cause}");
    let after = host.invoke(NAME, json!({})).await.unwrap();
    assert_eq!(before["process"], after["process"]);
    assert_ne!(before["requestId"], after["requestId"]);
    assert_eq!(host.instances_started(NAME), 1);
}

#[tokio::test]
async fn a_process_that_ends_is_an_exit_error_and_the_next_invocation_gets_a_new_one() {
    let logs = tempfile::tempdir().unwrap();
    let host = host_with(Duration::from_secs(30), Some(logs.path()));
    let (error, cause) = error_of(host.invoke(NAME, json!({ "do": "exit" })).await);
    assert_eq!(error, "Runtime.ExitError");
    assert!(cause["errorMessage"].as_str().unwrap().contains("exit status: 3"), "{cause}");
    assert!(host.invoke(NAME, json!({})).await.is_ok());
    assert_eq!(host.instances_started(NAME), 2);
    assert!(host.last_lines(NAME).iter().any(|line| line.contains(r#"asked for {"do":"exit"}"#)));
    let log = std::fs::read_to_string(logs.path().join(format!("{NAME}.log"))).unwrap();
    assert!(log.contains(r#"1 asked for {"do":"exit"}"#), "{log}");
}

#[tokio::test]
async fn a_function_that_waits_past_its_time_out_is_killed() {
    let host = host_with(Duration::from_secs(3), None);
    let process = host.invoke(NAME, json!({})).await.unwrap()["process"].clone();
    let (error, _) = error_of(host.invoke(NAME, json!({ "milliseconds": 60_000 })).await);
    assert_eq!(error, "Sandbox.Timedout");
    gone(&process).await;
    assert!(host.invoke(NAME, json!({})).await.is_ok());
}

#[tokio::test]
async fn a_wait_takes_world_time_and_work_takes_none() {
    let host = host();
    host.warm(NAME).await.unwrap();
    let before = host.clock.now();
    host.invoke(NAME, json!({ "milliseconds": 2_000 })).await.unwrap();
    let warm = SignedDuration::try_from(INVOKE_WARM).unwrap();
    assert_eq!(host.clock.now().duration_since(before), SignedDuration::from_secs(2) + warm);
}

#[tokio::test]
async fn another_instance_is_started_only_when_all_are_busy() {
    let host = host();
    host.warm(NAME).await.unwrap();
    let slow = json!({ "milliseconds": 3_000 });
    let (one, two) = tokio::join!(host.invoke(NAME, slow.clone()), host.invoke(NAME, slow));
    assert_ne!(one.unwrap()["process"], two.unwrap()["process"]);
    host.invoke(NAME, json!({})).await.unwrap();
    assert_eq!(host.instances_started(NAME), 2);
}

#[tokio::test]
async fn a_kill_hits_the_busy_instance_once() {
    let host = host();
    host.warm(NAME).await.unwrap();
    assert!(!host.kill_instance(NAME), "none is busy");
    let invocation = host.invoke(NAME, json!({ "milliseconds": 2_000 }));
    // In a turn of the second in which it waits.
    let kill = async {
        let work = host.clock.after(Duration::from_secs(1)).await;
        let killed = host.kill_instance(NAME);
        drop(work);
        killed
    };
    let (result, killed) = tokio::join!(invocation, kill);
    assert!(killed);
    let (error, cause) = error_of(result);
    assert_eq!(error, "Runtime.ExitError");
    assert!(cause["errorMessage"].as_str().unwrap().contains("signal: 9"), "{cause}");
    assert!(host.invoke(NAME, json!({ "milliseconds": 200 })).await.is_ok(), "it was killed once");
}

#[tokio::test]
async fn no_process_outlives_its_host() {
    let dropped = host();
    let process = dropped.invoke(NAME, json!({})).await.unwrap()["process"].clone();
    drop(dropped.host);
    gone(&process).await;
    let shut_down = host();
    let process = shut_down.invoke(NAME, json!({})).await.unwrap()["process"].clone();
    shut_down.shut_down().await;
    gone(&process).await;
}

/// Waits until a process has ended; a killed one is gone in milliseconds.
async fn gone(process: &Value) {
    let entry = PathBuf::from(format!("/proc/{process}/cmdline"));
    // A process that nobody has waited for yet is still listed, without a command line.
    while !std::fs::read(&entry).unwrap_or_default().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
