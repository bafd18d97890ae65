//! The `plan-migration` function.

fn main() {}
