//! The `check-idle` function.

use crossfade_actions::functions::retire::check_idle::check_idle;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-idle", check_idle).await
}
