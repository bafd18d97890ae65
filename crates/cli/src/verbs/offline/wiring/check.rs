//! One request through each internal route.

use super::WiringArguments;
use super::survey::Surveyed;
use crate::ending::failure::{Failure, chain};
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::session::Session;
use crate::view::console::Console;
use bytes::Bytes;
use crossfade_domain::load_balancer::rule::Rule;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::policy::wiring::balancer::{Balancer, Door, door_of};
use crossfade_domain::policy::wiring::deciding::{Asked, decided};
use crossfade_domain::policy::wiring::proof::{Answer, Proof, Trial};
use crossfade_domain::policy::wiring::{Wiring, direct_url};
use http::Request;
use http::header::{HOST, USER_AGENT};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::time::Duration;

/// For how long a request may take. A health check that takes longer is not healthy either.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks every service, and says whether all of them work.
pub(super) async fn run(
    arguments: &WiringArguments,
    session: &Session,
    surveyed: &Surveyed,
    services: &[(&FleetPolicy, &ServicePolicy)],
    wirings: &[Wiring],
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let mut proofs = Vec::new();
    for ((_, service), wiring) in services.iter().zip(wirings) {
        let name = &service.name;
        let (Some(url), Some(route), Some(balancer)) = (&wiring.url, &service.internal_route, &wiring.load_balancer)
        else {
            proofs.push(Proof::not_asked(name, None, wiring.problem.as_deref().unwrap_or("it has no URL")));
            continue;
        };
        match door_of(route, balancer) {
            Ok(door) => {
                let rules = session.ports.rules.rules(&door.arn).await;
                let rules = rules.map_err(|error| session.port_failed("reading the listener's rules", &error))?;
                proofs.push(checked(arguments, surveyed, service, url, balancer, door, &rules).await);
            }
            Err(missing) => {
                let why = format!("{missing}: `crossfade connect {name}` creates what is missing");
                proofs.push(Proof::not_asked(name, Some(url), &why));
            }
        }
    }
    let works = proofs.iter().all(|proof| proof.works);
    if console.output == Output::Json {
        console.json(&json!({"works": works, "services": proofs}))?;
    } else {
        for proof in &proofs {
            console.data(&shown(proof))?;
        }
        console.say(if works {
            "every URL works from here; a caller that is changed to it can be split by weight"
        } else {
            "do not change callers of a service above that FAILED"
        });
    }
    Ok(if works { ExitCode::Done } else { ExitCode::BadInput })
}

async fn checked(
    arguments: &WiringArguments,
    surveyed: &Surveyed,
    service: &ServicePolicy,
    url: &str,
    balancer: &Balancer,
    door: &Door,
    rules: &[Rule],
) -> Proof {
    let old = surveyed.old_group(service).map(|group| &group.settings.health_check);
    let path = arguments.path.as_deref().or_else(|| old.and_then(|check| check.path.as_deref())).unwrap_or("/");
    let authority = url.split_once("://").map_or(url, |(_, authority)| authority);
    let host = authority.split(':').next().unwrap_or(authority);
    let found = decided(rules, Asked::get(host, path));
    // The group that answers has the health check that counts.
    let forward = found.rule().and_then(|rule| crossfade_domain::load_balancer::action::forward_of(&rule.actions));
    let group = forward.and_then(|forward| surveyed.group(forward.groups.first()?.group.as_str()));
    let healthy = group.map(|group| &group.settings.health_check).or(old).and_then(|check| check.http_codes.as_deref());
    let port = door.port.unwrap_or(80);
    let sent_to = arguments.connect_to.clone().unwrap_or_else(|| format!("{}:{port}", balancer.dns_name));
    let (name, answer) = if door.scheme() == "https" {
        let by_hand = format!(
            "the listener on port {port} speaks TLS, which this check does not: `curl --connect-to ::{sent_to} \
             {url}{path}`"
        );
        (None, Answer::NotAsked(by_hand))
    } else {
        let name = match arguments.connect_to {
            Some(_) => None,
            None => Some(addresses(host, port).await),
        };
        (name, ask(&sent_to, authority, path).await)
    };
    let direct = arguments.direct_url.clone().or_else(|| direct_url(service).ok());
    let direct = match &direct {
        Some(direct) => Some((direct.as_str(), ask_at(direct, path).await)),
        None => None,
    };
    Trial { service: &service.name, url, path, sent_to: &sent_to, name, answer, decided: found, healthy, direct }
        .proof()
}

fn shown(proof: &Proof) -> String {
    let mark = if proof.works { "ok    " } else { "FAILED" };
    let mut lines = vec![format!("{mark}  {}  {}", proof.service, proof.url)];
    if !proof.addresses.is_empty() {
        lines.push(format!("        resolves to {}", proof.addresses.join(", ")));
    }
    lines.extend(proof.said.iter().map(|said| format!("        {said}")));
    lines.join("\n")
}

/// The addresses of a name, or the resolver's words.
async fn addresses(host: &str, port: u16) -> Result<Vec<String>, String> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| error.to_string())?;
    let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
}

/// Asks at a base URL for a path.
async fn ask_at(url: &str, path: &str) -> Answer {
    let Some(rest) = url.strip_prefix("http://") else {
        return Answer::NotAsked("it is no plain http".to_owned());
    };
    let (authority, base) = rest.split_once('/').map_or((rest, String::new()), |(it, base)| (it, format!("/{base}")));
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let sent_to = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    ask(&sent_to, authority, &format!("{}{path}", base.trim_end_matches('/'))).await
}

/// Sends one `GET` to a host and port, with this `Host` header, and never follows a redirect.
pub async fn ask(sent_to: &str, host: &str, path: &str) -> Answer {
    // The client's own error hides whether the name or the connection failed.
    if let Err(error) = tokio::net::lookup_host(sent_to).await {
        return Answer::Unresolved(error.to_string());
    }
    let request = Request::get(format!("http://{sent_to}{path}"))
        .header(HOST, host)
        .header(USER_AGENT, concat!("crossfade/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Answer::NotAsked(error.to_string()),
    };
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    match tokio::time::timeout(PATIENCE, client.request(request)).await {
        Err(_) => Answer::Silent(PATIENCE.as_secs()),
        Ok(Err(error)) => Answer::Unreachable(chain(&error)),
        Ok(Ok(response)) => Answer::Status(response.status().as_u16()),
    }
}
