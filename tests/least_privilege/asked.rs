//! What is asked for, by whom, and how that is known.

use super::policy::PRINCIPAL;
use super::ports::Verbs;
use super::roles::{of_function, role_in};
use crate::simulation::Callers;
use crate::template::resolved::resolved;
use crate::template::template;
use crossfade_rehearsal::endpoints::access::IamAccess;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

/// One thing that somebody has to be allowed.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The role or policy that has to allow it, by its name in the template.
    pub(super) holder: String,
    pub(super) access: IamAccess,
    /// How it is known.
    pub(super) why: String,
}

impl Asked {
    fn new(holder: impl Into<String>, access: IamAccess, why: impl Into<String>) -> Self {
        Self { holder: holder.into(), access, why: why.into() }
    }
}

/// What the functions' own code asks for: their calls in the simulation, in the words that `crates/aws` finds for them.
pub(super) fn by_functions(callers: &Callers, verbs: &Verbs) -> Vec<Asked> {
    let template = template();
    let mut all = Vec::new();
    for (function, verb) in callers {
        // A person's command is no function, and an operator's hook is none of ours.
        if ["command", "hook", "probe-from-here", "resume"].contains(function) {
            continue;
        }
        let role = of_function(&template, &format!("crossfade-{function}"));
        let role = role.unwrap_or_else(|| panic!("the template has no function {function}"));
        let accesses = verbs.get(*verb).unwrap_or_else(|| {
            panic!("{function} calls {verb}, of which tests/least_privilege/ports.rs knows nothing: call it there")
        });
        let why = format!("{function} calls {verb} in the simulation");
        all.extend(accesses.iter().map(|access| Asked::new(role.as_str(), access.clone(), why.as_str())));
    }
    all
}

fn resources<'a>(template: &'a Value, of_type: &'static str) -> impl Iterator<Item = &'a Value> {
    let all = template["Resources"].as_mapping().unwrap().values();
    all.filter(move |resource| resource["Type"].as_str() == Some(of_type))
}

/// What Lambda does with a function's role: it writes the log, and keeps an event that failed.
pub(super) fn by_lambda(template: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for function in resources(template, "AWS::Serverless::Function") {
        let role = role_in(&function["Properties"]["Role"]);
        let properties = resolved(template, &function["Properties"]);
        let log_group = properties["LoggingConfig"]["LogGroup"].as_str().unwrap();
        let stream = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log_group}:log-stream:2026/11/22/[1]0");
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            all.push(Asked::new(role.as_str(), IamAccess::new(action, stream.as_str()), "Lambda writes the log"));
        }
        if let Some(queue) = properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"].as_str() {
            all.push(Asked::new(role, IamAccess::new("sqs:SendMessage", queue), "Lambda keeps what failed"));
        }
    }
    for action in [
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "UnassignPrivateIpAddresses",
    ] {
        let access = IamAccess::new(format!("ec2:{action}"), "*");
        all.push(Asked::new("ProbeNetworkPolicy", access, "Lambda puts the function for probes into a VPC"));
    }
    all
}

/// What Step Functions does with a machine's role: it calls the functions of its states, writes a log and sends traces.
pub(super) fn by_machines(template: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for machine in resources(template, "AWS::Serverless::StateMachine") {
        let role = role_in(&machine["Properties"]["Role"]);
        let properties = resolved(template, &machine["Properties"]);
        let file = properties["DefinitionUri"].as_str().unwrap().trim_start_matches("../");
        let definition: Json = serde_json::from_str(&crate::repository::read(file)).unwrap();
        let states = definition["States"].as_object().unwrap();
        let of_maps = states.values().filter_map(|state| state["ItemProcessor"]["States"].as_object());
        for (name, state) in states.iter().chain(of_maps.flatten()) {
            let parameters = &state["Parameters"];
            if parameters.get("FunctionName.$").is_some() {
                // By the name in the policy, which can name a hook alone.
                let hook = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:crossfade-hook-move-consumers");
                let access = IamAccess::new("lambda:InvokeFunction", hook);
                all.push(Asked::new(role.as_str(), access, format!("state {name:?}")));
            }
            let Some(function) = parameters["FunctionName"].as_str() else { continue };
            let variable = function.trim_start_matches("${").trim_end_matches('}');
            let version = properties["DefinitionSubstitutions"][variable].as_str().unwrap();
            let access = IamAccess::new("lambda:InvokeFunction", version);
            all.push(Asked::new(role.as_str(), access, format!("state {name:?}")));
        }
        // Both lists are those of the developer guide: "Logging using CloudWatch Logs", "X-Ray tracing".
        let logs = [
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        ];
        let traces = ["GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"];
        if properties["Logging"]["Level"] != "OFF" {
            let access = |action: &str| IamAccess::new(format!("logs:{action}"), "*");
            all.extend(logs.map(|action| Asked::new(role.as_str(), access(action), "the machine writes a log")));
        }
        if properties["Tracing"]["Enabled"] == true {
            let access = |action: &str| IamAccess::new(format!("xray:{action}"), "*");
            all.extend(traces.map(|action| Asked::new(role.as_str(), access(action), "the machine is traced")));
        }
    }
    all
}

/// What EventBridge, its pipe and CloudWatch do: they move records and events, keep what they cannot deliver, and tell
/// the topic.
pub(super) fn by_events(template: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for pipe in resources(template, "AWS::Pipes::Pipe") {
        let role = role_in(&pipe["Properties"]["RoleArn"]);
        let properties = resolved(template, &pipe["Properties"]);
        let source = properties["Source"].as_str().unwrap();
        // The developer guide's list for a stream of DynamoDB.
        let finds = IamAccess::new("dynamodb:ListStreams", "*");
        all.push(Asked::new(role.as_str(), finds, "the pipe looks for the stream"));
        for action in ["DescribeStream", "GetRecords", "GetShardIterator"] {
            let access = IamAccess::new(format!("dynamodb:{action}"), source);
            all.push(Asked::new(role.as_str(), access, "the pipe reads the stream"));
        }
        let target = properties["Target"].as_str().unwrap();
        all.push(Asked::new(role.as_str(), IamAccess::new("events:PutEvents", target), "the pipe tells the bus"));
        let kept = &properties["SourceParameters"]["DynamoDBStreamParameters"]["DeadLetterConfig"]["Arn"];
        let access = IamAccess::new("sqs:SendMessage", kept.as_str().unwrap());
        all.push(Asked::new(role, access, "the pipe keeps what the bus does not take"));
    }
    let rule = |name: &Json| format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", name.as_str().unwrap());
    for function in resources(template, "AWS::Serverless::Function") {
        let events = resolved(template, &function["Properties"]["Events"]);
        for event in events.as_object().into_iter().flat_map(|events| events.values()) {
            let properties = &event["Properties"];
            let name = properties.get("RuleName").unwrap_or(&properties["Name"]);
            let access =
                by("events.amazonaws.com", &rule(name), "sqs:SendMessage", &properties["DeadLetterConfig"]["Arn"]);
            all.push(Asked::new("DeadLettersPolicy", access, format!("rule {name}")));
        }
    }
    for resource in resources(template, "AWS::Events::Rule") {
        let properties = resolved(template, &resource["Properties"]);
        let source = rule(&properties["Name"]);
        for target in properties["Targets"].as_array().unwrap() {
            let kept = by("events.amazonaws.com", &source, "sqs:SendMessage", &target["DeadLetterConfig"]["Arn"]);
            all.push(Asked::new("DeadLettersPolicy", kept, source.as_str()));
            let told = by("events.amazonaws.com", &source, "sns:Publish", &target["Arn"]);
            all.push(Asked::new("NotificationsPolicy", told, source.as_str()));
        }
    }
    for alarm in resources(template, "AWS::CloudWatch::Alarm") {
        let properties = resolved(template, &alarm["Properties"]);
        let name = properties["AlarmName"].as_str().unwrap();
        let source = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}");
        let told = by("cloudwatch.amazonaws.com", &source, "sns:Publish", &properties["AlarmActions"][0]);
        all.push(Asked::new("NotificationsPolicy", told, source));
    }
    all
}

/// What a service of AWS asks for on behalf of `source`.
fn by(service: &str, source: &str, action: &str, arn: &Json) -> IamAccess {
    IamAccess::new(action, arn.as_str().unwrap()).with(PRINCIPAL, service).with("aws:SourceArn", source)
}

/// What a deploy job needs to start a migration, to watch it and to abort it, with the command line or without it.
pub(super) fn by_integrations() -> Vec<Asked> {
    let states = |kind: &str, name: &str| format!("arn:aws:states:{REGION}:{ACCOUNT}:{kind}:crossfade-{name}");
    let (mut all, mut fleet) = (Vec::new(), Vec::new());
    let mut asks = |action: &str, resource: String, why: &str| {
        all.push(Asked::new("CiPolicy", IamAccess::new(action, resource), why));
    };
    for machine in ["migrate-service", "roll-back-service"] {
        asks("states:StartExecution", states("stateMachine", machine), "`start` and `abort` start a machine");
        asks("states:ListExecutions", states("stateMachine", machine), "a second `start` finds the first");
        let execution = format!("{}:users-1", states("execution", machine));
        asks("states:DescribeExecution", execution.clone(), "`watch` asks how it stands");
        asks("states:GetExecutionHistory", execution.clone(), "`watch` tells how it came to that");
        asks(
            "states:StopExecution",
            execution,
            "`abort` stops what it has rolled back, and a rollback that was started twice",
        );
    }
    let (machine, execution) = (states("stateMachine", "migrate-fleet"), states("execution", "migrate-fleet:eks-1"));
    let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/crossfade");
    for (action, resource, why) in [
        ("states:StartExecution", &machine, "`fleet start` and every command to a fleet"),
        ("states:ListExecutions", &machine, "a second `fleet start` finds the first"),
        ("states:DescribeExecution", &execution, "`fleet watch` asks how it stands"),
        ("states:GetExecutionHistory", &execution, "`fleet watch` tells how it came to that"),
        ("dynamodb:BatchGetItem", &table, "`fleet watch` reads the heads of all services"),
    ] {
        fleet.push(Asked::new("CiFleetPolicy", IamAccess::new(action, resource.as_str()), why));
    }
    asks("dynamodb:GetItem", table.clone(), "`watch` reads the head and the plan");
    asks("dynamodb:Query", table, "`watch` reads the journal");
    for action in [
        "cloudwatch:DescribeAlarms",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetHealth",
    ] {
        asks(action, "*".to_owned(), "`watch` shows what is live");
    }
    let calendar = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:document/change-freeze");
    asks("ssm:GetCalendarState", calendar, "`watch` shows what a step waits for");
    all.extend(fleet);
    all
}
