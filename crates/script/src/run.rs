//! One run: a thread, a runtime, limits.
//!
//! The thread is no worker of tokio's and nobody joins it: a run that does not heed its limits (some
//! of the engine's own loops cannot be interrupted) takes a slot of its script and holds up nothing
//! else, not even the end of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rquickjs::promise::PromiseState;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Object, Promise, Runtime};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::host::Host;
use crate::{Failure, Limits, load};

const PRELUDE: &str = include_str!("prelude.js");

/// The thread's stack: the script's share of it is `Limits::stack`.
const THREAD_STACK: usize = 4 * 1024 * 1024;

/// How long after its time a run is given up.
const GRACE: Duration = Duration::from_millis(500);

/// How many lines a run may log, and how long they may be.
const LOG_LINES: usize = 20;
const LOG_LENGTH: usize = 500;

/// What to run.
pub(crate) struct Job {
    pub(crate) source: Arc<str>,
    pub(crate) limits: Limits,
    /// Without one the script is only read.
    pub(crate) call: Option<Call>,
    pub(crate) host: Option<Host>,
}

/// A function to call.
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) external_id: String,
    /// What `ctx` holds beside `bp`, as JSON.
    pub(crate) facts: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) functions: Vec<String>,
    pub(crate) returned: Value,
}

pub(crate) async fn on_own_thread(job: Job, slots: &Arc<Semaphore>) -> Result<Done, Failure> {
    let time = job.limits.time;
    let waited = tokio::time::timeout(time * 4, Arc::clone(slots).acquire_owned()).await;
    let Ok(Ok(slot)) = waited else {
        return Err(Failure::Script(
            "earlier runs of it do not end; mend it, then restart the server".to_owned(),
        ));
    };
    let (answer, answered) = oneshot::channel();
    let handle = Handle::current();
    let work = move || {
        // Held for as long as the thread lives.
        let _slot: OwnedSemaphorePermit = slot;
        // Nobody may wait any more.
        let _ = answer.send(run(&job, &handle));
    };
    std::thread::Builder::new()
        .name("script".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(work)
        .map_err(|error| {
            Failure::Store(switchboard_model::Error::Unavailable {
                reason: format!("no thread for a script: {error}"),
            })
        })?;
    match tokio::time::timeout(time + GRACE, answered).await {
        Ok(Ok(done)) => done.map_err(Failure::Script),
        Ok(Err(_)) => Err(Failure::Script("its run broke off".to_owned())),
        Err(_) => Err(Failure::Script(too_slow(time))),
    }
}

fn too_slow(time: Duration) -> String {
    format!("it took longer than {time:?}; it may be in a loop")
}

fn run(job: &Job, handle: &Handle) -> Result<Done, String> {
    let deadline = Instant::now() + job.limits.time;
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    runtime.set_memory_limit(job.limits.memory);
    runtime.set_max_stack_size(job.limits.stack);
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() >= deadline)));
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    let run = Run {
        job,
        handle,
        deadline,
    };
    context.with(|ctx| run.all(&ctx))
}

struct Run<'a> {
    job: &'a Job,
    handle: &'a Handle,
    deadline: Instant,
}

impl Run<'_> {
    fn all(&self, ctx: &Ctx<'_>) -> Result<Done, String> {
        let invoke = self.prelude(ctx)?;
        let integration = load::load(ctx, &self.job.source).map_err(|text| self.explain(text))?;
        let Some(call) = &self.job.call else {
            return Ok(Done {
                functions: load::functions(&integration),
                returned: Value::Null,
            });
        };
        let (group, name) = call
            .function
            .split_once('.')
            .ok_or_else(|| format!("it has no function {:?}", call.function))?;
        let missing = |caught: CaughtError<'_>| {
            let text = format!(
                "{} cannot be called: {}",
                call.function,
                load::describe(&caught)
            );
            self.explain(text)
        };
        let group: Object<'_> = integration.get(group).catch(ctx).map_err(missing)?;
        let function: Function<'_> = group.get(name).catch(ctx).map_err(missing)?;
        let promise: Promise<'_> = invoke
            .call((group, function, call.external_id.as_str()))
            .catch(ctx)
            .map_err(|caught| self.thrown(&caught))?;
        let returned = self.settle(ctx, &promise)?;
        self.read(ctx, returned)
    }

    /// Runs what is around a script. Gives the function that calls one of the script's.
    fn prelude<'js>(&self, ctx: &Ctx<'js>) -> Result<Function<'js>, String> {
        let failed = |caught: CaughtError<'_>| self.thrown(&caught);
        let host = {
            let (host, handle, deadline) =
                (self.job.host.clone(), self.handle.clone(), self.deadline);
            move |what: String, argument: String| -> String {
                let left = deadline.saturating_duration_since(Instant::now());
                let answer = host.as_ref().and_then(|host| {
                    let answer =
                        async { tokio::time::timeout(left, host.answer(&what, &argument)).await };
                    handle.block_on(answer).ok()
                });
                answer.unwrap_or_else(|| "[false,\"no time is left\",\"Timeout\"]".to_owned())
            }
        };
        let mut lines = 0;
        let log = move |line: String| {
            lines += 1;
            if lines <= LOG_LINES {
                let line: String = line.chars().take(LOG_LENGTH).collect();
                tracing::debug!("script: {line:?}");
            }
        };
        let host = Function::new(ctx.clone(), host)
            .catch(ctx)
            .map_err(failed)?;
        let log = Function::new(ctx.clone(), rquickjs::function::MutFn::new(log))
            .catch(ctx)
            .map_err(failed)?;
        let facts = self.job.call.as_ref().map_or("{}", |call| &call.facts);
        let prelude: Function<'_> = ctx.eval(PRELUDE).catch(ctx).map_err(failed)?;
        prelude.call((host, log, facts)).catch(ctx).map_err(failed)
    }

    fn settle<'js>(
        &self,
        ctx: &Ctx<'js>,
        promise: &Promise<'js>,
    ) -> Result<rquickjs::Value<'js>, String> {
        while promise.state() == PromiseState::Pending {
            if self.is_over() {
                return Err(too_slow(self.job.limits.time));
            }
            // There are no timers and no other events: nothing could settle it any more.
            if !ctx.execute_pending_job() && promise.state() == PromiseState::Pending {
                return Err(self.explain("it waits for a promise that nothing settles".to_owned()));
            }
        }
        match promise.result::<rquickjs::Value<'_>>() {
            Some(result) => result.catch(ctx).map_err(|caught| self.thrown(&caught)),
            None => Err("its promise was not settled".to_owned()),
        }
    }

    fn read<'js>(&self, ctx: &Ctx<'js>, returned: rquickjs::Value<'js>) -> Result<Done, String> {
        let text = ctx
            .json_stringify(returned)
            .catch(ctx)
            .map_err(|caught| self.thrown(&caught))?;
        let text = match text.map(|text| text.to_string()) {
            None => return Ok(Done::default()),
            Some(text) => text.map_err(|error| format!("what it returned is no JSON: {error}"))?,
        };
        let limit = self.job.limits.answer;
        if text.len() > limit {
            return Err(format!("it returned more than {limit} bytes"));
        }
        Ok(Done {
            functions: Vec::new(),
            returned: serde_json::from_str(&text)
                .map_err(|error| format!("what it returned is no JSON: {error}"))?,
        })
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn thrown(&self, caught: &CaughtError<'_>) -> String {
        self.explain(load::describe(caught))
    }

    /// What really ended it, where the engine's words do not say.
    fn explain(&self, text: String) -> String {
        if self.is_over() {
            return too_slow(self.job.limits.time);
        }
        if text.contains("out of memory") {
            let megabytes = self.job.limits.memory / (1024 * 1024);
            return format!("it used more than {megabytes} MB of memory");
        }
        text
    }
}
