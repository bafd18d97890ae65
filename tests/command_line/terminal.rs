//! A terminal next to a rehearsal that keeps running.

use super::shaky_line::ShakyLine;
use crate::rehearse::{Running, binary, scenario_file};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, RuleCondition};
use aws_sdk_sfn::types::ExecutionStatus;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// World time between two tries of a command that waits for something.
pub(crate) const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// A rehearsal that keeps running while its services move; its time passes only while a command waits for it, so what a
/// command sees does not depend on the speed of the machine. It ends when it is dropped.
pub(crate) struct Kept {
    _running: Running,
    exports: Vec<(String, String)>,
    addresses: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

/// A command that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Kept {
    /// Starts a scenario, and takes the variables that it prints for export.
    pub(crate) fn start(scenario: &str) -> Self {
        Self::with_balancers(scenario, &[])
    }

    /// The same, and takes the addresses of these load balancers, named in alphabetical order.
    pub(crate) fn with_balancers(scenario: &str, balancers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = scenario_file(folder.path(), scenario);
        let mut running =
            Running::start(["rehearse", "--keep", "--wait-for-commands", "--scenario", file.to_str().unwrap()]);
        let mut exports = Vec::new();
        for last in ["AWS_ENDPOINT_URL=", "AWS_ACCESS_KEY_ID=", "CROSSFADE_CLOCK=", "CROSSFADE_LISTENERS="] {
            let line = running.until_it_says(last);
            let words = line.split_whitespace().filter_map(|word| word.split_once('='));
            exports.extend(words.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let mut addresses = Vec::new();
        for name in balancers {
            let line = running.until_it_says(&format!("  {name} "));
            let (_, address) = line.split_once("http://").unwrap();
            addresses.push(((*name).to_owned(), address.trim().to_owned()));
        }
        Self { _running: running, exports, addresses, _folder: folder }
    }

    /// Returns where a load balancer listens, a host and a port.
    pub(crate) fn address_of(&self, balancer: &str) -> &str {
        &self.addresses.iter().find(|(name, _)| name == balancer).unwrap().1
    }

    /// Returns the URL of the world's AWS.
    pub(crate) fn endpoint(&self) -> &str {
        &self.exports.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1
    }

    /// Sends manifests to the new cluster, as `kubectl apply` does; returns what it says.
    pub(crate) fn apply_manifests(&self, manifests: &str) -> String {
        let host = self.endpoint().trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let length = manifests.len();
        let head = format!("POST /kubernetes HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {length}\r\n\r\n{manifests}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }

    /// Adds a rule that sends a path to the old target group of a service; returns the rule's ARN.
    pub(crate) fn add_rule(&self, service: &str, path: &str) -> String {
        self.elb(async |elb| {
            let (listener, to_old) = old_route(&elb, service).await;
            let condition = RuleCondition::builder().field("path-pattern").values(path).build();
            let rule = elb.create_rule().listener_arn(listener).priority(4711);
            let created = rule.conditions(condition).actions(to_old).send().await.unwrap();
            created.rules()[0].rule_arn.clone().unwrap()
        })
    }

    /// Writes the default action of a service's listener as it was before the move, as `terraform apply` does. Returns
    /// what it was until then.
    pub(crate) fn write_back(&self, service: &str) -> Vec<Action> {
        self.elb(async |elb| {
            let (listener, to_old) = old_route(&elb, service).await;
            let before = elb.describe_listeners().listener_arns(&listener).send().await.unwrap();
            elb.modify_listener().listener_arn(listener).default_actions(to_old).send().await.unwrap();
            before.listeners()[0].default_actions().to_vec()
        })
    }

    /// Writes the default action of a service's listener.
    pub(crate) fn write_route(&self, service: &str, actions: Vec<Action>) {
        self.elb(async |elb| {
            let (listener, _) = old_route(&elb, service).await;
            elb.modify_listener().listener_arn(listener).set_default_actions(Some(actions)).send().await.unwrap();
        });
    }

    /// Deletes a rule.
    pub(crate) fn delete_rule(&self, rule: &str) {
        self.elb(async |elb| _ = elb.delete_rule().rule_arn(rule).send().await.unwrap());
    }

    /// Asks the world's load balancers, as someone with another tool would.
    fn elb<T>(&self, ask: impl AsyncFnOnce(Client) -> T) -> T {
        runtime().block_on(ask(Client::new(&self.account())))
    }

    /// Starts an execution of one of the stack's state machines, as someone with another tool would. Returns how it
    /// ends, or that it still runs after this span.
    pub(crate) fn execute(&self, machine: &str, input: &str, longest: Duration) -> ExecutionStatus {
        let sfn = aws_sdk_sfn::Client::new(&self.account());
        let arn = format!("arn:aws:states:eu-west-1:000000000000:stateMachine:crossfade-{machine}");
        let runtime = runtime();
        let started = runtime.block_on(sfn.start_execution().state_machine_arn(arn).input(input).send()).unwrap();
        let mut passed = Duration::ZERO;
        loop {
            let described = sfn.describe_execution().execution_arn(started.execution_arn()).send();
            let described = runtime.block_on(described).unwrap();
            if described.status() != &ExecutionStatus::Running || passed >= longest {
                return described.status().clone();
            }
            self.let_pass(BETWEEN_TRIES);
            passed += BETWEEN_TRIES;
        }
    }

    /// Where the world's AWS is, for an SDK.
    fn account(&self) -> SdkConfig {
        let credentials = Credentials::new("local", "local", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("eu-west-1"))
            .endpoint_url(self.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// Prepares `crossfade` with these words, as in a terminal with the exported variables.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = bare(words);
        self.export_to(&mut command);
        // Where a line ends must not depend on how long an age is.
        if ["status", "watch"].iter().any(|verb| words.starts_with(verb)) {
            command.env("COLUMNS", "400");
        }
        command
    }

    /// Prepares a shell in a folder of the second terminal, which finds `crossfade`.
    pub(crate) fn shell(&self, folder: &Path, line: &str) -> Command {
        let mut shell = without_aws(Command::new("sh"));
        let path = format!("{}:{PATH}", binary("crossfade").parent().unwrap().display());
        shell.args(["-c", line]).current_dir(folder).env("PATH", path).env("COLUMNS", "400");
        self.export_to(&mut shell);
        shell
    }

    fn export_to(&self, command: &mut Command) {
        command.envs(self.exports.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &str) -> Said {
        said(self.command(words).output().unwrap())
    }

    /// Starts a command.
    pub(crate) fn begin(&self, words: &str) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a command that reaches the world over its own connection.
    pub(crate) fn begin_over(&self, line: &ShakyLine, words: &str) -> Child {
        let mut command = self.command(words);
        command.env("AWS_ENDPOINT_URL", &line.url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command until it ends with this code. The world brings about what it waits for.
    pub(crate) fn run_until(&self, code: i32, words: &str) -> Said {
        loop {
            let said = self.run(words);
            if said.code == code {
                return said;
            }
            self.let_pass(BETWEEN_TRIES);
        }
    }

    /// Lets world time pass, which stands still between two commands.
    pub(crate) fn let_pass(&self, span: Duration) {
        let (_, clock) = self.exports.iter().find(|(name, _)| name == "CROSSFADE_CLOCK").unwrap();
        let (address, _) = clock.split_once(',').unwrap();
        let mut stream = BufReader::new(TcpStream::connect(address).expect("the rehearsal is gone"));
        let mut ask = |question: String| {
            stream.get_mut().write_all(question.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_line(&mut answer).unwrap();
            answer.trim().parse::<u128>().unwrap_or_else(|error| panic!("the rehearsal is gone: {error}"))
        };
        let now = ask("now\n".to_owned());
        ask(format!("until {}\n", now + span.as_nanos()));
    }
}

/// Sends Ctrl-C once a command handles it.
pub(crate) fn interrupt(child: &mut Child) {
    let status = format!("/proc/{}/status", child.id());
    // SIGHUP, the lowest bit, is the last signal that a command starts to handle.
    let listens = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&caught, 16).unwrap() & 1 == 1
    };
    while !listens() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it listened for Ctrl-C");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// Prepares `crossfade` in an environment without AWS.
pub(crate) fn bare(words: &str) -> Command {
    let mut command = without_aws(Command::new(binary("crossfade")));
    command.args(words_of(words));
    command
}

const PATH: &str = "/usr/bin:/bin";

fn without_aws(mut command: Command) -> Command {
    command.env_clear().env("PATH", PATH).env("HOME", "/nowhere").env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null());
    command
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The listener in front of the old target group of a service, and an action that forwards to that group alone.
async fn old_route(elb: &Client, service: &str) -> (String, Action) {
    let described = elb.describe_target_groups().names(format!("{service}-swarm")).send().await.unwrap();
    let group = &described.target_groups()[0];
    let balancer = &group.load_balancer_arns()[0];
    let listeners = elb.describe_listeners().load_balancer_arn(balancer).send().await.unwrap();
    let action = Action::builder().r#type(ActionTypeEnum::Forward);
    let action = action.set_target_group_arn(group.target_group_arn.clone()).build();
    (listeners.listeners()[0].listener_arn.clone().unwrap(), action)
}

/// Splits words as a shell does, with double quotes.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in text.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Returns what a finished command printed.
pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Writes a policy to a file.
pub(crate) fn policy_file(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}
