//! Step Functions: a strict engine for the portable subset of the States Language, and for nothing else.
//!
//! A machine that it accepts means the same on AWS and on every interpreter we know; everything else is refused with
//! the JSON path and the reason. The engine is synchronous and has no clock: the caller says what time it is, takes the
//! functions that are to be invoked and hands back their results.

mod choice;
mod closing;
mod definition;
mod engine;
mod execution;
mod failure;
mod graph;
mod map;
mod parse;
mod path;
mod problems;
mod recovery;
mod run;
mod task;
mod template;

pub use definition::{Kind, Machine, MapState, Scope, State, Task, Transition};
pub use engine::{Page, RefusedCall, StepFunctions, StoredMachine, TaskError, TaskId, Work};
pub use execution::size::MOST_PAYLOAD_BYTES;
pub use execution::{Description, HistoryEvent, MOST_EVENTS, Status};
pub use problems::{InvalidDefinition, Problem};
