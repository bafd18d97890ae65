//! From JSON to a [`Machine`]: strict, because what is accepted here must mean the same to every interpreter.

use super::choice::Rule;
use super::definition::{
    Catcher, FailText, Integration, Kind, Machine, MapState, Recovery, ResultPlace, Retrier, Scope, Selection, State,
    Task, TimeoutFor, Transition, WaitFor,
};
use super::graph;
use super::path::ReferencePath;
use super::problems::{Fields, InvalidDefinition, Problems};
use super::recovery::RESERVED_ERRORS;
use super::template::Template;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest wait and timeout that AWS accepts.
const MOST_SECONDS: u64 = 99_999_999;
/// What AWS allows an inline Map in practice; also the meaning of `MaxConcurrency` 0.
const MOST_CONCURRENT: u64 = 40;

impl Machine {
    /// Reads a definition.
    ///
    /// The error names everything that is outside the portable subset, with its JSON path.
    pub fn parse(definition: &Value) -> Result<Self, InvalidDefinition> {
        let problems = Problems::default();
        let mut fields = Fields::of(definition, "$", &problems);
        fields.comment();
        expect_text(&mut fields, "Version", "1.0");
        expect_text(&mut fields, "QueryLanguage", "JSONPath");
        let timeout_seconds = fields.whole_number("TimeoutSeconds", 1, MOST_SECONDS);
        let scope = parse_scope(fields);
        let machine = Self { scope: Arc::new(scope), timeout_seconds };
        graph::check(&machine, &problems);
        let problems = problems.into_vec();
        if problems.is_empty() { Ok(machine) } else { Err(InvalidDefinition { problems }) }
    }
}

fn expect_text(fields: &mut Fields<'_>, name: &str, expected: &str) {
    if let Some(text) = fields.text(name)
        && text != expected
    {
        fields.report(name, format!("only `{expected}` is in the portable subset, not `{text}`"));
    }
}

fn parse_scope(mut fields: Fields<'_>) -> Scope {
    let problems = fields.problems;
    let start_at = required_text(&mut fields, "StartAt");
    let mut states = BTreeMap::new();
    let path = fields.at("States");
    match fields.take("States") {
        Some(Value::Object(definitions)) => {
            for (name, definition) in &definitions {
                let here = format!("{path}['{name}']");
                if let Some(state) = parse_state(Fields::of(definition, &here, problems)) {
                    states.insert(name.clone(), state);
                }
            }
        }
        _ => problems.report(path, "an object of states is expected"),
    }
    fields.finish();
    Scope { start_at, states }
}

fn required_text(fields: &mut Fields<'_>, name: &str) -> String {
    if !fields.has(name) {
        fields.report(name, "this field is missing");
    }
    fields.text(name).unwrap_or_default()
}

/// `None` only for a state without a known type: the graph is then judged without it.
fn parse_state(mut fields: Fields<'_>) -> Option<State> {
    fields.comment();
    expect_text(&mut fields, "QueryLanguage", "JSONPath");
    let state_type = required_text(&mut fields, "Type");
    let kind = match state_type.as_str() {
        "Task" => parse_task(&mut fields)?,
        "Choice" => parse_choice(&mut fields),
        "Wait" => parse_wait(&mut fields),
        "Pass" => Kind::Pass {
            result: fields.take("Result"),
            parameters: template(&mut fields, "Parameters"),
            result_path: result_place(&mut fields),
        },
        "Succeed" => Kind::Succeed,
        "Fail" => Kind::Fail { error: fail_text(&mut fields, "Error"), cause: fail_text(&mut fields, "Cause") },
        "Map" => parse_map(&mut fields),
        other => {
            fields.report("Type", format!("`{other}` is outside the portable subset"));
            return None;
        }
    };
    let (input_path, output_path) = if matches!(kind, Kind::Fail { .. }) {
        (root(), root())
    } else {
        (selection(&mut fields, "InputPath"), selection(&mut fields, "OutputPath"))
    };
    let transition = match kind {
        Kind::Choice { .. } | Kind::Succeed | Kind::Fail { .. } => Transition::End,
        _ => transition(&mut fields),
    };
    fields.finish();
    Some(State { input_path, output_path, transition, kind })
}

fn transition(fields: &mut Fields<'_>) -> Transition {
    let end = fields.take("End");
    match (fields.text("Next"), end) {
        (Some(next), None) => return Transition::Next(next),
        (None, Some(Value::Bool(true))) => {}
        (None, None) => fields.problems.report(&fields.path, "either `Next` or `\"End\": true` is missing"),
        (Some(_), Some(_)) => fields.report("End", "only one of `Next` and `End` is allowed"),
        (None, Some(other)) => fields.report("End", format!("only true is allowed, not {other}")),
    }
    Transition::End
}

fn parse_task(fields: &mut Fields<'_>) -> Option<Kind> {
    let resource = required_text(fields, "Resource");
    let Some(integration) = Integration::of_resource(&resource) else {
        fields.report("Resource", format!("`{resource}` is outside the portable subset"));
        return None;
    };
    check_parameters(fields, integration);
    if !fields.has("Parameters") {
        fields.report("Parameters", "this field is missing");
    }
    Some(Kind::Task(Task {
        integration,
        parameters: template(fields, "Parameters").unwrap_or(Template::Literal(Value::Null)),
        result_selector: template(fields, "ResultSelector"),
        result_path: result_place(fields),
        timeout: timeout(fields),
        recovery: recovery(fields),
    }))
}

fn timeout(fields: &mut Fields<'_>) -> Option<TimeoutFor> {
    let seconds = fields.whole_number("TimeoutSeconds", 1, MOST_SECONDS);
    let path = path(fields, "TimeoutSecondsPath");
    if seconds.is_some() && path.is_some() {
        fields.report("TimeoutSecondsPath", "only one of `TimeoutSeconds` and `TimeoutSecondsPath` is allowed");
    }
    seconds.map(TimeoutFor::Seconds).or_else(|| path.map(TimeoutFor::SecondsPath))
}

fn check_parameters(fields: &mut Fields<'_>, integration: Integration) {
    let Some(parameters) = fields.take("Parameters") else { return };
    let (required, allowed): (_, &[&str]) = match integration {
        Integration::LambdaInvoke => ("FunctionName", &["FunctionName", "Payload"]),
        Integration::StartExecution => ("StateMachineArn", &["StateMachineArn", "Input", "Name"]),
    };
    let path = fields.at("Parameters");
    let names: Vec<&str> = parameters
        .as_object()
        .map(|object| object.keys().map(|name| name.strip_suffix(".$").unwrap_or(name)).collect())
        .unwrap_or_default();
    if !names.contains(&required) {
        fields.problems.report(&path, format!("`{required}` is missing"));
    }
    for name in names.iter().filter(|name| !allowed.contains(name)) {
        fields.problems.report(format!("{path}.{name}"), "this parameter is outside the portable subset");
    }
    fields.put_back("Parameters", parameters);
}

fn parse_choice(fields: &mut Fields<'_>) -> Kind {
    let problems = fields.problems;
    let path = fields.at("Choices");
    let choices = fields.list("Choices").unwrap_or_default();
    if choices.is_empty() {
        problems.report(&path, "at least one rule is expected");
    }
    let mut rules = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let mut rule = Fields::of(choice, &format!("{path}[{index}]"), problems);
        let next = required_text(&mut rule, "Next");
        rules.extend(Rule::parse(rule, problems).map(|rule| (rule, next)));
    }
    Kind::Choice { rules, default: fields.text("Default") }
}

fn parse_wait(fields: &mut Fields<'_>) -> Kind {
    let seconds = fields.whole_number("Seconds", 0, MOST_SECONDS);
    let path = path(fields, "SecondsPath");
    Kind::Wait(match (seconds, path) {
        (Some(seconds), None) => WaitFor::Seconds(seconds),
        (None, Some(path)) => WaitFor::SecondsPath(path),
        _ => {
            fields.problems.report(&fields.path, "exactly one of `Seconds` and `SecondsPath` is expected");
            WaitFor::Seconds(0)
        }
    })
}

fn parse_map(fields: &mut Fields<'_>) -> Kind {
    let problems = fields.problems;
    if fields.has("ItemSelector") && fields.has("Parameters") {
        fields.report("Parameters", "only one of `ItemSelector` and `Parameters` is allowed");
    }
    let items_path = path(fields, "ItemsPath").unwrap_or_else(root_path);
    let max_concurrency = fields.whole_number("MaxConcurrency", 0, u64::MAX).unwrap_or(0);
    let max_concurrency = if max_concurrency == 0 { MOST_CONCURRENT } else { max_concurrency.min(MOST_CONCURRENT) };
    let result_selector = template(fields, "ResultSelector");
    let outer = problems.in_map.replace(true);
    let item_selector = template(fields, "ItemSelector").or_else(|| template(fields, "Parameters"));
    let mut processor =
        Fields::of(&fields.take("ItemProcessor").unwrap_or_default(), &fields.at("ItemProcessor"), problems);
    processor.comment();
    if let Some(config) = processor.take("ProcessorConfig") {
        let mut config = Fields::of(&config, &processor.at("ProcessorConfig"), problems);
        expect_text(&mut config, "Mode", "INLINE");
        config.finish();
    }
    let processor = parse_scope(processor);
    problems.in_map.set(outer);
    Kind::Map(Box::new(MapState {
        items_path,
        item_selector,
        processor: Arc::new(processor),
        max_concurrency: usize::try_from(max_concurrency).expect("it is at most 40"),
        result_selector,
        result_path: result_place(fields),
        recovery: recovery(fields),
    }))
}

fn recovery(fields: &mut Fields<'_>) -> Recovery {
    Recovery { retriers: each(fields, "Retry", retrier), catchers: each(fields, "Catch", catcher) }
}

fn each<T>(fields: &mut Fields<'_>, name: &str, parse: fn(&mut Fields<'_>, Vec<String>) -> T) -> Vec<T> {
    let path = fields.at(name);
    let elements = fields.list(name).unwrap_or_default();
    let mut parsed = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let mut element = Fields::of(element, &format!("{path}[{index}]"), fields.problems);
        element.comment();
        let errors = error_names(&mut element, index + 1 == elements.len());
        parsed.push(parse(&mut element, errors));
        element.finish();
    }
    parsed
}

fn retrier(fields: &mut Fields<'_>, errors: Vec<String>) -> Retrier {
    let interval_seconds = fields.whole_number("IntervalSeconds", 1, MOST_SECONDS).unwrap_or(1);
    Retrier {
        errors,
        interval_seconds,
        max_attempts: fields.whole_number("MaxAttempts", 0, MOST_SECONDS).unwrap_or(3),
        backoff_rate: fields.number("BackoffRate", 1.0).unwrap_or(2.0),
        max_delay_seconds: fields.whole_number("MaxDelaySeconds", interval_seconds + 1, 31_622_400),
        full_jitter: match fields.text("JitterStrategy").as_deref() {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(other) => {
                fields.report("JitterStrategy", format!("FULL or NONE is expected, not `{other}`"));
                false
            }
        },
    }
}

fn catcher(fields: &mut Fields<'_>, errors: Vec<String>) -> Catcher {
    Catcher { errors, result_path: result_place(fields), next: required_text(fields, "Next") }
}

fn error_names(fields: &mut Fields<'_>, is_last: bool) -> Vec<String> {
    let path = fields.at("ErrorEquals");
    let names: Vec<String> =
        fields.list("ErrorEquals").unwrap_or_default().iter().map(|name| name.as_str().unwrap_or("").into()).collect();
    if names.is_empty() || names.iter().any(String::is_empty) {
        fields.problems.report(&path, "a list of error names is expected");
    }
    for name in &names {
        if name.starts_with("States.") && !RESERVED_ERRORS.contains(&name.as_str()) {
            fields.problems.report(&path, format!("`{name}` is no error of the portable subset"));
        }
    }
    if names.iter().any(|name| name == "States.ALL") && !(names.len() == 1 && is_last) {
        fields.problems.report(&path, "`States.ALL` stands alone and last");
    }
    names
}

fn template(fields: &mut Fields<'_>, name: &str) -> Option<Template> {
    let path = fields.at(name);
    let value = fields.take(name)?;
    if !value.is_object() {
        fields.report(name, "an object is expected here");
    }
    let problems = fields.problems;
    Some(Template::parse(&value, problems.in_map.get(), &path, &mut |path, reason| problems.report(path, reason)))
}

fn path(fields: &mut Fields<'_>, name: &str) -> Option<ReferencePath> {
    let text = fields.text(name)?;
    parse_path(fields, name, &text)
}

fn parse_path(fields: &Fields<'_>, name: &str, text: &str) -> Option<ReferencePath> {
    match ReferencePath::parse(text) {
        Ok(path) => {
            if path.reads_context() && !path.is_known_context(fields.problems.in_map.get()) {
                fields.report(name, format!("`{path}` is not in the portable part of the context object"));
            }
            Some(path)
        }
        Err(error) => {
            fields.report(name, error.to_string());
            None
        }
    }
}

fn selection(fields: &mut Fields<'_>, name: &str) -> Selection {
    if let Some(Value::Null) = fields.peek(name) {
        fields.take(name);
        return Selection::Nothing;
    }
    path(fields, name).map_or_else(root, Selection::Path)
}

fn result_place(fields: &mut Fields<'_>) -> ResultPlace {
    if let Some(Value::Null) = fields.peek("ResultPath") {
        fields.take("ResultPath");
        return ResultPlace::Discard;
    }
    let path = path(fields, "ResultPath").unwrap_or_else(root_path);
    if path.reads_context() {
        fields.report("ResultPath", "the context object cannot be written");
    }
    ResultPlace::Path(path)
}

fn fail_text(fields: &mut Fields<'_>, name: &str) -> FailText {
    let by_path = format!("{name}Path");
    let text = fields.text(name);
    let path = path(fields, &by_path);
    match (text, path) {
        (Some(_), Some(_)) => {
            fields.report(&by_path, format!("only one of `{name}` and `{by_path}` is allowed"));
            FailText::Absent
        }
        (Some(text), None) => FailText::Text(text),
        (None, Some(path)) => FailText::Path(path),
        (None, None) => FailText::Absent,
    }
}

fn root_path() -> ReferencePath {
    ReferencePath::parse("$").expect("`$` is a reference path")
}

fn root() -> Selection {
    Selection::Path(root_path())
}
