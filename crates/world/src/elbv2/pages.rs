//! `Marker` and `PageSize`.

use super::Elbv2;
use crate::aws_error::AwsError;
use crate::tree::Tree;

impl Elbv2 {
    /// One page of `items` under `list`, with `NextMarker` if there are more. The marker is the key of the last item,
    /// so items that come and go between two pages neither repeat nor hide others.
    pub(super) fn page(&self, input: &Tree, list: &str, items: Vec<(String, Tree)>) -> Result<Tree, AwsError> {
        let asked = match input.number_at("PageSize") {
            Some(size) if (1..=400).contains(&size) => usize::try_from(size).unwrap_or(400),
            Some(size) => return Err(AwsError::validation(format!("PageSize '{size}' must be between 1 and 400"))),
            None => 400,
        };
        let size = asked.min(self.largest_page);
        let start = match input.text_at("Marker") {
            Some(marker) => items.iter().position(|(key, _)| key == marker).map_or(items.len(), |at| at + 1),
            None => 0,
        };
        let more = items.len() > start + size;
        let shown: Vec<(String, Tree)> = items.into_iter().skip(start).take(size).collect();
        let final_key = shown.last().map(|(key, _)| key.clone());
        let mut output = Tree::new().with(list, shown.into_iter().map(|(_, item)| item).collect::<Vec<_>>());
        if let (true, Some(marker)) = (more, final_key) {
            output.set("NextMarker", marker);
        }
        Ok(output)
    }
}
