//! DynamoDB behind the front door, and faults on request.

use super::served::{Served, code};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use crossfade_rehearsal::endpoints::front_door::{Call, CallFault, CallObserver};
use std::sync::{Arc, Mutex};

/// Answers the next calls of an operation with faults, and keeps what it saw.
#[derive(Default)]
struct Script {
    faults: Mutex<Vec<(&'static str, CallFault)>>,
    seen: Mutex<Vec<Call>>,
}

impl CallObserver for Script {
    fn before(&self, call: &Call) -> CallFault {
        self.seen.lock().unwrap().push(call.clone());
        let mut faults = self.faults.lock().unwrap();
        match faults.iter().position(|(operation, _)| *operation == call.operation) {
            Some(at) => faults.remove(at).1,
            None => CallFault::None,
        }
    }
}

async fn create_table(client: &Client) {
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    let definition = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    client
        .create_table()
        .table_name("journal")
        .key_schema(key)
        .attribute_definitions(definition.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

fn put(client: &Client, key: &str) -> aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder {
    let put = client.put_item().table_name("journal").item("pk", AttributeValue::S(key.into()));
    put.condition_expression("attribute_not_exists(pk)")
}

async fn exists(client: &Client, key: &str) -> bool {
    let get = client.get_item().table_name("journal").key("pk", AttributeValue::S(key.into())).consistent_read(true);
    get.send().await.unwrap().item.is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_put_and_read_through_the_front_door() {
    let world = Served::start().await;
    let client = Client::new(&world.config);
    create_table(&client).await;
    put(&client, "users").send().await.unwrap();
    assert!(exists(&client, "users").await);
    assert_eq!(code(put(&client, "users").send().await), "ConditionalCheckFailedException");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_leave_behind_what_they_say_and_the_caller_is_known() {
    let script = Arc::new(Script::default());
    let world = Served::start_observed(script.clone()).await;
    let client = Client::new(&world.config);
    create_table(&client).await;
    for (fault, takes_effect) in [
        (CallFault::Throttle, false),
        (CallFault::FailBefore, false),
        (CallFault::FailAfter, true),
        (CallFault::DropBefore, false),
        (CallFault::DropAfter, true),
    ] {
        let key = format!("{fault:?}");
        script.faults.lock().unwrap().push(("PutItem", fault));
        assert!(put(&client, &key).send().await.is_err(), "{fault:?}");
        assert_eq!(exists(&client, &key).await, takes_effect, "{fault:?}");
    }
    script.faults.lock().unwrap().push(("ModifyRule", CallFault::Throttle));
    let throttled = world.elb.modify_rule().rule_arn(&world.rule).send().await;
    assert_eq!(code(throttled), "Throttling");
    script.faults.lock().unwrap().push(("DescribeAlarms", CallFault::Throttle));
    let throttled = aws_sdk_cloudwatch::Client::new(&world.config).describe_alarms().send().await;
    assert_eq!(code(throttled), "Throttling");
    let seen = script.seen.lock().unwrap();
    assert!(seen.iter().all(|call| call.caller.as_deref() == Some("shift-weight")), "{seen:?}");
}
