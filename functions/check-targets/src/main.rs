//! The `check-targets` function.

fn main() {}
