//! A text with formatting, as Telegram shows it.
//!
//! Promises: what is written here as HTML Telegram can parse, whatever the text holds; put together
//! the parts of a [`Rich::split`] show the text; nothing that is formatted alike is cut where it
//! need not be, and what must be cut is closed and opened again.
//! What never happens here: a look at what the text was written in (see `markdown.rs`).

use std::ops::Range;

use super::split::{self, MESSAGE_LIMIT};
use super::visible::is_visible;

/// The most bytes of a text that Telegram's server reads before it parses the formatting.
const RAW_LIMIT: usize = 32 * 1024;

/// A text and what of it looks different.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rich {
    text: String,
    /// In the order of their starts, those that contain others before them; properly nested.
    spans: Vec<Span>,
}

/// A piece that looks different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Which bytes.
    range: Range<usize>,
    /// How it looks.
    style: Style,
}

/// How a piece looks (<https://core.telegram.org/bots/api#html-style>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    Bold,
    Italic,
    Strike,
    /// A word of code.
    Code,
    /// A block of code, with its language if it names one.
    Pre(Option<String>),
    Quote,
    /// With the address.
    Link(String),
}

impl From<&str> for Rich {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            spans: Vec::new(),
        }
    }
}

impl Rich {
    /// The text without its formatting.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing of it is formatted.
    pub(super) const fn is_plain(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether a reader would see nothing.
    pub(super) fn is_blank(&self) -> bool {
        !self.text.chars().any(is_visible)
    }

    /// How long Telegram takes it to be, in UTF-16 units.
    pub(super) fn units(&self) -> usize {
        units(&self.text)
    }

    /// How many bytes of text there are: where the next piece will start.
    pub(super) const fn end(&self) -> usize {
        self.text.len()
    }

    /// Adds text.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes back the last character.
    pub(super) fn pop(&mut self) {
        self.text.pop();
        self.clip();
    }

    /// Takes back the white space at the end.
    pub(super) fn trim_end(&mut self) {
        self.trim_end_since(0);
    }

    /// Takes back the white space at the end that was added since `start`: what begins there and is
    /// still open must not come to begin elsewhere.
    pub(super) fn trim_end_since(&mut self, start: usize) {
        self.text.truncate(self.text.trim_end().len().max(start));
        self.clip();
    }

    fn clip(&mut self) {
        let end = self.text.len();
        for span in &mut self.spans {
            span.range.end = span.range.end.min(end);
        }
        self.spans.retain(|span| span.range.start < span.range.end);
    }

    /// Formats what was added since `start`. Inner pieces must have been formatted before.
    pub(super) fn style(&mut self, start: usize, style: Style) {
        if start >= self.text.len() {
            return;
        }
        let at = self.spans.partition_point(|span| span.range.start < start);
        let range = start..self.text.len();
        self.spans.insert(at, Span { range, style });
    }

    /// Whether a link was added since `start`.
    pub(super) fn has_link_since(&self, start: usize) -> bool {
        let added = self.spans.iter().rev();
        added
            .take_while(|span| span.range.start >= start)
            .any(|span| matches!(span.style, Style::Link(_)))
    }

    /// Adds a formatted piece as one.
    pub(super) fn append(&mut self, text: &str, style: Style) {
        let start = self.end();
        self.push(text);
        self.style(start, style);
    }

    /// For `parse_mode: "HTML"`.
    pub(super) fn html(&self) -> String {
        let mut html = String::with_capacity(self.text.len() * 5 / 4 + self.spans.len() * 16);
        let mut open: Vec<&Span> = Vec::new();
        let mut at = 0;
        for span in &self.spans {
            close_until(&mut html, &self.text, &mut open, &mut at, span.range.start);
            escape(&mut html, &self.text[at..span.range.start]);
            at = span.range.start;
            open_tag(&mut html, &span.style);
            open.push(span);
        }
        close_until(&mut html, &self.text, &mut open, &mut at, self.text.len());
        escape(&mut html, &self.text[at..]);
        html
    }

    /// Cut into messages of at most `first` UTF-16 units for the first and `limit` for the others.
    /// None if it shows nothing.
    pub(super) fn split(&self, first: usize, limit: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut room = first;
        while start < self.text.len() {
            let (mut part, mut next) = self.cut(start, room);
            // Addresses of links count for the server's other limit.
            let mut smaller = room.min(part.units());
            while part.html().len() > RAW_LIMIT && smaller > 64 {
                smaller /= 2;
                (part, next) = self.cut(start, smaller);
            }
            if !part.is_blank() {
                parts.push(part);
                room = limit;
            }
            start = next;
        }
        parts
    }

    /// [`Self::split`] into whole messages.
    pub(super) fn messages(&self) -> Vec<Self> {
        self.split(MESSAGE_LIMIT, MESSAGE_LIMIT)
    }

    /// The part that begins at `start` and has at most `limit` units, and where the next begins.
    fn cut(&self, start: usize, limit: usize) -> (Self, usize) {
        let rest = &self.text[start..];
        let window = split::window(rest, limit);
        if window == rest.len() {
            return (self.slice(start..self.text.len()), self.text.len());
        }
        let mut cut = start + split::cut(rest, window);
        // What is formatted as one and fits into a message is moved to the next as one.
        while let Some(span) = self.spans.iter().find(|span| {
            span.range.contains(&cut)
                && span.range.start < cut
                && span.range.start > start
                && units(&self.text[span.range.clone()]) <= limit
        }) {
            cut = span.range.start;
        }
        let code = self.spans.iter().any(|span| {
            matches!(span.style, Style::Pre(_)) && span.range.start < cut && cut < span.range.end
        });
        if code {
            // The next line's indentation is code as well; the line break goes with its line.
            let line = self.text[start..cut].rfind('\n').map(|at| start + at + 1);
            let breaks_here = self.text[cut..].starts_with('\n');
            return match line {
                _ if breaks_here && cut < start + window => (self.slice(start..cut + 1), cut + 1),
                _ if breaks_here => (self.slice(start..cut), cut + 1),
                Some(line) if line > start => (self.slice(start..line), line),
                // Indentation alone shows nothing, and would be left out.
                _ if !self.text[start..cut].chars().any(is_visible) => {
                    let cut = start + split::whole(rest, window);
                    (self.slice(start..cut), cut)
                }
                _ => (self.slice(start..cut), cut),
            };
        }
        let end = start + self.text[start..cut].trim_end().len();
        let shown = self.text.len() - self.text[cut..].trim_start().len();
        // What a block of code begins with is code.
        let block = self.spans.iter().find(|span| {
            matches!(span.style, Style::Pre(_)) && (cut..shown).contains(&span.range.start)
        });
        let next = block.map_or(shown, |block| block.range.start);
        (self.slice(start..end), next)
    }

    fn slice(&self, range: Range<usize>) -> Self {
        let clip = |span: &Span| {
            let start = span.range.start.max(range.start);
            let end = span.range.end.min(range.end);
            (start < end).then(|| Span {
                range: start - range.start..end - range.start,
                style: span.style.clone(),
            })
        };
        Self {
            text: self.text[range.clone()].to_owned(),
            spans: self.spans.iter().filter_map(clip).collect(),
        }
    }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Closes what ends at `until` or before it.
fn close_until(html: &mut String, text: &str, open: &mut Vec<&Span>, at: &mut usize, until: usize) {
    while let Some(span) = open.pop_if(|span| span.range.end <= until) {
        escape(html, &text[*at..span.range.end]);
        *at = span.range.end;
        close_tag(html, &span.style);
    }
}

fn open_tag(html: &mut String, style: &Style) {
    match style {
        Style::Bold => html.push_str("<b>"),
        Style::Italic => html.push_str("<i>"),
        Style::Strike => html.push_str("<s>"),
        Style::Code => html.push_str("<code>"),
        Style::Quote => html.push_str("<blockquote>"),
        Style::Pre(None) => html.push_str("<pre>"),
        Style::Pre(Some(language)) => {
            html.push_str("<pre><code class=\"language-");
            escape(html, language);
            html.push_str("\">");
        }
        Style::Link(address) => {
            html.push_str("<a href=\"");
            escape(html, address);
            html.push_str("\">");
        }
    }
}

fn close_tag(html: &mut String, style: &Style) {
    html.push_str(match style {
        Style::Bold => "</b>",
        Style::Italic => "</i>",
        Style::Strike => "</s>",
        Style::Code => "</code>",
        Style::Quote => "</blockquote>",
        Style::Pre(None) => "</pre>",
        Style::Pre(Some(_)) => "</code></pre>",
        Style::Link(_) => "</a>",
    });
}

/// Telegram knows these four by name, and numbers.
fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\0' => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
impl Rich {
    /// Fails unless a strict reader of Telegram's HTML finds this text, formatted like this.
    pub(super) fn assert_reads_back(&self) {
        use super::strict;

        let html = self.html();
        let shown = strict::read(&html).unwrap_or_else(|fault| panic!("{fault}: {html}"));
        assert_eq!(shown.text, self.text.replace('\0', "\u{fffd}"));
        let entity = |span: &Span| {
            let at = |byte: usize| units(&self.text[..byte]);
            strict::Entity {
                style: span.style.clone(),
                range: at(span.range.start)..at(span.range.end),
            }
        };
        let expected: Vec<_> = self.spans.iter().map(entity).collect();
        assert_eq!(shown.entities, expected, "{html}");
    }
}

#[cfg(test)]
mod tests;
