//! The `roll-back` function.

use crossfade_actions::functions::roll_back::roll_back;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("roll-back", roll_back).await
}
