//! The `check-alarms` function.

use crossfade_actions::functions::check_alarms::check_alarms;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-alarms", check_alarms)
}
