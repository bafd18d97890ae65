//! How to use a world that is running.

use crossfade_rehearsal::run::Endpoints;
use std::fmt::Write;

/// Returns lines for a shell, with a few commands to begin with.
pub(super) fn render(endpoints: &Endpoints) -> String {
    let Endpoints { aws, region, clock, listeners, .. } = endpoints;
    let mut text = format!(
        "The world's AWS is at {aws}. In another terminal:

  export AWS_ENDPOINT_URL={aws} AWS_REGION={region} AWS_DEFAULT_REGION={region}
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_EC2_METADATA_DISABLED=true
  export CROSSFADE_CLOCK={clock}
  export CROSSFADE_LISTENERS={listeners}
  crossfade status
  crossfade start {service} --wait
  aws elbv2 describe-target-groups
  aws cloudwatch describe-alarms
  aws dynamodb scan --table-name {table}
  aws stepfunctions list-executions --state-machine-arn {machine}

Live traffic goes through
",
        service = endpoints.services.last().map_or("SERVICE", String::as_str),
        table = endpoints.table,
        machine = endpoints.roll_back_machine.replace("roll-back-service", "migrate-service"),
    );
    for (name, address) in &endpoints.load_balancers {
        writeln!(text, "  {name:<24} {address}").expect("writing to a string succeeds");
    }
    text
}
