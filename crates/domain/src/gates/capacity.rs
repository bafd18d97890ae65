//! Capacity: enough healthy targets on the old side to take all traffic back.

/// Whether an old target group could take all traffic back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityVerdict {
    /// Whether it could.
    pub enough: bool,
    /// How many healthy targets are needed for that.
    pub needed: u32,
    /// The counts, as an operator reads them.
    pub reason: String,
}

/// Compares the healthy targets of an old group with the share (in percent) of those it had when the plan was made.
/// At least one is always needed.
pub fn capacity_verdict(planned_healthy: u32, share_percent: u8, healthy_now: u32) -> CapacityVerdict {
    let needed = u64::from(planned_healthy) * u64::from(share_percent);
    let needed = u32::try_from(needed.div_ceil(100)).unwrap_or(u32::MAX).max(1);
    CapacityVerdict {
        enough: healthy_now >= needed,
        needed,
        reason: format!("{healthy_now} healthy targets, {needed} needed ({share_percent} % of {planned_healthy})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_side_keeps_its_share_of_what_it_had() {
        #[track_caller]
        fn check(planned: u32, share: u8, now: u32, enough: bool, needed: u32) {
            let verdict = capacity_verdict(planned, share, now);
            assert_eq!((verdict.enough, verdict.needed), (enough, needed), "{}", verdict.reason);
        }
        check(3, 100, 3, true, 3);
        check(3, 100, 2, false, 3);
        check(3, 50, 2, true, 2);
        check(3, 50, 1, false, 2);
        check(10, 1, 1, true, 1);
        check(0, 100, 0, false, 1);
    }
}
