//! Lists of ids, read in batches.

use crossfade_actions::ports::PortError;
use futures::{StreamExt as _, TryStreamExt as _};
use std::future::Future;

/// `DescribeTags` takes no more ARNs in one call, and nothing says that the other reads take more.
const IDS_IN_A_CALL: usize = 20;
/// Calls under way at a time: quick for a rollback, and far from the account's bucket of 40.
const CALLS_AT_A_TIME: usize = 4;

/// Reads what exists among `ids`. AWS fails a call of which one object is gone; such a batch is read one by one.
pub(super) async fn existing<T, F, R>(ids: Vec<String>, read: F) -> Result<Vec<T>, PortError>
where
    F: Fn(Vec<String>) -> R,
    R: Future<Output = Result<Vec<T>, PortError>>,
{
    let batches: Vec<Vec<String>> = ids.chunks(IDS_IN_A_CALL).map(<[String]>::to_vec).collect();
    let read = &read;
    let found: Vec<Vec<T>> = futures::stream::iter(batches)
        .map(|batch| async move {
            match read(batch.clone()).await {
                Err(PortError::NotFound { .. }) if batch.len() > 1 => one_by_one(batch, read).await,
                Err(PortError::NotFound { .. }) => Ok(Vec::new()),
                other => other,
            }
        })
        .buffered(CALLS_AT_A_TIME)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn one_by_one<T, F, R>(ids: Vec<String>, read: &F) -> Result<Vec<T>, PortError>
where
    F: Fn(Vec<String>) -> R,
    R: Future<Output = Result<Vec<T>, PortError>>,
{
    let mut found = Vec::new();
    for id in ids {
        match read(vec![id]).await {
            Ok(one) => found.extend(one),
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn a_missing_one_costs_only_its_own_batch() {
        let calls = Mutex::new(Vec::new());
        let ids: Vec<String> = (0..45).map(|id| id.to_string()).collect();
        let found = existing(ids, |batch| {
            calls.lock().unwrap().push(batch.len());
            async move {
                if batch.contains(&"7".to_owned()) {
                    Err(PortError::NotFound { operation: "Describe", object: batch.join(" ") })
                } else {
                    Ok(batch)
                }
            }
        })
        .await
        .unwrap();
        assert_eq!(found.len(), 44);
        assert!(!found.contains(&"7".to_owned()));
        let mut calls = calls.into_inner().unwrap();
        calls.sort_unstable();
        assert_eq!(calls, [vec![1; 20], vec![5, 20, 20]].concat());
    }

    #[tokio::test]
    async fn any_other_failure_fails_the_read() {
        let read =
            |_| async { Err::<Vec<u8>, _>(PortError::Throttled { operation: "Describe", object: String::new() }) };
        assert!(existing(vec!["a".to_owned(), "b".to_owned()], read).await.is_err());
        assert_eq!(existing(Vec::new(), read).await.unwrap(), Vec::<u8>::new());
    }
}
