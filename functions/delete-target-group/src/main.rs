//! The `delete-target-group` function.

use crossfade_actions::functions::retire::delete_target_group::delete_target_group;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("delete-target-group", delete_target_group)
}
