//! What a service that moves is doing, in few words.

use crate::stack::position::Position;
use crate::view::few_words::few_words;

/// What a service that moves is doing; nothing where it only bakes.
pub fn doing(position: &Position) -> String {
    let head = &position.head;
    if let Some(weight) = position.shifting_to {
        return format!("shifting to {weight}");
    }
    if head.held_since.is_some() {
        let reason = head.reason.as_deref().unwrap_or("held by its gates");
        return few_words(reason, position.plan.as_ref());
    }
    match head.verified_step {
        None | Some(0) => "waiting for healthy targets".to_owned(),
        Some(_) => String::new(),
    }
}
