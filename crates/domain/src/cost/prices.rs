//! List prices, and how many transitions and invocations there are. Each says what it counts.

/// USD for one state transition of a Standard workflow (us-east-1, eu-west-1).
pub const USD_PER_TRANSITION: f64 = 0.000_025;
/// USD for one metric of `GetMetricData`.
pub const USD_PER_METRIC: f64 = 0.000_01;
/// USD for one invocation of half a second, on arm64 with 256 MB.
pub const USD_PER_INVOCATION: f64 = 0.000_000_2 + 0.25 * 0.5 * 0.000_013_333_4;
/// Transitions before the first shift, with two waits for targets, and after the last bake.
pub const TRANSITIONS_AROUND: u32 = 18;
/// Transitions of a shift.
pub const TRANSITIONS_OF_A_SHIFT: u32 = 2;
/// Transitions of a slice: wait, check, choice.
pub const TRANSITIONS_OF_A_SLICE: u32 = 3;
/// Invocations before the first shift and after the last bake.
pub const INVOCATIONS_AROUND: u32 = 8;
