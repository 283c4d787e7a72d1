//! Telegram's HTML (<https://core.telegram.org/bots/api#html-style>), as strict as the real one.

const TAGS: [&str; 14] = [
    "a",
    "b",
    "blockquote",
    "code",
    "del",
    "em",
    "i",
    "ins",
    "pre",
    "s",
    "span",
    "strong",
    "tg-spoiler",
    "u",
];

/// What a reader sees; none where Telegram could not parse it.
pub(super) fn shown(html: &str) -> Option<String> {
    let (mut text, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        let (found, end) = if rest[at..].starts_with('<') {
            (true, at + rest[at..].find('>')?)
        } else {
            (false, at + rest[at..].find(';').unwrap_or(0))
        };
        let inside = rest.get(at + 1..end).unwrap_or_default();
        match (found, inside.strip_prefix('/')) {
            (true, Some(name)) => (open.pop()? == name).then_some(())?,
            (true, None) => {
                let name = inside.split([' ', '\n']).next()?;
                TAGS.contains(&name).then_some(())?;
                open.push(name);
            }
            (false, _) => match inside {
                "lt" => text.push('<'),
                "gt" => text.push('>'),
                "amp" => text.push('&'),
                "quot" => text.push('"'),
                _ => {
                    text.push('&');
                    rest = &rest[at + 1..];
                    continue;
                }
            },
        }
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    open.is_empty().then_some(text)
}
