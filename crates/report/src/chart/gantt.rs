//! What was when, a row for each.

use super::time_axis::TimeAxis;
use crate::words::number;
use jiff::Timestamp;
use maud::{Markup, html};

const ROW: f64 = 36.0;
const BAR: f64 = 12.0;
const BELOW: f64 = 24.0;

/// How a bar is filled, and shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// On its way to the new cluster: a full bar.
    Up,
    /// On the new cluster: a full bar, green.
    Done,
    /// On its way back: half as high.
    Back,
    /// Stopped or failed: a thin line.
    Rest,
}

impl Fill {
    /// All of them with their names.
    const ALL: [(Self, &'static str); 4] = [
        (Self::Up, "moves to the new cluster"),
        (Self::Done, "is on the new cluster"),
        (Self::Back, "goes back"),
        (Self::Rest, "has failed or waits for a person"),
    ];

    fn class(self) -> &'static str {
        match self {
            Self::Up => "bar new",
            Self::Done => "bar good",
            Self::Back => "bar warn",
            Self::Rest => "bar bad",
        }
    }

    /// Its height, and how far below the top of a full bar it begins.
    fn place(self) -> (f64, f64) {
        match self {
            Self::Up => (BAR, 0.0),
            Self::Done => (BAR / 2.0, BAR / 2.0),
            Self::Back => (BAR / 2.0, 0.0),
            Self::Rest => (3.0, (BAR - 3.0) / 2.0),
        }
    }
}

/// From a time to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) fill: Fill,
    pub(crate) name: String,
}

/// One row, with its name above its bars.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bars: Vec<Bar>,
}

/// A chart.
pub(crate) struct Gantt<'a> {
    pub(crate) id: String,
    pub(crate) caption: &'a str,
    pub(crate) description: String,
    pub(crate) axis: TimeAxis,
    pub(crate) rows: Vec<Row>,
    /// Its numbers.
    pub(crate) table: Markup,
}

impl Gantt<'_> {
    pub(crate) fn drawn(&self) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let tops: Vec<f64> =
            std::iter::successors(Some(0.0), |top| Some(top + ROW)).take(self.rows.len() + 1).collect();
        let bottom = tops.last().copied().unwrap_or_default();
        html! {
            figure {
                figcaption { (self.caption) }
                ul class="legend" {
                    @for (fill, name) in Fill::ALL {
                        @let (height, below) = fill.place();
                        li {
                            svg viewBox="0 0 32 14" aria-hidden="true" {
                                rect class=(fill.class()) x="0" width="32" y=(number(below + 1.0))
                                    height=(number(height)) {}
                            }
                            (name)
                        }
                    }
                }
                svg class="chart" role="img" aria-labelledby=(title) aria-describedby=(description)
                    height=(number(bottom + BELOW)) {
                    title id=(title) { (self.caption) }
                    desc id=(description) { (self.description) }
                    (self.axis.drawn(bottom))
                    @for (row, top) in self.rows.iter().zip(&tops) {
                        text class="name" x="2" y=(number(top + 14.0)) { (row.name) }
                        @for bar in &row.bars { (self.bar(bar, *top)) }
                    }
                }
                (self.table)
            }
        }
    }

    fn bar(&self, bar: &Bar, top: f64) -> Markup {
        let (height, below) = bar.fill.place();
        // What was over at once is still seen.
        let width = (self.axis.percent(bar.to) - self.axis.percent(bar.from)).max(0.3);
        html! {
            rect class=(bar.fill.class()) x=(self.axis.at(bar.from)) width=(format!("{width:.2}%"))
                y=(number(top + 19.0 + below)) height=(number(height)) {
                title { (bar.name) }
            }
        }
    }
}
