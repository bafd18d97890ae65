//! The `check-alarms` function.

fn main() {}
