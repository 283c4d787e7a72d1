//! Files that people send: their addresses in messages, and what is behind them.
//!
//! Promises: an address stays the same and cannot be guessed; the bot's token is in none, and in no
//! answer; a file is passed on as it comes, never held whole.
//! What never happens here: a file fetched before somebody asks for it.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use switchboard_engine::Vault;
use switchboard_integration::{FileAnswer, FileFailure, FileRequest, Files};
use switchboard_model::IntegrationId;

use super::account::Account;
use super::client::{Answer, Refusal};

/// The most bytes of a file that bots may fetch from Telegram's own server (Bot API, `getFile`).
pub(super) const DOWNLOAD_LIMIT: u64 = 20 * 1024 * 1024;

/// How long a file may take to come.
const DOWNLOAD_TIME: Duration = Duration::from_mins(10);

/// What of a name may stand in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Where the files of one integration are found.
pub(super) struct Links {
    /// The server's own address, without a slash at its end.
    pub(super) base: String,
    pub(super) integration: IntegrationId,
    pub(super) vault: Vault,
}

impl Links {
    /// The address of a file. The name, which says how a browser takes the file, is signed with it.
    pub(super) fn address(&self, file: &str, name: &str) -> String {
        let Self {
            base, integration, ..
        } = self;
        let (file, name) = (encoded(file), encoded(name));
        let signature = self.vault.sign(*integration, &signed(&file, &name));
        format!("{base}/files/{integration}/{file}/{signature}/{name}")
    }

    /// The file that an address names, and the name it gives it, if we wrote it.
    fn file_of(&self, path: &str) -> Option<(String, String)> {
        let mut pieces = path.split('/').map(decoded);
        let (file, signature, name) = (pieces.next()??, pieces.next()??, pieces.next()??);
        if pieces.next().is_some() {
            return None;
        }
        let text = &signed(&encoded(&file), &encoded(&name));
        let expected = self.vault.sign(self.integration, text);
        let same: bool = signature.as_bytes().ct_eq(expected.as_bytes()).into();
        same.then_some((file, name))
    }
}

/// What an address' signature is made of. Both parts are encoded, so the slash is between them.
fn signed(file: &str, name: &str) -> String {
    format!("{file}/{name}")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn decoded(piece: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(piece)
        .decode_utf8()
        .ok()?;
    Some(decoded.into_owned())
}

#[async_trait]
impl Files for Account {
    async fn open(&self, request: FileRequest) -> Result<FileAnswer, FileFailure> {
        let (file, name) = self
            .links
            .file_of(&request.path)
            .ok_or(FileFailure::NotFound)?;
        let path = self.path_of(&file).await?;
        let opened = self
            .client
            .file(&path, request.range.as_deref(), DOWNLOAD_TIME)
            .await;
        let response = opened.map_err(|error| {
            FileFailure::Unavailable(format!("Telegram does not send the file: {error}"))
        })?;
        if !response.status().is_success() {
            return Err(match response.status().as_u16() {
                404 => FileFailure::NotFound,
                status => FileFailure::Unavailable(format!(
                    "Telegram does not send the file (HTTP {status}); try again later"
                )),
            });
        }
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        Ok(FileAnswer {
            content_type: type_of(&name),
            length: header("content-length").and_then(|length| length.parse().ok()),
            content_range: header("content-range").map(ToOwned::to_owned),
            body: futures::stream::unfold(Some(response), next).boxed(),
        })
    }
}

impl Account {
    /// Where Telegram keeps the file now.
    async fn path_of(&self, file: &str) -> Result<String, FileFailure> {
        #[derive(Deserialize)]
        struct Found {
            file_path: Option<String>,
        }
        let body = json!({ "file_id": file });
        let limit = self.timing.request;
        match self.client.call("getFile", &body, limit).await {
            Answer::Ok(result) => serde_json::from_str::<Found>(result.get())
                .ok()
                .and_then(|found| found.file_path)
                .filter(|path| is_relative(path))
                .ok_or_else(|| {
                    FileFailure::Unavailable(
                        "Telegram names no path for this file; a Bot API server of your own must \
                         not run with --local"
                            .to_owned(),
                    )
                }),
            Answer::Refused(Refusal {
                code: 400,
                description,
                ..
            }) if description.to_lowercase().contains("too big") => {
                Err(FileFailure::TooLarge(format!(
                    "Telegram gives bots files of at most {} MB; a Bot API server of your own gives \
                     larger ones",
                    DOWNLOAD_LIMIT >> 20
                )))
            }
            Answer::Refused(Refusal { code: 400, .. }) => Err(FileFailure::NotFound),
            answer => {
                tracing::warn!(
                    integration = %self.integration.id,
                    "telegram: a file could not be found: {answer:?}"
                );
                Err(FileFailure::Unavailable(
                    "Telegram does not say where the file is; try again later".to_owned(),
                ))
            }
        }
    }
}

/// A path of a local server leads into that machine, and one that climbs to another place.
fn is_relative(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|piece| piece != "..")
}

type Chunk = io::Result<bytes::Bytes>;

async fn next(response: Option<reqwest::Response>) -> Option<(Chunk, Option<reqwest::Response>)> {
    let mut response = response?;
    match response.chunk().await {
        Ok(chunk) => chunk.map(|chunk| (Ok(chunk), Some(response))),
        // The address in the error has the token in it.
        Err(error) => Some((Err(io::Error::other(error.without_url().to_string())), None)),
    }
}

/// The types that a browser may show as they are. Anything else it is to save.
fn type_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "oga" | "ogg" | "opus" => "audio/ogg",
        "pdf" => "application/pdf",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::super::fixture::{Api, Bench, Reply};
    use super::*;

    async fn open(account: &Account, path: &str) -> Result<(FileAnswer, Vec<u8>), FileFailure> {
        let request = FileRequest {
            path: path.to_owned(),
            range: None,
        };
        let mut answer = account.open(request).await?;
        let body = std::mem::replace(&mut answer.body, futures::stream::empty().boxed());
        let bytes = body.try_concat_bytes().await;
        Ok((answer, bytes))
    }

    trait Concat {
        async fn try_concat_bytes(self) -> Vec<u8>;
    }

    impl Concat for futures::stream::BoxStream<'static, Chunk> {
        async fn try_concat_bytes(self) -> Vec<u8> {
            let chunks: Vec<_> = self.try_collect().await.unwrap();
            chunks.concat()
        }
    }

    fn path(account: &Account, file: &str, name: &str) -> String {
        let address = account.links.address(file, name);
        let start = format!("/files/{}/", account.integration.id);
        let (base, path) = address.split_once(&start).unwrap();
        assert_eq!(base, "http://127.0.0.1:4000");
        path.to_owned()
    }

    #[tokio::test]
    async fn a_file_comes_as_telegram_has_it_and_the_token_stays_here() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let account = bench.account(&api.url);
        let found = json!({ "file_id": "f", "file_path": "photos/file_1.jpg" });
        api.script("getFile", Reply::ok(&found));
        api.script(
            "file:photos/file_1.jpg",
            Reply::Bytes(b"\xff\xd8jpeg".to_vec()),
        );
        let path = path(&account, "AgAC-_x", "photo.jpg");
        assert!(!path.contains("SECRET"));
        let (answer, bytes) = open(&account, &path)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(bytes, b"\xff\xd8jpeg");
        assert_eq!(answer.content_type, Some("image/jpeg"));
        assert_eq!(answer.length, Some(6));
        assert_eq!(api.calls("getFile"), [json!({ "file_id": "AgAC-_x" })]);
    }

    #[tokio::test]
    async fn an_address_that_we_did_not_write_opens_nothing() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let account = bench.account(&api.url);
        let good = path(&account, "one", "a.jpg");
        let signature = good.split('/').nth(1).unwrap();
        for path in [
            format!("two/{signature}/a.jpg"),
            format!("one/{signature}/a.pdf"),
            format!("one/{signature}/b.jpg"),
            format!("one/{signature}/"),
            format!("one/{}/a.jpg", "0".repeat(32)),
            format!("one/{signature}"),
            format!("one/{signature}/a/b"),
            String::new(),
            "%ff/x/y".to_owned(),
        ] {
            assert!(
                matches!(open(&account, &path).await, Err(FileFailure::NotFound)),
                "{path}"
            );
        }
        assert!(api.calls("getFile").is_empty());
    }

    #[tokio::test]
    async fn what_telegram_does_not_give_says_why() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let account = bench.account(&api.url);
        let path = path(&account, "big", "a.zip");
        for (reply, expected) in [
            (
                Reply::refused(400, "Bad Request: file is too big"),
                "at most 20 MB",
            ),
            (
                Reply::refused(400, "Bad Request: wrong file_id"),
                "no such file",
            ),
            (Reply::refused(401, "Unauthorized"), "try again later"),
            (Reply::ok(&json!({ "file_path": "/var/lib/x" })), "--local"),
            (Reply::ok(&json!({ "file_path": "../../x" })), "--local"),
            (Reply::ok(&json!({})), "--local"),
        ] {
            api.script("getFile", reply);
            let Err(failure) = open(&account, &path).await else {
                panic!("{expected}")
            };
            assert!(failure.to_string().contains(expected), "{failure}");
        }
    }

    #[test]
    fn only_what_a_browser_can_be_trusted_with_has_a_type() {
        assert_eq!(type_of("a.JPG"), Some("image/jpeg"));
        for name in ["a.html", "a.svg", "a", "a.js", "a.xml"] {
            assert_eq!(type_of(name), None, "{name}");
        }
    }
}
