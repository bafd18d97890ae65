//! What Step Functions promises to those who start rollbacks, resumes, migrations and conductors.

use super::on_both_sides;
use super::samples::service;
use super::sides::{OpenExecutions, Side};
use crossfade_actions::ports::{ExecutionStatus, MigrationOrder, RetireOrder, RollBackOrder, Started};
use crossfade_domain::journal::Trigger;
use serde_json::json;

on_both_sides![
    a_rollback_is_started_under_its_name,
    a_start_that_is_repeated_while_it_runs_finds_it,
    a_name_that_was_used_for_something_else_is_taken,
    a_name_of_an_execution_that_is_over_is_taken,
    a_resumed_execution_has_the_arn_that_was_written_before_it_was_started,
    a_stopped_execution_says_why_and_may_be_stopped_again,
    an_unknown_execution_is_missing_and_can_be_stopped,
    a_migration_is_started_under_the_arn_that_its_name_says,
    a_retirement_is_continued_under_the_arn_that_its_name_says,
    a_conductor_has_the_arn_that_was_written_before_it_was_started_and_a_repeated_start_finds_it,
];

const RESUMED: &str = "arn:aws:states:eu-west-1:000000000000:execution:migrate-service:users-1-resume-2";

async fn start(open: &OpenExecutions, name: &str, cause: &str) -> Started {
    let order = RollBackOrder::new(&service("users"), Trigger::Sweep, cause);
    open.executions.start_roll_back(name, &order).await.unwrap()
}

fn arn(started: Started) -> String {
    let Started::New(arn) = started else { panic!("{started:?}") };
    arn
}

async fn a_rollback_is_started_under_its_name(side: Side) {
    let open = side.executions().await;
    let execution = arn(start(&open, "users-1-2", "dead").await);
    assert!(execution.ends_with(":execution:roll-back-service:users-1-2"), "{execution}");
    assert_eq!(open.executions.status(&execution).await.unwrap(), ExecutionStatus::Running);
}

async fn a_start_that_is_repeated_while_it_runs_finds_it(side: Side) {
    let open = side.executions().await;
    let first = start(&open, "users-1-2", "dead").await;
    assert_eq!(start(&open, "users-1-2", "dead").await, first);
}

async fn a_name_that_was_used_for_something_else_is_taken(side: Side) {
    let open = side.executions().await;
    start(&open, "users-1-2", "dead").await;
    assert_eq!(start(&open, "users-1-2", "an alarm").await, Started::Already);
}

async fn a_name_of_an_execution_that_is_over_is_taken(side: Side) {
    let open = side.executions().await;
    let execution = arn(start(&open, "users-1-2", "dead").await);
    open.executions.stop(&execution, "a test").await.unwrap();
    assert_eq!(start(&open, "users-1-2", "dead").await, Started::Already);
}

async fn a_resumed_execution_has_the_arn_that_was_written_before_it_was_started(side: Side) {
    let open = side.executions().await;
    assert_eq!(open.executions.status(RESUMED).await.unwrap(), ExecutionStatus::Missing);
    let started = open.executions.start_resumed(&service("users"), RESUMED).await.unwrap();
    assert_eq!(started, Started::New(RESUMED.to_owned()));
    open.until(RESUMED, ExecutionStatus::Succeeded).await;
    assert_eq!(open.executions.start_resumed(&service("users"), RESUMED).await.unwrap(), Started::Already);
}

async fn a_stopped_execution_says_why_and_may_be_stopped_again(side: Side) {
    let open = side.executions().await;
    let execution = arn(start(&open, "users-1-2", "dead").await);
    for _ in 0..2 {
        open.executions.stop(&execution, "a test").await.unwrap();
        let (error, cause) = (Some("Stopped".to_owned()), Some("a test".to_owned()));
        assert_eq!(open.executions.status(&execution).await.unwrap(), ExecutionStatus::Stopped { error, cause });
    }
}

async fn an_unknown_execution_is_missing_and_can_be_stopped(side: Side) {
    let open = side.executions().await;
    assert_eq!(open.executions.status(RESUMED).await.unwrap(), ExecutionStatus::Missing);
    open.executions.stop(RESUMED, "a test").await.unwrap();
    assert_eq!(open.executions.status(RESUMED).await.unwrap(), ExecutionStatus::Missing);
}

async fn a_migration_is_started_under_the_arn_that_its_name_says(side: Side) {
    let open = side.executions().await;
    let named = open.executions.migration_execution("users-fleet-1-1").unwrap();
    assert_eq!(named, "arn:aws:states:eu-west-1:000000000000:execution:migrate-service:users-fleet-1-1");
    assert_eq!(open.executions.status(&named).await.unwrap(), ExecutionStatus::Missing);
    let started =
        open.executions.start_migration("users-fleet-1-1", &MigrationOrder::in_turn(&service("users"))).await.unwrap();
    assert_eq!(started, Started::New(named.clone()));
    open.until(&named, ExecutionStatus::Succeeded).await;
    let again =
        open.executions.start_migration("users-fleet-1-1", &MigrationOrder::in_turn(&service("users"))).await.unwrap();
    assert_eq!(again, Started::Already, "a start that is repeated starts no second migration");
}

async fn a_retirement_is_continued_under_the_arn_that_its_name_says(side: Side) {
    let open = side.executions().await;
    let named = open.executions.retirement_execution("users-retirement-1-9").unwrap();
    assert_eq!(named, "arn:aws:states:eu-west-1:000000000000:execution:retire-service:users-retirement-1-9");
    assert_eq!(open.executions.status(&named).await.unwrap(), ExecutionStatus::Missing);
    let order = RetireOrder::to_continue(&service("users"));
    assert_eq!(order.input(), json!({"service": "users", "command": "continue", "who": "sweep-migrations"}));
    let started = open.executions.start_retirement("users-retirement-1-9", &order).await.unwrap();
    assert_eq!(started, Started::New(named.clone()));
    open.until(&named, ExecutionStatus::Succeeded).await;
    let again = open.executions.start_retirement("users-retirement-1-9", &order).await.unwrap();
    assert_eq!(again, Started::Already, "of two sweeps one continues it");
}

async fn a_conductor_has_the_arn_that_was_written_before_it_was_started_and_a_repeated_start_finds_it(side: Side) {
    let open = side.executions().await;
    let conductor = "arn:aws:states:eu-west-1:000000000000:execution:migrate-fleet:eks-1-2";
    assert_eq!(open.executions.status(conductor).await.unwrap(), ExecutionStatus::Missing);
    for _ in 0..2 {
        let started = open.executions.start_conductor("eks", conductor).await.unwrap();
        assert_eq!(started, Started::New(conductor.to_owned()));
        assert_eq!(open.executions.status(conductor).await.unwrap(), ExecutionStatus::Running);
    }
    assert_eq!(open.executions.start_conductor("other", conductor).await.unwrap(), Started::Already);
    open.executions.stop(conductor, "a test").await.unwrap();
    assert_eq!(open.executions.start_conductor("eks", conductor).await.unwrap(), Started::Already);
}
