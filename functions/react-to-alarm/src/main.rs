//! The `react-to-alarm` function.

use crossfade_actions::functions::react_to_alarm::react_to_alarm;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("react-to-alarm", react_to_alarm).await
}
