//! Markdown → a text with formatting.
//!
//! Promises: it never fails and every word stays; what Telegram cannot show (headings, tables,
//! rules, pictures, tags of HTML) becomes something that reads as well. `CommonMark` with tables,
//! strike-through and task lists (<https://spec.commonmark.org>).
//! What never happens here: HTML in the source taken as HTML.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::rich::{Rich, Style};

/// What stands for a rule.
const RULE: &str = "———";

/// Reads Markdown.
pub(super) fn read(markdown: &str) -> Rich {
    let options =
        Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::default();
    for (event, place) in Parser::new_ext(markdown, options).into_offset_iter() {
        let ended = match &event {
            Event::End(end) => Some(*end),
            _ => None,
        };
        writer.take(event);
        match ended {
            Some(TagEnd::TableCell) => writer.cells_end = place.end,
            Some(TagEnd::TableRow) => {
                writer.more_cells(
                    markdown
                        .get(writer.cells_end..place.end)
                        .unwrap_or_default(),
                );
            }
            _ => {}
        }
    }
    writer.rich.trim_end();
    writer.rich
}

#[derive(Default)]
struct Writer {
    rich: Rich,
    /// The starts of what is open.
    open: Vec<usize>,
    /// For each open list the number of its next item, if it is numbered.
    lists: Vec<Option<u64>>,
    /// The addresses of open links and pictures.
    addresses: Vec<String>,
    /// How many links are open, pictures aside.
    links: usize,
    table: Option<Table>,
    /// Where in the source the last cell of a table ends.
    cells_end: usize,
    /// Quotes cannot lie within one another.
    quotes: usize,
    /// Whether the next block stands by itself, after an empty line.
    apart: bool,
    /// Whether the text of a block goes on behind what was just written (an item's mark).
    marked: bool,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    cell: String,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(code) => self.inline(&code, Some(Style::Code)),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => self.inline(&text, None),
            Event::SoftBreak | Event::HardBreak => self.inline("\n", None),
            Event::Rule => {
                self.block(true);
                self.rich.push(RULE);
                self.apart = true;
            }
            Event::TaskListMarker(done) => {
                self.inline(if done { "☑ " } else { "☐ " }, None);
            }
            Event::FootnoteReference(name) => self.inline(&format!("[{name}]"), None),
        }
    }

    fn inline(&mut self, text: &str, style: Option<Style>) {
        if let Some(table) = &mut self.table {
            table.cell.push_str(text);
            return;
        }
        self.marked = false;
        match style {
            Some(style) => self.rich.append(text, style),
            None => self.rich.push(text),
        }
    }

    /// Begins a block on a line of its own.
    fn block(&mut self, apart: bool) {
        if self.marked {
            return;
        }
        let text = self.rich.text();
        let breaks = text.len() - text.trim_end_matches('\n').len();
        let wanted = if text.is_empty() || self.at_quote_start() {
            0
        } else if apart && self.apart {
            2
        } else {
            1
        };
        for _ in breaks..wanted {
            self.rich.push("\n");
        }
    }

    fn at_quote_start(&self) -> bool {
        self.quotes > 0 && self.open.last() == Some(&self.rich.end())
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock | Tag::Heading { .. } => {
                self.block(self.lists.is_empty());
                self.open.push(self.rich.end());
            }
            Tag::BlockQuote(_) => {
                self.block(true);
                self.open.push(self.rich.end());
                self.quotes += 1;
                self.apart = false;
            }
            Tag::CodeBlock(kind) => {
                self.block(true);
                if self.marked {
                    self.rich.push("\n");
                    self.marked = false;
                }
                self.open.push(self.rich.end());
                self.addresses.push(match kind {
                    CodeBlockKind::Fenced(info) => language(&info),
                    CodeBlockKind::Indented => String::new(),
                });
            }
            Tag::List(first) => {
                self.block(self.lists.is_empty());
                if self.marked {
                    self.rich.push("\n");
                    self.marked = false;
                }
                self.lists.push(first);
                self.apart = false;
            }
            Tag::Item => self.item(),
            Tag::Table(_) => {
                self.block(true);
                self.table = Some(Table::default());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => self.open.push(self.rich.end()),
            Tag::Link { dest_url, .. } => {
                self.links += 1;
                self.open_link(dest_url.into_string());
            }
            Tag::Image { dest_url, .. } => self.open_link(dest_url.into_string()),
            _ => {}
        }
    }

    fn open_link(&mut self, address: String) {
        self.open.push(self.rich.end());
        self.addresses.push(address);
    }

    fn item(&mut self) {
        self.block(false);
        let depth = self.lists.len().saturating_sub(1);
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "• ".to_owned(),
        };
        self.rich.push(&"   ".repeat(depth.min(DEEPEST)));
        self.rich.push(&mark);
        self.marked = true;
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.open.pop();
                self.apart = true;
            }
            TagEnd::Heading(_) => {
                self.close(Style::Bold);
                self.apart = true;
            }
            TagEnd::BlockQuote(_) => {
                let start = self.open.last().copied().unwrap_or_default();
                self.rich.trim_end_since(start);
                self.quotes = self.quotes.saturating_sub(1);
                if self.quotes == 0 {
                    self.close(Style::Quote);
                } else {
                    self.open.pop();
                }
                self.apart = true;
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.lists.pop();
                self.apart = true;
            }
            TagEnd::Item => {
                self.marked = false;
                self.apart = false;
            }
            TagEnd::Table => self.end_table(),
            TagEnd::TableCell => {
                if let Some(table) = &mut self.table {
                    let cell = std::mem::take(&mut table.cell);
                    if let Some(row) = table.rows.last_mut() {
                        row.push(cell.replace('\n', " "));
                    }
                }
            }
            TagEnd::Emphasis => self.close(Style::Italic),
            TagEnd::Strong => self.close(Style::Bold),
            TagEnd::Strikethrough => self.close(Style::Strike),
            TagEnd::Link => {
                self.links = self.links.saturating_sub(1);
                self.end_link();
            }
            TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    fn close(&mut self, style: Style) {
        if let Some(start) = self.open.pop().filter(|_| self.table.is_none()) {
            self.rich.style(start, style);
        }
    }

    fn end_code(&mut self) {
        let language = self.addresses.pop().filter(|language| !language.is_empty());
        // The fence's own line break is none of the code.
        if self.rich.text().ends_with('\n') && self.open.last() < Some(&self.rich.end()) {
            self.rich.pop();
        }
        self.close(Style::Pre(language));
        self.apart = true;
    }

    fn end_link(&mut self) {
        let Some(address) = self.addresses.pop() else {
            return;
        };
        let Some(start) = self.open.pop() else {
            return;
        };
        if let Some(table) = &mut self.table {
            if table.cell.is_empty() {
                table.cell.push_str(&address);
            }
            return;
        }
        if address.is_empty() {
            return;
        }
        let shown = &self.rich.text()[start..];
        if shown.trim().is_empty() {
            self.rich.push(&address);
        } else if shown == address || address.strip_prefix("mailto:") == Some(shown) {
            // Telegram makes a link of it by itself.
        } else if can_open(&address) {
            // Links cannot lie within one another: of a link and a picture in it the link counts.
            if self.links == 0 && !self.rich.has_link_since(start) {
                self.rich.style(start, Style::Link(address));
            }
        } else {
            self.rich.push(&format!(" ({address})"));
        }
    }

    /// What a row has beyond the columns of its head, which the parser leaves out.
    fn more_cells(&mut self, source: &str) {
        let row = self.table.as_mut().and_then(|table| table.rows.last_mut());
        let Some(row) = row else {
            return;
        };
        let cells = source.split('|').map(str::trim);
        row.extend(cells.filter(|cell| !cell.is_empty()).map(ToOwned::to_owned));
    }

    /// In columns, as code: the one form in which letters stand one below the other.
    fn end_table(&mut self) {
        let Some(table) = self.table.take() else {
            return;
        };
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = table.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.min(WIDEST)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths);
            let padded: Vec<_> = cells
                .map(|(cell, width)| {
                    let missing = width.saturating_sub(cell.chars().count());
                    format!("{cell}{}", " ".repeat(missing))
                })
                .collect();
            padded.join(" | ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = table.rows.iter().map(line).collect();
        if lines.len() > 1 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            lines.insert(1, rules.join("-+-"));
        }
        self.rich.append(&lines.join("\n"), Style::Pre(None));
        self.apart = true;
    }
}

/// Lists within more lists than these are not moved in any further, and columns that are wider are
/// not filled up: white space may not grow with the square of what was written.
const DEEPEST: usize = 8;
const WIDEST: usize = 60;

/// The language of a code block: the first word behind its fence.
fn language(info: &str) -> String {
    let word = info.split_whitespace().next().unwrap_or_default();
    word.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '#' | '.'))
        .take(64)
        .collect()
}

/// Whether Telegram makes a link of this address. Of others it shows the text only.
fn can_open(address: &str) -> bool {
    let schemes = ["http://", "https://", "tg://", "ton://", "mailto:", "tel:"];
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    schemes.iter().any(|scheme| lower.starts_with(scheme))
        && !address.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::case;
    use super::super::property::matching;
    use super::*;

    fn html(markdown: &str) -> String {
        read(markdown).html()
    }

    fn of_case(id: &str) -> String {
        let markdown = &case(id)["input"]["messages"][0]["payload"]["markdown"];
        html(markdown.as_str().unwrap())
    }

    #[test]
    fn tg_out_005_underscores_in_links_and_names_stay() {
        assert_eq!(
            of_case("tg-out-005"),
            "Read https://ex.test/notes_2/read_me-7_b.md and https://ex.test/d_e.md, ask \
             @some_user_name, run sensor.attic_fan or <b>init</b>.py"
        );
    }

    #[test]
    fn tg_out_006_lists_within_lists() {
        assert_eq!(
            of_case("tg-out-006"),
            "Recipe:\n\n• <b>Leaves</b>: green\n   • <b>Time (3 min)</b>: short\n   • <i>mild</i> \
             heat\n\n1. first\n2. second"
        );
    }

    #[test]
    fn tg_out_007_angle_brackets_stay() {
        assert_eq!(
            of_case("tg-out-007"),
            "Use Vec&lt;String&gt; or Option&lt;T&gt;, if a &lt; b &amp;&amp; c &gt; d; write &amp; \
             for &amp;. <code>Map&lt;K, V&gt;</code> &lt;b&gt;not bold?&lt;/b&gt;"
        );
    }

    #[test]
    fn tg_out_008_headings_rules_tables_and_quotes() {
        assert_eq!(
            of_case("tg-out-008"),
            "<b>Prices</b>\n\n<pre>item  | price\n------+------\ntea_1 | 2.50!\ncake  | 3.00</pre>\
             \n\n———\n\n<blockquote>quoted &gt; twice</blockquote>\n\n<s>old</s>"
        );
    }

    #[test]
    fn tg_out_009_addresses_with_brackets() {
        assert_eq!(
            of_case("tg-out-009"),
            "See <a href=\"https://en.example.org/wiki/Rust_(programming_language)\">Rust \
             (language)</a> and <a href=\"https://ex.test/?q=a&amp;b=%29\">a]b</a>"
        );
    }

    #[test]
    fn code_keeps_its_lines_and_language() {
        assert_eq!(
            html("a\n```rust,ignore\nfn f() {\n\n    1 < 2\n}\n```\nb"),
            "a\n\n<pre><code class=\"language-rustignore\">fn f() {\n\n    1 &lt; 2\n}</code></pre>\n\nb"
        );
        assert_eq!(html("```\n\n```"), "");
        assert_eq!(
            html("- x\n\n      y\n- ```\n  z\n  ```"),
            "• x\n\n<pre>y</pre>\n• \n<pre>z</pre>"
        );
    }

    #[test]
    fn what_cannot_be_a_link_shows_its_address() {
        for (markdown, expected) in [
            ("[a](b.md)", "a (b.md)"),
            ("<https://ex.test/a_b>", "https://ex.test/a_b"),
            ("![](https://ex.test/p.png)", "https://ex.test/p.png"),
            (
                "![plan](https://ex.test/p)",
                "<a href=\"https://ex.test/p\">plan</a>",
            ),
            ("[x]()", "x"),
            (
                "[**b** c](tg://user?id=1)",
                "<a href=\"tg://user?id=1\"><b>b</b> c</a>",
            ),
            (
                "[![b](https://ex.test/b.svg) c](https://ex.test/)",
                "<a href=\"https://ex.test/\">b c</a>",
            ),
            (
                "![a [b](https://ex.test/)](https://ex.test/p)",
                "a <a href=\"https://ex.test/\">b</a>",
            ),
        ] {
            assert_eq!(html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn quotes_within_quotes_are_one() {
        assert_eq!(
            html("> a\n> > b\n>\n> c\n\nd"),
            "<blockquote>a\n\nb\n\nc</blockquote>\n\nd"
        );
    }

    #[test]
    fn what_is_shown_does_not_grow_with_the_square_of_what_is_written() {
        let wide = "w".repeat(20_000);
        let many = |text: &str| text.repeat(10_000);
        for markdown in [
            many("- ") + "x",
            many("1. ") + "x",
            format!("a|b\n-|-\n{wide}|x\n{}", many("y|z\n")),
            format!("{}\n{}\n{}", many("|"), many("|-"), many("|\n")),
            format!("[a]: http://ex.test/{wide}\n\n{}", many("[a]\n")),
            format!("[a]: x{wide}\n\n{}", many("[a]\n")),
        ] {
            let shown = read(&markdown).text().len();
            let start: String = markdown.chars().take(20).collect();
            assert!(
                shown < 60 * markdown.len(),
                "{shown} of {}: {start}",
                markdown.len()
            );
        }
    }

    #[test]
    fn a_row_that_is_longer_than_its_table_is_kept() {
        assert_eq!(
            html("a|b\n-|-\nc|d|e|f\n|g|h|i|\nj\n"),
            "<pre>a | b\n--+---+---+--\nc | d | e | f\ng | h | i\nj |</pre>"
        );
        assert_eq!(
            html("> | - |\n> | - |\n> | - |a"),
            "<blockquote><pre>-\n--+--\n- | a</pre></blockquote>"
        );
    }

    #[test]
    fn html_is_text() {
        assert_eq!(
            html("<div>\nx\n</div>\n\ny"),
            "&lt;div&gt;\nx\n&lt;/div&gt;\n\ny"
        );
        assert_eq!(html("1 &lt; 2 &copy;"), "1 &lt; 2 ©");
    }

    proptest! {
        #[test]
        fn property_every_word_stays_and_the_tags_are_balanced(
            markdown in matching(
                "([a-z]{1,6}|[*_`~>#|\\[\\]()<!&-]|\n| |    |```|\\*\\*|1\\. |\\| - \\|){0,60}"
            ),
        ) {
            let rich = read(&markdown);
            rich.assert_reads_back();
            // The language of a block, an address' definition and a reference are no words.
            if markdown.contains("```") || markdown.contains([']', '&']) {
                return Ok(());
            }
            for word in markdown.split(|c: char| !c.is_ascii_lowercase()) {
                prop_assert!(rich.text().contains(word), "{word:?} of {markdown:?}");
            }
        }

        #[test]
        fn property_any_text_can_be_read(markdown in any::<String>()) {
            read(&markdown).assert_reads_back();
        }
    }
}
