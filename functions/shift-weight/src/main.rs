//! The `shift-weight` function.

use crossfade_actions::functions::shift_weight::shift_weight;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("shift-weight", shift_weight).await
}
