//! Limits of what callers give. Each error names the field.

use switchboard_model::{Error, Json, Result, Tags};

use crate::Caller;

/// The longest type, name and channel, in characters.
pub(crate) const NAME_LIMIT: usize = 200;

/// A name of 1 to 200 characters.
pub(crate) fn name(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "expected a text that is not empty"));
    }
    limit(field, text, NAME_LIMIT)
}

/// A text of at most so many characters.
pub(crate) fn limit(field: &str, text: &str, limit: usize) -> Result<()> {
    if text.contains('\0') || (text.len() > limit && text.chars().count() > limit) {
        return Err(Error::invalid(
            field,
            format!("expected at most {limit} characters without NUL"),
        ));
    }
    Ok(())
}

/// A payload that is not too large.
pub(crate) fn payload(payload: &Json) -> Result<()> {
    payload.check_payload()
}

/// Tags of a new object, as stored. Empty values mean "unset".
pub(crate) fn new_tags(caller: &Caller, tags: Tags) -> Result<Tags> {
    patch(caller, tags).map(Tags::without_empty)
}

/// Tags to merge, as stored.
pub(crate) fn patch(caller: &Caller, tags: Tags) -> Result<Tags> {
    tags.check().map_err(|tag| Error::tag("tags", &tag))?;
    Ok(caller.view().stored_tags(tags))
}

/// Tags to look for, as stored.
pub(crate) fn tag_filter(caller: &Caller, tags: Tags) -> Result<Tags> {
    patch(caller, tags).map_err(|error| match error {
        Error::InvalidPayload { field, expected } => Error::InvalidQuery {
            parameter: field,
            expected,
        },
        other => other,
    })
}

/// The identifying ones among stored tags: those whose names (in the caller's view) are given, or
/// all of them.
pub(crate) fn identity(caller: &Caller, tags: &Tags, by: Option<&[String]>) -> Result<Tags> {
    const FIELD: &str = "discriminateByTags";
    let Some(by) = by else {
        if tags.is_empty() {
            return Err(Error::invalid(
                "tags",
                "expected at least one tag that is not empty, to find it by",
            ));
        }
        return Ok(tags.clone());
    };
    if by.is_empty() {
        return Err(Error::invalid(
            FIELD,
            "expected at least one name; leave it out to compare all tags",
        ));
    }
    by.iter()
        .zip(0..)
        .map(|(name, index)| {
            let stored = caller.view().stored_name(name);
            match tags.get(&stored) {
                Some(value) => Ok((stored, value.to_owned())),
                None => Err(Error::invalid(
                    format!("{FIELD}[{index}]"),
                    format!("expected the name of a tag in tags that is not empty, not {name:?}"),
                )),
            }
        })
        .collect()
}
