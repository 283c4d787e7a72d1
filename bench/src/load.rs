//! The load generator: one thread, many connections that are kept, requests that were made
//! beforehand, answers of which only the status and the length are looked at. It sends the next
//! request of a connection when the answer has come.
//!
//! It runs in this process, apart from the server's, so that its part of the processors is known.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::failure::{Failure, Result, failed};
use crate::measure::{Measured, histogram, record, share};
use crate::system::cpu_time;

/// Stands in a request for a number that no other request has.
pub(crate) const PLACE: &str = "################";

/// How long an answer may take before all is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to send where.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    /// Whose processor time to tell.
    pub(crate) server: u32,
    pub(crate) connections: usize,
    /// Taken in turn.
    pub(crate) requests: Vec<Vec<u8>>,
    /// The first number for [`PLACE`].
    pub(crate) first: u64,
    pub(crate) warm: Duration,
    pub(crate) time: Duration,
}

struct Requests {
    texts: Vec<(Vec<u8>, Option<usize>)>,
    next: usize,
    number: u64,
}

impl Requests {
    fn new(plan: &Plan) -> Self {
        let place = |text: &[u8]| {
            text.windows(PLACE.len())
                .position(|part| part == PLACE.as_bytes())
        };
        Self {
            texts: plan
                .requests
                .iter()
                .map(|text| (text.clone(), place(text)))
                .collect(),
            next: 0,
            number: plan.first,
        }
    }

    fn next(&mut self) -> &[u8] {
        let at = self.next;
        self.next = (at + 1) % self.texts.len();
        let (text, place) = &mut self.texts[at];
        if let Some(place) = *place {
            self.number += 1;
            let digits = format!("{:016}", self.number);
            text[place..place + PLACE.len()].copy_from_slice(digits.as_bytes());
        }
        text
    }
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    /// What of a request did not go out at once.
    rest: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.sent = Instant::now();
        let written = match self.stream.write(request) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.rest.extend_from_slice(&request[written..]);
        Ok(())
    }

    fn send_rest(&mut self) -> io::Result<()> {
        while !self.rest.is_empty() {
            match self.stream.write(&self.rest) {
                Ok(count) => drop(self.rest.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the answer is complete. One that is refused is an error.
    fn receive(&mut self) -> Result<bool> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            let room = self.buffer.len() - self.filled;
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return failed("the server closed a connection"),
                Ok(count) => {
                    self.filled += count;
                    // Less than there was room for: the socket is empty, which saves a look.
                    if count < room {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some((status, end)) = whole(&self.buffer[..self.filled])? else {
            return Ok(false);
        };
        if !(200..300).contains(&status) {
            let text = String::from_utf8_lossy(&self.buffer[..end]);
            return failed(format!("the server refused a request: {text}"));
        }
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        Ok(true)
    }
}

/// The status of an answer and where it ends, once it is there.
pub(crate) fn whole(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head])
        .map_err(|_| Failure::Other("an answer's head is no text".to_owned()))?;
    let status = text.split(' ').nth(1).and_then(|text| text.parse().ok());
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())
            .flatten()
    });
    let (Some(status), Some(length)) = (status, length) else {
        return failed(format!("an answer without a status or length: {text}"));
    };
    let end = head + 4 + length;
    Ok((end <= answer.len()).then_some((status, end)))
}

/// Sends as much as the connections bear.
pub(crate) fn run(plan: &Plan) -> Result<Measured> {
    let mut poll = Poll::new()?;
    let mut requests = Requests::new(plan);
    let mut connections = Vec::with_capacity(plan.connections);
    let begun = Instant::now();
    for number in 0..plan.connections {
        let mut stream = TcpStream::connect(plan.address)?;
        stream.set_nodelay(true)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(number), both)?;
        let mut connection = Connection {
            stream,
            sent: begun,
            rest: Vec::new(),
            buffer: vec![0; 1 << 16],
            filled: 0,
        };
        // It goes out when the connection stands.
        connection.rest.extend_from_slice(requests.next());
        connections.push(connection);
    }
    let mut times: Histogram<u64> = histogram()?;
    let mut events = Events::with_capacity(1024);
    let mut window: Option<(Instant, Duration, Duration)> = None;
    loop {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return failed("the server has stopped answering");
        }
        for event in &events {
            let connection = &mut connections[event.token().0];
            if event.is_writable() && !connection.rest.is_empty() {
                connection.send_rest()?;
            }
            if !event.is_readable() || !connection.receive()? {
                continue;
            }
            let now = Instant::now();
            if window.is_some() {
                record(&mut times, now.duration_since(connection.sent));
            }
            connection.send(requests.next())?;
        }
        match window {
            None if begun.elapsed() >= plan.warm => {
                window = Some((
                    Instant::now(),
                    cpu_time(Some(plan.server))?,
                    cpu_time(None)?,
                ));
            }
            Some((start, server, own)) if !times.is_empty() && start.elapsed() >= plan.time => {
                let took = start.elapsed();
                let mut measured = Measured::new(&times, took);
                let used = |pid, before| {
                    Ok::<_, Failure>(share(cpu_time(pid)?.saturating_sub(before), took))
                };
                measured.server_cpu = Some(used(Some(plan.server), server)?);
                measured.load_cpu = Some(used(None, own)?);
                return Ok(measured);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 ";
        assert_eq!(whole(&answer[..answer.len() - 10]).unwrap(), None);
        assert_eq!(whole(answer).unwrap(), Some((201, answer.len() - 9)));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
