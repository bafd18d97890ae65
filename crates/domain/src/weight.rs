//! The new cluster's share of a route, and the integers by which a load balancer expresses it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The greatest weight of a group in a forward action.
pub const GREATEST_WEIGHT: u16 = 999;

/// The new cluster's share, in percent of what the old group had of a route's traffic: 0 to 100, down to 0.1.
///
/// It is stored in tenths of a percent, so equality and order are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Weight(u16);

/// A number that is no weight.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("weight {0}: expected 0 to 100, in steps of 0.1")]
pub struct WeightError(pub f64);

impl Weight {
    /// No traffic goes to the new cluster.
    pub const ZERO: Self = Self(0);
    /// All of it does.
    pub const FULL: Self = Self(1000);

    /// Takes a percentage: 0 to 100, in steps of 0.1.
    pub fn try_new(percent: f64) -> Result<Self, WeightError> {
        let tenths = (percent * 10.0).round();
        let exact = (percent * 10.0 - tenths).abs() < 1e-6;
        if exact && (0.0..=1000.0).contains(&tenths) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 was just checked")]
            Ok(Self(tenths as u16))
        } else {
            Err(WeightError(percent))
        }
    }

    /// The weight in percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// The weight in tenths of a percent: 0 to 1000.
    pub const fn tenths(self) -> u16 {
        self.0
    }
}

impl TryFrom<f64> for Weight {
    type Error = WeightError;
    fn try_from(percent: f64) -> Result<Self, WeightError> {
        Self::try_new(percent)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> Self {
        weight.percent()
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{} %", self.0 / 10)
        } else {
            write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
        }
    }
}

/// The integers that a route's forward action carries at one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepWeights {
    /// Weight of the old group, 0 to 999.
    pub old: u16,
    /// Weight of the new group, 0 to 999.
    pub new: u16,
    /// The factor for the weights of the action's other groups, which puts both sides on one scale.
    pub scale: u16,
}

impl StepWeights {
    /// Splits the weight of a group that is alone in its action, in tenths of a percent: (1000 - t, t). 0 and 100 are
    /// exact: (999, 0) and (0, 999).
    pub(crate) fn alone(weight: Weight) -> Self {
        let (old, new) = match weight.tenths() {
            0 => (GREATEST_WEIGHT, 0),
            1000 => (0, GREATEST_WEIGHT),
            tenths => (1000 - tenths, tenths),
        };
        Self { old, new, scale: 1 }
    }

    /// Splits the weight `old` of a group that shares its action with others, of which `greatest` is the greatest
    /// weight. Every weight is first multiplied by `scale`, the greatest whole number that keeps all of them within
    /// 999. So the others keep their share exactly, and ours is within 0.1 point of the route's traffic.
    pub(crate) fn among_others(weight: Weight, old: u16, greatest: u16) -> Self {
        let scale = (GREATEST_WEIGHT / greatest.max(1)).max(1);
        let pair = scale * old;
        let new = u16::try_from((u32::from(pair) * u32::from(weight.tenths()) + 500) / 1000)
            .expect("a share of a weight is no greater than the weight");
        Self { old: pair - new, new, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tenths_between_0_and_100_are_weights() {
        for good in [0.0, 0.1, 0.3, 1.0, 33.3, 99.9, 100.0] {
            assert!((Weight::try_new(good).unwrap().percent() - good).abs() < 1e-9);
        }
        for bad in [-0.1, 0.05, 100.1, 101.0, f64::NAN, f64::INFINITY] {
            assert!(Weight::try_new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn weights_read_as_people_write_them() {
        assert_eq!(Weight::try_new(5.0).unwrap().to_string(), "5 %");
        assert_eq!(Weight::try_new(0.1).unwrap().to_string(), "0.1 %");
    }
}
