//! The examples of hooks: their own tests, in their own language, so that who adapts one can run the same ones; and the
//! functions as processes behind the Runtime API, called as the machines call them.

use crate::repository::root;
use crossfade_rehearsal::clock::WorldClock;
use crossfade_rehearsal::functions::lambda_host::{FunctionSpec, Functions, HostSettings, LambdaHost};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NAME: &str = "crossfade-hook-users-consumers";

#[test]
fn the_example_hooks_pass_their_own_tests() {
    for (example, count) in [("consumers", 7), ("warm-up", 10)] {
        let mut tests = std::process::Command::new("python3");
        tests.args(["-B", "-m", "unittest", "discover", &format!("examples/hooks/{example}")]).current_dir(root());
        let output = tests.output().expect("the tests need python3");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}: {told}");
        // `unittest` is content with a folder in which it finds nothing.
        assert!(told.contains(&format!("Ran {count} tests")), "{example}: {told}");
    }
}

/// An instance of the service with the switch of `docs/kafka.md`.
struct Instance {
    url: String,
    running: Arc<AtomicBool>,
}

impl Instance {
    fn start(running: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/actuator/consumers", listener.local_addr().unwrap());
        let running = Arc::new(AtomicBool::new(running));
        let switch = Arc::clone(&running);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &switch);
            }
        });
        Self { url, running }
    }

    fn runs(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, running: &AtomicBool) {
    let mut request = Vec::new();
    let mut portion = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && (head.starts_with("GET") || body.ends_with('}'))
        {
            if let Ok(wanted) = serde_json::from_str::<Value>(body) {
                running.store(wanted["running"] == true, Ordering::SeqCst);
            }
            break;
        }
        let read = stream.read(&mut portion).unwrap();
        assert!(read > 0, "the request ended in the middle: {text}");
        request.extend_from_slice(&portion[..read]);
    }
    let body = json!({"running": running.load(Ordering::SeqCst)}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

fn host(old: &str, new: &str, clock: &WorldClock) -> LambdaHost {
    let hook = root().join("examples/hooks/consumers");
    let environment = [("OLD_URLS", old), ("NEW_URLS", new), ("FUNCTION_FOLDER", hook.to_str().unwrap())];
    let settings = HostSettings {
        endpoint_url: "http://127.0.0.1:9".into(),
        region: "eu-west-1".into(),
        clock: clock.clone(),
        log_directory: None,
    };
    let spec = FunctionSpec {
        name: NAME.into(),
        arn: format!("arn:aws:lambda:eu-west-1:000000000000:function:{NAME}"),
        binary: root().join("tests/tools/python_runtime.py"),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        timeout: Duration::from_mins(1),
        memory_megabytes: 256,
        reserved: false,
    };
    LambdaHost::new(settings, [spec])
}

fn payload(point: &str, weight: f64) -> Value {
    json!({"execution": "arn:aws:states:eu-west-1:000000000000:execution:crossfade-migrate-service:users-1",
        "cursor": {"service": "users", "migration": "users-1", "weight": weight, "hook": {"point": point,
        "function": NAME}}})
}

#[tokio::test]
async fn the_example_hook_moves_consumers_as_a_process_of_its_own() {
    let (old, new) = (Instance::start(true), Instance::start(false));
    let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
    let host = host(&old.url, &new.url, &clock);
    let steps = [("beforeFirstShift", 0.0, true), ("afterEachShift", 50.0, true), ("afterEachShift", 100.0, false)];
    for (point, weight, on_old) in steps.into_iter().chain([("afterRollback", 0.0, true)]) {
        let answer = host.invoke(NAME, payload(point, weight), clock.work()).await.0.unwrap();
        assert_eq!((old.runs(), new.runs()), (on_old, !on_old), "{point} at {weight}: {answer}");
    }
    host.shut_down().await;
}

#[tokio::test]
async fn a_switch_that_cannot_be_reached_is_an_error_that_the_machines_try_again() {
    let new = Instance::start(true);
    // A port that is taken, so that nobody else takes it, and at which nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone = taken.local_addr().unwrap();
    let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
    let host = host(&format!("http://{gone}/actuator/consumers"), &new.url, &clock);
    let error = host.invoke(NAME, payload("afterRollback", 0.0), clock.work()).await.0.unwrap_err();
    assert_eq!(error.error, "Transient", "{}", error.cause);
    assert!(!new.runs(), "the side that must not consume is stopped all the same");
    let error = host.invoke(NAME, payload("sometimes", 0.0), clock.work()).await.0.unwrap_err();
    assert_eq!(error.error, "WrongInput");
    host.shut_down().await;
}
