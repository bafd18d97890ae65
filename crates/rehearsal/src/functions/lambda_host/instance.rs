//! One process of a function, and its side of the Runtime API.

use super::output::Output;
use super::{FunctionSpec, lock, runtime_api};
use crate::clock::{HeldWork, WorldClock, answer_times};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// A process that runs one invocation at a time.
pub(super) struct Instance {
    invocations: mpsc::Sender<Invocation>,
    readiness: watch::Sender<Readiness>,
    kill: Notify,
    /// The invocation that the process has taken and not answered yet.
    current: Mutex<Option<Invocation>>,
    pub(super) function_arn: String,
    clock: WorldClock,
    held_work: HeldWork,
}

#[derive(Debug, Clone, PartialEq)]
enum Readiness {
    Starting,
    Polled,
    /// With what the process left behind: its exit status, or the error of its initialisation.
    Ended(String),
}

/// What the process is asked.
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) payload: Value,
    pub(super) timeout: Duration,
    reply: oneshot::Sender<Outcome>,
}

/// How an invocation ended.
pub(super) enum Outcome {
    Answered(Value),
    /// What the function reported: `errorType`, `errorMessage`.
    Failed(Value),
    /// The process ended instead.
    Exited(String),
}

impl Instance {
    /// Starts the process; the second value drives it and must be polled. Dropping that kills the process.
    pub(super) async fn start(
        spec: &FunctionSpec,
        number: u64,
        environment: &BTreeMap<String, String>,
        clock: &WorldClock,
        output: Arc<Output>,
    ) -> std::io::Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let times = TcpListener::bind("127.0.0.1:0").await?;
        let times_address = times.local_addr()?;
        let mut command = Command::new(&spec.binary);
        // A Ctrl-C in the terminal is for the host, which then ends its functions in order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("CROSSFADE_CLOCK", format!("{times_address},driven"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (sender, receiver) = mpsc::channel(1);
        let instance = Arc::new(Self {
            invocations: sender,
            readiness: watch::Sender::new(Readiness::Starting),
            kill: Notify::new(),
            current: Mutex::default(),
            function_arn: spec.arn.clone(),
            clock: clock.clone(),
            held_work: HeldWork::default(),
        });
        let streams = (child.stdout.take(), child.stderr.take());
        let process = Arc::clone(&instance).drive(child, (listener, times), receiver, async move {
            let (out, error) = streams;
            let follow_out = async {
                if let Some(stream) = out {
                    output.follow(number, stream).await;
                }
            };
            let follow_error = async {
                if let Some(stream) = error {
                    output.follow(number, stream).await;
                }
            };
            tokio::join!(follow_out, follow_error);
        });
        Ok((instance, process))
    }

    async fn drive(
        self: Arc<Self>,
        mut child: Child,
        (listener, times): (TcpListener, TcpListener),
        receiver: mpsc::Receiver<Invocation>,
        output: impl Future<Output = ()> + Send + 'static,
    ) {
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let mut connections = JoinSet::new();
        let mut output = Box::pin(output);
        let mut output_open = true;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = self.kill.notified() => {
                    // It may have ended by itself meanwhile; either way its end is seen by `wait`.
                    let _ = child.start_kill();
                }
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(runtime_api::serve(stream, Arc::clone(&self), Arc::clone(&receiver)));
                },
                accepted = times.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(answer_times(stream, self.clock.clone(), self.held_work.clone()));
                },
                () = &mut output, if output_open => output_open = false,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        };
        if output_open {
            // What the process wrote last is still in the pipes, unless a child of its own keeps them open.
            let _ = tokio::time::timeout(Duration::from_secs(1), output).await;
        }
        connections.shutdown().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.end(&status);
        // Whatever was sent and not taken learns by its dropped reply that nobody will.
        receiver.lock().await.close();
        while let Ok(invocation) = receiver.lock().await.try_recv() {
            let _ = invocation.reply.send(Outcome::Exited(status.clone()));
        }
    }

    fn end(&self, status: &str) {
        self.readiness.send_if_modified(|readiness| match readiness {
            Readiness::Ended(_) => false,
            Readiness::Starting | Readiness::Polled => {
                *readiness = Readiness::Ended(status.to_owned());
                true
            }
        });
        if let Some(invocation) = lock(&self.current).take() {
            let _ = invocation.reply.send(Outcome::Exited(status.to_owned()));
        }
    }

    /// Waits until the process asks for its first invocation; the error says how it ended instead.
    pub(super) async fn until_it_polls(&self) -> Result<(), String> {
        let mut readiness = self.readiness.subscribe();
        let reached = readiness.wait_for(|readiness| *readiness != Readiness::Starting).await;
        match reached.as_deref() {
            Ok(Readiness::Ended(status)) => Err(status.clone()),
            Ok(_) => Ok(()),
            Err(_) => unreachable!("the instance owns the sender and is borrowed here"),
        }
    }

    /// The work of whoever has invoked it.
    pub(super) fn held_work(&self) -> &HeldWork {
        &self.held_work
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(*self.readiness.borrow(), Readiness::Ended(_))
    }

    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Hands an invocation to the process and waits for its end, with the request's id.
    pub(super) async fn invoke(&self, payload: Value, timeout: Duration) -> (String, Outcome) {
        let request_id = uuid::Uuid::new_v4().to_string();
        let (reply, outcome) = oneshot::channel();
        let invocation = Invocation { request_id: request_id.clone(), payload, timeout, reply };
        let gone = || Outcome::Exited("the process was gone".to_owned());
        if self.invocations.send(invocation).await.is_err() {
            return (request_id, gone());
        }
        (request_id, outcome.await.unwrap_or_else(|_| gone()))
    }

    pub(super) fn note_poll(&self) {
        self.readiness.send_if_modified(|readiness| {
            let first = *readiness == Readiness::Starting;
            if first {
                *readiness = Readiness::Polled;
            }
            first
        });
    }

    pub(super) fn note_failed_start(&self, diagnostic: &Value) {
        self.end(&format!("its initialisation failed: {diagnostic}"));
    }

    pub(super) fn note_taken(&self, invocation: Invocation) {
        *lock(&self.current) = Some(invocation);
    }

    /// Ends the current invocation if it is this one; false when it is not.
    pub(super) fn note_outcome(&self, request_id: &str, outcome: Outcome) -> bool {
        let current = lock(&self.current).take_if(|invocation| invocation.request_id == request_id);
        let Some(invocation) = current else { return false };
        // Nobody listens any more when the invocation timed out in the same moment.
        let _ = invocation.reply.send(outcome);
        true
    }
}
