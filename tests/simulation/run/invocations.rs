//! Invocations of functions: from the payload to the answer, or to the timeout.

use super::*;
use crossfade_actions::ports::Ports;

/// Who waits for the answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Task { task: TaskId, state: String },
    Event { target: TargetWiring, input: Value, queued: QueuedEvent },
    Person(people::Command),
}

type Running = Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send>>;

pub(super) struct Invocation {
    pub(super) future: Running,
    pub(super) waker: Waker,
    pub(super) caller: Caller,
    pub(super) reply: Reply,
    /// The execution that it works for.
    pub(super) execution: Option<String>,
    /// It has timed out, and its last call is still under way.
    pub(super) late: bool,
    pub(super) hangs: bool,
}

/// An invocation of a state's function, as it ended.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) state: String,
    /// The verbs that it called, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) answer: Result<Value, TaskError>,
}

impl Visit {
    pub(crate) fn reason(&self) -> &str {
        self.answer.as_ref().ok().and_then(|answer| answer["reason"].as_str()).unwrap_or_default()
    }
}

/// The longest reason that fits next to a state in the console.
const LONGEST_REASON: usize = 1200;

impl SimulatedRun {
    pub(super) fn invoke_state(&mut self, mut work: Work) {
        if self.refuses_inline_policies
            && let Some(inline) = work.payload.pointer_mut("/stack/inlinePolicies")
        {
            *inline = json!("refused");
        }
        let (function, number) = (binary_of(&work.function), self.invocations);
        self.invocations += 1;
        if let Some(before) = &mut self.before {
            before(&self.account.world, &self.account.machines, &work, number);
        }
        self.account
            .tell(|| format!("state {} of {}", work.state, work.execution_arn.rsplit(':').next().unwrap_or_default()));
        let reply = Reply::Task { task: work.task, state: work.state };
        self.invoke(function, work.payload, reply, Some(work.execution_arn));
    }

    pub(super) fn invoke(&mut self, function: &'static str, payload: Value, reply: Reply, execution: Option<String>) {
        let (caller, waker) = self.caller(function);
        if self.is_throttled(function) {
            self.account.tell(|| format!("{function} is throttled"));
            let cause = "Rate Exceeded. (Service: Lambda, Status Code: 429)".to_owned();
            return self.answered(&caller, reply, Err(TaskError { error: THROTTLED.to_owned(), cause }));
        }
        let future: Running = if function == HOOK && payload["question"].is_object() {
            Box::pin(outside::gate(Arc::clone(&self.account), caller.clone(), payload))
        } else if function == HOOK {
            Box::pin(consumers::hook(Arc::clone(&self.account), caller.clone(), payload))
        } else {
            Box::pin(wiring::run_as_task(function, ports(&self.account, caller.clone()), payload))
        };
        self.spawn(caller, waker, future, reply, execution);
    }

    /// Whether the account has no concurrency left for a function.
    fn is_throttled(&self, function: &str) -> bool {
        let reserved = wiring().functions.values().any(|wired| wired.binary == function && wired.reserved);
        !reserved && self.throttled_until.is_some_and(|until| self.account.now() < until)
    }

    pub(super) fn caller(&self, function: &'static str) -> (Caller, Waker) {
        let caller = Caller::new(&self.account, function);
        let waker = Waker::from(Arc::new(Invoked { invocation: caller.invocation, ready: Arc::clone(&self.ready) }));
        (caller, waker)
    }

    pub(super) fn spawn(
        &mut self,
        caller: Caller,
        waker: Waker,
        future: Running,
        reply: Reply,
        execution: Option<String>,
    ) {
        let number = caller.invocation;
        self.due(caller.deadline, Due::Deadline(number));
        self.ready.lock().unwrap().push_back(number);
        let invocation = Invocation { future, waker, reply, execution, late: false, hangs: false, caller };
        self.tasks.insert(number, invocation);
    }

    /// Runs a person's command; its calls count and fail like all others.
    pub(in crate::simulation) fn command(&mut self, command: people::Command) {
        let (caller, waker) = self.caller(command.name());
        let future = people::command(ports(&self.account, caller.clone()), command);
        self.spawn(caller, waker, Box::pin(future), Reply::Person(command), None);
    }

    /// Runs `work` on the ports of a caller while everything else stands still. Returns none when its process died or
    /// timed out.
    pub(crate) fn alone<T, W: Future<Output = T>>(
        &self,
        caller: &'static str,
        work: impl FnOnce(Ports) -> W,
    ) -> Option<T> {
        let account = &self.account;
        let caller = Caller::new(account, caller);
        let mut work = std::pin::pin!(work(ports(account, caller.clone())));
        loop {
            if let Poll::Ready(answer) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Some(answer);
            }
            if account.take_orders().contains(&Order::Kill(caller.invocation)) {
                return None;
            }
            let mut timers = account.timers.lock().unwrap();
            let next = timers.next().filter(|at| *at <= caller.deadline)?;
            account.world.advance(next.duration_since(account.now()).max(SignedDuration::ZERO));
            timers.wake(next);
        }
    }

    pub(super) fn poll(&mut self, number: u64) {
        let Some(invocation) = self.tasks.get_mut(&number) else { return };
        let waker = invocation.waker.clone();
        if let Poll::Ready(answer) = invocation.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.ended(number, answer);
        }
    }

    pub(super) fn ended(&mut self, number: u64, answer: Result<Value, TaskError>) {
        let Some(invocation) = self.tasks.remove(&number) else { return };
        if invocation.late {
            return;
        }
        let function = invocation.caller.function;
        self.account.tell(|| match &answer {
            Ok(value) => format!("answer of {function} #{number}: {} {}", value["verdict"], value["reason"]),
            Err(error) => format!("failure of {function} #{number}: {} {}", error.error, error.cause),
        });
        if let (Reply::Task { .. }, Ok(value)) = (&invocation.reply, &answer)
            && function != "hook"
        {
            let reason = value["reason"].as_str().unwrap_or_default();
            let told = !reason.is_empty() && !reason.contains('\n') && reason.len() < LONGEST_REASON;
            assert!(told, "{function} gives no reason in one line: {value}");
        }
        if function == "check-alarms"
            && let Ok(value) = &answer
        {
            let verdict = value["verdict"].as_str().unwrap_or_default();
            let reason = value["reason"].as_str().unwrap_or_default();
            self.account.tell_watch(|watch| watch.judged(number, verdict, reason));
        }
        self.agenda.retain(|_, due| !matches!(due, Due::Deadline(of) if *of == number));
        self.answered(&invocation.caller, invocation.reply, answer);
    }

    /// Replies, and keeps the visit of a state for stories.
    pub(super) fn answered(&mut self, caller: &Caller, reply: Reply, answer: Result<Value, TaskError>) {
        if let Reply::Task { state, .. } = &reply
            && self.account.watch.is_none()
        {
            let calls = self.account.calls.made_by(caller.invocation);
            self.visits.push(Visit { state: state.clone(), calls, answer: answer.clone() });
        }
        self.reply(reply, answer);
    }

    fn reply(&mut self, reply: Reply, answer: Result<Value, TaskError>) {
        let now = self.account.now();
        match reply {
            Reply::Task { task, .. } => {
                self.account.machines.with(|states| states.task_done(now, task, answer));
            }
            Reply::Event { target, input, mut queued } => {
                let Err(TaskError { error, .. }) = answer else { return };
                let Target::Function(name) = &target.target else { return };
                let retries = wiring().functions[name].event_retries;
                if let Some(pause) = queued.pause_after(&error, now, retries) {
                    self.due(now + pause, Due::Delivery { target, input, queued });
                }
            }
            // The person's process died, and the person runs the command again.
            Reply::Person(command) => match answer.err().map(|error| error.error).as_deref() {
                Some("Runtime.ExitError" | "Sandbox.Timedout") => self.command(command),
                Some("GaveUp" | "Denied") => self.gave_up = true,
                _ => {}
            },
        }
    }

    pub(super) fn time_out(&mut self, number: u64) {
        let Some(invocation) = self.tasks.get_mut(&number) else { return };
        invocation.late = true;
        let (reply, hangs, caller) = (invocation.reply.clone(), invocation.hangs, invocation.caller.clone());
        if !hangs {
            self.tasks.remove(&number);
        }
        self.account.tell(|| format!("time of {} #{number} is over", caller.function));
        self.answered(&caller, reply, Err(wiring::named("Sandbox.Timedout", "Task timed out after 60.00 seconds")));
    }
}
