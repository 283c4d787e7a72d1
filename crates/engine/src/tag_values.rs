//! The values that a tag has.

use switchboard_model::{Error, Result, Tags};
use switchboard_store::{TagKind, TagValueFilter, TagValuePage, TagValues};

use crate::{Caller, Engine};

impl Engine {
    /// Lists the values of a tag, named in the caller's view. An integration sees those of its own
    /// objects only.
    pub async fn list_tag_values(
        &self,
        caller: &Caller,
        kind: TagKind,
        name: &str,
        page: TagValuePage,
    ) -> Result<TagValues> {
        if let Err(tag) = Tags::from_iter([(name, "")]).check() {
            return Err(Error::invalid("key", tag.to_string()));
        }
        let filter = TagValueFilter {
            kind,
            name: caller.view().stored_name(name),
            integration: caller.integration_id(),
        };
        self.store().list_tag_values(caller.bot, filter, page).await
    }
}
