//! Files that people send, fetched from the channel when somebody asks for them.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// A request for a file, at the address that the channel wrote into a message.
#[derive(Debug, Clone, Default)]
pub struct FileRequest {
    /// What follows the integration's id in the path, without its slash, as it came.
    pub path: String,
    /// The header `Range`, if there is one.
    pub range: Option<String>,
}

/// A file on its way.
pub struct FileAnswer {
    /// Its type, such as `image/jpeg`. Only what a browser can be trusted to show; else none.
    pub content_type: Option<&'static str>,
    /// How many bytes follow, if that is known.
    pub length: Option<u64>,
    /// The header `Content-Range` of a part.
    pub content_range: Option<String>,
    /// The bytes.
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFailure {
    /// The address is none that this channel has written, or the file is gone.
    #[error("there is no such file: the address must be complete, as it stands in the message")]
    NotFound,
    /// The channel does not give out files of this size.
    #[error("{0}")]
    TooLarge(String),
    /// It may be there later.
    #[error("{0}")]
    Unavailable(String),
}

/// A channel whose messages carry files.
#[async_trait]
pub trait Files: Send + Sync + 'static {
    /// Opens a file. Whoever knows an address may ask, so an address must be one that cannot be
    /// guessed, and no secret of the channel may be told.
    async fn open(&self, request: FileRequest) -> Result<FileAnswer, FileFailure>;
}
