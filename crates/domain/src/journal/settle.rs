//! How long a rollback settles: until no writer of an earlier generation can be alive (invariant 7).

/// The longest that a function which writes to a load balancer may run, in seconds; the template sets the same number.
pub const WRITER_TIMEOUT_SECONDS: u32 = 60;
/// The pause between a rollback and its verification: the longest writer plus 30 s.
pub const SETTLE_SECONDS: u32 = WRITER_TIMEOUT_SECONDS + 30;
