//! A served world with one service, two clusters, and SDK clients without retries.

use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_elasticloadbalancingv2::config::Credentials;
use aws_sdk_elasticloadbalancingv2::config::SharedCredentialsProvider;
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use crossfade_rehearsal::clock::{Work, WorldClock};
use crossfade_rehearsal::endpoints::cloudwatch::CloudWatchApi;
use crossfade_rehearsal::endpoints::elbv2::Elbv2Api;
use crossfade_rehearsal::endpoints::front_door::{CallObserver, DynamoDb, FrontDoor, NoFaults};
use crossfade_rehearsal::traffic::cluster::{Cluster, ClusterSettings};
use crossfade_rehearsal::traffic::data_plane::{DataPlane, DataPlaneSettings, Directory, Sockets};
use crossfade_world::cloudwatch::CloudWatch;
use crossfade_world::elbv2::Elbv2;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;

/// World seconds to a real one: time passes only while a test waits, and then at once.
const SCALE: f64 = 1e9;
/// A world day is longer than anything takes that a test waits for.
const LONGEST_WAIT_SECONDS: u32 = 86_400;

/// Everything, with the ARNs of one service: a rule for `users.internal` to the old group, and a new group that is in
/// no rule. Each group has two targets, which really run.
pub(super) struct Served {
    pub(super) elbv2: Arc<Mutex<Elbv2>>,
    pub(super) cloudwatch: Arc<Mutex<CloudWatch>>,
    pub(super) clock: WorldClock,
    pub(super) config: SdkConfig,
    pub(super) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(super) events: UnboundedReceiver<Value>,
    pub(super) directory: Directory,
    pub(super) new_cluster: Cluster,
    pub(super) load_balancer: String,
    pub(super) listener: String,
    pub(super) rule: String,
    pub(super) old: String,
    pub(super) new: String,
    plane: DataPlane,
    /// Held while the test does something, so that the world stands still.
    work: Mutex<Option<Work>>,
    _old_cluster: Cluster,
    _door: FrontDoor,
}

impl Served {
    pub(super) async fn start() -> Self {
        Self::start_observed(Arc::new(NoFaults)).await
    }

    pub(super) async fn start_observed(observer: Arc<dyn CallObserver>) -> Self {
        let clock = WorldClock::starting_at("2026-11-02T03:00:00Z".parse().unwrap(), SCALE);
        let work = Mutex::new(Some(clock.work()));
        let mut elb = Elbv2::new(1);
        let now = clock.now();
        let load_balancer = elb.create_load_balancer(now, "internal").unwrap();
        let listener = elb.create_listener(now, &load_balancer, "HTTPS", 443).unwrap();
        let old = elb.create_target_group(now, "users-swarm", 8080, &[]).unwrap();
        let new = elb.create_target_group(now, "users-eks", 30080, &[]).unwrap();
        let rule = elb.create_host_rule(now, &listener, 10, "users.internal", &old).unwrap();

        let directory = Directory::default();
        let old_cluster = cluster("old", &clock).await;
        let new_cluster = cluster("new", &clock).await;
        for (group, port, cluster, ids) in
            [(&old, 8080, &old_cluster, ["i-0old1", "i-0old2"]), (&new, 30080, &new_cluster, ["i-0new1", "i-0new2"])]
        {
            for (id, address) in ids.into_iter().zip(cluster.addresses()) {
                elb.register(now, group, &[(id, port)]).unwrap();
                directory.insert(id, port, *address);
            }
        }

        let elbv2 = Arc::new(Mutex::new(elb));
        let cloudwatch = Arc::new(Mutex::new(CloudWatch::default()));
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let settings = DataPlaneSettings {
            elbv2: elbv2.clone(),
            cloudwatch: cloudwatch.clone(),
            clock: clock.clone(),
            directory: directory.clone(),
            events: Arc::new(move |event| sender.send(event).unwrap_or_default()),
        };
        let plane = DataPlane::start(settings, Sockets::open([listener.clone()]).await.unwrap());
        let door = FrontDoor::bind(
            vec![
                ("elasticloadbalancing", Arc::new(Elbv2Api::new(elbv2.clone(), clock.clone()))),
                ("monitoring", Arc::new(CloudWatchApi::new(cloudwatch.clone(), clock.clone()))),
                ("dynamodb", Arc::new(DynamoDb::start().await.unwrap())),
            ],
            observer,
        )
        .await
        .unwrap();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("eu-west-1"))
            .endpoint_url(door.url())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "local", "local", None, None, "test",
            )))
            .retry_config(RetryConfig::disabled())
            .app_name(AppName::new("shift-weight").unwrap())
            .build();
        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);
        Self {
            elbv2,
            cloudwatch,
            clock,
            config,
            elb,
            events,
            directory,
            new_cluster,
            load_balancer,
            listener,
            rule,
            old,
            new,
            plane,
            work,
            _old_cluster: old_cluster,
            _door: door,
        }
    }

    pub(super) fn set_weights(&self, old: u16, new: u16) {
        let now = self.clock.now();
        let weights = [(self.old.as_str(), old), (self.new.as_str(), new)];
        self.elbv2.lock().unwrap().set_weights(now, &self.rule, &weights).unwrap();
    }

    /// The states of a group's targets with their reasons, through the SDK.
    pub(super) async fn states(&self, group: &str) -> Vec<String> {
        let health = self.elb.describe_target_health().target_group_arn(group).send().await.unwrap();
        let state = |it: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            let health = it.target_health().unwrap();
            let reason = health.reason().map(|reason| format!(" {}", reason.as_str())).unwrap_or_default();
            format!("{}{reason}", health.state().unwrap().as_str())
        };
        health.target_health_descriptions().iter().map(state).collect()
    }

    /// Lets a world second pass.
    pub(super) async fn second(&self) {
        let work = self.work.lock().unwrap().take().expect("a test does one thing at a time");
        let work = self.clock.pause(work, Duration::from_secs(1)).await;
        *self.work.lock().unwrap() = Some(work);
    }

    /// The next change of an alarm.
    pub(super) async fn next_event(&mut self) -> Value {
        for _ in 0..LONGEST_WAIT_SECONDS {
            if let Ok(event) = self.events.try_recv() {
                return event;
            }
            self.second().await;
        }
        panic!("no alarm changes its state");
    }

    /// Waits until every target of a group is in a state.
    pub(super) async fn until_states_are(&self, group: &str, expected: &str) {
        let mut seen = Vec::new();
        for _ in 0..LONGEST_WAIT_SECONDS {
            seen = self.states(group).await;
            if seen.iter().all(|state| state == expected) {
                return;
            }
            self.second().await;
        }
        panic!("targets of {group} are {seen:?}, expected {expected}");
    }

    /// Sends requests one after another; counts who answered: `old`, `new` or the load balancer's own status.
    pub(super) async fn send(&self, count: usize) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for _ in 0..count {
            let answer = self.get("users.internal", "/", "").await;
            let by = match answer.group {
                Some(group) if group == self.old => "old".to_owned(),
                Some(group) if group == self.new => "new".to_owned(),
                Some(group) => group,
                None => answer.status.to_string(),
            };
            *answers.entry(by).or_default() += 1;
        }
        answers
    }

    /// Where the listener can be reached, a host and a port.
    pub(super) fn address(&self) -> String {
        self.plane.address_of(&self.listener).unwrap().to_string()
    }

    /// One request to the listener, with further header lines (each ending in CR LF).
    pub(super) async fn get(&self, host: &str, path: &str, headers: &str) -> Answer {
        let address = self.plane.address_of(&self.listener).unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        Answer::parse(&text)
    }
}

async fn cluster(side: &'static str, clock: &WorldClock) -> Cluster {
    let settings = ClusterSettings {
        service: "users".into(),
        side,
        servers: 2,
        median_latency_ms: 40.0,
        base_error_share: 0.0,
        seed: 3,
    };
    Cluster::start(&settings, clock).await.unwrap()
}

/// What a client saw.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) group: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let group = headers.iter().find(|(name, _)| name == "x-crossfade-target-group").map(|(_, value)| value.clone());
        Self { status, group, headers, body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The error code of a refused call.
#[track_caller]
pub(super) fn code<T: std::fmt::Debug, E>(answer: Result<T, SdkError<E>>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = answer.unwrap_err();
    let code = error.code().map(str::to_owned);
    code.unwrap_or_else(|| format!("{error:?}"))
}
