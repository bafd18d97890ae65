//! The `detach-target-group` function.

use crossfade_actions::functions::retire::detach_target_group::detach_target_group;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("detach-target-group", detach_target_group).await
}
