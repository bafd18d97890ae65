//! Values over time as step lines: each holds until the next one.

use super::marks::{self, Mark};
use super::time_axis::TimeAxis;
use crate::words::number;
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write as _;

/// The height of the part with the lines.
const HEIGHT: f64 = 180.0;
/// Room for marks and for the times.
const BELOW: f64 = 24.0;
const LANES: f64 = 44.0;
/// Lines have a point for each of so many columns, and keep the least and the greatest value of each.
const COLUMNS: f64 = 720.0;

/// A line.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// `new`, `old` or `plain`; with `dashed` or `dotted`.
    pub(crate) class: &'static str,
    /// In the order of time.
    pub(crate) points: Vec<(Timestamp, f64)>,
}

/// A chart.
pub(crate) struct Steps<'a> {
    pub(crate) id: String,
    pub(crate) caption: &'a str,
    /// What a reader who does not see it should know.
    pub(crate) description: String,
    pub(crate) axis: TimeAxis,
    /// The greatest value.
    pub(crate) most: f64,
    pub(crate) unit: &'a str,
    pub(crate) lines: Vec<Line>,
    pub(crate) marks: &'a [Mark],
    /// Its numbers.
    pub(crate) table: Markup,
}

impl Steps<'_> {
    pub(crate) fn drawn(&self) -> Markup {
        let lanes = if self.marks.is_empty() { 0.0 } else { LANES };
        let height = number(HEIGHT + lanes + BELOW);
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            figure {
                figcaption { (self.caption) }
                (self.legend())
                svg class="chart" role="img" aria-labelledby=(title) aria-describedby=(description) height=(height) {
                    title id=(title) { (self.caption) }
                    desc id=(description) { (self.description) }
                    (self.axis.drawn(HEIGHT + lanes))
                    (self.grid())
                    svg x="0" y="0" width="100%" height=(number(HEIGHT)) viewBox="0 0 1000 100"
                        preserveAspectRatio="none" {
                        @for line in &self.lines {
                            path class={ "line " (line.class) } vector-effect="non-scaling-stroke"
                                d=(self.path(&line.points)) {}
                        }
                    }
                    (marks::drawn(self.marks, self.axis, HEIGHT + 16.0))
                }
                (self.table)
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            ul class="legend" {
                @for line in &self.lines {
                    li {
                        svg viewBox="0 0 32 14" aria-hidden="true" {
                            path class={ "line " (line.class) } d="M0 7H32" {}
                        }
                        (line.name)
                    }
                }
                (marks::legend(self.marks))
            }
        }
    }

    /// Horizontal lines with their values, above them at the left edge.
    fn grid(&self) -> Markup {
        html! {
            g aria-hidden="true" {
                @for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
                    @let y = HEIGHT * (1.0 - quarter);
                    line class="grid" x1="0" x2="100%" y1=(number(y)) y2=(number(y)) {}
                    @if quarter > 0.0 {
                        text x="2" y=(number(y + 13.0)) { (scale(self.most * quarter)) (self.unit) }
                    }
                }
            }
        }
    }

    /// A path in a box of 1000 by 100.
    fn path(&self, points: &[(Timestamp, f64)]) -> String {
        let mut path = String::new();
        for (at, value) in thinned(points, self.axis) {
            let x = self.axis.percent(at) * 10.0;
            let y = 100.0 * (1.0 - (value / self.most).clamp(0.0, 1.0));
            let written = if path.is_empty() { write!(path, "M{x:.1} {y:.1}") } else { write!(path, "H{x:.1}V{y:.1}") };
            written.expect("writing to a string succeeds");
        }
        if !path.is_empty() {
            path.push_str("H1000");
        }
        path
    }
}

/// A value of the scale.
fn scale(value: f64) -> String {
    if value > 0.0 && value < 1.0 { format!("{value:.2}") } else { number(value) }
}

/// A greatest value that reads well and is no less than `most`.
pub(crate) fn round_up(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * magnitude).find(|round| *round >= most).unwrap_or(most)
}

/// The first, the least, the greatest and the last value of each column, in their order.
fn thinned(points: &[(Timestamp, f64)], axis: TimeAxis) -> Vec<(Timestamp, f64)> {
    let column = |at: Timestamp| (axis.percent(at) / 100.0 * COLUMNS).floor();
    let mut kept = Vec::new();
    for column in points.chunk_by(|one, other| column(one.0).total_cmp(&column(other.0)).is_eq()) {
        let by_value = |one: &&(Timestamp, f64), other: &&(Timestamp, f64)| one.1.total_cmp(&other.1);
        let mut of_column: Vec<(Timestamp, f64)> =
            [column.first(), column.iter().min_by(by_value), column.iter().max_by(by_value), column.last()]
                .into_iter()
                .flatten()
                .copied()
                .collect();
        of_column.sort_by_key(|(at, _)| *at);
        of_column.dedup();
        kept.extend(of_column);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_extremes() {
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let peak = 54_321;
        let points: Vec<(Timestamp, f64)> =
            (0..100_000).map(|at| (second(at), if at == peak { 99.0 } else { 1.0 })).collect();
        let kept = thinned(&points, TimeAxis::new(second(0), second(100_000)));
        assert!(kept.len() <= 4 * 721, "{}", kept.len());
        assert!(kept.contains(&(second(peak), 99.0)));
        assert!(kept.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_scale_ends_at_a_round_number() {
        for (most, expected) in [(0.0, 1.0), (0.3, 0.4), (1.0, 1.0), (7.0, 8.0), (99.0, 100.0), (1_234.0, 2_000.0)] {
            assert!((round_up(most) - expected).abs() < 1e-9, "{most}: {}", round_up(most));
        }
    }
}
