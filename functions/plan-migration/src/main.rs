//! The `plan-migration` function.

use crossfade_actions::functions::plan_migration::plan_migration;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("plan-migration", plan_migration).await
}
