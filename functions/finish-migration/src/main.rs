//! The `finish-migration` function.

use crossfade_actions::functions::finish_migration::finish_migration;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("finish-migration", finish_migration)
}
