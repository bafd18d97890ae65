//! Step Functions over HTTP (awsJson1.0), as far as people and tools need it to inspect executions.

mod shapes;

use crate::endpoints::aws_service::AwsService;
use crate::functions::local_executions::LocalExecutions;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::states::{RefusedCall, Status};
use http::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shapes::{describe_execution, describe_machine, epoch_seconds, execution_item, history_event, machine_item};

/// The Step Functions of the local world.
#[derive(Clone)]
pub struct StepFunctionsApi {
    executions: LocalExecutions,
}

type Answer = Result<Value, AwsError>;

impl StepFunctionsApi {
    /// Serves these executions.
    pub fn new(executions: LocalExecutions) -> Self {
        Self { executions }
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        match operation {
            "StartExecution" => self.start_execution(parse(body)?),
            "DescribeExecution" => self.describe_execution(&parse(body)?),
            "StopExecution" => self.stop_execution(parse(body)?),
            "ListExecutions" => self.list_executions(&parse(body)?),
            "GetExecutionHistory" => self.execution_history(&parse(body)?),
            "DescribeStateMachine" => self.describe_state_machine(&parse(body)?),
            "ListStateMachines" => Ok(self.list_state_machines()),
            other => Err(refusal("UnknownOperationException", format!("the local world has no operation `{other}`"))),
        }
    }

    fn start_execution(&self, request: StartExecution) -> Answer {
        let text = request.input.unwrap_or_else(|| "{}".to_owned());
        let input = serde_json::from_str(&text)
            .map_err(|error| refusal("InvalidExecutionInput", format!("the input is not JSON: {error}")))?;
        check_arn(&request.state_machine_arn)?;
        let arn = self
            .executions
            .start_execution(&request.state_machine_arn, request.name.as_deref(), input)
            .map_err(|call| refused(&call))?;
        let started = self.executions.describe(&arn).map_err(|call| refused(&call))?.start_date;
        Ok(json!({ "executionArn": arn, "startDate": epoch_seconds(started) }))
    }

    fn describe_execution(&self, request: &OneExecution) -> Answer {
        check_arn(&request.execution_arn)?;
        self.executions
            .describe(&request.execution_arn)
            .map(|shown| describe_execution(&shown))
            .map_err(|call| refused(&call))
    }

    fn stop_execution(&self, request: StopExecution) -> Answer {
        check_arn(&request.execution_arn)?;
        let stopped = self
            .executions
            .stop(&request.execution_arn, request.error, request.cause)
            .map_err(|call| refused(&call))?;
        Ok(json!({ "stopDate": epoch_seconds(stopped) }))
    }

    fn list_executions(&self, request: &ListExecutions) -> Answer {
        check_arn(&request.state_machine_arn)?;
        let status = request.status_filter.as_deref().map(parse_status).transpose()?;
        let page = self.executions.read(|states| {
            states.list_executions(
                &request.state_machine_arn,
                status,
                request.max_results.unwrap_or(0),
                request.next_token.as_deref(),
            )
        });
        let page = page.map_err(|call| refused(&call))?;
        let executions: Vec<Value> = page.elements.iter().map(execution_item).collect();
        Ok(json!({ "executions": executions, "nextToken": page.next_token }))
    }

    fn execution_history(&self, request: &ExecutionHistory) -> Answer {
        check_arn(&request.execution_arn)?;
        let page = self.executions.read(|states| {
            states.history(
                &request.execution_arn,
                request.reverse_order,
                request.max_results.unwrap_or(0),
                request.next_token.as_deref(),
            )
        });
        let page = page.map_err(|call| refused(&call))?;
        let with_data = request.include_execution_data.unwrap_or(true);
        let events: Vec<Value> = page.elements.iter().map(|event| history_event(event, with_data)).collect();
        Ok(json!({ "events": events, "nextToken": page.next_token }))
    }

    fn describe_state_machine(&self, request: &OneMachine) -> Answer {
        check_arn(&request.state_machine_arn)?;
        self.executions
            .read(|states| states.describe_state_machine(&request.state_machine_arn).map(describe_machine))
            .map_err(|call| refused(&call))
    }

    fn list_state_machines(&self) -> Value {
        let machines: Vec<Value> = self.executions.read(|states| states.state_machines().map(machine_item).collect());
        json!({ "stateMachines": machines })
    }
}

#[async_trait::async_trait]
impl AwsService for StepFunctionsApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.strip_prefix("AWSStepFunctions.").unwrap_or_default();
        match self.answer(operation, request.body()) {
            Ok(answer) => Response::builder()
                .header("content-type", "application/x-amz-json-1.0")
                .body(Bytes::from(answer.to_string()))
                .expect("a plain header makes a response"),
            Err(error) => self.refusal(&error),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartExecution {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneExecution {
    execution_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneMachine {
    state_machine_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopExecution {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListExecutions {
    state_machine_arn: String,
    status_filter: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionHistory {
    execution_arn: String,
    #[serde(default)]
    reverse_order: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    serde_json::from_slice(body).map_err(|error| refusal("ValidationException", error.to_string()))
}

fn parse_status(text: &str) -> Result<Status, AwsError> {
    [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| refusal("ValidationException", format!("`{text}` is not a status of an execution")))
}

fn check_arn(arn: &str) -> Result<(), AwsError> {
    if arn.starts_with("arn:") { Ok(()) } else { Err(refusal("InvalidArn", format!("Invalid Arn: '{arn}'"))) }
}

fn refused(call: &RefusedCall) -> AwsError {
    refusal(call.code(), call.to_string())
}

fn refusal(code: &str, message: String) -> AwsError {
    AwsError { code: code.into(), message, http_status: 400 }
}
