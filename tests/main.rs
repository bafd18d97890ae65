//! One integration-test binary; a module for each subject.

mod repository;

mod state_machines;
mod template;
mod tidy;
