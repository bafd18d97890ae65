//! The `create-target-group` function.

use crossfade_actions::functions::create_target_group::create_target_group;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("create-target-group", create_target_group)
}
