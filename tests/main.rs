//! One integration-test binary; a module for each subject.

#![expect(clippy::unwrap_used, reason = "everything here is a test: an unwrap is an assertion")]

mod aws_world;
mod contract;
mod repository;
mod stories;

mod bad_input;
mod command_line;
mod compatibility;
mod fleets;
mod fuzz;
mod github_action;
mod hook_example;
mod judge_replay;
mod lambda_host;
mod least_privilege;
mod links;
mod policy_page;
mod readme;
mod rehearse;
mod retiring;
mod scenario_page;
mod second_opinions;
mod simulation;
mod state_machines;
mod states_engine;
mod stepfunctions_api;
mod template;
mod tidy;
