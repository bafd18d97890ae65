//! One integration-test binary; a module for each subject.

mod repository;

mod state_machines;
mod states_engine;
mod template;
mod tidy;
