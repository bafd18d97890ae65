//! What happened in a run, line by line, for whoever has to understand a failure.

use jiff::Timestamp;

/// Kept only when somebody will read it.
#[derive(Default)]
pub(crate) struct RunLog {
    kept: bool,
    begun: Option<Timestamp>,
    lines: Vec<String>,
}

impl RunLog {
    pub(super) fn kept() -> Self {
        Self { kept: true, ..Self::default() }
    }

    pub(super) fn tell(&mut self, now: Timestamp, line: impl FnOnce() -> String) {
        if self.kept {
            let begun = *self.begun.get_or_insert(now);
            self.lines.push(format!("{:9.3} s  {}", now.duration_since(begun).as_secs_f64(), line()));
        }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}
