//! One instance of a function, as the host and the Runtime API see it.

use super::lock;
use crate::clock::{Asks, HeldWork, WorldClock, answer_times};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// A process that runs one invocation at a time.
pub(super) struct Instance {
    invocations: mpsc::Sender<Invocation>,
    readiness: watch::Sender<Readiness>,
    kill: Notify,
    /// The invocation that the process has taken but not answered yet.
    current: Mutex<Option<Invocation>>,
    pub(super) function_arn: String,
    clock: WorldClock,
    held_work: HeldWork,
}

#[derive(Debug, Clone, PartialEq)]
enum Readiness {
    Starting,
    Polled,
    /// The process's end: its exit status, or the error of its initialisation.
    Ended(String),
}

/// What is sent to the process.
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
    /// The instance, and the invocations that are handed to it.
    pub(super) fn new(function_arn: &str, clock: &WorldClock) -> (Self, mpsc::Receiver<Invocation>) {
        let (invocations, receiver) = mpsc::channel(1);
        let instance = Self {
            invocations,
            readiness: watch::Sender::new(Readiness::Starting),
            kill: Notify::new(),
            current: Mutex::default(),
            function_arn: function_arn.to_owned(),
            clock: clock.clone(),
            held_work: HeldWork::default(),
        };
        (instance, receiver)
    }

    /// Answers the process's questions for the time, on one connection.
    pub(super) async fn answer_times(self: Arc<Self>, stream: TcpStream) {
        answer_times(stream, self.clock.clone(), Asks::AFunction(self.held_work.clone())).await;
    }

    /// Waits until someone wants the process to end.
    pub(super) async fn until_killed(&self) {
        self.kill.notified().await;
    }

    /// Notes that the process has ended, with what it left behind. Whatever was sent and not taken learns it too.
    pub(super) async fn note_end(&self, status: &str, receiver: &tokio::sync::Mutex<mpsc::Receiver<Invocation>>) {
        self.end(status);
        receiver.lock().await.close();
        while let Ok(invocation) = receiver.lock().await.try_recv() {
            let _ = invocation.reply.send(Outcome::Exited(status.to_owned()));
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

    /// Returns the work of the invocation's caller.
    pub(super) fn held_work(&self) -> &HeldWork {
        &self.held_work
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(*self.readiness.borrow(), Readiness::Ended(_))
    }

    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Sends an invocation with this request id to the process, and waits for its end.
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

    /// Ends the current invocation if it is this one; returns whether it was.
    pub(super) fn note_outcome(&self, request_id: &str, outcome: Outcome) -> bool {
        let current = lock(&self.current).take_if(|invocation| invocation.request_id == request_id);
        let Some(invocation) = current else { return false };
        // If the invocation timed out at this moment, no one listens any more.
        let _ = invocation.reply.send(outcome);
        true
    }
}
