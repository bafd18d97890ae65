//! The `sweep-migrations` function.

use crossfade_actions::functions::sweep_migrations::sweep_migrations;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("sweep-migrations", sweep_migrations).await
}
