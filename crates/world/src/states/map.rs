//! The iterations of Map states.

use super::definition::{Kind, MapState};
use super::engine::StepFunctions;
use super::execution::{Execution, Mapping, Phase, Strand, StrandId, map_item};
use super::failure::Failure;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

impl StepFunctions {
    pub(super) fn begin_map(
        &mut self,
        now: Timestamp,
        id: usize,
        strand: StrandId,
        map: &MapState,
        effective: &Value,
        context: &Value,
    ) -> Result<(), Failure> {
        let Some(items) = map.items_path.get(effective, context).and_then(Value::as_array) else {
            let cause = format!("Reference path '{}' of ItemsPath does not point to a list.", map.items_path);
            return Err(self.in_state(id, strand, Failure::new("States.Runtime", cause)));
        };
        let mut inputs = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let input = match &map.item_selector {
                None => item.clone(),
                Some(selector) => {
                    let mut context = context.clone();
                    context["Map"] = map_item(index, item);
                    self.fill(id, strand, selector, effective, &context)?
                }
            };
            inputs.push((input, item.clone()));
        }
        let execution = &mut self.executions[id];
        let details = json!({ "length": inputs.len() });
        execution.record(now, strand, "MapStateStarted", Some(("mapStateStartedEventDetails", details)));
        let outputs = vec![None; inputs.len()];
        let mapping = Mapping { inputs, next: 0, running: Vec::new(), outputs };
        execution.strand(strand).become_phase(Phase::Mapping(mapping));
        self.go_on_mapping(now, id, strand, map)
    }

    /// Starts as many iterations as may run, or ends the Map when all are done.
    fn go_on_mapping(&mut self, now: Timestamp, id: usize, strand: StrandId, map: &MapState) -> Result<(), Failure> {
        while let Some(iteration) = self.executions[id].start_iteration(now, strand, map) {
            self.ready.push_back((id, iteration));
        }
        let mapping = self.executions[id].mapping(strand);
        if !mapping.running.is_empty() {
            return Ok(());
        }
        let outputs =
            mapping.outputs.iter_mut().map(|output| output.take().expect("every iteration is done")).collect();
        self.executions[id].record(now, strand, "MapStateSucceeded", None);
        let output = self.keep_result(id, strand, Value::Array(outputs))?;
        self.leave_with(now, id, strand, &output)
    }

    pub(super) fn finish_iteration(&mut self, now: Timestamp, id: usize, iteration: StrandId, output: Value) {
        let execution = &mut self.executions[id];
        execution.record_iteration(now, iteration, "MapIterationSucceeded", "mapIterationSucceededEventDetails");
        let (parent, index) = execution.end_iteration(iteration);
        let last_event = execution.history.len() as u64;
        execution.strand(parent).last_event = last_event;
        execution.mapping(parent).outputs[index] = Some(output);
        let scope = Arc::clone(&execution.strand(parent).scope);
        let Kind::Map(map) = &scope.state(&execution.strand(parent).state).kind else {
            unreachable!("the parent of an iteration is in a Map state")
        };
        if let Err(failure) = self.go_on_mapping(now, id, parent, map) {
            self.fail_state(now, id, parent, failure);
        }
    }

    /// Fails the whole Map with the iteration's error; the other iterations are aborted.
    pub(super) fn fail_iteration(&mut self, now: Timestamp, id: usize, iteration: StrandId, failure: Failure) {
        let execution = &mut self.executions[id];
        execution.record_iteration(now, iteration, "MapIterationFailed", "mapIterationFailedEventDetails");
        let (parent, _) = execution.end_iteration(iteration);
        let last_event = execution.history.len() as u64;
        execution.strand(parent).last_event = last_event;
        for other in std::mem::take(&mut execution.mapping(parent).running) {
            self.abort_strand(now, id, other);
        }
        self.executions[id].record(now, parent, "MapStateFailed", None);
        self.fail_state(now, id, parent, failure);
    }

    fn abort_strand(&mut self, now: Timestamp, id: usize, strand: StrandId) {
        let execution = &mut self.executions[id];
        execution.record_iteration(now, strand, "MapIterationAborted", "mapIterationAbortedEventDetails");
        let ended = execution.strands.remove(&strand).expect("a running iteration has a strand");
        self.in_flight.retain(|_, waiter| waiter.execution != id || waiter.strand != strand);
        self.drop_unclaimed_work();
        match ended.phase {
            Phase::Nested { child } => self.abort(now, child, None, None),
            Phase::Mapping(mapping) => {
                for inner in mapping.running {
                    self.abort_strand(now, id, inner);
                }
            }
            Phase::Entering | Phase::Waiting | Phase::Backoff | Phase::Working => {}
        }
    }
}

impl Execution {
    fn mapping(&mut self, strand: StrandId) -> &mut Mapping {
        match &mut self.strand(strand).phase {
            Phase::Mapping(mapping) => mapping,
            other => unreachable!("a strand with iterations is mapping, not {other:?}"),
        }
    }

    fn start_iteration(&mut self, now: Timestamp, parent: StrandId, map: &MapState) -> Option<StrandId> {
        let mapping = self.mapping(parent);
        let index = mapping.next;
        if index == mapping.inputs.len() || mapping.running.len() == map.max_concurrency {
            return None;
        }
        let (input, item) = std::mem::take(&mut mapping.inputs[index]);
        mapping.next += 1;
        let iteration = self.next_strand;
        self.next_strand += 1;
        self.mapping(parent).running.push(iteration);
        let last_event = self.strand(parent).last_event;
        let mut strand = Strand::at_start(Arc::clone(&map.processor), input, now);
        strand.last_event = last_event;
        strand.parent = Some(parent);
        strand.item = Some((index, item));
        strand.map_name.clone_from(&self.strand(parent).state);
        self.strands.insert(iteration, strand);
        self.record_iteration(now, iteration, "MapIterationStarted", "mapIterationStartedEventDetails");
        Some(iteration)
    }

    /// Takes an iteration out; answers its Map's strand and its index.
    fn end_iteration(&mut self, iteration: StrandId) -> (StrandId, usize) {
        let ended = self.strands.remove(&iteration).expect("a running iteration has a strand");
        let parent = ended.parent.expect("an iteration has a parent");
        let (index, _) = ended.item.expect("an iteration has an item");
        self.mapping(parent).running.retain(|running| *running != iteration);
        (parent, index)
    }

    fn record_iteration(
        &mut self,
        now: Timestamp,
        iteration: StrandId,
        event_type: &'static str,
        details_name: &'static str,
    ) {
        let strand = self.strand(iteration);
        let index = strand.item.as_ref().map_or(0, |(index, _)| *index);
        let details = json!({ "name": strand.map_name, "index": index });
        self.record(now, iteration, event_type, Some((details_name, details)));
    }
}
