//! The `react-to-alarm` function.

fn main() {}
