//! Charts in SVG. Everything is placed in percent of the width, and only lines are stretched, so text keeps its size on
//! every screen.

pub(crate) mod gantt;
pub(crate) mod marks;
pub(crate) mod steps;
mod time_axis;

pub(crate) use time_axis::TimeAxis;
