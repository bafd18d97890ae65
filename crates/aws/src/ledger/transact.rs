//! One transaction, tried again while others are in its way.

use super::Table;
use super::item::Item;
use crate::classify::{classify, refused};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use crossfade_actions::ports::PortError;
use std::time::Duration;

/// `DynamoDB` takes no more in one transaction.
pub(super) const MOST_WRITES: usize = 100;
/// A conflict lasts as long as the other's transaction, a few milliseconds. A rollback that meets a function's last
/// write must not wait a minute for its event to be delivered again, so conflicts are ridden out here.
const CONFLICT_PAUSES_MILLISECONDS: [u64; 4] = [20, 60, 150, 400];
const OPERATION: &str = "TransactWriteItems";

/// The result of a transaction.
pub(super) enum Outcome {
    /// All of it is stored.
    Done,
    /// Nothing of it: some conditions did not hold.
    ConditionsFailed(Vec<Unmet>),
}

/// A condition that did not hold.
pub(super) struct Unmet {
    /// Which of the writes, from 0.
    pub(super) write: usize,
    /// The stored item; `None` if it does not exist.
    pub(super) stored: Option<Item>,
}

impl Outcome {
    /// The stored item at the `index`-th write, if its condition failed.
    pub(super) fn unmet(unmet: &[Unmet], index: usize) -> Option<&Unmet> {
        unmet.iter().find(|unmet| unmet.write == index)
    }
}

impl Table {
    /// The SDK gives every call its own token, so its retries after a lost response find their own success.
    pub(super) async fn transact(&self, object: &str, writes: Vec<TransactWriteItem>) -> Result<Outcome, PortError> {
        if writes.len() > MOST_WRITES {
            let detail = format!("{} items in one transaction, where {MOST_WRITES} are allowed", writes.len());
            return Err(refused(OPERATION, object, "TooManyItems", detail));
        }
        let mut pauses = CONFLICT_PAUSES_MILLISECONDS.into_iter();
        loop {
            match self.transact_once(object, writes.clone()).await {
                Err(PortError::Throttled { operation, object }) => match pauses.next() {
                    Some(milliseconds) => self.sleep.sleep(Duration::from_millis(milliseconds)).await,
                    None => return Err(PortError::Throttled { operation, object }),
                },
                other => return other,
            }
        }
    }

    async fn transact_once(&self, object: &str, writes: Vec<TransactWriteItem>) -> Result<Outcome, PortError> {
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match answer {
            Ok(_) => Ok(Outcome::Done),
            Err(SdkError::ServiceError(context)) if context.err().is_transaction_canceled_exception() => {
                let TransactWriteItemsError::TransactionCanceledException(cancelled) = context.into_err() else {
                    unreachable!("the guard has looked at the variant")
                };
                cancellation(object, cancelled.cancellation_reasons.unwrap_or_default())
            }
            Err(error) => Err(classify(OPERATION, object.to_owned(), &error)),
        }
    }
}

/// A failed condition decides, whatever other reasons there are.
fn cancellation(object: &str, reasons: Vec<CancellationReason>) -> Result<Outcome, PortError> {
    let code = |reason: &CancellationReason| reason.code.clone().unwrap_or_default();
    if reasons.iter().any(|reason| code(reason) == "ConditionalCheckFailed") {
        let failed = reasons.into_iter().enumerate().filter(|(_, reason)| code(reason) == "ConditionalCheckFailed");
        return Ok(Outcome::ConditionsFailed(
            failed.map(|(write, reason)| Unmet { write, stored: reason.item }).collect(),
        ));
    }
    let told = reasons.iter().find(|reason| !matches!(reason.code.as_deref(), None | Some("None")));
    let object = object.to_owned();
    match told.map(code).unwrap_or_default() {
        conflict
            if ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"].contains(&&*conflict) =>
        {
            Err(PortError::Throttled { operation: OPERATION, object })
        }
        code => {
            let detail = told.and_then(|reason| reason.message.clone()).unwrap_or_default();
            Err(refused(OPERATION, &object, &code, detail))
        }
    }
}

/// A put that returns the stored item if its condition fails.
pub(super) fn put(table: &str, item: Item, condition: Option<Condition>) -> TransactWriteItem {
    let mut put = Put::builder().table_name(table).set_item(Some(item));
    if let Some(Condition { expression, names, values }) = condition {
        put = put
            .condition_expression(expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    }
    TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
}

/// A delete that returns the stored item if its condition fails.
pub(super) fn delete(table: &str, key: Item, condition: Condition) -> TransactWriteItem {
    let delete = Delete::builder()
        .table_name(table)
        .set_key(Some(key))
        .condition_expression(condition.expression)
        .set_expression_attribute_names(Some(condition.names))
        .set_expression_attribute_values(condition.values)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
}

/// A condition expression. Names are given as aliases, since many words are reserved.
#[derive(Clone)]
pub(super) struct Condition {
    expression: String,
    names: std::collections::HashMap<String, String>,
    values: Option<Item>,
}

impl Condition {
    /// There is no such item.
    pub(super) fn absent() -> Self {
        Self { expression: "attribute_not_exists(#pk)".to_owned(), names: alias(&["pk"]), values: None }
    }

    /// There is such an item.
    pub(super) fn present() -> Self {
        Self { expression: "attribute_exists(#pk)".to_owned(), names: alias(&["pk"]), values: None }
    }

    /// These attributes have these values.
    pub(super) fn equal(expected: Vec<(&str, aws_sdk_dynamodb::types::AttributeValue)>) -> Self {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let terms: Vec<String> = names.iter().map(|name| format!("#{name} = :{name}")).collect();
        Self {
            expression: terms.join(" AND "),
            names: alias(&names),
            values: Some(expected.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect()),
        }
    }

    /// This holds, or the attribute is a number of at most that.
    pub(super) fn or_at_most(mut self, name: &str, most: aws_sdk_dynamodb::types::AttributeValue) -> Self {
        self.expression = format!("{} OR #{name} <= :{name}", self.expression);
        self.names.extend(alias(&[name]));
        self.values.get_or_insert_default().insert(format!(":{name}"), most);
        self
    }

    /// This holds, or there is no such item.
    pub(super) fn or_absent(mut self) -> Self {
        self.expression = format!("attribute_not_exists(#pk) OR ({})", self.expression);
        self.names.extend(alias(&["pk"]));
        self
    }
}

fn alias(names: &[&str]) -> std::collections::HashMap<String, String> {
    names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str) -> CancellationReason {
        CancellationReason::builder().code(code).message("told").build()
    }

    #[test]
    fn a_condition_that_failed_decides_and_a_conflict_is_worth_another_try() {
        let outcome = cancellation("users", vec![reason("TransactionConflict"), reason("ConditionalCheckFailed")]);
        let Ok(Outcome::ConditionsFailed(unmet)) = outcome else { panic!("expected failed conditions") };
        assert_eq!(unmet.iter().map(|unmet| unmet.write).collect::<Vec<_>>(), [1]);
        for conflict in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            let outcome = cancellation("users", vec![reason("None"), reason(conflict)]);
            assert!(matches!(outcome, Err(PortError::Throttled { .. })), "{conflict}");
        }
        let Err(error) = cancellation("users", vec![reason("ValidationError")]) else { panic!("expected an error") };
        assert_eq!(error.code(), Some("ValidationError"));
    }
}
