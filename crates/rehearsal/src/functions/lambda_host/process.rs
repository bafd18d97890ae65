//! The process of an instance: its start, and everything until its end.

use super::FunctionSpec;
use super::instance::{Instance, Invocation};
use super::output::Output;
use super::runtime_api;
use crate::clock::WorldClock;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Starts the process; the second value drives it and must be polled. Dropping that kills the process.
pub(super) async fn start(
    spec: &FunctionSpec,
    number: u64,
    environment: &BTreeMap<String, String>,
    clock: &WorldClock,
    output: Arc<Output>,
) -> std::io::Result<(Arc<Instance>, impl Future<Output = ()> + Send + 'static)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let times = TcpListener::bind("127.0.0.1:0").await?;
    let times_address = times.local_addr()?;
    let mut command = Command::new(&spec.binary);
    // A Ctrl-C in the terminal is for the host, which then ends its functions in order.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command
        .env_clear()
        .envs(environment)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("CROSSFADE_CLOCK", format!("{times_address},driven"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (instance, receiver) = Instance::new(&spec.arn, clock);
    let instance = Arc::new(instance);
    let streams = (child.stdout.take(), child.stderr.take());
    let process = drive(Arc::clone(&instance), child, (listener, times), receiver, async move {
        let (out, error) = streams;
        let follow_out = async {
            if let Some(stream) = out {
                output.follow(number, stream).await;
            }
        };
        let follow_error = async {
            if let Some(stream) = error {
                output.follow(number, stream).await;
            }
        };
        tokio::join!(follow_out, follow_error);
    });
    Ok((instance, process))
}

async fn drive(
    instance: Arc<Instance>,
    mut child: Child,
    (listener, times): (TcpListener, TcpListener),
    receiver: mpsc::Receiver<Invocation>,
    output: impl Future<Output = ()> + Send + 'static,
) {
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let mut connections = JoinSet::new();
    let mut output = Box::pin(output);
    let mut output_open = true;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = instance.until_killed() => {
                // It may have ended by itself meanwhile; either way its end is seen by `wait`.
                let _ = child.start_kill();
            }
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(runtime_api::serve(stream, Arc::clone(&instance), Arc::clone(&receiver)));
            },
            accepted = times.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(Arc::clone(&instance).answer_times(stream));
            },
            () = &mut output, if output_open => output_open = false,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    };
    if output_open {
        // What the process wrote last is still in the pipes, unless a child of its own keeps them open.
        let _ = tokio::time::timeout(Duration::from_secs(1), output).await;
    }
    connections.shutdown().await;
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    instance.note_end(&status, &receiver).await;
}
