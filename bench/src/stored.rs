//! A database with much in it, made once and used again.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use switchboard_store::Store as _;

use crate::failure::{Result, failed};
use crate::ingest::Fresh;
use crate::progress::Loading;
use crate::raw::{self, Schema};
use crate::update::Threads;

/// Of the first conversations, how many messages each has, where there are enough in all.
const LENGTHS: [u64; 3] = [10, 1_000, 100_000];
/// Written when all is there.
const NOTE: &str = "loaded.json";

/// How much is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) conversations: u64,
    pub(crate) messages: u64,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split_once(',').map(|(a, b)| (a.parse(), b.parse()));
        match parts {
            Some((Ok(conversations), Ok(messages)))
                if conversations >= 10 && (10..=1 << 31).contains(&messages) =>
            {
                Ok(Self {
                    conversations,
                    messages,
                })
            }
            _ => Err(
                "expected CONVERSATIONS,MESSAGES, such as 1000000,10000000, each at least 10"
                    .to_owned(),
            ),
        }
    }
}

impl Size {
    /// The lengths of the first conversations.
    pub(crate) fn lengths(self) -> Vec<u64> {
        let fits = |length: &u64| length * 10 <= self.messages;
        LENGTHS.into_iter().filter(fits).collect()
    }

    /// What the progress of a load counts.
    pub(crate) fn rows(self) -> u64 {
        self.conversations + self.messages
    }

    /// All threads, at random.
    pub(crate) fn threads(self) -> Threads {
        Threads {
            count: self.conversations,
            scattered: true,
        }
    }
}

/// A database that is there.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) size: Size,
    pub(crate) folder: PathBuf,
}

impl Stored {
    /// Where the server would have it.
    pub(crate) fn database(&self) -> PathBuf {
        database(&self.folder)
    }

    /// The same number of messages in a minimal schema, made now if it is not there.
    pub(crate) fn minimal(&self, schema: Schema) -> Result<PathBuf> {
        let name = match schema {
            Schema::Own => return Ok(self.database()),
            Schema::Integer => "minimal.db",
            Schema::Text => "minimal-text.db",
        };
        let path = self.folder.join(name);
        if path.exists() {
            return Ok(path);
        }
        let part = self.folder.join("minimal.part");
        if part.exists() {
            // Of a load that did not come to its end.
            std::fs::remove_file(&part)?;
        }
        let what = format!("messages, {}", schema.name());
        let mut loading = Loading::new(&what, self.size.messages);
        raw::fill(&part, schema, self.size, |messages| loading.at(messages))?;
        std::fs::rename(&part, &path)?;
        loading.finish(&path);
        Ok(path)
    }

    /// What a folder holds, if it is all there.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let note = std::fs::read_to_string(folder.join(NOTE)).ok()?;
        let size = serde_json::from_str(&note).ok()?;
        let folder = std::path::absolute(folder).ok()?;
        Some(Self { size, folder })
    }

    /// How much the folder holds, or is to hold.
    pub(crate) fn size(folder: &Path, wanted: Option<Size>) -> Result<Size> {
        match (Self::find(folder).map(|found| found.size), wanted) {
            (Some(found), wanted) if wanted.is_none_or(|wanted| wanted == found) => Ok(found),
            (Some(found), _) => failed(format!(
                "{} holds {} conversations and {} messages; name another folder with --loaded, or \
                 remove it",
                folder.display(),
                found.conversations,
                found.messages
            )),
            (None, Some(wanted)) => Ok(wanted),
            (None, None) => failed(format!(
                "--loaded: nothing is loaded in {}; say how much with --size",
                folder.display()
            )),
        }
    }

    /// What the folder holds, or what is made there now.
    pub(crate) async fn find_or_load(folder: &Path, wanted: Option<Size>) -> Result<Self> {
        let size = Self::size(folder, wanted)?;
        match Self::find(folder) {
            Some(found) => Ok(found),
            None => Self::load(folder, size).await,
        }
    }

    async fn load(folder: &Path, size: Size) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = std::path::absolute(folder)?;
        let path = database(&folder);
        if path.exists() {
            return failed(format!(
                "{} is there already and was not loaded to its end; remove it",
                path.display()
            ));
        }
        // The store makes the schema, and goes.
        Fresh::make(&path).await?.store.close().await?;
        let mut loading = Loading::new("conversations and messages", size.rows());
        raw::load(&path, size, |rows| loading.at(rows))?;
        loading.finish(&path);
        std::fs::write(folder.join(NOTE), serde_json::to_string(&size)?)?;
        Ok(Self { size, folder })
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("switchboard.db")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchboard_store::{
        ConversationFilter, ConversationStore as _, Ingested, MessageFilter, MessageStore as _,
        PageRequest,
    };
    use switchboard_store_sqlite::backup;

    use super::*;
    use crate::update::update;

    const SIZE: Size = Size {
        conversations: 40,
        messages: 400,
    };

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!("40,400".parse(), Ok(SIZE));
        for wrong in ["40", "40,", "40,-1", "1,400", "a,b", "40,400,1"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_loaded_is_what_the_server_would_have_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("loaded");
        assert!(Stored::find_or_load(&at, None).await.is_err());
        let stored = Stored::find_or_load(&at, Some(SIZE)).await.unwrap();
        let again = Stored::find_or_load(&at, None).await.unwrap();
        assert_eq!(again.size, SIZE);
        let other = Size {
            messages: 500,
            ..SIZE
        };
        assert!(Stored::find_or_load(&at, Some(other)).await.is_err());

        let path = stored.database();
        let whole = backup::inspect(&path, true, Duration::from_mins(1)).unwrap();
        assert!(whole.whole && whole.faults.is_empty(), "{whole:?}");
        let counts = backup::verify(&path).unwrap();
        assert_eq!(counts.conversations, 40);
        assert_eq!(
            (counts.messages, counts.events, counts.deliveries),
            (400, 400, 400)
        );

        let fresh = Fresh::open(&path).await.unwrap();
        let page = |limit| PageRequest { after: None, limit };
        let list =
            fresh
                .store
                .list_conversations(fresh.bot, ConversationFilter::default(), page(100));
        let conversations = list.await.unwrap().items;
        assert_eq!(conversations.len(), 40);
        let first = conversations.last().unwrap();
        assert_eq!(first.tags.get("telegram:id"), Some("1"));
        let filter = MessageFilter {
            conversation: Some(first.id),
            ..MessageFilter::default()
        };
        let list = fresh.store.list_messages(fresh.bot, filter, page(100));
        let messages = list.await.unwrap().items;
        assert_eq!(messages.len(), 10, "the first length");
        assert!(messages.iter().map(|one| one.seq).eq((1..=10).rev()));
        assert_eq!(first.message_count, 10);

        // An update that was loaded is known, and its thread too when it says more.
        let said = &messages[0];
        let number = said.tags.get("telegram:id").unwrap().parse().unwrap();
        let date = said.tags.get("telegram:date").unwrap().parse().unwrap();
        let known = update(1, number, date).unwrap();
        let news = update(1, 1_000_000, date).unwrap();
        let taken = fresh
            .engine
            .ingest(&fresh.telegram, vec![known, news], None);
        let taken = taken.await.unwrap();
        assert_eq!(taken[0], Ingested::Duplicate);
        let Ingested::Message {
            message,
            conversation,
            conversation_created,
            user_created,
            ..
        } = &taken[1]
        else {
            panic!("{taken:?}");
        };
        assert_eq!(conversation.id, first.id);
        assert!(!conversation_created && !user_created);
        let new = fresh
            .store
            .get_message(fresh.bot, *message)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((new.seq, new.user), (11, said.user));
        // Beside the number, they say the same of themselves.
        assert_eq!(new.kind, said.kind);
        assert!(
            new.tags
                .iter()
                .map(|tag| tag.0)
                .eq(said.tags.iter().map(|tag| tag.0))
        );
        fresh.store.close().await.unwrap();
        each_row_has_the_shape_of_the_last(&path);
    }

    /// The last row of each table is the store's own, the one before was loaded: they hold values of
    /// the same kinds in the same columns. What a delivery has been through differs.
    fn each_row_has_the_shape_of_the_last(path: &Path) {
        let connection = rusqlite::Connection::open(path).unwrap();
        for table in ["message", "delivery"] {
            let columns: Vec<String> = connection
                .prepare("SELECT name FROM pragma_table_info(?1)")
                .unwrap()
                .query_map([table], |row| row.get(0))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            let kinds: Vec<_> = columns
                .iter()
                .filter(|name| *name != "trying_since")
                .map(|name| format!("typeof({name})"))
                .collect();
            let sql = format!(
                "SELECT concat_ws(' ', {}) FROM {table} ORDER BY id DESC LIMIT 2",
                kinds.join(", ")
            );
            let shapes: Vec<String> = connection
                .prepare(&sql)
                .unwrap()
                .query_map([], |row| row.get(0))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert_eq!(shapes[0], shapes[1], "{table}: {columns:?}");
        }
    }
}
