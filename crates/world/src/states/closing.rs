//! How executions end, and what goes with them.

use super::engine::StepFunctions;
use super::execution::{Phase, ROOT, Status};
use super::failure::Failure;
use jiff::Timestamp;
use serde_json::{Value, json};

impl StepFunctions {
    pub(super) fn time_out(&mut self, now: Timestamp, id: usize) {
        self.close(now, id, Status::TimedOut, None, None);
    }

    /// Aborts an execution if it still runs.
    pub(super) fn abort(&mut self, now: Timestamp, id: usize, error: Option<String>, cause: Option<String>) {
        if self.executions[id].is_running() {
            self.close(now, id, Status::Aborted, None, Some(Failure { error, cause }));
        }
    }

    /// Ends an execution, its strands and the nested executions that they wait for, and passes the result to whatever
    /// waits for it.
    pub(super) fn close(
        &mut self,
        now: Timestamp,
        id: usize,
        status: Status,
        output: Option<Value>,
        failure: Option<Failure>,
    ) {
        let execution = &mut self.executions[id];
        let (event_type, details_name) = match status {
            Status::Succeeded => ("ExecutionSucceeded", "executionSucceededEventDetails"),
            Status::Failed => ("ExecutionFailed", "executionFailedEventDetails"),
            Status::TimedOut => ("ExecutionTimedOut", "executionTimedOutEventDetails"),
            Status::Aborted => ("ExecutionAborted", "executionAbortedEventDetails"),
            Status::Running => unreachable!("an execution is closed with its last status"),
        };
        let details = match (&output, &failure) {
            (Some(output), _) => json!({ "output": output.to_string(), "outputDetails": { "truncated": false } }),
            (None, Some(failure)) => Value::Object(failure.details()),
            (None, None) => json!({}),
        };
        execution.shown.status = status;
        execution.record(now, ROOT, event_type, Some((details_name, details)));
        execution.shown.stop_date = Some(now);
        execution.shown.output = output;
        if let Some(failure) = failure {
            execution.shown.error = failure.error;
            execution.shown.cause = failure.cause;
        }
        let strands = std::mem::take(&mut execution.strands);
        let waiters = std::mem::take(&mut execution.waiters);
        self.in_flight.retain(|_, waiter| waiter.execution != id);
        self.drop_unclaimed_work();
        self.announce(now, id);
        for strand in strands.into_values() {
            if let Phase::Nested { child } = strand.phase {
                self.abort(now, child, None, None);
            }
        }
        for waiter in waiters {
            if self.is_awaited(waiter) {
                let result = self.nested_result(id);
                self.finish_task(now, waiter.execution, waiter.strand, result);
            }
        }
    }

    /// Drops functions that nothing waits for any more and that were not handed out yet.
    pub(super) fn drop_unclaimed_work(&mut self) {
        self.work.retain(|work| self.in_flight.contains_key(&work.task));
    }
}
