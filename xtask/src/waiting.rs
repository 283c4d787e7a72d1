//! The acceptance cases that wait for later work. The black-box test `cases` checks that every
//! case either runs or stands in this list.

use std::path::Path;

/// Prints the list.
pub(crate) fn print(root: &Path) -> Result<(), String> {
    let path = root.join("tests/fixtures/cases/waiting.txt");
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let waiting: Vec<_> = parse(&text).collect();
    println!("{} acceptance cases wait for later work:", waiting.len());
    for (id, reason) in waiting {
        println!("  {id:<12} {reason}");
    }
    Ok(())
}

/// Lines of `id: reason`; `#` starts a comment.
fn parse(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(id, reason)| (id.trim(), reason.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_may_contain_colons_and_comments_are_left_out() {
        let text = "# why\n\ntg-out-004: markdown: later\n";
        assert_eq!(
            parse(text).collect::<Vec<_>>(),
            [("tg-out-004", "markdown: later")]
        );
    }
}
