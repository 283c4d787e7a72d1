//! The tokens that were asked for, so that not every request reads its token from the database.
//!
//! What is told is what a read of the database at that moment would tell: only tokens that were
//! read are kept, the writer forgets all of them before it commits a change of bots, integrations
//! or tokens, and none is kept again before that commit is over. A token that ends by time is the
//! caller's to refuse, as it is when it was read.
//!
//! What never happens here: a token that does not exist is remembered (whoever guesses would fill
//! the memory), or a change is decided by what is kept.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use switchboard_model::Token;
use switchboard_store::TokenHash;

use crate::failure::Done;

/// How many are kept.
const LIMIT: usize = 1024;

/// The tokens that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Known(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    tokens: HashMap<TokenHash, Token>,
    /// How many changes there were: what was read before one must not be kept after it.
    changes: u64,
    /// Whether one is being committed.
    changing: bool,
}

impl Known {
    /// The token with this hash, read if it is not kept.
    pub(crate) fn find(
        &self,
        hash: TokenHash,
        read: impl FnOnce() -> Done<Option<Token>>,
    ) -> Done<Option<Token>> {
        let seen = {
            let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = kept.tokens.get(&hash) {
                return Ok(Some(token.clone()));
            }
            kept.changes
        };
        let Some(token) = read()? else {
            return Ok(None);
        };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !kept.changing && kept.changes == seen {
            if kept.tokens.len() >= LIMIT {
                kept.tokens.clear();
            }
            kept.tokens.insert(hash, token.clone());
        }
        Ok(Some(token))
    }

    /// Forgets all, and keeps none until the guard is dropped: to be held while a change is
    /// committed.
    pub(crate) fn changing(&self) -> Changing<'_> {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.tokens.clear();
        kept.changes += 1;
        kept.changing = true;
        Changing(self)
    }
}

/// A change of bots, integrations or tokens is being committed.
pub(crate) struct Changing<'a>(&'a Known);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut kept = self.0.0.write().unwrap_or_else(PoisonError::into_inner);
        // Those who read while the commit went on may have seen what was before it.
        kept.changes += 1;
        kept.changing = false;
    }
}

#[cfg(test)]
mod tests {
    use switchboard_model::{BotId, Timestamp, TokenId};

    use super::*;

    fn token(label: &str) -> Token {
        Token {
            id: TokenId::from_bytes([1; 16]),
            bot: BotId::from_bytes([2; 16]),
            integration: None,
            label: label.to_owned(),
            hint: "abcd".to_owned(),
            created_at: Timestamp::from_millis(0),
            revoked_at: None,
        }
    }

    fn label(known: &Known, number: u64, read: &str) -> String {
        known
            .find(hash(number), || Ok(Some(token(read))))
            .unwrap()
            .unwrap()
            .label
    }

    fn hash(number: u64) -> TokenHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        TokenHash(bytes)
    }

    #[test]
    fn what_was_read_is_read_once_until_something_changes() {
        let known = Known::default();
        assert_eq!(label(&known, 0, "first"), "first");
        assert_eq!(label(&known, 0, "second"), "first");
        drop(known.changing());
        assert_eq!(label(&known, 0, "third"), "third");
    }

    #[test]
    fn what_was_read_before_or_during_a_change_is_not_kept_after_it() {
        let known = Known::default();
        let before = known.find(hash(0), || {
            drop(known.changing());
            Ok(Some(token("before")))
        });
        assert_eq!(before.unwrap().unwrap().label, "before");
        assert_eq!(label(&known, 0, "after"), "after");

        let guard = known.changing();
        assert_eq!(label(&known, 0, "during"), "during");
        assert_eq!(label(&known, 0, "still during"), "still during");
        let mut guard = Some(guard);
        let across = known.find(hash(0), || {
            drop(guard.take());
            Ok(Some(token("across")))
        });
        assert_eq!(across.unwrap().unwrap().label, "across");
        assert_eq!(label(&known, 0, "last"), "last");
    }

    #[test]
    fn unknown_tokens_take_up_nothing_and_known_ones_not_more_than_the_limit() {
        let known = Known::default();
        assert!(known.find(hash(0), || Ok(None)).unwrap().is_none());
        assert!(known.0.read().unwrap().tokens.is_empty());
        for number in 0..3 * LIMIT as u64 {
            label(&known, number, "x");
            assert!(known.0.read().unwrap().tokens.len() <= LIMIT);
        }
    }
}
