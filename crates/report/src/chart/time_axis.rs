//! The time axis that charts share.

use crate::words::number;
use jiff::Timestamp;
use maud::{Markup, html};

/// Lengths between two ticks, in seconds.
const STEPS: [i64; 16] =
    [10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];
/// At most so many ticks fit on a narrow screen.
const MOST_TICKS: i64 = 5;

/// From one time to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeAxis {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl TimeAxis {
    /// An axis of at least a second, or there would be nothing to draw on.
    pub(crate) fn new(from: Timestamp, to: Timestamp) -> Self {
        let least = from.as_second() + 1;
        Self { from, to: Timestamp::from_second(least).map_or(to, |least| to.max(least)) }
    }

    /// A time in percent of the width.
    pub(crate) fn percent(self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        (100.0 * at.duration_since(self.from).as_secs_f64() / whole).clamp(0.0, 100.0)
    }

    /// The same as the value of an attribute.
    pub(crate) fn at(self, at: Timestamp) -> String {
        format!("{:.2}%", self.percent(at))
    }

    fn ticks(self) -> Vec<Timestamp> {
        let (from, to) = (self.from.as_second(), self.to.as_second());
        let step = STEPS.into_iter().find(|step| (to - from) / step < MOST_TICKS);
        let step = step.unwrap_or((to - from) / MOST_TICKS + 1);
        let first = from + (step - from.rem_euclid(step)).rem_euclid(step);
        let seconds = (0..=MOST_TICKS).map(|tick| first + tick * step).filter(|second| *second <= to);
        seconds.filter_map(|second| Timestamp::from_second(second).ok()).collect()
    }

    /// Vertical lines, and the times under them; `bottom` is where the lines end.
    pub(crate) fn drawn(self, bottom: f64) -> Markup {
        let ticks = self.ticks();
        let days = ticks.iter().map(|tick| tick.strftime("%F").to_string());
        let is_one_day = days.clone().min() == days.max();
        let seconds = self.to.duration_since(self.from).as_secs();
        let format = match (is_one_day, seconds) {
            (true, ..120) => "%H:%M:%S",
            (true, _) => "%H:%M",
            (false, ..432_000) => "%-d %b %H:%M",
            (false, _) => "%-d %b",
        };
        html! {
            g aria-hidden="true" {
                @for tick in ticks {
                    @let percent = self.percent(tick);
                    line class="grid" x1=(self.at(tick)) x2=(self.at(tick)) y1="0" y2=(number(bottom)) {}
                    text x=(self.at(tick)) y=(number(bottom + 16.0)) text-anchor=(anchor(percent)) {
                        (tick.strftime(format).to_string())
                    }
                }
            }
        }
    }
}

/// Text near an edge stays inside.
pub(crate) fn anchor(percent: f64) -> &'static str {
    match percent {
        ..6.0 => "start",
        94.0.. => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_times_and_few() {
        let axis = |from: &str, to: &str| TimeAxis::new(from.parse().unwrap(), to.parse().unwrap());
        let ticks = |axis: TimeAxis| axis.ticks().iter().map(ToString::to_string).collect::<Vec<_>>();
        let hour = ticks(axis("2026-11-28T14:05:10Z", "2026-11-28T15:01:00Z"));
        assert_eq!(
            hour,
            ["2026-11-28T14:15:00Z", "2026-11-28T14:30:00Z", "2026-11-28T14:45:00Z", "2026-11-28T15:00:00Z"]
        );
        for to in ["2026-11-28T14:05:10Z", "2026-11-28T14:05:50Z", "2026-12-01T00:00:00Z", "2030-01-01T00:00:00Z"] {
            let found = ticks(axis("2026-11-28T14:05:10Z", to));
            assert!(found.len() <= 6, "{to}: {found:?}");
        }
        assert_eq!(
            axis("2026-11-28T14:00:00Z", "2026-11-28T15:00:00Z").at("2026-11-28T14:15:00Z".parse().unwrap()),
            "25.00%"
        );
    }
}
