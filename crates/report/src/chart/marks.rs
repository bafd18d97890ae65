//! Marks at moments: a shape for each kind, so that no one has to tell colours apart.

use super::time_axis::TimeAxis;
use jiff::Timestamp;
use maud::{Markup, html};

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MarkKind {
    /// A gate let the migration continue.
    Continue,
    /// A gate kept the weight.
    Hold,
    /// A gate, or a failure, sent the traffic back.
    Back,
    /// It stopped; a person decides.
    Halt,
    /// A person asked for something.
    Person,
}

impl MarkKind {
    /// All of them, in the order of a legend.
    pub(crate) const ALL: [Self; 5] = [Self::Continue, Self::Hold, Self::Back, Self::Halt, Self::Person];

    /// Its name in a legend.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Continue => "gates: continue",
            Self::Hold => "gates: hold",
            Self::Back => "roll back",
            Self::Halt => "halt",
            Self::Person => "command",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Continue => "mark good",
            Self::Hold => "mark warn",
            Self::Back | Self::Halt => "mark bad",
            Self::Person => "mark person",
        }
    }

    /// Around the origin, 12 units wide.
    fn path(self) -> &'static str {
        match self {
            Self::Continue => "M0-6 6 5-6 5Z",
            Self::Hold => "M-5-5H-1V5H-5ZM1-5H5V5H1Z",
            Self::Back => "M0 6 6-5-6-5Z",
            Self::Halt => "M-5-5H5V5H-5Z",
            Self::Person => "M0-6 6 0 0 6-6 0Z",
        }
    }

    /// The shape alone.
    pub(crate) fn shape(self) -> Markup {
        html! { path class=(self.class()) d=(self.path()) {} }
    }
}

/// Something that happened at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    pub(crate) kind: MarkKind,
    pub(crate) text: String,
}

/// Marks in two lanes, gates above people, from `top` on. Of marks of a kind that would cover each other, one is drawn:
/// the table has all of them.
pub(crate) fn drawn(marks: &[Mark], axis: TimeAxis, top: f64) -> Markup {
    let mut drawn: Vec<(&Mark, f64)> = Vec::new();
    for mark in marks {
        let percent = axis.percent(mark.at);
        let is_covered = |(other, place): &(&Mark, f64)| other.kind == mark.kind && (percent - place).abs() < 1.2;
        if !drawn.iter().any(is_covered) {
            drawn.push((mark, percent));
        }
    }
    html! {
        g {
            @for (mark, percent) in drawn {
                @let y = top + if mark.kind == MarkKind::Person { 18.0 } else { 0.0 };
                svg x=(format!("{percent:.2}%")) y=(y) width="1" height="1" overflow="visible" {
                    title { (mark.kind.name()) ": " (mark.text) }
                    (mark.kind.shape())
                }
            }
        }
    }
}

/// The kinds that occur, for the legend.
pub(crate) fn legend(marks: &[Mark]) -> Markup {
    let occurs = |kind: &MarkKind| marks.iter().any(|mark| mark.kind == *kind);
    html! {
        @for kind in MarkKind::ALL.into_iter().filter(occurs) {
            li { svg viewBox="-16 -7 32 14" aria-hidden="true" { (kind.shape()) } (kind.name()) }
        }
    }
}
