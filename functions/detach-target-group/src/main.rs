//! The `detach-target-group` function.

use crossfade_actions::functions::retire::detach_target_group::detach_target_group;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("detach-target-group", detach_target_group)
}
