//! One start of one binary, as Lambda would start it.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that has not polled by then never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error("cannot listen on this machine: {0}")]
    Listen(std::io::Error),
    #[error("cannot start {}: {source}", .binary.display())]
    Spawn { binary: PathBuf, source: std::io::Error },
    #[error("{} did not poll the Runtime API", .0.display())]
    Silent(PathBuf),
    #[error("cannot read {}: {source}", .file.display())]
    Read { file: PathBuf, source: std::io::Error },
}

/// A Runtime API that never has an invocation.
pub(crate) struct Runtime {
    listener: TcpListener,
    address: SocketAddr,
}

impl Runtime {
    pub(crate) fn bind() -> Result<Self, MeasureError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(MeasureError::Listen)?;
        listener.set_nonblocking(true).map_err(MeasureError::Listen)?;
        let address = listener.local_addr().map_err(MeasureError::Listen)?;
        Ok(Self { listener, address })
    }

    /// Waits for the first request of a process; it is the poll, since nothing else is asked for before it.
    fn until_polled(&self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            let Ok((mut stream, _)) = self.listener.accept() else {
                std::thread::sleep(Duration::from_micros(50));
                continue;
            };
            let mut request = [0; 64];
            let heard = stream.set_nonblocking(false).and_then(|()| stream.read(&mut request));
            return heard.is_ok_and(|length| request[..length].starts_with(b"GET /2018-06-01/runtime/invocation/next"));
        }
        false
    }
}

/// What one start took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) until_poll: Duration,
    /// The most memory that was resident so far, in bytes.
    pub(crate) peak_memory: u64,
}

/// Ends the process, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // When it is over already there is nothing to kill.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Starts a binary with the environment of a function and waits for its first poll.
pub(crate) fn measure(runtime: &Runtime, binary: &Path) -> Result<Start, MeasureError> {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "measured"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "measured"),
            ("AWS_SECRET_ACCESS_KEY", "measured"),
            ("AWS_SESSION_TOKEN", "measured"),
            ("CROSSFADE_TABLE", "crossfade"),
            ("CROSSFADE_STACK", "crossfade"),
            (
                "CROSSFADE_MIGRATE_MACHINE",
                "arn:aws:states:eu-west-1:123456789012:stateMachine:crossfade-migrate-service",
            ),
            (
                "CROSSFADE_ROLL_BACK_MACHINE",
                "arn:aws:states:eu-west-1:123456789012:stateMachine:crossfade-roll-back-service",
            ),
            ("RUST_LOG", "info"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let child = command.spawn().map_err(|source| MeasureError::Spawn { binary: binary.to_owned(), source })?;
    let child = Running(child);
    if !runtime.until_polled(begun + PATIENCE) {
        return Err(MeasureError::Silent(binary.to_owned()));
    }
    let until_poll = begun.elapsed();
    let status = PathBuf::from(format!("/proc/{}/status", child.0.id()));
    let text = std::fs::read_to_string(&status).map_err(|source| MeasureError::Read { file: status, source })?;
    Ok(Start { until_poll, peak_memory: peak_memory(&text) })
}

/// `VmHWM:     6512 kB`
fn peak_memory(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
}

/// What is known about a binary after all of its starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) best: Duration,
    pub(crate) median: Duration,
    pub(crate) peak_memory: u64,
    pub(crate) size: u64,
    pub(crate) zipped: u64,
}

impl Measured {
    pub(crate) fn of(binary: &Path, starts: &[Start]) -> Result<Self, MeasureError> {
        let contents =
            std::fs::read(binary).map_err(|source| MeasureError::Read { file: binary.to_owned(), source })?;
        let mut times: Vec<Duration> = starts.iter().map(|start| start.until_poll).collect();
        times.sort();
        Ok(Self {
            best: times.first().copied().unwrap_or_default(),
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            peak_memory: starts.iter().map(|start| start.peak_memory).max().unwrap_or_default(),
            size: contents.len() as u64,
            zipped: zipped(&contents),
        })
    }
}

/// The size in a zip file, but for a hundred bytes of names: a zip's contents are deflated.
fn zipped(contents: &[u8]) -> u64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(contents).and_then(|()| encoder.finish()).expect("memory takes every byte").len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_what_the_kernel_says() {
        assert_eq!(peak_memory("VmPeak:\t   99 kB\nVmHWM:\t    6512 kB\nVmRSS:\t 10 kB\n"), 6512 * 1024);
        assert_eq!(peak_memory(""), 0);
    }

    #[test]
    fn what_repeats_zips_well() {
        assert!(zipped(&[7; 16_000]) < 1000);
    }

    #[test]
    fn only_a_poll_is_a_poll() {
        let answered = |line: &'static str| {
            let runtime = Runtime::bind().unwrap();
            let address = runtime.address;
            let client = std::thread::spawn(move || {
                std::net::TcpStream::connect(address).unwrap().write_all(line.as_bytes()).unwrap();
            });
            let polled = runtime.until_polled(Instant::now() + PATIENCE);
            client.join().unwrap();
            polled
        };
        assert!(answered("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"));
        assert!(!answered("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n\r\n"));
    }
}
