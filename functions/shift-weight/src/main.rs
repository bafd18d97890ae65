//! The `shift-weight` function.

fn main() {}
