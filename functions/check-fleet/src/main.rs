//! The `check-fleet` function.

use crossfade_actions::functions::check_fleet::check_fleet;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-fleet", check_fleet).await
}
