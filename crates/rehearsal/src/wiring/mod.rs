//! What the template connects: functions, machines, rules, schedules and tables, read from `infra/template.yaml`.
//!
//! The local world has no other wiring, so it runs exactly what is deployed. Names and ARNs are those of a stack called
//! `crossfade`, in the local world's region and account.

mod definition;
mod events;
mod resolver;

pub use events::{RuleWiring, ScheduleWiring, Target, TargetInput, TargetWiring};

use crossfade_world::events::InvalidPattern;
use crossfade_world::lambda::EventRetries;
use jiff::SignedDuration;
use resolver::Resolver;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The region of the local world.
pub const REGION: &str = "eu-west-1";
/// The account of the local world.
pub const ACCOUNT: &str = "000000000000";
/// The name of the stack in the local world.
pub const STACK: &str = "crossfade";

/// Everything that the template connects.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The functions by their names.
    pub functions: BTreeMap<String, FunctionWiring>,
    /// The state machines by their names.
    pub machines: BTreeMap<String, MachineWiring>,
    /// The rules for events.
    pub rules: Vec<RuleWiring>,
    /// The rules for times.
    pub schedules: Vec<ScheduleWiring>,
    /// The DynamoDB tables.
    pub tables: Vec<TableWiring>,
}

/// A function as the template describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionWiring {
    /// Its resource in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// Its ARN, unqualified.
    pub arn: String,
    /// The name of its binary in the workspace (`Metadata.BuildProperties.Binary`).
    pub binary: String,
    /// Its environment: the globals' and its own.
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take, in real time.
    pub timeout: Duration,
    /// Its memory, in MB.
    pub memory_megabytes: u32,
    /// How its events are retried.
    pub event_retries: EventRetries,
    /// Whether it has concurrency of its own, so that the account's is never used up for it.
    pub reserved: bool,
}

/// A state machine as the template describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineWiring {
    /// Its resource in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its definition after the substitutions.
    pub definition: Value,
}

/// A table as the template describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableWiring {
    /// Its resource in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// Its key.
    pub key_schema: Vec<KeyElement>,
    /// All its properties, with the intrinsic functions resolved.
    pub properties: Value,
}

/// One attribute of a table's key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyElement {
    /// The attribute.
    pub attribute_name: String,
    /// `HASH` or `RANGE`.
    pub key_type: String,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each field is what its message calls it")]
pub enum WiringError {
    #[error("cannot read `{}`", .file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("`{}` is not YAML", .file.display())]
    Yaml { file: PathBuf, source: serde_yaml_ng::Error },
    #[error("`{}` is not JSON", .file.display())]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("cannot resolve {path}: {reason}")]
    Unresolved { path: String, reason: String },
    #[error("cannot use the pattern at {path}")]
    Pattern { path: String, source: InvalidPattern },
}

impl WiringError {
    fn unresolved(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unresolved { path: path.into(), reason: reason.into() }
    }
}

impl Wiring {
    /// Reads a template and the definitions that it names.
    pub fn read(template: &Path) -> Result<Self, WiringError> {
        let text = std::fs::read_to_string(template)
            .map_err(|source| WiringError::Read { file: template.to_owned(), source })?;
        let yaml =
            serde_yaml_ng::from_str(&text).map_err(|source| WiringError::Yaml { file: template.to_owned(), source })?;
        let folder = template.parent().unwrap_or(Path::new("."));
        let resolver = Resolver::of(&yaml);
        let mut wiring = Self::default();
        for (logical_id, resource_type) in resolver.resources()? {
            match resource_type.as_str() {
                "AWS::Serverless::Function" => wiring.add_function(&resolver, &logical_id)?,
                "AWS::Serverless::StateMachine" => wiring.add_machine(&resolver, folder, &logical_id)?,
                "AWS::DynamoDB::Table" => wiring.tables.push(read_table(&resolver, &logical_id)?),
                "AWS::Events::Rule" => events::add_rule(&mut wiring, &resolver, &logical_id)?,
                "AWS::Scheduler::Schedule" | "AWS::Lambda::Function" | "AWS::StepFunctions::StateMachine" => {
                    let reason = format!("the local world does not know `{resource_type}`");
                    return Err(WiringError::unresolved(format!("Resources.{logical_id}"), reason));
                }
                _ => {}
            }
        }
        wiring.check_targets()?;
        Ok(wiring)
    }

    fn add_function(&mut self, resolver: &Resolver<'_>, logical_id: &str) -> Result<(), WiringError> {
        let path = format!("Resources.{logical_id}.Properties");
        let globals = resolver.global("Function")?;
        let own = |name: &str| resolver.property(logical_id, name);
        let setting = |name: &str| Ok(own(name)?.or_else(|| globals.get(name).cloned()));
        let whole_number = |name: &str, default: u32| -> Result<u32, WiringError> {
            match setting(name)? {
                None => Ok(default),
                Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
                    WiringError::unresolved(format!("{path}.{name}"), format!("{value} is no whole number"))
                }),
            }
        };
        let mut environment = variables(globals.get("Environment"), "Globals.Function.Environment")?;
        environment.extend(variables(own("Environment")?.as_ref(), &format!("{path}.Environment"))?);
        let binary = resolver.metadata(logical_id, &["BuildProperties", "Binary"]).ok_or_else(|| {
            WiringError::unresolved(
                format!("Resources.{logical_id}.Metadata.BuildProperties.Binary"),
                "the name of the function's binary is missing",
            )
        })?;
        let name = resolver.physical_name(logical_id)?;
        let configured = own("EventInvokeConfig")?.unwrap_or_default();
        let mut event_retries = EventRetries::default();
        if let Some(seconds) = configured["MaximumEventAgeInSeconds"].as_i64() {
            event_retries.most_age = SignedDuration::from_secs(seconds);
        }
        if let Some(retries) = configured["MaximumRetryAttempts"].as_u64() {
            event_retries.most_retries = u32::try_from(retries).unwrap_or(u32::MAX);
        }
        let function = FunctionWiring {
            logical_id: logical_id.to_owned(),
            arn: resolver.arn(logical_id)?,
            binary,
            environment,
            timeout: Duration::from_secs(whole_number("Timeout", 3)?.into()),
            memory_megabytes: whole_number("MemorySize", 128)?,
            event_retries,
            reserved: resolver.has_property(logical_id, "ReservedConcurrentExecutions"),
            name: name.clone(),
        };
        events::add_event_sources(self, resolver, logical_id, &Target::Function(name.clone()))?;
        self.functions.insert(name, function);
        Ok(())
    }

    fn add_machine(&mut self, resolver: &Resolver<'_>, folder: &Path, logical_id: &str) -> Result<(), WiringError> {
        let name = resolver.physical_name(logical_id)?;
        let arn = resolver.arn(logical_id)?;
        let machine = MachineWiring {
            logical_id: logical_id.to_owned(),
            name: name.clone(),
            arn: arn.clone(),
            definition: definition::read(resolver, folder, logical_id)?,
        };
        events::add_event_sources(self, resolver, logical_id, &Target::Machine(arn))?;
        self.machines.insert(name, machine);
        Ok(())
    }

    /// Checks that every rule has a target in the template. At run time, a wrong one would never be noticed.
    fn check_targets(&self) -> Result<(), WiringError> {
        let rules = self.rules.iter().map(|rule| (&rule.name, &rule.targets));
        let schedules = self.schedules.iter().map(|schedule| (&schedule.name, &schedule.targets));
        for (rule, targets) in rules.chain(schedules) {
            for target in targets {
                let exists = match &target.target {
                    Target::Function(name) => self.functions.contains_key(name),
                    Target::Machine(arn) => self.machines.values().any(|machine| machine.arn == *arn),
                };
                if !exists {
                    let reason = format!("the template has no target {:?}", target.target);
                    return Err(WiringError::unresolved(format!("the rule `{rule}`"), reason));
                }
            }
        }
        Ok(())
    }
}

fn variables(environment: Option<&Value>, path: &str) -> Result<BTreeMap<String, String>, WiringError> {
    let Some(variables) = environment.and_then(|environment| environment.get("Variables")) else {
        return Ok(BTreeMap::new());
    };
    let variables = variables.as_object().ok_or_else(|| WiringError::unresolved(path, "expected an object"))?;
    variables
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
            other => Err(WiringError::unresolved(format!("{path}.Variables.{name}"), format!("{other} is no text"))),
        })
        .collect()
}

fn read_table(resolver: &Resolver<'_>, logical_id: &str) -> Result<TableWiring, WiringError> {
    let mut properties = resolver.properties(logical_id)?;
    let name = resolver.physical_name(logical_id)?;
    properties["TableName"] = Value::String(name.clone());
    let key_schema = serde_json::from_value(properties["KeySchema"].clone()).map_err(|source| {
        WiringError::unresolved(format!("Resources.{logical_id}.Properties.KeySchema"), source.to_string())
    })?;
    Ok(TableWiring { logical_id: logical_id.to_owned(), name, key_schema, properties })
}

#[cfg(test)]
mod tests;
