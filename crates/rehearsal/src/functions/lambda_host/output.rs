//! The functions' output: the last lines in memory, and all of it in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// How many lines of a function to keep in memory.
const KEPT_LINES: usize = 200;
/// How many lines an error message quotes.
const QUOTED_LINES: usize = 20;

/// The output of all instances of a function.
pub(super) struct Output {
    file: Option<PathBuf>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    open_file: Option<File>,
}

impl Output {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, kept: Mutex::default() }
    }

    /// Reads a stream of an instance until it ends.
    pub(super) async fn follow(&self, instance: u64, stream: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stream).lines();
        loop {
            match lines.next_line().await {
                Ok(Some(line)) => self.keep(instance, line),
                Ok(None) => return,
                Err(error) => self.keep(instance, format!("(a line that is not text: {error})")),
            }
        }
    }

    pub(super) fn last_lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    /// Returns the last lines, for the end of an error message; empty if there are none.
    pub(super) fn quoted(&self) -> String {
        let kept = self.lock();
        if kept.lines.is_empty() {
            return String::new();
        }
        let skipped = kept.lines.len().saturating_sub(QUOTED_LINES);
        let lines: Vec<&str> = kept.lines.iter().skip(skipped).map(String::as_str).collect();
        format!("; it wrote: {}", lines.join(" | "))
    }

    fn keep(&self, instance: u64, line: String) {
        let mut kept = self.lock();
        if let Some(path) = &self.file {
            if kept.open_file.is_none() {
                kept.open_file = File::options().create(true).append(true).open(path).ok();
            }
            if let Some(file) = &mut kept.open_file {
                // A full disk must not end a rehearsal. The last lines are still in memory.
                let _ = writeln!(file, "{instance} {line}");
            }
        }
        if kept.lines.len() == KEPT_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
