//! The `react-to-alarm` function.

use crossfade_actions::functions::react_to_alarm::react_to_alarm;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("react-to-alarm", react_to_alarm)
}
