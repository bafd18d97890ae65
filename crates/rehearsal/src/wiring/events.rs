//! Rules and schedules: `AWS::Events::Rule`, and the `Events` of functions and machines.

use super::resolver::Resolver;
use super::{ACCOUNT, REGION, STACK, Wiring, WiringError};
use crossfade_world::events::EventPattern;
use jiff::SignedDuration;
use serde_json::Value;

/// A rule for events.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleWiring {
    /// Its name.
    pub name: String,
    /// The events that it matches.
    pub pattern: EventPattern,
    /// What they start.
    pub targets: Vec<TargetWiring>,
}

/// A rule for times.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleWiring {
    /// Its name.
    pub name: String,
    /// Its ARN, which its events contain as their resource.
    pub arn: String,
    /// The time between two events, in world time.
    pub every: SignedDuration,
    /// What it starts.
    pub targets: Vec<TargetWiring>,
}

/// What an event starts, and with which input.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetWiring {
    /// What is started.
    pub target: Target,
    /// Its input.
    pub input: TargetInput,
}

/// What an event can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The function of this name.
    Function(String),
    /// The machine of this ARN.
    Machine(String),
}

/// The input of a target.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetInput {
    /// The whole event.
    Event,
    /// The part of the event at this path; EventBridge's `InputPath`.
    Part(Vec<String>),
    /// A constant.
    Constant(Value),
}

impl TargetInput {
    /// Returns a target's input for an event.
    pub fn of_event(&self, event: &Value) -> Value {
        match self {
            Self::Event => event.clone(),
            Self::Part(names) => {
                names.iter().try_fold(event, |value, name| value.get(name)).cloned().unwrap_or_default()
            }
            Self::Constant(value) => value.clone(),
        }
    }
}

/// Adds the `Events` of a function or machine.
pub(super) fn add_event_sources(
    wiring: &mut Wiring,
    resolver: &Resolver<'_>,
    logical_id: &str,
    target: &Target,
) -> Result<(), WiringError> {
    let Some(sources) = resolver.property(logical_id, "Events")? else { return Ok(()) };
    let path = format!("Resources.{logical_id}.Properties.Events");
    let sources = sources.as_object().ok_or_else(|| WiringError::unresolved(&path, "expected an object"))?;
    for (id, source) in sources {
        let path = format!("{path}.{id}");
        let properties = &source["Properties"];
        let default_name = format!("{STACK}-{logical_id}{id}");
        let targets = vec![TargetWiring { target: target.clone(), input: input(properties, &path)? }];
        let source_type = source["Type"].as_str().unwrap_or_default();
        match source_type {
            "EventBridgeRule" | "CloudWatchEvent" => {
                let name = properties["RuleName"].as_str().unwrap_or(&default_name);
                add(wiring, name, properties, "Pattern", "none", targets, &path)?;
            }
            "Schedule" | "ScheduleV2" => {
                let name = properties["Name"].as_str().unwrap_or(&default_name);
                let expression = if source_type == "Schedule" { "Schedule" } else { "ScheduleExpression" };
                add(wiring, name, properties, "none", expression, targets, &path)?;
            }
            other => {
                return Err(WiringError::unresolved(
                    path,
                    format!("the event source `{other}` is not supported locally"),
                ));
            }
        }
    }
    Ok(())
}

/// Adds an `AWS::Events::Rule`.
pub(super) fn add_rule(wiring: &mut Wiring, resolver: &Resolver<'_>, logical_id: &str) -> Result<(), WiringError> {
    let path = format!("Resources.{logical_id}.Properties");
    let properties = resolver.properties(logical_id)?;
    let mut targets = Vec::new();
    for (index, target) in properties["Targets"].as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.Targets[{index}]");
        if let Some(found) = target_of(target, &path)? {
            targets.push(TargetWiring { target: found, input: input(target, &path)? });
        }
    }
    let name = resolver.physical_name(logical_id)?;
    add(wiring, &name, &properties, "EventPattern", "ScheduleExpression", targets, &path)
}

fn add(
    wiring: &mut Wiring,
    name: &str,
    properties: &Value,
    pattern_field: &str,
    schedule_field: &str,
    targets: Vec<TargetWiring>,
    path: &str,
) -> Result<(), WiringError> {
    if properties.get("EventBusName").is_some_and(|bus| bus != "default") {
        return Err(WiringError::unresolved(path, "only the default event bus is supported locally"));
    }
    if properties["State"] == "DISABLED" || properties["Enabled"] == false {
        return Ok(());
    }
    match (properties.get(pattern_field), properties.get(schedule_field)) {
        (Some(pattern), None) => {
            let pattern = EventPattern::parse(pattern)
                .map_err(|source| WiringError::Pattern { path: format!("{path}.{pattern_field}"), source })?;
            wiring.rules.push(RuleWiring { name: name.to_owned(), pattern, targets });
        }
        (None, Some(expression)) => {
            let every = expression.as_str().and_then(parse_rate).ok_or_else(|| {
                let reason = format!("only rate(..) is supported locally, not {expression}");
                WiringError::unresolved(format!("{path}.{schedule_field}"), reason)
            })?;
            let arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}");
            wiring.schedules.push(ScheduleWiring { name: name.to_owned(), arn, every, targets });
        }
        _ => return Err(WiringError::unresolved(path, "expected either a pattern or a schedule")),
    }
    Ok(())
}

/// Returns `None` for a topic, which has no subscribers in the local world.
fn target_of(target: &Value, path: &str) -> Result<Option<Target>, WiringError> {
    let arn = target["Arn"].as_str().unwrap_or_default();
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, "function", name, ..] => Ok(Some(Target::Function((*name).to_owned()))),
        ["arn", _, "states", _, _, "stateMachine", ..] => Ok(Some(Target::Machine(arn.to_owned()))),
        ["arn", _, "sns", ..] => Ok(None),
        _ => Err(WiringError::unresolved(format!("{path}.Arn"), format!("`{arn}` is no function and no machine"))),
    }
}

fn input(properties: &Value, path: &str) -> Result<TargetInput, WiringError> {
    if properties.get("InputTransformer").is_some() {
        return Err(WiringError::unresolved(format!("{path}.InputTransformer"), "it is not supported locally"));
    }
    match (properties.get("Input"), properties.get("InputPath")) {
        (None, None) => Ok(TargetInput::Event),
        (Some(input), None) => {
            let text = input.as_str().unwrap_or_default();
            let value = serde_json::from_str(text).map_err(|source| {
                WiringError::unresolved(format!("{path}.Input"), format!("it is not JSON: {source}"))
            })?;
            Ok(TargetInput::Constant(value))
        }
        (None, Some(part)) => {
            let names = part.as_str().and_then(|part| part.strip_prefix('$')).ok_or_else(|| {
                WiringError::unresolved(format!("{path}.InputPath"), format!("{part} does not start with `$`"))
            })?;
            Ok(TargetInput::Part(names.split('.').skip(1).map(str::to_owned).collect()))
        }
        (Some(_), Some(_)) => Err(WiringError::unresolved(path, "only one of `Input` and `InputPath` is allowed")),
    }
}

fn parse_rate(expression: &str) -> Option<SignedDuration> {
    let inside = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (number, unit) = inside.split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let seconds = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}
