//! Lists and numbers of a scenario's document.

use crossfade_domain::policy::reader::{Object, Place, Reader};

pub(super) fn list<T>(
    reader: &mut Reader,
    fields: &Object<'_>,
    field: &str,
    mut item: impl FnMut(&mut Reader, &Place<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(place) = fields.get(field) else { return Some(Vec::new()) };
    let places = reader.list(&place, "a list")?;
    let items: Vec<Option<T>> = places.iter().map(|place| item(reader, place)).collect();
    items.into_iter().collect()
}

pub(super) fn number(reader: &mut Reader, place: &Place<'_>, least: f64, most: f64) -> Option<f64> {
    let number = place.value.as_f64().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        reader.note(&place.path, format!("{}: expected a number from {least} to {most}", place.value));
    }
    number
}
