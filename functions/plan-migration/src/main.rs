//! The `plan-migration` function.

use crossfade_actions::functions::plan_migration::plan_migration;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("plan-migration", plan_migration)
}
