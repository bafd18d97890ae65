//! The `finish-migration` function.

use crossfade_actions::functions::finish_migration::finish_migration;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("finish-migration", finish_migration).await
}
