//! Deterministic ids and the ARNs made of them.

/// The region of the local world.
pub const REGION: &str = "eu-west-1";
/// The account of the local world.
pub const ACCOUNT: &str = "000000000000";

/// Gives out ids of 16 hexadecimal digits, as ELB does, the same ones for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Identities {
    seed: u64,
    given: u64,
}

impl Identities {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, given: 0 }
    }

    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        format!("{:016x}", scramble(self.seed ^ self.given.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// The finaliser of `SplitMix64`: a bijection, so no two ids of a world are equal.
fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

pub(super) fn arn(resource: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{resource}")
}

/// `listener/app/x/1/2` from `loadbalancer/app/x/1`, `listener-rule/app/x/1/2/3` from `listener/app/x/1/2`.
pub(super) fn child_arn(parent: &str, parent_kind: &str, kind: &str, id: &str) -> String {
    format!("{}/{id}", parent.replacen(&format!(":{parent_kind}/"), &format!(":{kind}/"), 1))
}

/// The last part of an ARN.
pub(super) fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
