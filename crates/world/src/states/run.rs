//! How executions move: from state to state, through errors, to their end.

use super::definition::{FailText, Kind, Recovery, ResultPlace, Selection, State, Transition, WaitFor};
use super::engine::{StepFunctions, Timer, later, seconds_of};
use super::execution::size::is_too_long;
use super::execution::{MOST_EVENTS, Phase, ROOT, Status, StrandId};
use super::failure::Failure;
use super::template::Template;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The arguments of a state.
pub(super) struct Frame {
    pub(super) state: State,
    /// The state's input after `InputPath`.
    pub(super) effective: Value,
    pub(super) context: Value,
}

impl StepFunctions {
    /// Lets every strand that is about to enter a state do so, until all of them wait for something.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some((id, strand)) = self.ready.pop_front() {
            if !self.executions[id].is_running() || !self.executions[id].strands.contains_key(&strand) {
                continue;
            }
            self.enter(now, id, strand);
            self.fail_if_history_is_full(now, id);
        }
    }

    pub(super) fn fail_if_history_is_full(&mut self, now: Timestamp, id: usize) {
        if self.executions[id].is_running() && self.executions[id].history_overflowed {
            let cause = format!("The execution reached the maximum number of history events ({MOST_EVENTS}).");
            self.close(now, id, Status::Failed, None, Some(Failure::new("States.Runtime", cause)));
        }
    }

    fn enter(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        let execution = &mut self.executions[id];
        let current = execution.strand(strand);
        current.entered_at = now;
        current.retry_count = 0;
        current.retries.clear();
        let name = current.state.clone();
        let details = json!({
            "name": name,
            "input": current.input.to_string(),
            "inputDetails": { "truncated": false },
        });
        let event_type = event_names(&current.scope.state(&name).kind).0;
        let event = execution.record(now, strand, event_type, Some(("stateEnteredEventDetails", details)));
        execution.strand(strand).entered_event = event;
        execution.entered.push(name);
        self.run_state(now, id, strand);
    }

    /// Runs the state that a strand has entered; again after a retry's delay.
    fn run_state(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        let frame = match self.frame(id, strand) {
            Ok(frame) => frame,
            Err(failure) => return self.fail_state(now, id, strand, failure),
        };
        let done = match &frame.state.kind {
            Kind::Task(task) => self.begin_task(now, id, strand, task, &frame),
            Kind::Map(map) => self.begin_map(now, id, strand, map, &frame.effective, &frame.context),
            Kind::Wait(wait) => self.begin_wait(now, id, strand, wait, &frame),
            Kind::Choice { rules, default } => {
                match choose(rules, default.as_deref(), &frame.effective, &frame.context) {
                    Ok(next) => self.leave_to(now, id, strand, &frame.effective, &Transition::Next(next.to_owned())),
                    Err(failure) => Err(self.in_state(id, strand, failure)),
                }
            }
            Kind::Pass { result, parameters, result_path } => {
                let output = self.pass(id, strand, &frame, result.as_ref(), parameters.as_ref(), result_path);
                output.and_then(|output| self.leave_with(now, id, strand, &output))
            }
            Kind::Succeed => self.leave_with(now, id, strand, &frame.effective),
            Kind::Fail { error, cause } => {
                let failure = fail_text(error, &frame)
                    .and_then(|error| Ok(Failure { error, cause: fail_text(cause, &frame)? }))
                    .unwrap_or_else(|failure| self.in_state(id, strand, failure));
                return self.fail_strand(now, id, strand, failure);
            }
        };
        if let Err(failure) = done {
            self.fail_state(now, id, strand, failure);
        }
    }

    fn frame(&mut self, id: usize, strand: StrandId) -> Result<Frame, Failure> {
        let execution = &self.executions[id];
        let current = &execution.strands[&strand];
        let state = current.scope.state(&current.state).clone();
        let context = execution.context(current);
        let effective = select(&state.input_path, &current.input, &context);
        effective
            .map(|effective| Frame { state, effective, context })
            .map_err(|failure| self.in_state(id, strand, failure))
    }

    fn begin_wait(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        wait: &WaitFor,
        frame: &Frame,
    ) -> Result<(), Failure> {
        let seconds = match wait {
            WaitFor::Seconds(seconds) => *seconds,
            WaitFor::SecondsPath(path) => path
                .get(&frame.effective, &frame.context)
                .and_then(Value::as_u64)
                .filter(|seconds| *seconds <= 99_999_999)
                .ok_or_else(|| {
                    let cause =
                        format!("The SecondsPath parameter `{path}` does not reference a whole number of seconds.");
                    self.in_state(id, strand, Failure::new("States.Runtime", cause))
                })?,
        };
        self.executions[id].strand(strand).become_phase(Phase::Waiting);
        self.set_timer(later(now, seconds_of(seconds)), id, strand);
        Ok(())
    }

    pub(super) fn finish_wait(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        let done = self.frame(id, strand).and_then(|frame| self.leave_with(now, id, strand, &frame.effective));
        if let Err(failure) = done {
            self.fail_state(now, id, strand, failure);
        }
    }

    pub(super) fn try_again(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        self.run_state(now, id, strand);
    }

    fn pass(
        &self,
        id: usize,
        strand: StrandId,
        frame: &Frame,
        result: Option<&Value>,
        parameters: Option<&Template>,
        place: &ResultPlace,
    ) -> Result<Value, Failure> {
        let made = match (result, parameters) {
            (Some(result), _) => result.clone(),
            (None, Some(parameters)) => self.fill(id, strand, parameters, &frame.effective, &frame.context)?,
            (None, None) => frame.effective.clone(),
        };
        self.put_result(id, strand, place, made)
    }

    /// `ResultSelector`, then `ResultPath`, of the state that a strand is in.
    pub(super) fn keep_result(&mut self, id: usize, strand: StrandId, result: Value) -> Result<Value, Failure> {
        let frame = self.frame(id, strand)?;
        let (selector, place) = match &frame.state.kind {
            Kind::Task(task) => (&task.result_selector, &task.result_path),
            Kind::Map(map) => (&map.result_selector, &map.result_path),
            _ => unreachable!("only tasks and maps have results"),
        };
        let kept = match selector {
            Some(selector) => self.fill(id, strand, selector, &result, &frame.context)?,
            None => result,
        };
        self.put_result(id, strand, place, kept)
    }

    fn put_result(&self, id: usize, strand: StrandId, place: &ResultPlace, result: Value) -> Result<Value, Failure> {
        let input = self.executions[id].strands[&strand].input.clone();
        match place {
            ResultPlace::Discard => Ok(input),
            ResultPlace::Path(path) => path.put(input, result).ok_or_else(|| {
                let cause = format!("Unable to apply step \"{path}\" to the input of the state.");
                self.in_state(id, strand, Failure::new("States.ResultPathMatchFailure", cause))
            }),
        }
    }

    pub(super) fn fill(
        &self,
        id: usize,
        strand: StrandId,
        template: &Template,
        input: &Value,
        context: &Value,
    ) -> Result<Value, Failure> {
        let filled = template.fill(input, context).map_err(|missing| {
            // AWS documents States.ParameterPathFailure for this, but answers States.Runtime, which nothing catches.
            let cause = format!(
                "The JSONPath '{}' specified for the field '{}' could not be found in the input '{input}'",
                missing.path, missing.field
            );
            self.in_state(id, strand, Failure::new("States.Runtime", cause))
        })?;
        if is_too_long(&filled) { Err(self.too_long(id, strand)) } else { Ok(filled) }
    }

    /// `OutputPath`, then on to where the state leads.
    pub(super) fn leave_with(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        output: &Value,
    ) -> Result<(), Failure> {
        let current = &self.executions[id].strands[&strand];
        let transition = current.scope.state(&current.state).transition.clone();
        self.leave_to(now, id, strand, output, &transition)
    }

    fn leave_to(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        output: &Value,
        transition: &Transition,
    ) -> Result<(), Failure> {
        let frame = self.frame(id, strand)?;
        let output = select(&frame.state.output_path, output, &frame.context)
            .map_err(|failure| self.in_state(id, strand, failure))?;
        if is_too_long(&output) {
            return Err(self.too_long(id, strand));
        }
        self.leave(now, id, strand, output, transition);
        Ok(())
    }

    fn leave(&mut self, now: Timestamp, id: usize, strand: StrandId, output: Value, transition: &Transition) {
        let execution = &mut self.executions[id];
        let current = &execution.strands[&strand];
        let event_type = event_names(&current.scope.state(&current.state).kind).1;
        let details = json!({
            "name": current.state,
            "output": output.to_string(),
            "outputDetails": { "truncated": false },
        });
        execution.record(now, strand, event_type, Some(("stateExitedEventDetails", details)));
        match transition {
            Transition::Next(next) => {
                let current = execution.strand(strand);
                current.state.clone_from(next);
                current.input = output;
                current.become_phase(Phase::Entering);
                self.ready.push_back((id, strand));
            }
            Transition::End if strand == ROOT => self.close(now, id, Status::Succeeded, Some(output), None),
            Transition::End => self.finish_iteration(now, id, strand, output),
        }
    }

    /// Passes an error to the state's retriers and catchers; if none matches, the strand fails.
    pub(super) fn fail_state(&mut self, now: Timestamp, id: usize, strand: StrandId, failure: Failure) {
        let current = &self.executions[id].strands[&strand];
        let scope = Arc::clone(&current.scope);
        let recovery = match &scope.state(&current.state).kind {
            Kind::Task(task) => &task.recovery,
            Kind::Map(map) => &map.recovery,
            _ => return self.fail_strand(now, id, strand, failure),
        };
        if self.retry(now, id, strand, recovery, failure.name()) {
            return;
        }
        let Some(catcher) = recovery.catcher_for(failure.name()) else {
            return self.fail_strand(now, id, strand, failure);
        };
        match self.put_result(id, strand, &catcher.result_path, failure.output()) {
            Ok(output) if is_too_long(&output) => {
                let failure = self.too_long(id, strand);
                self.fail_strand(now, id, strand, failure);
            }
            Ok(output) => self.leave(now, id, strand, output, &Transition::Next(catcher.next.clone())),
            Err(failure) => self.fail_strand(now, id, strand, failure),
        }
    }

    fn retry(&mut self, now: Timestamp, id: usize, strand: StrandId, recovery: &Recovery, error: &str) -> bool {
        let Some((index, retrier)) = recovery.retrier_for(error) else { return false };
        let current = self.executions[id].strand(strand);
        current.retries.resize(recovery.retriers.len(), 0);
        let attempt = current.retries[index];
        if attempt >= retrier.max_attempts {
            return false;
        }
        current.retries[index] += 1;
        current.retry_count += 1;
        current.become_phase(Phase::Backoff);
        let delay = retrier.delay_seconds(attempt, &mut self.rng);
        self.set_timer(later(now, delay), id, strand);
        true
    }

    fn fail_strand(&mut self, now: Timestamp, id: usize, strand: StrandId, failure: Failure) {
        if strand == ROOT {
            self.close(now, id, Status::Failed, None, Some(failure));
        } else {
            self.fail_iteration(now, id, strand, failure);
        }
    }

    pub(super) fn set_timer(&mut self, at: Timestamp, execution: usize, strand: StrandId) {
        let epoch = self.executions[execution].strand(strand).epoch;
        self.timers.insert((at, Timer::Strand { execution, strand, epoch }));
    }

    /// A failure whose cause names the state, as AWS words it.
    pub(super) fn in_state(&self, id: usize, strand: StrandId, mut failure: Failure) -> Failure {
        let current = &self.executions[id].strands[&strand];
        failure.cause = failure.cause.map(|cause| {
            format!(
                "An error occurred while executing the state '{}' (entered at the event id #{}). {cause}",
                current.state, current.entered_event
            )
        });
        failure
    }

    pub(super) fn too_long(&self, id: usize, strand: StrandId) -> Failure {
        let state = &self.executions[id].strands[&strand].state;
        let cause = format!(
            "The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service \
             limit."
        );
        Failure::new("States.DataLimitExceeded", cause)
    }
}

fn select(selection: &Selection, input: &Value, context: &Value) -> Result<Value, Failure> {
    match selection {
        Selection::Nothing => Ok(json!({})),
        Selection::Path(path) => path.get(input, context).cloned().ok_or_else(|| {
            Failure::new("States.Runtime", format!("Invalid path '{path}': nothing is there in the input '{input}'"))
        }),
    }
}

fn choose<'a>(
    rules: &'a [(super::choice::Rule, String)],
    default: Option<&'a str>,
    input: &Value,
    context: &Value,
) -> Result<&'a str, Failure> {
    for (rule, next) in rules {
        let holds = rule.holds(input, context).map_err(|path| {
            let cause =
                format!("Invalid path '{path}': The choice state's condition path references an invalid value.");
            Failure::new("States.Runtime", cause)
        })?;
        if holds {
            return Ok(next);
        }
    }
    default.ok_or_else(|| Failure::new("States.NoChoiceMatched", "No choice rule matched and there is no Default."))
}

fn fail_text(text: &FailText, frame: &Frame) -> Result<Option<String>, Failure> {
    match text {
        FailText::Absent => Ok(None),
        FailText::Text(text) => Ok(Some(text.clone())),
        FailText::Path(path) => {
            let value = path.get(&frame.effective, &frame.context).and_then(Value::as_str);
            value.map(|text| Some(text.to_owned())).ok_or_else(|| {
                Failure::new(
                    "States.Runtime",
                    format!("The path '{path}' of a Fail state does not reference a string."),
                )
            })
        }
    }
}

fn event_names(kind: &Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Task(_) => ("TaskStateEntered", "TaskStateExited"),
        Kind::Choice { .. } => ("ChoiceStateEntered", "ChoiceStateExited"),
        Kind::Wait(_) => ("WaitStateEntered", "WaitStateExited"),
        Kind::Pass { .. } => ("PassStateEntered", "PassStateExited"),
        Kind::Succeed => ("SucceedStateEntered", "SucceedStateExited"),
        Kind::Fail { .. } => ("FailStateEntered", "FailStateExited"),
        Kind::Map(_) => ("MapStateEntered", "MapStateExited"),
    }
}
