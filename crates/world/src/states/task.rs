//! Tasks: functions that are handed out, nested executions that are started, and what they answer.

use super::definition::{Integration, Kind, Task, TimeoutFor};
use super::engine::{RefusedCall, StepFunctions, TaskId, Work, later, seconds_of};
use super::execution::size::is_too_long;
use super::execution::{Phase, Status, StrandId, Waiter};
use super::failure::Failure;
use super::run::Frame;
use jiff::Timestamp;
use serde_json::{Value, json};

impl StepFunctions {
    pub(super) fn begin_task(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        task: &Task,
        frame: &Frame,
    ) -> Result<(), Failure> {
        let parameters = self.fill(id, strand, &task.parameters, &frame.effective, &frame.context)?;
        let timeout_seconds = self.timeout_of(id, strand, task, frame)?;
        let (resource_type, resource) = task.integration.names();
        let mut scheduled = json!({
            "resourceType": resource_type,
            "resource": resource,
            "region": self.region,
            "parameters": parameters.to_string(),
        });
        if let Some(seconds) = timeout_seconds {
            scheduled["timeoutInSeconds"] = json!(seconds);
        }
        let started = json!({ "resourceType": resource_type, "resource": resource });
        let execution = &mut self.executions[id];
        execution.record(now, strand, "TaskScheduled", Some(("taskScheduledEventDetails", scheduled)));
        execution.record(now, strand, "TaskStarted", Some(("taskStartedEventDetails", started)));
        match task.integration {
            Integration::LambdaInvoke => self.schedule_function(id, strand, &parameters)?,
            Integration::StartExecution => {
                if let Err(refused) = self.start_nested(now, id, strand, &parameters) {
                    let error = format!("StepFunctions.{}Exception", refused.code());
                    let failure = Failure::new(&error, refused.to_string());
                    self.record_task_failure(now, id, strand, "TaskFailed", "taskFailedEventDetails", &failure);
                    return Err(failure);
                }
            }
        }
        if let Some(seconds) = timeout_seconds {
            self.set_timer(later(now, seconds_of(seconds)), id, strand);
        }
        Ok(())
    }

    /// How long one attempt may take, in seconds.
    fn timeout_of(&self, id: usize, strand: StrandId, task: &Task, frame: &Frame) -> Result<Option<u64>, Failure> {
        match &task.timeout {
            None => Ok(None),
            Some(TimeoutFor::Seconds(seconds)) => Ok(Some(*seconds)),
            Some(TimeoutFor::SecondsPath(path)) => {
                let seconds = path.get(&frame.effective, &frame.context).and_then(Value::as_u64);
                let seconds = seconds.filter(|seconds| (1..=99_999_999).contains(seconds));
                let wrong = || {
                    let cause = format!("The path '{path}' of TimeoutSecondsPath does not lead to a positive integer.");
                    self.in_state(id, strand, Failure::new("States.Runtime", cause))
                };
                seconds.map(Some).ok_or_else(wrong)
            }
        }
    }

    fn schedule_function(&mut self, id: usize, strand: StrandId, parameters: &Value) -> Result<(), Failure> {
        let Some(function) = parameters["FunctionName"].as_str() else {
            let cause = format!("The parameter FunctionName is no string: {}", parameters["FunctionName"]);
            return Err(self.in_state(id, strand, Failure::new("States.Runtime", cause)));
        };
        self.next_task += 1;
        let task = TaskId(self.next_task);
        let execution = &mut self.executions[id];
        let execution_arn = execution.shown.execution_arn.clone();
        let current = execution.strand(strand);
        current.become_phase(Phase::Working);
        self.in_flight.insert(task, Waiter { execution: id, strand, epoch: current.epoch });
        self.work.push_back(Work {
            task,
            function: function.to_owned(),
            payload: parameters.get("Payload").cloned().unwrap_or_else(|| json!({})),
            execution_arn,
            state: current.state.clone(),
        });
        Ok(())
    }

    fn start_nested(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        parameters: &Value,
    ) -> Result<(), RefusedCall> {
        let machine = parameters["StateMachineArn"].as_str().unwrap_or_default();
        let input = parameters.get("Input").cloned().unwrap_or_else(|| json!({}));
        let child = self.start(now, machine, parameters["Name"].as_str(), input)?;
        let shown = &self.executions[child].shown;
        let output = json!({ "ExecutionArn": shown.execution_arn, "StartDate": shown.start_date.as_millisecond() });
        let submitted = json!({
            "resourceType": "states",
            "resource": "startExecution.sync:2",
            "output": output.to_string(),
            "outputDetails": { "truncated": false },
        });
        let execution = &mut self.executions[id];
        execution.record(now, strand, "TaskSubmitted", Some(("taskSubmittedEventDetails", submitted)));
        let current = execution.strand(strand);
        current.become_phase(Phase::Nested { child });
        let waiter = Waiter { execution: id, strand, epoch: current.epoch };
        self.executions[child].waiters.push(waiter);
        Ok(())
    }

    /// Goes on with what a task answered.
    pub(super) fn finish_task(&mut self, now: Timestamp, id: usize, strand: StrandId, result: Result<Value, Failure>) {
        let done = match result {
            Ok(result) if is_too_long(&result) => {
                let failure = self.too_long(id, strand);
                self.record_task_failure(now, id, strand, "TaskFailed", "taskFailedEventDetails", &failure);
                Err(failure)
            }
            Ok(result) => {
                let (resource_type, resource) = self.integration_names(id, strand);
                let details = json!({
                    "resourceType": resource_type,
                    "resource": resource,
                    "output": result.to_string(),
                    "outputDetails": { "truncated": false },
                });
                self.executions[id].record(now, strand, "TaskSucceeded", Some(("taskSucceededEventDetails", details)));
                self.keep_result(id, strand, result).and_then(|output| self.leave_with(now, id, strand, &output))
            }
            Err(failure) => {
                self.record_task_failure(now, id, strand, "TaskFailed", "taskFailedEventDetails", &failure);
                Err(failure)
            }
        };
        if let Err(failure) = done {
            self.fail_state(now, id, strand, failure);
        }
    }

    pub(super) fn time_out_task(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        let failure = Failure { error: Some("States.Timeout".into()), cause: None };
        // The strand continues first: the end of its nested execution must not reach it as a result.
        let current = self.executions[id].strand(strand);
        let phase = std::mem::replace(&mut current.phase, Phase::Entering);
        current.epoch += 1;
        self.in_flight.retain(|_, waiter| waiter.execution != id || waiter.strand != strand);
        self.drop_unclaimed_work();
        if let Phase::Nested { child } = phase {
            self.abort(now, child, None, None);
        }
        self.record_task_failure(now, id, strand, "TaskTimedOut", "taskTimedOutEventDetails", &failure);
        self.fail_state(now, id, strand, failure);
    }

    fn record_task_failure(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        event_type: &'static str,
        details_name: &'static str,
        failure: &Failure,
    ) {
        let (resource_type, resource) = self.integration_names(id, strand);
        let mut details = failure.details();
        details.insert("resourceType".into(), json!(resource_type));
        details.insert("resource".into(), json!(resource));
        self.executions[id].record(now, strand, event_type, Some((details_name, Value::Object(details))));
    }

    fn integration_names(&self, id: usize, strand: StrandId) -> (&'static str, &'static str) {
        let current = &self.executions[id].strands[&strand];
        match &current.scope.state(&current.state).kind {
            Kind::Task(task) => task.integration.names(),
            _ => unreachable!("only tasks have an integration"),
        }
    }

    pub(super) fn nested_result(&self, child: usize) -> Result<Value, Failure> {
        let shown = &self.executions[child].shown;
        if shown.status == Status::Succeeded {
            Ok(shown.as_nested_result())
        } else {
            // Whatever ended the child, a timeout too, its parent sees a failed task.
            Err(Failure::new("States.TaskFailed", Value::Object(shown.as_nested_failure()).to_string()))
        }
    }
}
