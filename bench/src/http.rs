//! The runtime API over HTTP, each operation beside a bare route.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use switchboard_model::ConversationId;

use crate::bare::{Bodies, Setup};
use crate::failure::{Failure, Result};
use crate::load::{self, PLACE, Plan};
use crate::measure::{Effort, Measured};
use crate::report::{Row, thousands};
use crate::seed::Seed;
use crate::server::{Bare, Server, ask};
use crate::stored::{Size, Stored};
use crate::system::{self, cpu_time};

/// What messages say.
pub(crate) const PAYLOAD: &str = r#"{"text":"Good morning! Your parcel is on its way."}"#;

/// How many messages a page of the list has.
const PAGE: usize = 20;
/// The lowest ratio wanted, where one is.
const GOAL: f64 = 0.75;
/// An operation that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Hot,
    New,
    Get,
    /// The list at this place.
    List(usize),
}

impl Operation {
    /// Where little is stored before.
    pub(crate) const ALL: [Self; 5] =
        [Self::Create, Self::Hot, Self::New, Self::Get, Self::List(0)];

    /// With a list for each of the stored lengths.
    pub(crate) fn at_size(size: Size) -> Vec<Self> {
        let lists = (0..size.lengths().len()).map(Self::List);
        let others = [Self::Create, Self::Hot, Self::New, Self::Get];
        others.into_iter().chain(lists).collect()
    }

    /// As the table names it.
    pub(crate) fn name(self, size: Option<Size>) -> String {
        match (self, size) {
            (Self::Create, _) => "create message".to_owned(),
            (Self::Hot, _) => "get-or-create, hot thread".to_owned(),
            (Self::New, _) => "get-or-create, new thread".to_owned(),
            (Self::Get, _) => "get message".to_owned(),
            (Self::List(_), None) => "list messages".to_owned(),
            (Self::List(place), Some(size)) => {
                let length = size.lengths().get(place).copied().unwrap_or_default();
                format!("list, last page of {}", thousands(length as f64))
            }
        }
    }

    fn goal(self) -> Option<f64> {
        matches!(self, Self::Create | Self::Get).then_some(GOAL)
    }
}

/// Both sides, running: on two copies of a small database, or in turn on the one that holds much.
pub(crate) struct Bench {
    pub(crate) server: Server,
    bare: Bare,
    seed: Seed,
    size: Option<Size>,
    /// So that no two rounds make one thread.
    used: u64,
}

impl Bench {
    /// In `folder`, with the server's binary.
    pub(crate) async fn open(folder: &Path, program: &Path, effort: Effort) -> Result<Self> {
        let (ours, theirs) = (folder.join("switchboard.db"), folder.join("bare.db"));
        let seed = Seed::make(&ours, effort.seeded).await?;
        std::fs::copy(&ours, &theirs)?;
        Self::start(folder, theirs, program, seed, None)
    }

    /// On what is stored.
    pub(crate) fn at_size(stored: &Stored, program: &Path) -> Result<Self> {
        let seed = Seed::find(stored)?;
        let database = stored.database();
        Self::start(&stored.folder, database, program, seed, Some(stored.size))
    }

    fn start(
        folder: &Path,
        bare: PathBuf,
        program: &Path,
        seed: Seed,
        size: Option<Size>,
    ) -> Result<Self> {
        let server = Server::start(program, folder, &[])?;
        let requests = Requests {
            server: &server,
            seed: &seed,
        };
        let ask = |text: &[u8]| {
            let text = String::from_utf8_lossy(text).replace(PLACE, "0000000000000000");
            ask(server.address, text.as_bytes())
        };
        let first = |operation| ask(&requests.of(operation)[0]);
        let lists = (0..seed.listed.len()).map(|place| first(Operation::List(place)));
        let bytes = |ids: &[ConversationId]| ids.iter().map(|id| id.to_bytes()).collect();
        let setup = Setup {
            database: bare,
            conversations: bytes(&seed.conversations),
            messages: seed.messages.iter().map(|id| id.to_bytes()).collect(),
            listed: bytes(&seed.listed),
            hot: seed.hot.clone(),
            page: PAGE,
            bodies: Bodies {
                create: first(Operation::Create)?,
                hot: first(Operation::Hot)?,
                new: first(Operation::New)?,
                get: first(Operation::Get)?,
                list: lists.collect::<Result<_>>()?,
            },
        };
        Ok(Self {
            bare: Bare::start(&setup)?,
            server,
            seed,
            size,
            // Also apart from an earlier run on the same database.
            used: system::now(),
        })
    }

    /// The row of an operation.
    pub(crate) async fn row(&mut self, operation: Operation, effort: Effort) -> Result<Row> {
        let requests = Requests {
            server: &self.server,
            seed: &self.seed,
        };
        let (ours, theirs) = (requests.of(operation), requests.bare(operation));
        let mut rounds = Vec::new();
        for _ in 0..effort.rounds {
            self.used += 100_000;
            let plan = |address: SocketAddr, server, requests: &[Vec<u8>]| Plan {
                address,
                server,
                connections: effort.connections,
                requests: requests.to_vec(),
                first: self.used * 1_000,
                warm: effort.warm,
                time: effort.time,
            };
            let measured = run(plan(self.server.address, self.server.pid(), &ours)).await?;
            // What the server does afterwards is no part of the other's measurement.
            idle(self.server.pid(), effort).await?;
            let ceiling = run(plan(self.bare.address, self.bare.pid(), &theirs)).await?;
            rounds.push((measured, ceiling));
        }
        let goal = operation.goal();
        let size = self.size;
        let name = operation.name(size);
        let mut row = Row::of_rounds(name, effort.connections, &rounds, goal);
        row.stored = size.map_or(effort.seeded as u64, |size| size.messages);
        Ok(row)
    }
}

impl Bench {
    /// A message is read by this one of the bare routes.
    pub(crate) async fn read(&self, route: &str, effort: Effort) -> Result<Measured> {
        let requests = Requests {
            server: &self.server,
            seed: &self.seed,
        };
        let old = requests.of(Operation::Get);
        let requests = (0..).zip(&old);
        run(Plan {
            address: self.bare.address,
            server: self.bare.pid(),
            connections: effort.connections,
            requests: requests
                .map(|(place, old)| bare(&format!("/{route}/{place}"), old))
                .collect(),
            first: 0,
            warm: effort.warm,
            time: effort.time,
        })
        .await
    }
}

async fn run(plan: Plan) -> Result<Measured> {
    tokio::task::spawn_blocking(move || load::run(&plan))
        .await
        .map_err(|error| Failure::Other(format!("the load generator panicked: {error}")))?
}

/// Waits until a process has nothing more to do, but not for ever.
async fn idle(pid: u32, effort: Effort) -> Result<()> {
    let step = effort.warm / 2;
    let mut before = cpu_time(Some(pid))?;
    for _ in 0..40 {
        tokio::time::sleep(step).await;
        let now = cpu_time(Some(pid))?;
        if now.saturating_sub(before) < step / 10 {
            break;
        }
        before = now;
    }
    Ok(())
}

/// Requests as a client would write them.
struct Requests<'a> {
    server: &'a Server,
    seed: &'a Seed,
}

impl Requests<'_> {
    fn of(&self, operation: Operation) -> Vec<Vec<u8>> {
        let conversations = &self.seed.conversations;
        match operation {
            Operation::Create => conversations
                .iter()
                .map(|id| {
                    let bot = &self.server.bot;
                    let body = format!(
                        r#"{{"conversationId":"{id}","userId":"{bot}","type":"text","payload":{PAYLOAD},"tags":{{}}}}"#
                    );
                    self.request("POST", "/v1/chat/messages", &body)
                })
                .collect(),
            Operation::Hot => vec![self.thread(&self.seed.hot)],
            Operation::New => vec![self.thread(PLACE)],
            Operation::Get => self
                .seed
                .messages
                .iter()
                .map(|id| self.request("GET", &format!("/v1/chat/messages/{id}"), ""))
                .collect(),
            Operation::List(place) => {
                let id = self.seed.listed[place];
                let path = format!("/v1/chat/messages?conversationId={id}&limit={PAGE}");
                vec![self.request("GET", &path, "")]
            }
        }
    }

    fn thread(&self, id: &str) -> Vec<u8> {
        let body = format!(
            r#"{{"channel":"channel","integrationName":"telegram","tags":{{"telegram:id":"{id}"}}}}"#
        );
        self.request("POST", "/v1/chat/conversations/get-or-create", &body)
    }

    /// The same bodies and headers to the bare routes.
    fn bare(&self, operation: Operation) -> Vec<Vec<u8>> {
        self.of(operation)
            .iter()
            .enumerate()
            .map(|(place, old)| match operation {
                Operation::Create => bare("/create", old),
                Operation::Hot => bare("/hot", old),
                Operation::New => bare("/new", old),
                Operation::Get => bare(&format!("/get/{place}"), old),
                Operation::List(list) => bare(&format!("/list/{list}"), old),
            })
            .collect()
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (token, bot) = (&self.server.token, &self.server.bot);
        let length = if body.is_empty() {
            String::new()
        } else {
            format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            )
        };
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             x-bot-id: {bot}\r\nuser-agent: switchboard-bench\r\naccept: application/json\r\n\
             {length}\r\n{body}",
            self.server.address
        )
        .into_bytes()
    }
}

/// The same request for a bare route.
fn bare(path: &str, old: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(old);
    let mut words = text.splitn(3, ' ');
    let method = words.next().unwrap_or_default();
    let rest = words.nth(1).unwrap_or_default();
    format!("{method} {path} {rest}").into_bytes()
}
