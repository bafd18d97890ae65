//! The `create-guard-alarms` function.

use crossfade_actions::functions::create_guard_alarms::create_guard_alarms;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("create-guard-alarms", create_guard_alarms)
}
