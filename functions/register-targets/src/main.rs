//! The `register-targets` function.

use crossfade_actions::functions::register_targets::register_targets;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("register-targets", register_targets).await
}
