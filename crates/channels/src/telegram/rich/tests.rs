use proptest::prelude::*;

use super::super::fixture::case;
use super::super::markdown;
use super::super::property::matching;
use super::*;

/// What of the parts is code.
fn code(parts: &[Rich]) -> String {
    let code = |part: &Rich| -> String {
        let spans = part.spans.iter();
        spans
            .filter(|span| matches!(span.style, Style::Pre(_)))
            .map(|span| &part.text[span.range.clone()])
            .collect()
    };
    parts.iter().map(code).collect()
}

#[test]
fn tg_out_004_a_long_block_of_code_is_closed_and_opened_again_between_lines() {
    assert!(case("tg-out-004")["input"]["messages"][0]["payload"]["markdown"].is_object());
    let block = "value = compute(1, 2, 3)  # step\n".repeat(200);
    let rich = markdown::read(&format!(
        "Here it is:\n\n```python\n{block}```\n\nThat is all."
    ));
    let parts = rich.messages();
    assert_eq!(parts.len(), 2);
    for part in &parts {
        assert!(part.units() <= MESSAGE_LIMIT);
        part.assert_reads_back();
        assert!(
            part.html()
                .contains("<pre><code class=\"language-python\">value")
        );
    }
    assert_eq!(code(&parts), block.trim_end());
    assert!(parts[0].text.starts_with("Here it is:\n\nvalue"));
    assert!(parts[1].text.ends_with("step\n\nThat is all."));
}

#[test]
fn indentation_at_a_cut_is_code_too() {
    let block = "    deep()\n".repeat(600);
    let parts = markdown::read(&format!("```\n{block}```")).messages();
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.text.starts_with("    deep()")));
    assert_eq!(code(&parts), block.trim_end());

    // Of a line that fits nowhere too.
    let line = format!("    {}", "x".repeat(60));
    let parts = markdown::read(&format!("```\n{line}\n```")).split(40, 40);
    assert_eq!(parts.len(), 2);
    assert_eq!(code(&parts), line);

    // Of a block's first line too.
    let text = "word ".repeat(8);
    let parts = markdown::read(&format!("{text}\n```\n    deep()\n```")).split(40, 40);
    assert_eq!(parts.len(), 2);
    assert_eq!(code(&parts), "    deep()");
}

#[test]
fn what_is_formatted_as_one_is_not_cut_while_it_fits() {
    let text = format!("{} **{}** end", "a ".repeat(15), "b ".repeat(10).trim_end());
    let parts = markdown::read(&text).split(40, 40);
    assert_eq!(parts.len(), 2);
    assert_eq!(
        parts[1].html(),
        format!("<b>{}</b> end", "b ".repeat(10).trim_end())
    );

    // What fits nowhere is closed and opened again.
    let long = markdown::read(&format!("x *{}*", "word ".repeat(40).trim_end()));
    let parts = long.split(50, 50);
    assert!(parts.len() >= 4);
    for part in &parts {
        assert!(part.units() <= 50);
        assert!(part.html().contains("<i>word"), "{}", part.html());
    }
}

#[test]
fn an_empty_quote_within_another_moves_no_format() {
    for text in [
        "```\n```\n```\n- \n```\n>>\n>🙂",
        "a\n\n>>\n>🙂 b",
        "- \n  >>\n  >🙂 *b*",
    ] {
        let rich = markdown::read(text);
        rich.assert_reads_back();
        for part in rich.split(8, 8) {
            part.assert_reads_back();
        }
    }
}

#[test]
fn the_first_part_may_be_shorter() {
    let rich = Rich::from("word ".repeat(300).as_str());
    let parts = rich.split(1024, MESSAGE_LIMIT);
    assert_eq!(parts.len(), 2);
    assert!(parts[0].units() <= 1024);
}

#[test]
fn long_addresses_count_for_the_servers_other_limit() {
    let address = format!("https://ex.test/{}", "x".repeat(2000));
    let links: Vec<_> = (0..40).map(|n| format!("[n{n}]({address})")).collect();
    let parts = markdown::read(&links.join(" ")).messages();
    assert!(parts.len() > 1);
    for part in &parts {
        assert!(part.html().len() <= RAW_LIMIT);
        part.assert_reads_back();
    }
    let shown: Vec<_> = parts.iter().flat_map(|part| part.text.split(' ')).collect();
    assert_eq!(shown.len(), 40);
}

#[test]
fn what_shows_nothing_has_no_parts() {
    for text in ["", " \n", "\u{200b}", "****"] {
        assert_eq!(Rich::from(text).is_blank(), text != "****");
    }
    assert!(Rich::from(" \u{200b}\n ").messages().is_empty());
}

proptest! {
    #[test]
    fn property_parts_fit_are_balanced_and_lose_white_space_only(
        markdown in matching("([a-zé🙂]{1,12}|[*_`~>]|\n|\n\n| |```\n|\\*\\*|- ){0,80}"),
        limit in 8_usize..60,
    ) {
        let rich = markdown::read(&markdown);
        let parts = rich.split(limit, limit);
        for part in &parts {
            prop_assert!(part.units() <= limit, "{part:?}");
            prop_assert!(!part.is_blank());
            part.assert_reads_back();
        }
        let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
        let joined: String = parts.iter().map(|part| letters(&part.text)).collect();
        prop_assert_eq!(joined, letters(&rich.text));
    }
    #[test]
    fn property_code_that_is_cut_goes_on_as_code_and_loses_no_letter_and_no_indentation(
        before in matching("([a-z]{1,9} ){0,6}"),
        language in matching("([a-z]{1,8}[+#.-]{0,2})?"),
        lines in prop::collection::vec(matching("([ ]{0,6}[!-~é🙂]{0,9}){0,4}"), 1..12),
        after in matching("([a-z]{1,9} ){0,6}"),
        limit in prop_oneof![8_usize..60, 60_usize..400],
    ) {
        // Longer than anything in it that could end it.
        let fence = "~".repeat(60);
        let block = lines.join("\n");
        let source = format!("{before}\n\n{fence}{language}\n{block}\n{fence}\n\n{after}");
        let rich = markdown::read(&source);
        let parts = rich.split(limit, limit);
        let style = Style::Pre(Some(language).filter(|language| !language.is_empty()));
        let whole = code(std::slice::from_ref(&rich));
        prop_assert_eq!(whole.trim_end(), block.trim_end());
        let mut rest = whole.as_str();
        for part in &parts {
            prop_assert!(part.units() <= limit, "{part:?}");
            part.assert_reads_back();
            let pieces: Vec<_> = part.spans.iter().collect();
            prop_assert!(pieces.len() <= 1 && pieces.iter().all(|span| span.style == style));
            for span in pieces {
                let piece = &part.text[span.range.clone()];
                // Empty lines at a seam show nothing, nor does white space that fills a message.
                let lost = rest.find(piece).map(|at| &rest[..at]);
                let fits = lost.is_some_and(|lost| {
                    let lines = lost.is_empty() || lost.ends_with('\n');
                    lost.trim().is_empty() && (lines || units(lost) + 1 >= limit)
                });
                prop_assert!(fits, "{lost:?} before {piece:?}");
                rest = &rest[lost.map_or(0, str::len) + piece.len()..];
            }
        }
        prop_assert!(rest.trim().is_empty(), "{rest:?}");
        let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
        let joined: String = parts.iter().map(|part| letters(&part.text)).collect();
        prop_assert_eq!(joined, letters(&rich.text));
    }
}
