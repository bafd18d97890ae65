//! The ports on `ELBv2`, CloudWatch, `DynamoDB` and Step Functions.
//!
//! **Invariant:** this is the only crate that names an `aws_sdk_*`, and no type of theirs leaves it but the `SdkConfig`
//! that a caller may hand in.

mod alarms;
mod classify;
mod clients;
mod elb;
mod executions;
mod ledger;
mod local;
mod machines;
mod metrics;
mod sign_in;

pub use local::connect_local;
pub use machines::{Answer, Begun, Machines, Run, RunState};
pub use sign_in::{Access, Caller, SignInError, SignedIn, sign_in};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sfn::config::AppName;
use crossfade_actions::ports::{Alarms, Clock, Executions, Ledger, LoadBalancers, Metrics, Ports};
use std::sync::Arc;

/// Where a stack keeps its things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the table.
    pub table: String,
    /// ARN of the `roll-back-service` state machine; only what starts rollbacks needs it.
    pub roll_back_machine: Option<String>,
    /// Name of the stack. Every call carries it in its user agent, so that a trail of API calls says whose they are.
    pub stack: String,
}

/// Every port but the clock.
#[derive(Clone)]
pub struct Connections {
    /// `ELBv2`.
    pub load_balancers: Arc<dyn LoadBalancers>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// What load balancers count.
    pub metrics: Arc<dyn Metrics>,
    /// The table.
    pub ledger: Arc<dyn Ledger>,
    /// Step Functions.
    pub executions: Arc<dyn Executions>,
}

impl Connections {
    /// The ports of an action.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Ports {
        let Self { load_balancers, alarms, metrics, ledger, executions } = self;
        Ports { load_balancers, alarms, metrics, ledger, executions, clock }
    }
}

/// Reads region, credentials and endpoints as every AWS tool does (`AWS_ENDPOINT_URL` and its variants for each service
/// included) and builds the clients, which open no connection before their first call.
pub async fn connect(settings: &Settings) -> Connections {
    let mut config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    // Whoever names the caller in the environment (`AWS_SDK_UA_APP_ID`) knows better.
    if config.app_name().is_none()
        && let Ok(name) = AppName::new(format!("crossfade-{}", settings.stack))
    {
        config = config.into_builder().app_name(name).build();
    }
    connect_with(&config, settings)
}

/// As `connect`, with a configuration that the caller has loaded.
pub fn connect_with(config: &SdkConfig, settings: &Settings) -> Connections {
    let cloudwatch = clients::cloudwatch(config);
    Connections {
        load_balancers: Arc::new(elb::Elb::new(
            clients::elb_reader(config),
            clients::elb_writer(config),
            settings.stack.clone(),
        )),
        alarms: Arc::new(alarms::CloudWatch::new(cloudwatch.clone(), settings.stack.clone())),
        metrics: Arc::new(metrics::MetricData::new(cloudwatch)),
        ledger: Arc::new(ledger::Table::new(clients::dynamodb(config), settings.table.clone())),
        executions: Arc::new(executions::StepFunctions::new(
            clients::step_functions(config),
            settings.roll_back_machine.clone(),
        )),
    }
}
