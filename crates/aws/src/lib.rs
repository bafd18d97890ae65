//! The ports on `ELBv2`, Auto Scaling, CloudWatch, Systems Manager, `DynamoDB` and Step Functions.
//!
//! **Invariant:** this is the only crate that names an `aws_sdk_*`, and its only SDK type in a signature is the
//! `SdkConfig` that a caller may pass.

mod alarms;
mod auto_scaling;
mod calendars;
mod classify;
mod clients;
mod driven;
mod elb;
mod environment;
mod executions;
mod https;
mod ledger;
mod local;
mod machines;
mod metrics;
mod sign_in;

pub use environment::{LISTENERS, MissingVariable, connect};
pub use local::connect_local;
pub use machines::{Answer, DescribedExecution, ExecutionState, Machines, StartResult};
pub use sign_in::{Caller, SignInError, SignInOptions, SignedIn, region_of, sign_in};

use aws_config::SdkConfig;
use clients::later;
use crossfade_actions::ports::{
    Alarms, AutoScaling, ChangeCalendars, Clock, Executions, Fleets, Ledger, Metrics, Ports, Probes, Routes, Rules,
    Survey, Tagging, TargetGroups,
};
use std::sync::Arc;

/// The resources of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the table.
    pub table: String,
    /// ARN of the `migrate-service` state machine; only what starts migrations of its own accord needs it.
    pub migrate_machine: Option<String>,
    /// ARN of the `roll-back-service` state machine; only what starts rollbacks needs it.
    pub roll_back_machine: Option<String>,
    /// ARN of the `retire-service` state machine; only what starts retirements of its own accord needs it.
    pub retire_machine: Option<String>,
    /// Name of the stack. Every call has it in its user agent, so a trail of API calls shows which stack made them.
    pub stack: String,
}

/// Every port but the clock.
#[derive(Clone)]
pub struct Connections {
    /// Load balancers, their listeners and their routes.
    pub routes: Arc<dyn Routes>,
    /// Rules and listeners that come and go.
    pub rules: Arc<dyn Rules>,
    /// Requests as a user sends them.
    pub probes: Arc<dyn Probes>,
    /// Everything of the account.
    pub survey: Arc<dyn Survey>,
    /// Target groups and their targets.
    pub target_groups: Arc<dyn TargetGroups>,
    /// Tags of what `ELBv2` holds.
    pub tagging: Arc<dyn Tagging>,
    /// Auto Scaling groups.
    pub auto_scaling: Arc<dyn AutoScaling>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// The metrics of load balancers.
    pub metrics: Arc<dyn Metrics>,
    /// Change calendars of Systems Manager.
    pub calendars: Arc<dyn ChangeCalendars>,
    /// The table.
    pub ledger: Arc<dyn Ledger>,
    /// The table's part for fleets.
    pub fleets: Arc<dyn Fleets>,
    /// Step Functions.
    pub executions: Arc<dyn Executions>,
}

impl Connections {
    /// The same, asking the listeners of a rehearsal on this machine: `ARN=ADDRESS`, with commas between them. No other
    /// listener is asked.
    #[must_use]
    pub fn asking_at(self, listeners: &str) -> Self {
        Self { probes: Arc::new(https::probes::LocalProbes::new(None, listeners)), ..self }
    }

    /// The ports of an action.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Ports {
        let Self {
            routes,
            rules,
            probes,
            survey,
            target_groups,
            tagging,
            auto_scaling,
            alarms,
            metrics,
            calendars,
            ledger,
            fleets,
            executions,
        } = self;
        Ports {
            routes,
            rules,
            probes,
            survey,
            target_groups,
            tagging,
            auto_scaling,
            alarms,
            metrics,
            calendars,
            ledger,
            fleets,
            executions,
            clock,
            scan: Arc::default(),
        }
    }
}

/// Step Functions for the command line, from a configuration.
pub fn machines_with(config: &SdkConfig) -> Machines {
    Machines::new(clients::step_functions(&clients::with_https(config)))
}

/// Builds the clients from a configuration. None opens a connection or reads trusted roots before its first call.
pub fn connect_with(config: &SdkConfig, settings: &Settings) -> Connections {
    let config = &clients::with_https(config);
    let cloudwatch = || later(config, clients::cloudwatch);
    let elb = Arc::new(elb::Elb::new(
        later(config, clients::elb_reader),
        later(config, clients::elb_writer),
        settings.stack.clone(),
    ));
    let table = Arc::new(ledger::Table::new(
        later(config, clients::dynamodb),
        settings.table.clone(),
        config.region().map_or_else(|| "no region".to_owned(), ToString::to_string),
        clients::sleep(config),
    ));
    Connections {
        routes: elb.clone(),
        rules: elb.clone(),
        probes: Arc::new(https::probes::HttpProbes),
        survey: elb.clone(),
        target_groups: elb.clone(),
        tagging: elb,
        auto_scaling: Arc::new(auto_scaling::ScalingGroups::new(later(config, clients::auto_scaling))),
        alarms: Arc::new(alarms::CloudWatch::new(cloudwatch(), settings.stack.clone())),
        metrics: Arc::new(metrics::MetricData::new(cloudwatch())),
        calendars: Arc::new(calendars::SsmCalendars::new(later(config, clients::ssm))),
        ledger: table.clone(),
        fleets: table,
        executions: Arc::new(executions::StepFunctions::new(
            later(config, clients::step_functions),
            settings.migrate_machine.clone(),
            settings.roll_back_machine.clone(),
            settings.retire_machine.clone(),
        )),
    }
}
