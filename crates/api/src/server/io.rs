//! The bytes of a connection, watched: when a request begins, when an answer is out. What the HTTP
//! library says by itself to a head that it cannot read is said here in the API's words.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use switchboard_model::Environment;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::phase::{Phase, Progress, SLOW_HEAD};
use crate::error::{self, ApiError};
use crate::limits::Limits;

/// The most that is read of what comes after a refusal, in bytes.
const LINGER_LIMIT: usize = 16 << 20;

/// A connection.
pub(super) struct Watched {
    inner: TcpStream,
    progress: Arc<Progress>,
    env: Environment,
    limits: Limits,
    /// A reply of ours that is not yet out.
    reply: Vec<u8>,
    lingered: usize,
    is_shut: bool,
}

impl Watched {
    pub(super) fn new(
        inner: TcpStream,
        progress: Arc<Progress>,
        env: Environment,
        limits: Limits,
    ) -> Self {
        Self {
            inner,
            progress,
            env,
            limits,
            reply: Vec::new(),
            lingered: 0,
            is_shut: false,
        }
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.reply.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.reply))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.reply.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is still sent: to close before would take the reply away from its reader.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        while self.lingered < LINGER_LIMIT {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }

    fn note(&self, wrote: &Poll<io::Result<usize>>) {
        self.progress.wrote(wrote.is_pending());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let why = match self.progress.phase() {
            Phase::Late => ApiError::late_head(self.limits.read),
            Phase::Displaced => ApiError::displaced(SLOW_HEAD),
            _ => return,
        };
        // Nothing is on its way out, so that the system has room for it.
        let _ = self
            .inner
            .try_write(&error::whole_response(&self.env, &why));
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.progress.step(Phase::Idle, Phase::Head);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Nobody was asked for an answer, so this is the library's own about a head.
        if self.progress.is_between_requests() {
            self.progress.step(Phase::Idle, Phase::Head);
            self.progress.step(Phase::Head, Phase::Refusing);
            let refusal = ApiError::unreadable_head(status(bytes));
            self.reply = error::whole_response(&self.env, &refusal);
        }
        if self.progress.phase() == Phase::Refusing {
            return match self.poll_reply(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                // What is left goes out with the flush.
                _ => Poll::Ready(Ok(bytes.len())),
            };
        }
        let wrote = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note(&wrote);
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if matches!(
            self.progress.phase(),
            Phase::Idle | Phase::Head | Phase::Refusing
        ) {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| slice));
        }
        let wrote = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.note(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_reply(context))?;
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        self.progress.step(Phase::Ending, Phase::Idle);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_reply(context))?;
        if !self.is_shut {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.is_shut = true;
        }
        if self.progress.phase() == Phase::Refusing {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of a response's first line.
fn status(head: &[u8]) -> Option<u16> {
    let digits = head.get(b"HTTP/1.1 ".len()..)?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_off_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 431 Request Header"), Some(431));
        assert_eq!(status(b"HTTP/1.1 4"), None);
        assert_eq!(status(b""), None);
    }
}
