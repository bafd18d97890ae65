//! The way in, on load balancers that are not ours: what exists is discovered, connected and planned in moto.

use super::interpreter::environment;
use crate::contract::sides::settings;
use crate::rehearse::binary;
use crate::repository::root;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use crossfade_actions::functions::create_route::create_route;
use crossfade_actions::ports::Ports;
use crossfade_aws::connect_with;
use crossfade_clock::RealClock;
use crossfade_domain::internal_route::{RouteCursor, RouteVerdict};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const REGION: &str = "us-east-1";
const KEY: &str = "test";
const HOST: &str = "users.internal.example.com";

/// moto with an account; killed when it is dropped.
struct Account {
    url: String,
    tool: Child,
    folder: tempfile::TempDir,
}

impl Account {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut tool = Command::new(environment().join("bin/python"));
        tool.arg(root().join("tests/tools/moto_account.py")).arg(folder.path());
        let mut tool = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(tool.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "moto has no account: {url}");
        Self { url: url.trim().to_owned(), tool, folder }
    }

    /// Runs the command there to its end; its standard output and standard error.
    #[track_caller]
    fn crossfade(&self, arguments: &[&str]) -> (String, String) {
        let mut command = Command::new(binary("crossfade"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", KEY);
        let output = command.output().unwrap();
        let [said, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{arguments:?}\n{said}\n{told}");
        (said, told)
    }

    fn ports(&self) -> Ports {
        let credentials = Credentials::new(KEY, KEY, None, None, "tests");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.url)
            .build();
        connect_with(&config, &settings()).with_clock(Arc::new(RealClock))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // It ends moto when its standard input closes.
        drop(self.tool.stdin.take());
        self.tool.wait().unwrap();
    }
}

#[test]
fn what_nobody_described_is_discovered_connected_and_planned_on_load_balancers_that_are_not_ours() {
    let account = Account::start();
    let (draft, told) = account.crossfade(&["discover", "--fleet", "eks"]);
    for text in [
        "  - name: orders  # from the name of orders-swarm\n    # route: internal port 80, priority 2: host orders",
        "  - name: users  # from the name of users-swarm\n    # route: public port 80, priority 1: host users",
        "    # targets of users-swarm: 2 of kind instance, 2 healthy, HTTP port 8001\n",
    ] {
        assert!(draft.contains(text), "{text} is not in:\n{draft}\n{told}");
    }
    // What it marks is filled in, and the users get an internal route. moto's CloudWatch does not speak the protocol in
    // which a judge asks it.
    let filled = draft.replace("newTargets: {}", "newTargets: { ips: [10.0.0.10, 10.0.0.11] }");
    let filled = filled.replace("schedule: canary\n", "schedule: canary\n  judge: false\n").replace(
        "oldTargetGroups: [users-swarm]\n",
        &format!("oldTargetGroups: [users-swarm]\n    internalRoute: {{ host: {HOST}, loadBalancer: internal }}\n"),
    );
    std::fs::write(account.folder.path().join("policy.yaml"), filled).unwrap();
    account.crossfade(&["check", "policy.yaml"]);
    account.crossfade(&["apply", "policy.yaml"]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ports = account.ports();
    let connect = |dry_run: bool| -> RouteCursor {
        let input = json!({"cursor": {"service": "users", "dryRun": dry_run}, "execution": "a-test"});
        runtime.block_on(create_route(&ports, &input)).unwrap()
    };
    let planned = connect(true);
    assert_eq!((planned.verdict, planned.lines.len()), (RouteVerdict::WouldConnect, 2), "{planned:?}");
    let made = connect(false);
    assert_eq!((made.verdict, made.lines.len()), (RouteVerdict::Connected, 2), "{made:?}");
    let again = connect(false);
    assert_eq!(
        (again.verdict, again.lines.len(), &again.route),
        (RouteVerdict::Connected, 0, &made.route),
        "{again:?}"
    );

    let (plan, told) = account.crossfade(&["plan", "users"]);
    for text in [
        "users-1: 2 routes in 7 steps",
        "now      users-swarm\n",
        "~ public:80 host users.example.com\n",
        "~ internal:80 host users.internal.example.com\n",
    ] {
        assert!(plan.contains(text), "{text} is not in:\n{plan}\n{told}");
    }
}
