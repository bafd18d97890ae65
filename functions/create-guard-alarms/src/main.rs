//! The `create-guard-alarms` function.

use crossfade_actions::functions::create_guard_alarms::create_guard_alarms;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("create-guard-alarms", create_guard_alarms).await
}
