//! The examples of hooks: their own tests, in their own language, so that who adapts one can run the same ones; and the
//! functions as processes behind the Runtime API, called as the machines call them.

use crate::repository::root;
use crossfade_domain::journal::hook_answer::warmed_of;
use crossfade_rehearsal::clock::WorldClock;
use crossfade_rehearsal::endpoints::elbv2::Elbv2Api;
use crossfade_rehearsal::endpoints::front_door::{FrontDoor, NoFaults};
use crossfade_rehearsal::functions::lambda_host::{FunctionSpec, Functions, HostSettings, LambdaHost};
use crossfade_rehearsal::traffic::cluster::{Cluster, ClusterFault, ClusterSettings};
use crossfade_world::cold::{ColdCurve, ColdStep};
use crossfade_world::elbv2::{Elbv2, ProbeOutcome};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CONSUMERS: &str = "crossfade-hook-users-consumers";
const WARM_UP: &str = "crossfade-hook-users-warm-up";

#[test]
fn the_example_hooks_pass_their_own_tests() {
    // Five tests of the gate run a Prometheus of their own, where one is installed.
    for (example, count) in [("consumers", 7), ("warm-up", 10), ("prometheus-gate", 10)] {
        let mut tests = std::process::Command::new("python3");
        tests.args(["-B", "-m", "unittest", "discover", &format!("examples/hooks/{example}")]).current_dir(root());
        let output = tests.output().expect("the tests need python3");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}: {told}");
        // `unittest` is content with a folder in which it finds nothing.
        assert!(told.contains(&format!("Ran {count} tests")), "{example}: {told}");
    }
}

/// An instance of the service with the switch of `ConsumersEndpoint.java`.
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

/// An example as a process behind the Runtime API.
fn host(example: &str, name: &str, endpoint_url: String, variables: &[(&str, &str)], clock: &WorldClock) -> LambdaHost {
    let folder = root().join("examples/hooks").join(example);
    let environment = variables.iter().copied().chain([("FUNCTION_FOLDER", folder.to_str().unwrap())]);
    let settings = HostSettings { endpoint_url, region: "eu-west-1".into(), clock: clock.clone(), log_directory: None };
    let spec = FunctionSpec {
        name: name.into(),
        arn: format!("arn:aws:lambda:eu-west-1:000000000000:function:{name}"),
        binary: root().join("tests/tools/python_runtime.py"),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        timeout: Duration::from_mins(1),
        memory_megabytes: 256,
        reserved: false,
    };
    LambdaHost::new(settings, [spec])
}

fn consumers(old: &str, new: &str, clock: &WorldClock) -> LambdaHost {
    host("consumers", CONSUMERS, "http://127.0.0.1:9".into(), &[("OLD_URLS", old), ("NEW_URLS", new)], clock)
}

fn payload(point: &str, weight: f64) -> Value {
    json!({"execution": "arn:aws:states:eu-west-1:000000000000:execution:crossfade-migrate-service:users-1",
        "cursor": {"service": "users", "migration": "users-1", "weight": weight, "hook": {"point": point,
        "function": CONSUMERS}}})
}

#[tokio::test]
async fn the_example_hook_moves_consumers_as_a_process_of_its_own() {
    let (old, new) = (Instance::start(true), Instance::start(false));
    let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
    let host = consumers(&old.url, &new.url, &clock);
    let steps = [("beforeFirstShift", 0.0, true), ("afterEachShift", 50.0, true), ("afterEachShift", 100.0, false)];
    for (point, weight, on_old) in steps.into_iter().chain([("afterRollback", 0.0, true)]) {
        let answer = host.invoke(CONSUMERS, payload(point, weight), clock.work()).await.0.unwrap();
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
    let host = consumers(&format!("http://{gone}/actuator/consumers"), &new.url, &clock);
    let error = host.invoke(CONSUMERS, payload("afterRollback", 0.0), clock.work()).await.0.unwrap_err();
    assert_eq!(error.error, "Transient", "{}", error.cause);
    assert!(!new.runs(), "the side that must not consume is stopped all the same");
    let error = host.invoke(CONSUMERS, payload("sometimes", 0.0), clock.work()).await.0.unwrap_err();
    assert_eq!(error.error, "WrongInput");
    host.shut_down().await;
}

#[tokio::test]
async fn the_example_that_warms_targets_finds_them_in_aws_and_warms_each() {
    let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
    let work = clock.work();
    let settings = ClusterSettings {
        service: "users".into(),
        side: "new",
        servers: 2,
        median_latency_ms: 40.0,
        base_error_share: 0.0,
        seed: 3,
    };
    let cluster = Cluster::start(&settings, &clock).await.unwrap();
    let curve = ColdCurve::new(vec![ColdStep { below: 300, share: 1.0 }]);
    let cold = cluster.faults().set(ClusterFault::Cold(curve), clock.now());

    let (mut elb, now) = (Elbv2::new(1), clock.now());
    let load_balancer = elb.create_load_balancer(now, "internal").unwrap();
    let listener = elb.create_listener(now, &load_balancer, "HTTP", 80).unwrap();
    let input = json!({
        "Name": "users-eks", "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-0a1b2c3d4e5f60718", "TargetType": "ip",
    });
    let created = elb.call_json(now, "CreateTargetGroup", &input).unwrap().to_json();
    let group = created["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned();
    elb.create_host_rule(now, &listener, 10, "users.internal", &group).unwrap();
    // At port 9, nobody listens, and the target is not healthy yet.
    let ports: Vec<u16> = cluster.addresses().iter().map(SocketAddr::port).collect();
    for port in ports.iter().chain([&9]) {
        let target = json!({"Id": "127.0.0.1", "Port": port, "AvailabilityZone": "all"});
        elb.call_json(now, "RegisterTargets", &json!({"TargetGroupArn": group, "Targets": [target]})).unwrap();
    }
    for port in ports {
        elb.probe_result(&group, "127.0.0.1", port, ProbeOutcome::Status(200));
    }
    let api = Elbv2Api::new(Arc::new(Mutex::new(elb)), clock.clone());
    let door = FrontDoor::bind(vec![("elasticloadbalancing", Arc::new(api))], Arc::new(NoFaults)).await.unwrap();

    // With the pinned boto3, instead of one that this machine may have.
    let path = format!("{}:/usr/bin:/bin", crate::second_opinions::environment().join("bin").display());
    let variables = [("PATHS", "/api/users/1"), ("REQUESTS", "300"), ("PACE", "10000"), ("PATH", &path)];
    let host = host("warm-up", WARM_UP, door.url(), &variables, &clock);
    let mut asked = payload("beforeFirstShift", 5.0);
    asked["cursor"]["hook"]["newTargetGroups"] = json!([group]);
    let (answer, work) = host.invoke(WARM_UP, asked, work).await;
    let answer = answer.unwrap();
    assert_eq!(warmed_of(&answer), Ok(Some(300)), "{answer}");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with("sent 600 requests to 2 targets (300 each): p95 "), "{reason}");
    assert_eq!(cluster.faults().met(cold), 600, "every request that the hook sent counts, and both servers are warm");
    drop(work);
    host.shut_down().await;
}
