//! Lambda: runs function binaries as real processes behind the Runtime API.
//!
//! Each instance has its own listener, so an answer needs no bookkeeping about its sender. An instance runs one
//! invocation at a time; if all are busy, another one is started. The host's processes end with it: dropping it kills
//! them, and a function whose Runtime API is gone ends by itself.

mod instance;
mod output;
mod process;
mod runtime_api;

use crate::clock::{Work, WorldClock};
use crossfade_world::lambda::THROTTLED;
use crossfade_world::latency::{INVOKE_COLD, INVOKE_WARM};
use crossfade_world::states::TaskError;
use instance::{Instance, Outcome};
use jiff::Timestamp;
use output::Output;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinSet;

/// What can be invoked: the host, or a stub in tests.
#[async_trait::async_trait]
pub trait Functions: Send + Sync {
    /// Invokes a function by its name or ARN, which may be qualified, and waits for its answer. `work` is the caller's
    /// work: it is returned to the clock while the function waits, and returned to the caller with the answer.
    ///
    /// The error is the one that Step Functions shows for it.
    async fn invoke(&self, function: &str, payload: Value, work: Work) -> (Result<Value, TaskError>, Work);
}

/// What all functions of a host share.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// Where the functions' AWS SDK finds its services.
    pub endpoint_url: String,
    /// The region in which the functions believe they run.
    pub region: String,
    /// World time, which pauses while a function works.
    pub clock: WorldClock,
    /// The folder for each function's output; without one, only the last lines are kept, in memory.
    pub log_directory: Option<PathBuf>,
}

/// A function of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// Its ARN, unqualified.
    pub arn: String,
    /// Its program.
    pub binary: PathBuf,
    /// Its own environment. It inherits nothing from the host.
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take, in world time.
    pub timeout: Duration,
    /// The memory in its environment variable, in MB. It has no real limit.
    pub memory_megabytes: u32,
    /// Whether it has concurrency of its own, which no other function can use up.
    pub reserved: bool,
}

impl FunctionSpec {
    /// Describes a function of the template whose program is in a folder of binaries.
    pub fn of_wiring(wiring: &crate::wiring::FunctionWiring, binaries: &std::path::Path) -> Self {
        Self {
            name: wiring.name.clone(),
            arn: wiring.arn.clone(),
            binary: binaries.join(&wiring.binary),
            environment: wiring.environment.clone(),
            timeout: wiring.timeout,
            memory_megabytes: wiring.memory_megabytes,
            reserved: wiring.reserved,
        }
    }

    /// The function that asks load balancers as a user does has to know where the listeners (ARNs) are on this machine:
    /// no name server knows their names.
    #[must_use]
    pub fn knowing(mut self, listeners: &BTreeMap<String, std::net::SocketAddr>) -> Self {
        if self.binary.ends_with("probe-service") {
            let pairs: Vec<String> = listeners.iter().map(|(arn, address)| format!("{arn}={address}")).collect();
            self.environment.insert("CROSSFADE_LISTENERS".to_owned(), pairs.join(","));
        }
        self
    }
}

/// Why an instance could not be started.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each field is what its message calls it")]
pub enum StartError {
    #[error("there is no function `{function}`")]
    Unknown { function: String },
    #[error("cannot start `{}` for the function `{function}`", .binary.display())]
    Spawn { function: String, binary: PathBuf, source: std::io::Error },
    #[error("the function `{function}` ended before its first invocation: {cause}{last_lines}")]
    Ended { function: String, cause: String, last_lines: String },
    #[error("the function `{function}` did not ask for an invocation within {} s{last_lines}", .after.as_secs())]
    Silent { function: String, after: Duration, last_lines: String },
}

/// How long a process may take to ask for its first invocation, and to answer or begin to wait. In real time: this ends
/// what hangs, however busy the machine is.
const HANGS_AFTER: Duration = Duration::from_mins(10);

/// Functions as processes.
pub struct LambdaHost {
    settings: HostSettings,
    functions: BTreeMap<String, Hosted>,
    /// Dropped with the host, which kills the processes.
    processes: Mutex<Processes>,
    throttle: Mutex<Throttle>,
}

/// The account's concurrency, while someone else uses it up.
#[derive(Default)]
struct Throttle {
    until: Option<Timestamp>,
    /// Invocations that were throttled so far.
    met: u64,
}

#[derive(Default)]
struct Processes {
    tasks: JoinSet<()>,
    instances: Vec<Weak<Instance>>,
    /// Processes that start from now on are killed at once.
    shut_down: bool,
}

struct Hosted {
    spec: FunctionSpec,
    output: Arc<Output>,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    started: u64,
    idle: Vec<Arc<Instance>>,
    busy: Vec<Arc<Instance>>,
}

impl LambdaHost {
    /// Creates a host without a running process.
    pub fn new(settings: HostSettings, functions: impl IntoIterator<Item = FunctionSpec>) -> Self {
        let hosted = |spec: FunctionSpec| {
            let file = settings.log_directory.as_ref().map(|folder| folder.join(format!("{}.log", spec.name)));
            let output = Arc::new(Output::new(file));
            (spec.name.clone(), Hosted { spec, output, pool: Mutex::default() })
        };
        let functions = functions.into_iter().map(hosted).collect();
        Self { settings, functions, processes: Mutex::default(), throttle: Mutex::default() }
    }

    /// Returns the names of the functions.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Starts an instance and waits until it asks for its first invocation.
    pub async fn warm(&self, function: &str) -> Result<(), StartError> {
        let hosted = self.find(function)?;
        let instance = self.start_instance(hosted).await?;
        lock(&hosted.pool).idle.push(instance);
        Ok(())
    }

    /// Until then, Lambda throttles invocations of functions that have no concurrency of their own.
    pub fn throttle_until(&self, until: Timestamp) {
        lock(&self.throttle).until = Some(until);
    }

    /// Returns how many invocations were throttled so far.
    pub fn throttled_invocations(&self) -> u64 {
        lock(&self.throttle).met
    }

    /// Whether an invocation of a function is throttled now.
    fn throttles(&self, function: &FunctionSpec) -> bool {
        let mut throttle = lock(&self.throttle);
        let throttles = !function.reserved && throttle.until.is_some_and(|until| self.settings.clock.now() < until);
        throttle.met += u64::from(throttles);
        throttles
    }

    /// Kills a busy instance of a function; returns whether one was busy.
    ///
    /// Its invocation ends with `Runtime.ExitError`, as when a process crashes.
    pub fn kill_instance(&self, function: &str) -> bool {
        let Ok(hosted) = self.find(function) else { return false };
        let pool = lock(&hosted.pool);
        pool.busy.first().is_some_and(|instance| {
            instance.kill();
            true
        })
    }

    /// Returns how many instances of a function were started so far.
    pub fn instances_started(&self, function: &str) -> u64 {
        self.find(function).map_or(0, |hosted| lock(&hosted.pool).started)
    }

    /// Returns the last lines that a function's instances printed, oldest first.
    pub fn last_lines(&self, function: &str) -> Vec<String> {
        self.find(function).map(|hosted| hosted.output.last_lines()).unwrap_or_default()
    }

    /// Kills every process and waits until all have ended.
    pub async fn shut_down(&self) {
        let tasks = {
            let mut processes = lock(&self.processes);
            processes.shut_down = true;
            processes.instances.iter().filter_map(Weak::upgrade).for_each(|instance| instance.kill());
            std::mem::take(&mut processes.tasks)
        };
        tasks.join_all().await;
    }

    fn find(&self, function: &str) -> Result<&Hosted, StartError> {
        self.functions.get(plain_name(function)).ok_or_else(|| StartError::Unknown { function: function.to_owned() })
    }

    async fn start_instance(&self, hosted: &Hosted) -> Result<Arc<Instance>, StartError> {
        let function = hosted.spec.name.clone();
        let number = {
            let mut pool = lock(&hosted.pool);
            pool.started += 1;
            pool.started
        };
        let environment = self.environment(&hosted.spec);
        let (instance, process) =
            process::start(&hosted.spec, number, &environment, &self.settings.clock, Arc::clone(&hosted.output))
                .await
                .map_err(|source| StartError::Spawn {
                    function: function.clone(),
                    binary: hosted.spec.binary.clone(),
                    source,
                })?;
        {
            let mut processes = lock(&self.processes);
            while processes.tasks.try_join_next().is_some() {}
            processes.tasks.spawn(process);
            processes.instances.retain(|instance| instance.strong_count() > 0);
            processes.instances.push(Arc::downgrade(&instance));
            if processes.shut_down {
                instance.kill();
            }
        }
        match tokio::time::timeout(HANGS_AFTER, instance.until_it_polls()).await {
            Ok(Ok(())) => Ok(instance),
            Ok(Err(cause)) => Err(StartError::Ended { function, cause, last_lines: hosted.output.quoted() }),
            Err(_) => {
                instance.kill();
                let last_lines = hosted.output.quoted();
                Err(StartError::Silent { function, after: HANGS_AFTER, last_lines })
            }
        }
    }

    /// Builds a clean environment, because the host's own would make a run depend on who started it.
    fn environment(&self, spec: &FunctionSpec) -> BTreeMap<String, String> {
        let mut environment = spec.environment.clone();
        let settings = &self.settings;
        let log_stream = format!("local/{}", spec.name);
        for (name, value) in [
            ("AWS_ENDPOINT_URL", settings.endpoint_url.as_str()),
            ("AWS_REGION", &settings.region),
            ("AWS_DEFAULT_REGION", &settings.region),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &spec.memory_megabytes.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", spec.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &log_stream),
            ("AWS_SDK_UA_APP_ID", &spec.name),
            ("TZ", ":UTC"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        environment
    }

    /// Returns an idle instance or a new one, and the invocation that it will answer.
    async fn take_instance(&self, hosted: &Hosted, work: Work) -> (Result<Arc<Instance>, StartError>, Work) {
        let clock = &self.settings.clock;
        let idle = {
            let mut pool = lock(&hosted.pool);
            pool.idle.retain(|instance| instance.is_alive());
            pool.idle.pop()
        };
        if let Some(instance) = idle {
            return (Ok(instance), clock.pause(work, INVOKE_WARM).await);
        }
        let work = clock.pause(work, INVOKE_COLD).await;
        (self.start_instance(hosted).await, work)
    }

    /// Lets an instance answer within the function's timeout.
    async fn run(
        &self,
        hosted: &Hosted,
        instance: &Instance,
        payload: Value,
        work: Work,
    ) -> (Result<Value, Ended>, Work) {
        let clock = &self.settings.clock;
        let timeout = hosted.spec.timeout;
        let too_late = clock.after(timeout);
        instance.held_work().begin(work);
        let (ended, work) = tokio::select! {
            (request_id, outcome) = instance.invoke(payload, timeout) => (ended(request_id, outcome), clock.work()),
            // Only a process that waits returns the world's time, so it has waited for too long.
            work = too_late => (Err(Ended::TimedOut), work),
            () = tokio::time::sleep(HANGS_AFTER) => (Err(Ended::Hangs), clock.work()),
        };
        instance.held_work().end(&work);
        if matches!(ended, Err(Ended::TimedOut | Ended::Hangs)) {
            instance.kill();
        }
        (ended, work)
    }
}

/// How an invocation ended without an answer.
enum Ended {
    /// With what the function reported: `errorType`, `errorMessage`.
    Failed(Value),
    /// The process ended.
    Exited { request_id: String, status: String },
    /// It waited beyond its timeout.
    TimedOut,
    /// It neither answered nor waited.
    Hangs,
}

fn ended(request_id: String, outcome: Outcome) -> Result<Value, Ended> {
    match outcome {
        Outcome::Answered(answer) => Ok(answer),
        Outcome::Failed(diagnostic) => Err(Ended::Failed(diagnostic)),
        Outcome::Exited(status) => Err(Ended::Exited { request_id, status }),
    }
}

impl Ended {
    /// Describes it as Step Functions shows it.
    fn error(self, function: &FunctionSpec) -> TaskError {
        match self {
            Self::Failed(diagnostic) => TaskError {
                error: diagnostic["errorType"].as_str().unwrap_or("Unknown").to_owned(),
                cause: diagnostic.to_string(),
            },
            Self::Exited { request_id, status } => {
                tracing::warn!(function = function.name, status, "a function's process ended in an invocation");
                let message = format!("RequestId: {request_id} Error: Runtime exited with error: {status}");
                lambda_error("Runtime.ExitError", &message)
            }
            Self::TimedOut => {
                let message = format!("Error: Task timed out after {:.2} seconds", function.timeout.as_secs_f64());
                lambda_error("Sandbox.Timedout", &message)
            }
            Self::Hangs => {
                let minutes = HANGS_AFTER.as_secs() / 60;
                tracing::error!(function = function.name, minutes, "a function's process hangs");
                lambda_error("Sandbox.Timedout", &format!("Error: no answer for {minutes} real minutes"))
            }
        }
    }
}

#[async_trait::async_trait]
impl Functions for LambdaHost {
    async fn invoke(&self, function: &str, payload: Value, work: Work) -> (Result<Value, TaskError>, Work) {
        let hosted = match self.find(function) {
            Ok(hosted) => hosted,
            Err(error) => return (Err(lambda_error("Lambda.ResourceNotFoundException", &error.to_string())), work),
        };
        if self.throttles(&hosted.spec) {
            let rate = "Rate Exceeded. (Service: Lambda, Status Code: 429)";
            return (Err(TaskError { error: THROTTLED.to_owned(), cause: rate.to_owned() }), work);
        }
        let (instance, work) = match self.take_instance(hosted, work).await {
            (Ok(instance), work) => (instance, work),
            (Err(error), work) => return (Err(lambda_error("Runtime.ExitError", &error.to_string())), work),
        };
        lock(&hosted.pool).busy.push(Arc::clone(&instance));
        let (answer, work) = self.run(hosted, &instance, payload, work).await;
        let mut pool = lock(&hosted.pool);
        pool.busy.retain(|busy| !Arc::ptr_eq(busy, &instance));
        if matches!(answer, Ok(_) | Err(Ended::Failed(_))) {
            pool.idle.push(instance);
        }
        drop(pool);
        (answer.map_err(|ended| ended.error(&hosted.spec)), work)
    }
}

/// Describes an error that Lambda itself reports, as Step Functions shows it.
fn lambda_error(error: &str, message: &str) -> TaskError {
    let cause = json!({ "errorType": error, "errorMessage": message }).to_string();
    TaskError { error: error.to_owned(), cause }
}

/// Returns the function's name in a name or an ARN, without version or alias.
fn plain_name(function: &str) -> &str {
    let mut parts = function.split(':');
    let part = if function.starts_with("arn:") { parts.nth(6) } else { parts.next() };
    part.unwrap_or(function)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not be hidden by a second one here.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_name_or_its_arn() {
        let arn = "arn:aws:lambda:eu-west-1:000000000000:function:crossfade-look";
        for name in ["crossfade-look", "crossfade-look:live", arn, &format!("{arn}:7")] {
            assert_eq!(plain_name(name), "crossfade-look");
        }
    }

    #[tokio::test]
    async fn an_unknown_function_and_one_that_cannot_start_have_lambdas_error_names() {
        let clock = WorldClock::starting_at(jiff::Timestamp::UNIX_EPOCH, 1.0);
        let settings = HostSettings {
            endpoint_url: String::new(),
            region: "eu-west-1".into(),
            clock: clock.clone(),
            log_directory: None,
        };
        let spec = |name: &str, binary: &str| FunctionSpec {
            name: name.into(),
            arn: String::new(),
            binary: binary.into(),
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(3),
            memory_megabytes: 128,
            reserved: false,
        };
        let host = LambdaHost::new(settings, [spec("missing", "/nowhere/at-all"), spec("ends", "/bin/false")]);
        let error = async |function| host.invoke(function, json!({}), clock.work()).await.0.unwrap_err().error;
        assert_eq!(error("gone").await, "Lambda.ResourceNotFoundException");
        assert_eq!(error("missing").await, "Runtime.ExitError");
        let error = host.warm("ends").await.unwrap_err();
        assert!(matches!(&error, StartError::Ended { .. }), "{error}");
    }
}
