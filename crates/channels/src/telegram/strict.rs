//! Telegram's HTML, read as strictly as its documentation words it
//! (<https://core.telegram.org/bots/api#html-style>): for tests, which read back what was written.
//!
//! Promises: what is not a documented tag, with the documented attribute, closed in order, and
//! nested as the rules of formatting allow, is an error that quotes it. Telegram itself is milder.

use std::ops::Range;

use super::rich::Style;

/// What readers see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// In the order in which they open.
    pub(super) entities: Vec<Entity>,
}

/// A piece that looks different.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) style: Style,
    /// In UTF-16 units, as Telegram counts.
    pub(super) range: Range<usize>,
}

/// Schemes that Telegram makes links of.
const SCHEMES: [&str; 6] = ["http://", "https://", "tg://", "ton://", "mailto:", "tel:"];

/// Reads it.
pub(super) fn read(html: &str) -> Result<Shown, String> {
    let mut reader = Reader::default();
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '<' => {
                let end = end_of_tag(rest).ok_or_else(|| format!("no end: {rest}"))?;
                reader.tag(&rest[1..end])?;
                end + 1
            }
            '>' => return Err(format!("{c} is not escaped in {html}")),
            '&' => {
                let (c, length) = reference(rest)?;
                reader.push(c);
                length
            }
            c => {
                reader.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    if reader.open.is_empty() {
        return Ok(reader.shown);
    }
    Err(format!("{:?} stays open in {html}", reader.open))
}

/// Where a tag ends; not within the quotes of an attribute.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

/// One of the four named references that Telegram knows, and its length.
fn reference(text: &str) -> Result<(char, usize), String> {
    let known = [
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&quot;", '"'),
    ];
    let found = known.iter().find(|(name, _)| text.starts_with(name));
    found
        .map(|(name, c)| (*c, name.len()))
        .ok_or_else(|| format!("no reference: {text}"))
}

/// What stands in quotes behind `name`.
fn attribute(given: &str, name: &str) -> Result<String, String> {
    let value = given
        .strip_prefix(name)
        .and_then(|given| given.strip_prefix("=\""))
        .and_then(|given| given.strip_suffix('"'))
        .ok_or_else(|| format!("expected {name}=\"…\", found {given}"))?;
    let mut read = String::new();
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        let (c, length) = match c {
            '<' | '>' | '"' => return Err(format!("{c} is not escaped in {given}")),
            '&' => reference(rest)?,
            c => (c, c.len_utf8()),
        };
        read.push(c);
        rest = &rest[length..];
    }
    Ok(read)
}

#[derive(Default)]
struct Reader {
    shown: Shown,
    units: usize,
    /// The tags that are open, each with the number of its entity.
    open: Vec<(String, usize)>,
}

impl Reader {
    fn push(&mut self, c: char) {
        self.shown.text.push(c);
        self.units += c.len_utf16();
    }

    fn tag(&mut self, tag: &str) -> Result<(), String> {
        if let Some(name) = tag.strip_prefix('/') {
            let Some((_, entity)) = self.open.pop_if(|(open, _)| open == name) else {
                return Err(format!("</{name}> closes nothing; open: {:?}", self.open));
            };
            let range = &mut self.shown.entities[entity].range;
            let closed = range.end != usize::MAX;
            if closed && range.end != self.units || range.start == self.units {
                return Err(format!("</{name}> does not end what it must"));
            }
            range.end = self.units;
            return Ok(());
        }
        let (name, given) = tag.split_once(' ').unwrap_or((tag, ""));
        self.may_open(name, given)?;
        let style = match (name, given) {
            ("b", "") => Style::Bold,
            ("i", "") => Style::Italic,
            ("s", "") => Style::Strike,
            ("pre", "") => Style::Pre(None),
            ("blockquote", "") => Style::Quote,
            ("code", "") => Style::Code,
            ("code", given) => return self.language(given),
            ("a", given) => Style::Link(address(given)?),
            _ => return Err(format!("<{tag}> is none of Telegram's")),
        };
        self.open.push((name.to_owned(), self.shown.entities.len()));
        let range = self.units..usize::MAX;
        self.shown.entities.push(Entity { style, range });
        Ok(())
    }

    /// "pre and code entities can't contain other entities"; quotes and links not one another.
    fn may_open(&self, name: &str, given: &str) -> Result<(), String> {
        let is_language = name == "code" && !given.is_empty();
        let forbidden = self.open.iter().find(|(open, _)| match open.as_str() {
            "pre" => !is_language,
            "code" => true,
            "blockquote" => name == "blockquote",
            "a" => name == "a",
            _ => false,
        });
        match forbidden {
            Some((open, _)) => Err(format!("<{name}> in <{open}>")),
            None => Ok(()),
        }
    }

    /// `<pre><code class="language-…">`: the one tag that belongs to the one around it.
    fn language(&mut self, given: &str) -> Result<(), String> {
        let class = attribute(given, "class")?;
        let language = class
            .strip_prefix("language-")
            .filter(|language| !language.is_empty() && !language.contains(char::is_whitespace))
            .ok_or_else(|| format!("no language: {given}"))?;
        let Some((tag, entity)) = self.open.last().cloned() else {
            return Err("a language of nothing".to_owned());
        };
        let units = self.units;
        let block = &mut self.shown.entities[entity];
        if tag != "pre" || block.range.start != units {
            return Err(format!("a language within <{tag}>"));
        }
        block.style = Style::Pre(Some(language.to_owned()));
        self.open.push(("code".to_owned(), entity));
        Ok(())
    }
}

fn address(given: &str) -> Result<String, String> {
    let address = attribute(given, "href")?;
    let lower = address.to_ascii_lowercase();
    let opens = SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
        && !address.contains(|c: char| c.is_whitespace() || c.is_control());
    if opens {
        return Ok(address);
    }
    Err(format!("{address} cannot be opened"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_documented_is_read() {
        let shown = read(
            "a&lt;<b>🙂<i>c</i></b><pre><code class=\"language-c++\">d\n</code></pre>\
             <a href=\"https://ex.test/?a=1&amp;b=&quot;\">e</a>",
        )
        .unwrap();
        assert_eq!(shown.text, "a<🙂cd\ne");
        let entity = |style, range| Entity { style, range };
        assert_eq!(
            shown.entities,
            [
                entity(Style::Bold, 2..5),
                entity(Style::Italic, 4..5),
                entity(Style::Pre(Some("c++".to_owned())), 5..7),
                entity(Style::Link("https://ex.test/?a=1&b=\"".to_owned()), 7..8),
            ]
        );
    }

    #[test]
    fn what_is_not_documented_is_an_error() {
        for wrong in [
            "a < b",
            "a > b",
            "&nbsp;",
            "&lt",
            "<b>x",
            "x</b>",
            "<b><i>x</b></i>",
            "<b></b>",
            "<u >x</u>",
            "<h1>x</h1>",
            "<b class=\"x\">x</b>",
            "<code>a<b>x</b></code>",
            "<pre><b>x</b></pre>",
            "<pre>a<code class=\"language-c\">x</code></pre>",
            "<pre><code class=\"language-c\">x</code>a</pre>",
            "<code class=\"language-c\">x</code>",
            "<pre><code class=\"language-\">x</code></pre>",
            "<blockquote><b><blockquote>x</blockquote></b></blockquote>",
            "<a href=\"https://ex.test/\"><a href=\"https://ex.test/\">x</a></a>",
            "<a href=\"https://ex.test/<\">x</a>",
            "<a href=\"javascript:x\">x</a>",
            "<a href='https://ex.test/'>x</a>",
            "<a>x</a>",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
