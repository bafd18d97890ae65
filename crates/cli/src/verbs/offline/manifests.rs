//! `crossfade manifests`: what a service needs in Kubernetes. Changes nothing in AWS or in a cluster.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::environment::Environment;
use crate::stack::policies::Policies;
use crate::stack::session::{Connection, Session};
use crate::verbs::offline::yaml;
use crate::view::console::Console;
use clap::Args;
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::names::{ServiceName, TargetGroupArn};
use crossfade_domain::planner::{internal_group_name, new_group_name};
use crossfade_domain::policy::manifest::{BoundGroup, Manifest, manifests};
use crossfade_domain::policy::service_policy::{FleetPolicy, NewTargets, ServicePolicy};
use crossfade_domain::policy::wiring::{Way, called};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Print the Kubernetes manifests that a service's migration needs.
///
/// For each service a `TargetGroupBinding` by the name of the target group that
/// Crossfade will create, a patch for its Deployment, a `PodDisruptionBudget`,
/// and a kustomization that joins them with what `kompose convert` makes of your
/// compose file. The health check is that of the old target group.
///
/// Examples:
///   crossfade manifests users
///   crossfade manifests --all --dir deploy/
///   crossfade manifests users --policy policy.yaml --offline
///
/// Exit codes: 0 printed or written; 2 bad input, or a file exists; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ManifestsArguments {
    /// The services.
    #[arg(value_name = "SERVICE", value_parser = service, required_unless_present = "all")]
    services: Vec<ServiceName>,
    /// Every service whose new targets are a binding.
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// Write one file for each manifest into this folder.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Overwrite files that exist.
    #[arg(long, requires = "dir")]
    force: bool,
    /// Use this policy, in YAML or JSON, instead of the stored ones.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Do not ask AWS: mark what only AWS knows for you to fill in.
    #[arg(long, requires = "policy")]
    offline: bool,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, a file that exists, no access.
pub async fn run(
    arguments: &ManifestsArguments,
    environment: &Environment,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let of_file = arguments.policy.as_deref().map(Policies::of_file).transpose()?;
    if let (true, Some(policies)) = (arguments.offline, &of_file) {
        return printed(arguments, policies, None, console);
    }
    let session = Session::open(&arguments.connection, environment).await?;
    let work = async {
        let policies = match of_file {
            Some(policies) => policies,
            None => Policies::stored(&session).await?,
        };
        let groups = session.ports.survey.all_target_groups().await;
        let groups = groups.map_err(|error| session.port_failed("reading the target groups", &error))?;
        printed(arguments, &policies, Some(&groups), console)
    };
    match work.await {
        Err(failure) => Err(session.explained(failure).await),
        ended => ended,
    }
}

fn printed(
    arguments: &ManifestsArguments,
    policies: &Policies,
    groups: Option<&[TargetGroup]>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    for problem in &policies.problems {
        console.say(&format!("warning: {problem}"));
    }
    let mut wanted = Vec::new();
    for service in chosen(arguments, &policies.fleets)? {
        let bound = bound_groups(service, groups, &arguments.connection.stack)?;
        if service.internal_route.is_some() && bound.len() == service.old_target_groups.len() {
            console.say(&format!(
                "{} has an internalRoute: where `crossfade connect {}` creates a copy of its target group, that copy \
                 needs a binding too; run this again after it",
                service.name, service.name
            ));
        }
        wanted.push((service, bound));
    }
    let all = manifests(&wanted).map_err(Failure::bad_input)?;
    match &arguments.dir {
        Some(folder) => write(folder, arguments.force, &all, console)?,
        None if console.output == Output::Json => {
            let shown: Vec<_> = all.iter().map(|one| json!({"file": one.file, "document": one.document})).collect();
            console.json(&shown)?;
        }
        None => {
            let mut parts = Vec::new();
            for one in &all {
                parts.push(format!("# {}\n{}", one.file, yaml::document(&one.notes, &one.document)?));
            }
            console.data(&parts.join("\n---\n"))?;
        }
    }
    if groups.is_none() {
        console.say("AWS was not asked: replace what is marked as MISSING, or run this without --offline");
    }
    console.say(
        "apply them when `crossfade start` waits for targets: the target group exists and is attached then; restart \
         pods that run already, so that they get a readiness gate",
    );
    Ok(ExitCode::Done)
}

fn chosen<'a>(arguments: &ManifestsArguments, fleets: &'a [FleetPolicy]) -> Result<Vec<&'a ServicePolicy>, Failure> {
    if arguments.all {
        let has_binding = |one: &&ServicePolicy| matches!(one.new_targets, NewTargets::Binding(_));
        let found: Vec<_> = fleets.iter().flat_map(|fleet| &fleet.services).filter(has_binding).collect();
        if found.is_empty() {
            return Err(Failure::bad_input(
                "no service has newTargets.binding, so no controller registers pods\n  \
                 see docs/first-steps.md#new-side",
            ));
        }
        return Ok(found);
    }
    let mut found: Vec<&ServicePolicy> = Vec::new();
    for name in &arguments.services {
        let services = called(fleets, Some(name), None, Way::Direct).map_err(Failure::bad_input)?;
        found.extend(services.into_iter().map(|(_, service)| service));
    }
    Ok(found)
}

/// The new group for each old one, by the name that the plan gives it. The copy that serves the service's internal
/// route is an old group like the others.
fn bound_groups(
    service: &ServicePolicy,
    groups: Option<&[TargetGroup]>,
    stack: &str,
) -> Result<Vec<BoundGroup>, Failure> {
    let mut bound = Vec::new();
    for old in &service.old_target_groups {
        let found = groups.and_then(|groups| groups.iter().find(|one| one.name == *old || one.arn.as_str() == old));
        if groups.is_some() && found.is_none() {
            return Err(Failure::bad_input(format!(
                "there is no target group {old}, an old target group of {}\n  correct oldTargetGroups, --region or \
                 --profile; --offline does without AWS",
                service.name
            )));
        }
        let arn = found.map(|group| group.arn.clone()).or_else(|| TargetGroupArn::parse(old.as_str()).ok());
        bound.push(BoundGroup { name: arn.map(|arn| new_group_name(&service.name, &arn)), old: found.cloned() });
    }
    if service.internal_route.is_some() {
        let name = internal_group_name(stack, &service.name);
        let is_copy = |one: &&TargetGroup| one.name == name && !service.old_target_groups.contains(&one.name);
        let copy = groups.into_iter().flatten().find(is_copy);
        bound.extend(
            copy.map(|copy| BoundGroup {
                name: Some(new_group_name(&service.name, &copy.arn)),
                old: Some(copy.clone()),
            }),
        );
    }
    Ok(bound)
}

/// Writes every file, or none where one of them exists.
fn write(folder: &Path, force: bool, all: &[Manifest], console: &mut Console<'_>) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: &std::io::Error| Failure::bad_input(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let existing: Vec<String> =
        all.iter().filter(|one| folder.join(&one.file).exists()).map(|one| one.file.clone()).collect();
    if !force && !existing.is_empty() {
        return Err(Failure::bad_input(format!(
            "{} has {} already; nothing was written\n  --force overwrites, another --dir keeps both",
            folder.display(),
            existing.join(", ")
        )));
    }
    for one in all {
        let path = folder.join(&one.file);
        let text = yaml::document(&one.notes, &one.document)? + "\n";
        // A file that appeared in the meantime is not overwritten either.
        let file = OpenOptions::new().write(true).create(true).truncate(true).create_new(!force).open(&path);
        let mut file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => failed(&path, &std::io::Error::other("it exists; --force overwrites it")),
            _ => failed(&path, &error),
        })?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))?;
        console.data(&path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::document::check_fleet;

    fn group(name: &str) -> TargetGroup {
        let check = json!({"enabled": true, "protocol": "HTTP", "port": "traffic-port", "path": "/health",
            "intervalSeconds": 10, "timeoutSeconds": 5, "healthyThreshold": 2, "unhealthyThreshold": 2});
        serde_json::from_value(json!({
            "arn": format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1"), "name": name,
            "settings": {"protocol": "HTTP", "port": 80, "targetType": "instance", "healthCheck": check},
            "loadBalancers": [],
        }))
        .unwrap()
    }

    /// A migration moves the copy's routes too, and no controller would fill its new group.
    #[test]
    fn the_copy_of_an_internal_route_has_a_binding_too() {
        let policy = check_fleet(&json!({"fleet": "eks", "services": [{
            "name": "users", "oldTargetGroups": "users-swarm", "internalRoute": {"host": "users.internal"},
            "newTargets": {"binding": {"namespace": "prod", "service": "users", "port": 80}},
        }]}))
        .unwrap();
        let service = &policy.services[0];
        let copy = group(&internal_group_name("crossfade", &service.name));
        let groups = [group("users-swarm"), copy.clone()];
        let bound = bound_groups(service, Some(&groups), "crossfade").unwrap();
        assert_eq!(bound.len(), 2);
        assert_eq!(bound[1].name, Some(new_group_name(&service.name, &copy.arn)));
        assert_eq!(bound_groups(service, Some(&groups), "another").unwrap().len(), 1, "it is another stack's");
        let documents = manifests(&[(service, bound)]).unwrap();
        assert_eq!(documents.iter().filter(|one| one.document["kind"] == "TargetGroupBinding").count(), 2);
    }
}
