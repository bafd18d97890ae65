//! The `create-target-group` function.

fn main() {}
