//! `crossfade wiring`: what callers have to be told, and whether it works. Changes nothing.

mod check;
mod survey;
mod text;

pub use check::ask;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, endpoint, service};
use crate::stack::environment::Environment;
use crate::stack::policies::Policies;
use crate::stack::session::{Connection, Session};
use crate::verbs::offline::yaml;
use crate::view::console::Console;
use clap::{Args, ValueEnum};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::calling::InternalAddress;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::policy::wiring::formats::{Format, Printed, printed};
use crossfade_domain::policy::wiring::{Way, Wiring, called, warnings};
use serde_json::{Value, json};
use std::path::PathBuf;
use survey::Surveyed;

/// Print the base URLs that callers should use, and check them.
///
/// A migration splits only the requests that pass a load balancer. So callers
/// first change to the internal route of each service (`internalRoute` in the
/// policy). Changes nothing.
///
/// Examples:
///   crossfade wiring
///   crossfade wiring --for bookings --format env
///   crossfade wiring users --check
///   crossfade wiring users --check --connect-to 127.0.0.1:8080    by a tunnel
///   crossfade wiring --direct --format yaml    the URLs once all have moved
///   crossfade wiring --policy policy.yaml --format properties    without AWS
///
/// Exit codes: 0 printed, or every URL works; 2 bad input, or a URL is missing or
/// does not work; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct WiringArguments {
    /// The service that is called; every one with an internal route if left out.
    #[arg(value_name = "SERVICE", value_parser = service)]
    service: Option<ServiceName>,
    /// Print only what this caller calls.
    #[arg(long = "for", value_name = "CALLER", value_parser = service)]
    caller: Option<ServiceName>,
    /// The form of the output; a table for people if left out.
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "check")]
    format: Option<Form>,
    /// Print the URLs without a load balancer, for after the migration.
    #[arg(long, conflicts_with = "check")]
    direct: bool,
    /// Resolve each name, and send one GET through the load balancer.
    #[arg(long)]
    check: bool,
    /// Send the GET here instead of to the load balancer's name.
    #[arg(long, value_name = "HOST:PORT", requires = "check", value_parser = host_and_port)]
    connect_to: Option<String>,
    /// Ask for this path instead of the health check's.
    #[arg(long, value_name = "PATH", requires = "check", value_parser = path)]
    path: Option<String>,
    /// Compare with the answer at this URL instead of the policy's.
    #[arg(long, value_name = "URL", requires_all = ["check", "service"], value_parser = endpoint)]
    direct_url: Option<String>,
    /// Use this policy, in YAML or JSON, instead of the stored ones.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// A form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An environment file.
    Env,
    /// A Java properties file.
    Properties,
    /// Spring's application.yaml.
    Yaml,
    /// The environment of each caller in a compose file.
    Compose,
    /// A change batch with an alias record for each host.
    Route53,
    /// Rewrite lines for the `CoreDNS` configuration.
    Coredns,
    /// Kubernetes services of type `ExternalName`.
    K8s,
    /// Everything, as one JSON object.
    Json,
}

impl Form {
    fn format(self) -> Option<Format> {
        match self {
            Self::Env => Some(Format::Env),
            Self::Properties => Some(Format::Properties),
            Self::Yaml => Some(Format::Yaml),
            Self::Compose => Some(Format::Compose),
            Self::Route53 => Some(Format::Route53),
            Self::Coredns => Some(Format::Coredns),
            Self::K8s => Some(Format::K8s),
            Self::Json => None,
        }
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    fits.then(|| text.to_owned()).ok_or_else(|| "expected HOST:PORT such as 127.0.0.1:8080".to_owned())
}

fn path(text: &str) -> Result<String, String> {
    let fits = text.starts_with('/') && text.chars().all(|letter| letter.is_ascii_graphic() && !"?#".contains(letter));
    fits.then(|| text.to_owned()).ok_or_else(|| "expected a path such as /actuator/health, without a query".to_owned())
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, a form that cannot be printed, no access.
pub async fn run(
    arguments: &WiringArguments,
    environment: &Environment,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let Some(file) = &arguments.policy else {
        let session = Session::open(&arguments.connection, environment).await?;
        return explained(&session, async || {
            let policies = Policies::stored(&session).await?;
            printed_or_checked(arguments, &policies, Some(&session), console).await
        })
        .await;
    };
    let policies = Policies::of_file(file)?;
    if !arguments.needs_aws(&policies.fleets)? {
        return printed_or_checked(arguments, &policies, None, console).await;
    }
    let session = Session::open(&arguments.connection, environment).await?;
    explained(&session, async || printed_or_checked(arguments, &policies, Some(&session), console).await).await
}

async fn explained(
    session: &Session,
    work: impl AsyncFnOnce() -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    match work().await {
        Err(failure) => Err(session.explained(failure).await),
        ended => ended,
    }
}

impl WiringArguments {
    fn way(&self) -> Way {
        if self.direct { Way::Direct } else { Way::LoadBalancer }
    }

    fn called<'a>(&self, fleets: &'a [FleetPolicy]) -> Result<Vec<(&'a FleetPolicy, &'a ServicePolicy)>, Failure> {
        called(fleets, self.service.as_ref(), self.caller.as_ref(), self.way()).map_err(Failure::bad_input)
    }

    /// Whether something is asked for that only AWS knows: the name of a load balancer, or an answer through it.
    fn needs_aws(&self, fleets: &[FleetPolicy]) -> Result<bool, Failure> {
        let is_a_port = |service: &ServicePolicy| {
            matches!(service.internal_route.as_ref().map(|route| &route.by), Some(InternalAddress::Port { .. }))
        };
        let through = !self.direct && self.called(fleets)?.iter().any(|(_, service)| is_a_port(service));
        Ok(self.check || through || matches!(self.format, Some(Form::Route53 | Form::Coredns)))
    }
}

async fn printed_or_checked(
    arguments: &WiringArguments,
    policies: &Policies,
    session: Option<&Session>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let way = arguments.way();
    for problem in &policies.problems {
        console.say(&format!("warning: {problem}"));
    }
    let services = arguments.called(&policies.fleets)?;
    // Only the records of a direct way still need the load balancer, to delete them.
    let asks = !arguments.direct || arguments.format == Some(Form::Route53);
    let surveyed = match session.filter(|_| asks) {
        Some(session) => Some(Surveyed::of(session, &services).await?),
        None => None,
    };
    let mut wirings = Vec::new();
    for (fleet, service) in &services {
        let found = surveyed.as_ref().map_or(Ok(None), |surveyed| surveyed.balancer_of(service));
        let balancer = found.as_ref().ok().copied().flatten();
        let mut wiring = Wiring::of(fleet, service, way, balancer);
        if let (Way::LoadBalancer, Err(problem)) = (way, found) {
            (wiring.url, wiring.problem) = (None, Some(problem));
        }
        if let (Way::LoadBalancer, Some(route), Some(balancer)) = (way, &service.internal_route, balancer) {
            let group = surveyed.as_ref().and_then(|surveyed| surveyed.old_group(service));
            wiring.warnings = warnings(route, balancer, group.map(|group| &group.settings));
        }
        wirings.push(wiring);
    }
    if let (true, Some(session), Some(surveyed)) = (arguments.check, session, &surveyed) {
        return check::run(arguments, session, surveyed, &services, &wirings, console).await;
    }
    let all = arguments.format == Some(Form::Json) || (arguments.format.is_none() && console.output == Output::Json);
    if all {
        console.json(&json!({"way": way, "askedAws": surveyed.is_some(), "services": wirings}))?;
    } else if let Some(format) = arguments.format.and_then(Form::format) {
        print(&printed(format, way, &wirings).map_err(Failure::bad_input)?, console)?;
    } else {
        console.data(&text::table(way, &wirings))?;
    }
    for line in text::asides(way, &wirings, surveyed.is_some()) {
        console.say(&line);
    }
    // A pipeline must not deploy half of the URLs.
    let is_whole = wirings.iter().all(|wiring| wiring.url.is_some());
    Ok(if is_whole { ExitCode::Done } else { ExitCode::BadInput })
}

fn print(form: &Printed, console: &mut Console<'_>) -> Result<(), Failure> {
    match form {
        Printed::Lines(lines) => console.data(&lines.join("\n")),
        Printed::Json(document) => console.json(document),
        Printed::Yaml(notes, documents) => {
            let mut parts: Vec<String> = Vec::new();
            for (index, one) in documents.iter().enumerate() {
                let none: &[String] = &[];
                parts.push(yaml::document(if index == 0 { notes } else { none }, one)?);
            }
            let empty = || yaml::document(notes, &Value::Object(serde_json::Map::new()));
            console.data(&if parts.is_empty() { empty()? } else { parts.join("\n---\n") })
        }
    }
}
