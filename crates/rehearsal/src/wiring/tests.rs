//! Small templates, read like the deployed one.

use super::*;
use jiff::SignedDuration;
use serde_json::json;

const TEMPLATE: &str = r#"
Parameters:
  Level: { Type: String, Default: info }
Globals:
  Function:
    Timeout: 60
    Environment:
      Variables:
        TABLE: !Ref Table
        LEVEL: !Ref Level
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref AWS::StackName
      KeySchema: [{ AttributeName: pk, KeyType: HASH }, { AttributeName: sk, KeyType: RANGE }]
  LookFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: look } }
    Properties:
      FunctionName: !Sub "${AWS::StackName}-look"
      Timeout: 15
      MemorySize: 256
      ReservedConcurrentExecutions: 5
      EventInvokeConfig: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 1 }
      Environment:
        Variables:
          MACHINE: !Sub "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${AWS::StackName}-move"
          LEVEL: !Join ["-", [very, !Ref Level]]
      Events:
        AlarmFires:
          Type: EventBridgeRule
          Properties:
            Pattern: { source: [aws.cloudwatch], detail: { state: { value: [ALARM] } } }
        EveryMinute:
          Type: Schedule
          Properties: { Schedule: rate(1 minute), Input: '{"sweep":true}' }
  Move:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub "${AWS::StackName}-move"
      DefinitionUri: move.asl.json
      DefinitionSubstitutions: { LookFunction: !GetAtt LookFunction.Arn, Pinned: !Ref LookFunction.Version }
  Ended:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [aws.states] }
      Targets:
        - { Id: move, Arn: !Ref Move, InputPath: $.detail }
        - { Id: look, Arn: { "Fn::GetAtt": [LookFunction, Arn] } }
        - { Id: tell, Arn: !Ref Topic, InputTransformer: { InputTemplate: '"it ended"' } }
  Topic:
    Type: AWS::SNS::Topic
"#;

fn read(template: &str) -> Result<Wiring, WiringError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    std::fs::write(&file, template).unwrap();
    let machine = r#"{"StartAt": "${LookFunction}", "Pinned": ["${Pinned}"]}"#;
    std::fs::write(folder.path().join("move.asl.json"), machine).unwrap();
    Wiring::read(&file)
}

#[test]
fn a_template_is_wired_with_its_references_resolved() {
    let wiring = read(TEMPLATE).unwrap();
    let look = &wiring.functions["crossfade-look"];
    assert_eq!(look.binary, "look");
    assert_eq!(look.arn, "arn:aws:lambda:eu-west-1:000000000000:function:crossfade-look");
    assert_eq!(look.timeout, Duration::from_secs(15));
    assert_eq!(look.memory_megabytes, 256);
    assert!(look.reserved);
    assert_eq!((look.event_retries.most_age, look.event_retries.most_retries), (SignedDuration::from_hours(1), 1));
    assert_eq!(look.environment["TABLE"], "crossfade");
    assert_eq!(look.environment["LEVEL"], "very-info");
    let machine = &wiring.machines["crossfade-move"];
    assert_eq!(look.environment["MACHINE"], machine.arn);
    assert_eq!(machine.definition["StartAt"], look.arn.as_str());
    assert_eq!(machine.definition["Pinned"][0], format!("{}:1", look.arn));
    assert_eq!(wiring.tables[0].name, "crossfade");
    assert_eq!(wiring.tables[0].key_schema[1].attribute_name, "sk");
}

#[test]
fn rules_and_schedules_know_their_targets() {
    let wiring = read(TEMPLATE).unwrap();
    let alarm = json!({"source": "aws.cloudwatch", "detail": {"state": {"value": "ALARM"}}});
    let found: Vec<&str> =
        wiring.rules.iter().filter(|rule| rule.pattern.matches(&alarm)).map(|rule| rule.name.as_str()).collect();
    assert_eq!(found, ["crossfade-LookFunctionAlarmFires"]);
    let ended = wiring.rules.iter().find(|rule| rule.name == "crossfade-Ended").unwrap();
    assert_eq!(ended.targets[0].target, Target::Machine(wiring.machines["crossfade-move"].arn.clone()));
    assert_eq!(ended.targets[0].input.of_event(&json!({"detail": {"a": 1}})), json!({"a": 1}));
    assert_eq!(ended.targets[1].target, Target::Function("crossfade-look".into()));
    assert_eq!(ended.targets.len(), 2, "a topic has no subscriber here");
    assert_eq!(wiring.schedules[0].every, SignedDuration::from_secs(60));
    assert_eq!(wiring.schedules[0].targets[0].input, TargetInput::Constant(json!({"sweep": true})));
}

#[track_caller]
fn check_refused(from: &str, to: &str, expected: &str) {
    assert!(TEMPLATE.contains(from), "{from}");
    let error = read(&TEMPLATE.replace(from, to)).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_cannot_be_resolved_is_an_error_with_its_path() {
    check_refused(
        "TABLE: !Ref Table",
        "TABLE: !Ref Gone",
        "cannot resolve Globals.Function.Environment.Variables.TABLE: there is no parameter or resource `Gone`",
    );
    check_refused(
        "!Ref AWS::StackName",
        "!ImportValue name",
        "cannot resolve Resources.Table.Properties.TableName: the function `ImportValue` is not supported locally",
    );
    check_refused(
        "rate(1 minute)",
        "cron(0 0 * * ? *)",
        "cannot resolve Resources.LookFunction.Properties.Events.EveryMinute.Schedule: only rate(..) is supported \
         locally, not \"cron(0 0 * * ? *)\"",
    );
    check_refused(
        ", Pinned: !Ref LookFunction.Version",
        "",
        "cannot resolve Resources.Move.Properties.DefinitionSubstitutions: nothing is given for `Pinned`",
    );
    check_refused(
        "!Sub \"${AWS::StackName}-look\"",
        "!Ref LookFunction",
        "cannot resolve Resources.LookFunction.Properties.FunctionName: references are circular",
    );
    check_refused(
        "Metadata: { BuildProperties: { Binary: look } }",
        "Metadata: {}",
        "cannot resolve Resources.LookFunction.Metadata.BuildProperties.Binary: the name of the function's binary is \
         missing",
    );
}

#[test]
fn the_deployed_template_can_be_wired() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let wiring = Wiring::read(&template).unwrap();
    assert!(wiring.machines.contains_key("crossfade-migrate-service"));
    assert!(wiring.functions.contains_key("crossfade-shift-weight"));
    for machine in wiring.machines.values() {
        crossfade_world::states::Machine::parse(&machine.definition)
            .unwrap_or_else(|error| panic!("{}: {error}", machine.name));
    }
}

#[test]
fn a_stack_with_a_role_for_ci_refuses_inline_policies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let template = std::fs::read_to_string(root.join("infra/template.yaml")).unwrap();
    let statemachine = root.join("statemachine");
    let check = |changes: &[(&str, &str)], expected: &str| {
        let mut changed = template.clone();
        for (parameter, default) in changes {
            let at = changed.find(&format!("\n  {parameter}:\n    Type: String\n    Default: ")).unwrap();
            let begin = at + changed[at..].find("Default: ").unwrap() + "Default: ".len();
            let end = begin + changed[begin..].find('\n').unwrap();
            changed.replace_range(begin..end, default);
        }
        let changed = changed.replace("../statemachine", statemachine.to_str().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        std::fs::write(&file, changed).unwrap();
        let wiring = Wiring::read(&file).unwrap();
        let definition = &wiring.machines["crossfade-migrate-service"].definition;
        let stack = &definition["States"]["Plan migration"]["Parameters"]["Payload"]["stack"];
        assert_eq!(stack["inlinePolicies"], expected, "{changes:?}");
    };
    let provider = "arn:aws:iam::123456789012:oidc-provider/gitlab.com";
    check(&[], "accepted");
    check(&[("GitLabProviderArn", provider)], "refused");
    check(&[("GitLabProviderArn", provider), ("InlinePolicies", "\"yes\"")], "accepted");
    check(&[("InlinePolicies", "\"no\"")], "refused");
}
