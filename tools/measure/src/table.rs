//! The table, in Markdown, and the goals.

use crate::process::Measured;
use std::fmt::Write as _;
use std::time::Duration;

/// What a function may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many times as long as `hello-world` to its first poll. Compared are the best starts: the others say what
    /// else the machine did.
    longest_start: f64,
    /// Bytes that are resident until then.
    most_memory: u64,
    /// Bytes of the zip file.
    largest_zip: u64,
}

/// What is aimed at.
pub(crate) const GOALS: Limits = Limits { longest_start: 1.5, most_memory: 12_000_000, largest_zip: 2_600_000 };
/// What it is, with a tenth to spare for size and more for time on a loaded machine: a change that makes it worse is
/// noticed.
pub(crate) const BOUNDS: Limits = Limits { longest_start: 2.5, most_memory: 12_000_000, largest_zip: 5_100_000 };

/// The table and, in words, every limit that was missed. The first row is what the others are compared with.
pub(crate) fn of(measured: &[(String, Measured)], limits: Limits) -> (String, Vec<String>) {
    let Limits { longest_start, most_memory, largest_zip } = limits;
    let mut text = String::from(
        "| binary | start, best (ms) | start, median (ms) | of hello-world | peak memory (MB) | size (MB) | zipped \
         (MB) |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut missed = Vec::new();
    let Some((_, hello)) = measured.first() else { return (text, missed) };
    for (index, (name, one)) in measured.iter().enumerate() {
        let ratio = one.best.as_secs_f64() / hello.best.as_secs_f64();
        let (memory, size, zip) = (megabytes(one.peak_memory), megabytes(one.size), megabytes(one.zipped));
        let (best, median) = (milliseconds(one.best), milliseconds(one.median));
        let _infallible =
            writeln!(text, "| `{name}` | {best:.1} | {median:.1} | {ratio:.2} | {memory:.1} | {size:.2} | {zip:.2} |");
        if index == 0 {
            continue;
        }
        if ratio > longest_start {
            missed.push(format!("{name} starts in {ratio:.2} times the time of hello-world, at most {longest_start}"));
        }
        if one.peak_memory > most_memory {
            missed.push(format!("{name} needs {memory:.1} MB, at most {:.1}", megabytes(most_memory)));
        }
        if one.zipped > largest_zip {
            missed.push(format!("{name} is {zip:.2} MB zipped, at most {:.1}", megabytes(largest_zip)));
        }
    }
    (text, missed)
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files are far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(best: u64, memory: u64, zipped: u64) -> Measured {
        let (best, median) = (Duration::from_millis(best), Duration::from_millis(best + 1));
        Measured { best, median, peak_memory: memory, size: 5_000_000, zipped }
    }

    #[test]
    fn every_goal_that_is_missed_is_said() {
        let hello = ("hello-world".to_owned(), measured(4, 4_000_000, 600_000));
        let good = ("roll-back".to_owned(), measured(6, 7_000_000, 2_400_000));
        let (text, missed) = of(&[hello.clone(), good], GOALS);
        assert!(text.ends_with("| `roll-back` | 6.0 | 7.0 | 1.50 | 7.0 | 5.00 | 2.40 |\n"), "{text}");
        assert!(missed.is_empty(), "{missed:?}");
        let bad = ("roll-back".to_owned(), measured(7, 13_000_000, 2_700_000));
        assert_eq!(of(&[hello.clone(), bad.clone()], GOALS).1.len(), 3);
        assert_eq!(of(&[hello, bad], BOUNDS).1.len(), 1, "the memory");
    }
}
