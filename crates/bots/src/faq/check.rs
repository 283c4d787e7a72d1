//! From the file as it is written to a script that holds together. Finds every fault, not only the
//! first, and says where.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::file::{self, File, Kind, Text, Texts};
use super::hours::{self, Hours};
use super::matching::Phrase;
use super::render;
use super::script::{Book, Choice, Entry, Fault, Field, Form, Go, InvalidScript, Menu, Script};
use super::texts::{DAYS, NO, TEXTS, WORDS};

/// The longest id, in characters: a button brings it back in 64 bytes.
const ID_LIMIT: usize = 40;
/// The longest text, in characters: with four bytes each it fits into a message's payload.
const TEXT_LIMIT: usize = 32_000;
/// The most choices of a menu.
const CHOICES_LIMIT: usize = 50;

pub(super) fn parse(text: &str) -> Result<Script, InvalidScript> {
    let read = toml::Deserializer::parse(text)
        .map_err(|error| (String::new(), error))
        .and_then(|document| {
            serde_path_to_error::deserialize::<_, File>(document)
                .map_err(|error| (error.path().to_string(), error.into_inner()))
        });
    let file = read.map_err(|(path, error)| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let field = match path.as_str() {
            "" | "." => "(file)".to_owned(),
            path => path.to_owned(),
        };
        InvalidScript {
            faults: vec![Fault {
                line: before.matches('\n').count() + 1,
                field,
                problem: error.message().to_owned(),
            }],
        }
    })?;
    let mut check = Check {
        text,
        table: DeTable::parse(text).ok().map(toml::Spanned::into_inner),
        languages: file.languages.clone(),
        faults: Vec::new(),
    };
    let script = check.script(&file);
    if check.faults.is_empty() {
        Ok(script)
    } else {
        check.faults.sort_by_key(|fault| fault.line);
        Err(InvalidScript {
            faults: check.faults,
        })
    }
}

/// What an id leads to.
type Goal = fn(String) -> Go;

struct Check<'a> {
    text: &'a str,
    table: Option<DeTable<'a>>,
    languages: Vec<String>,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn fault(&mut self, field: &str, problem: impl Into<String>) {
        self.faults.push(Fault {
            line: self.line(field),
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    /// The line of a field, or of the nearest thing around it that is there.
    fn line(&self, field: &str) -> usize {
        let mut at = 0;
        let mut table = self.table.as_ref();
        for part in field.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((key, value)) = table
                .and_then(|table| table.iter().find(|(key, _)| key.get_ref().as_ref() == name))
            else {
                break;
            };
            at = key.span().start;
            let mut value = value;
            if let (Some(index), DeValue::Array(items)) = (index, value.get_ref())
                && let Some(item) = items.get(index)
            {
                at = item.span().start;
                value = item;
            }
            table = match value.get_ref() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            };
        }
        self.text
            .get(..at)
            .unwrap_or_default()
            .matches('\n')
            .count()
            + 1
    }

    fn script(&mut self, file: &File) -> Script {
        if self.languages.is_empty() {
            self.languages.push("en".to_owned());
        }
        let mut known = BTreeSet::new();
        for (index, code) in self.languages.clone().iter().enumerate() {
            let is_code = (2..=8).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
            if !is_code || !known.insert(code.clone()) {
                let field = format!("languages[{index}]");
                self.fault(&field, "expected a language's code, such as \"en\", once");
            }
        }
        let goals = self.goals(file);
        if !file.menu.iter().any(|menu| menu.id == file.start) {
            self.fault(
                "start",
                format!("there is no menu with the id {:?}", file.start),
            );
        }
        self.reachable(file);
        self.circles(file);
        let hours = file.hours.as_ref().and_then(|hours| self.hours(hours));
        let tag = file
            .handover
            .tag
            .clone()
            .unwrap_or_else(|| "handover".to_owned());
        if tag.is_empty() || tag.chars().count() > 100 || tag.contains([':', '\0']) {
            self.fault(
                "handover.tag",
                "expected 1 to 100 characters without a colon",
            );
        }
        if file.handover.quiet_hours == Some(0) {
            self.fault(
                "handover.quiet_hours",
                "expected 1 or more; leave it out for \"until told otherwise\"",
            );
        }
        let books: BTreeMap<String, Book> = self
            .languages
            .clone()
            .iter()
            .map(|language| (language.clone(), self.book(file, language, &goals)))
            .collect();
        // A text that every language shares has its fault once.
        let mut seen = Vec::new();
        self.faults.retain(|fault| {
            let is_new = !seen.contains(fault);
            if is_new {
                seen.push(fault.clone());
            }
            is_new
        });
        Script {
            start: file.start.clone(),
            first: self
                .languages
                .first()
                .and_then(|code| books.get(code).cloned())
                .unwrap_or_default(),
            books,
            hours,
            tag,
            quiet_hours: file.handover.quiet_hours,
        }
    }

    /// Everything that a choice can lead to; ids that are none or twice are faults.
    fn goals(&mut self, file: &File) -> BTreeSet<Go> {
        let mut goals = BTreeSet::from([Go::Person, Go::Home, Go::Back]);
        goals.extend(self.languages.iter().cloned().map(Go::Language));
        let kinds: [(&str, Vec<&String>, Goal); 3] = [
            (
                "menu",
                file.menu.iter().map(|menu| &menu.id).collect(),
                Go::Menu,
            ),
            (
                "faq",
                file.faq.iter().map(|entry| &entry.id).collect(),
                Go::Faq,
            ),
            (
                "form",
                file.form.iter().map(|form| &form.id).collect(),
                Go::Form,
            ),
        ];
        for (kind, ids, goal) in kinds {
            for (index, id) in ids.into_iter().enumerate() {
                let field = format!("{kind}[{index}].id");
                if !is_name(id) {
                    self.fault(
                        &field,
                        format!(
                            "expected 1 to {ID_LIMIT} of the characters a-z, A-Z, 0-9, - and _"
                        ),
                    );
                } else if !goals.insert(goal(id.clone())) {
                    self.fault(&field, format!("another {kind} has the id {id:?} already"));
                }
            }
        }
        goals
    }

    /// A menu that nothing leads to is a mistake that nobody would notice.
    fn reachable(&mut self, file: &File) {
        let mut wanted = vec![file.start.as_str()];
        let after = file.faq.iter().filter_map(|entry| entry.go.as_deref());
        let after = after.chain(file.form.iter().filter_map(|form| form.go.as_deref()));
        wanted.extend(after.filter_map(|go| go.strip_prefix("menu:")));
        let mut reached = BTreeSet::new();
        let mut forms = BTreeSet::new();
        while let Some(id) = wanted.pop() {
            if !reached.insert(id) {
                continue;
            }
            for menu in file.menu.iter().filter(|menu| menu.id == id) {
                for choice in &menu.choices {
                    wanted.extend(choice.go.strip_prefix("menu:"));
                    forms.extend(choice.go.strip_prefix("form:"));
                }
            }
        }
        forms.extend(
            file.faq
                .iter()
                .filter_map(|entry| entry.go.as_deref()?.strip_prefix("form:")),
        );
        forms.extend(
            file.form
                .iter()
                .filter_map(|form| form.go.as_deref()?.strip_prefix("form:")),
        );
        for (index, menu) in file.menu.iter().enumerate() {
            if !reached.contains(menu.id.as_str()) {
                let field = format!("menu[{index}].id");
                self.fault(&field, format!("nothing leads to the menu {:?}; give a choice go = \"menu:{}\", or leave it out", menu.id, menu.id));
            }
        }
        for (index, form) in file.form.iter().enumerate() {
            if !forms.contains(form.id.as_str()) {
                let field = format!("form[{index}].id");
                self.fault(&field, format!("nothing leads to the form {:?}; give a choice go = \"form:{}\", or leave it out", form.id, form.id));
            }
        }
    }

    /// Answers that lead to each other say the same again and again. Each leads to one at most, and
    /// all else that follows an answer waits for the person.
    fn circles(&mut self, file: &File) {
        let next: BTreeMap<&str, &str> = file
            .faq
            .iter()
            .filter_map(|entry| Some((entry.id.as_str(), entry.go.as_deref()?)))
            .filter_map(|(id, go)| Some((id, go.strip_prefix("faq:")?)))
            .collect();
        let mut seen = BTreeSet::new();
        for (index, entry) in file.faq.iter().enumerate() {
            let mut way = Vec::new();
            let mut at = Some(entry.id.as_str());
            while let Some(id) = at.filter(|id| seen.insert(*id)) {
                way.push(id);
                at = next.get(id).copied();
            }
            let Some(start) = at.and_then(|met| way.iter().position(|id| *id == met)) else {
                continue;
            };
            let first = file.faq.iter().position(|entry| entry.id == way[start]);
            let circle: Vec<String> = way[start..]
                .iter()
                .chain(way.get(start))
                .map(|id| format!("faq:{id}"))
                .collect();
            self.fault(
                &format!("faq[{}].go", first.unwrap_or(index)),
                format!(
                    "the answers lead in a circle: {}; let one of them lead elsewhere or nowhere",
                    circle.join(" \u{2192} ")
                ),
            );
        }
    }

    fn hours(&mut self, hours: &file::Hours) -> Option<Hours> {
        let zone = TimeZone::get(&hours.zone).ok();
        if zone.is_none() {
            self.fault(
                "hours.zone",
                "expected a time zone's name, such as \"Europe/Berlin\"",
            );
        }
        let days = [
            &hours.monday,
            &hours.tuesday,
            &hours.wednesday,
            &hours.thursday,
            &hours.friday,
            &hours.saturday,
            &hours.sunday,
        ];
        let mut week: [Vec<hours::Span>; 7] = std::array::from_fn(|_| Vec::new());
        for ((name, spans), day) in DAYS.iter().zip(days).zip(&mut week) {
            *day = self.spans(&format!("hours.{name}"), spans);
        }
        let mut special = BTreeMap::new();
        for (date, spans) in &hours.special {
            let field = format!("hours.special.{date}");
            match date.parse::<Date>() {
                Ok(day) => {
                    special.insert(day, self.spans(&field, spans));
                }
                Err(_) => self.fault(&field, "expected a day such as \"2026-12-24\""),
            }
        }
        Some(Hours {
            zone: zone?,
            week,
            special,
        })
    }

    fn spans(&mut self, field: &str, texts: &[String]) -> Vec<hours::Span> {
        let mut spans: Vec<hours::Span> = Vec::new();
        for text in texts {
            match hours::span(text) {
                Some(span) if spans.last().is_none_or(|last| last.1 <= span.0) => spans.push(span),
                Some(_) => self.fault(field, "expected times in order, without overlap"),
                None => self.fault(
                    field,
                    format!("expected times such as \"09:00-18:30\", not {text:?}"),
                ),
            }
        }
        spans
    }

    fn book(&mut self, file: &File, language: &str, goals: &BTreeSet<Go>) -> Book {
        let mut book = Book::default();
        for (name, text) in &file.variables {
            let field = format!("variables.{name}");
            if !is_name(name) || render::BUILT_IN.contains(&name.as_str()) {
                self.fault(
                    &field,
                    format!(
                        "expected a name of its own; {} are built in",
                        render::BUILT_IN.join(", ")
                    ),
                );
            }
            if let Some(text) = self.pick(&field, text, language) {
                book.variables.insert(name.clone(), text);
            }
        }
        let known: BTreeSet<String> = book
            .variables
            .keys()
            .cloned()
            .chain(render::BUILT_IN.map(ToOwned::to_owned))
            .collect();
        book.greeting = self.maybe("greeting", file.greeting.as_ref(), language, &known);
        self.words(file, language, &mut book);
        self.texts(file, language, &known, &mut book);
        for (index, menu) in file.menu.iter().enumerate() {
            let menu_at = format!("menu[{index}]");
            let text = self.say(&format!("{menu_at}.text"), &menu.text, language, &known);
            if menu.choices.is_empty() || menu.choices.len() > CHOICES_LIMIT {
                self.fault(
                    &format!("{menu_at}.choices"),
                    format!("expected 1 to {CHOICES_LIMIT} choices"),
                );
            }
            let mut choices = Vec::new();
            for (number, choice) in menu.choices.iter().enumerate() {
                let at = format!("{menu_at}.choices[{number}]");
                let label = self.say(&format!("{at}.label"), &choice.label, language, &known);
                if let Some(go) = self.go(&format!("{at}.go"), &choice.go, goals) {
                    let phrase = vec![Phrase::new(&label)];
                    choices.push(Choice { label, phrase, go });
                }
            }
            book.menus.insert(menu.id.clone(), Menu { text, choices });
        }
        for (index, entry) in file.faq.iter().enumerate() {
            let at = format!("faq[{index}]");
            let question = self.say(&format!("{at}.question"), &entry.question, language, &known);
            let mut phrases = vec![Phrase::new(&question)];
            let given = entry
                .phrases
                .as_ref()
                .map(|given| self.list(&format!("{at}.phrases"), given, language));
            phrases.extend(
                given
                    .unwrap_or_default()
                    .iter()
                    .map(|text| Phrase::new(text)),
            );
            if phrases.iter().any(Phrase::is_empty) {
                self.fault(
                    &format!("{at}.phrases"),
                    "a question or phrase has no word in it",
                );
            }
            let answer = self.say(&format!("{at}.answer"), &entry.answer, language, &known);
            let go = entry
                .go
                .as_ref()
                .and_then(|go| self.go(&format!("{at}.go"), go, goals));
            book.entries.push(Entry {
                id: entry.id.clone(),
                question,
                phrases,
                answer,
                go,
            });
        }
        for (index, form) in file.form.iter().enumerate() {
            let form_read = self.form(&format!("form[{index}]"), form, language, &known, goals);
            book.forms.insert(form.id.clone(), form_read);
        }
        book
    }

    fn form(
        &mut self,
        at: &str,
        form: &file::Form,
        language: &str,
        known: &BTreeSet<String>,
        goals: &BTreeSet<Go>,
    ) -> Form {
        if form.fields.is_empty() {
            self.fault(&format!("{at}.fields"), "expected one question at least");
        }
        let intro = self.maybe(&format!("{at}.intro"), form.intro.as_ref(), language, known);
        let mut known = known.clone();
        let mut fields: Vec<Field> = Vec::new();
        for (number, field) in form.fields.iter().enumerate() {
            let at = format!("{at}.fields[{number}]");
            let is_taken = known.contains(&field.name);
            if !is_name(&field.name) || is_taken {
                self.fault(
                    &format!("{at}.name"),
                    "expected a name that no other field and no variable has",
                );
            }
            let options = field
                .options
                .as_ref()
                .map(|options| self.list(&format!("{at}.options"), options, language));
            let options = options.unwrap_or_default();
            if (field.kind == Kind::Choice) != (options.len() > 1) {
                self.fault(
                    &format!("{at}.options"),
                    "a field of the kind choice has two options at least, another has none",
                );
            }
            if field.min.zip(field.max).is_some_and(|(min, max)| min > max) {
                self.fault(&format!("{at}.max"), "expected no less than min");
            }
            let ask = self.say(&format!("{at}.ask"), &field.ask, language, &known);
            let invalid = self.maybe(
                &format!("{at}.invalid"),
                field.invalid.as_ref(),
                language,
                &known,
            );
            known.insert(field.name.clone());
            fields.push(Field {
                name: field.name.clone(),
                ask,
                kind: field.kind,
                min: field.min,
                max: field.max,
                options,
                invalid,
            });
        }
        Form {
            intro,
            fields,
            confirm: self.maybe(
                &format!("{at}.confirm"),
                form.confirm.as_ref(),
                language,
                &known,
            ),
            done: self.say(&format!("{at}.done"), &form.done, language, &known),
            go: form
                .go
                .as_ref()
                .and_then(|go| self.go(&format!("{at}.go"), go, goals)),
        }
    }

    fn go(&mut self, field: &str, text: &str, goals: &BTreeSet<Go>) -> Option<Go> {
        match Go::parse(text) {
            None => self.fault(
                field,
                "expected menu:ID, faq:ID, form:ID, language:CODE, person, home or back",
            ),
            Some(go) if !goals.contains(&go) => self.fault(field, format!("there is no {text:?}")),
            Some(go) => return Some(go),
        }
        None
    }

    fn words(&mut self, file: &File, language: &str, book: &mut Book) {
        for name in file.words.keys() {
            if name != "no" && !WORDS.iter().any(|(known, ..)| known == name) {
                self.fault(
                    &format!("words.{name}"),
                    "expected start, home, back, cancel, person, bot, yes or no",
                );
            }
        }
        let built_in = WORDS
            .iter()
            .map(|(name, all, english, german)| (*name, *all, *english, *german))
            .chain([("no", &[] as &[&str], NO.0, NO.1)]);
        for (name, all, english, german) in built_in {
            let own: &[&str] = match language {
                "en" => english,
                "de" => german,
                _ => &[],
            };
            let mut words: Vec<String> = all
                .iter()
                .chain(own)
                .map(|word| (*word).to_owned())
                .collect();
            if let Some(more) = file.words.get(name) {
                words.extend(self.list(&format!("words.{name}"), more, language));
            }
            book.words.insert(name, words);
        }
    }

    fn texts(&mut self, file: &File, language: &str, known: &BTreeSet<String>, book: &mut Book) {
        for name in file.texts.keys() {
            if !TEXTS.iter().any(|(text, ..)| text == name) {
                let names: Vec<&str> = TEXTS.iter().map(|(name, ..)| *name).collect();
                self.fault(
                    &format!("texts.{name}"),
                    format!("expected one of {}", names.join(", ")),
                );
            }
        }
        for (name, english, german) in TEXTS {
            let field = format!("texts.{name}");
            let text = match (file.texts.get(name), language) {
                (Some(text), _) => self.say(&field, text, language, known),
                (None, "en") => english.to_owned(),
                (None, "de") => german.to_owned(),
                (None, _) => {
                    self.fault(&field, format!("missing: of the language {language:?} nothing is built in (in English: {english:?})"));
                    continue;
                }
            };
            book.texts.insert(name, text);
        }
    }

    /// A text in a language, its variables checked.
    fn say(
        &mut self,
        field: &str,
        text: &Text,
        language: &str,
        known: &BTreeSet<String>,
    ) -> String {
        let text = self.pick(field, text, language).unwrap_or_default();
        if let Err(problem) = render::check(&text, known) {
            self.fault(field, problem);
        }
        text
    }

    fn maybe(
        &mut self,
        field: &str,
        text: Option<&Text>,
        language: &str,
        known: &BTreeSet<String>,
    ) -> Option<String> {
        text.map(|text| self.say(field, text, language, known))
    }

    fn pick(&mut self, field: &str, text: &Text, language: &str) -> Option<String> {
        let found = match text {
            Text::One(text) => Some(text),
            Text::Each(texts) => {
                self.known_languages(field, texts.keys());
                texts.get(language)
            }
        };
        match found {
            None => self.fault(field, format!("the language {language:?} is missing")),
            Some(text) if text.trim().is_empty() => {
                self.fault(field, "expected a text that says something");
            }
            Some(text) if text.chars().count() > TEXT_LIMIT => self.fault(
                field,
                format!("expected at most {TEXT_LIMIT} characters; a message holds no more"),
            ),
            Some(text) => return Some(text.clone()),
        }
        None
    }

    fn list(&mut self, field: &str, texts: &Texts, language: &str) -> Vec<String> {
        let found = match texts {
            Texts::One(texts) => Some(texts),
            Texts::Each(texts) => {
                self.known_languages(field, texts.keys());
                texts.get(language)
            }
        };
        if found.is_none() {
            self.fault(field, format!("the language {language:?} is missing"));
        }
        found.cloned().unwrap_or_default()
    }

    fn known_languages<'k>(&mut self, field: &str, codes: impl Iterator<Item = &'k String>) {
        for code in codes {
            if !self.languages.contains(code) {
                self.fault(field, format!("the language {code:?} is not in languages"));
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=ID_LIMIT).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
start = "main"
[[menu]]
id = "main"
text = "What now, {name}?"
choices = [{ label = "Hours", go = "faq:hours" }]
[[faq]]
id = "hours"
question = "When are you open?"
answer = "We are {open}."
"#;

    fn faults(text: &str) -> Vec<String> {
        let faults = parse(text).map(|_| ()).unwrap_err().faults;
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_small_file_is_a_bot() {
        assert_eq!(parse(GOOD).unwrap().counts(), (1, 1, 0));
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_field() {
        let text = GOOD
            .replace("faq:hours", "faq:hour")
            .replace("{open}", "{opn}")
            .replace("start = \"main\"", "start = \"mian\"");
        let faults = faults(&text);
        let begins = [
            "line 2, start: ",
            "line 6, menu[0].choices[0].go: ",
            "line 10, faq[0].answer: ",
        ];
        for begin in begins {
            assert!(
                faults.iter().any(|fault| fault.starts_with(begin)),
                "{begin}: {faults:#?}"
            );
        }
    }

    #[test]
    fn answers_in_a_circle_are_a_fault_and_a_chain_is_none() {
        let entry = |id: &str, go: &str| {
            format!(
                "[[faq]]\nid = \"{id}\"\nquestion = \"{id}\"\nanswer = \"x\"\ngo = \"faq:{go}\"\n"
            )
        };
        let file = |entries: &[(&str, &str)]| {
            let more: String = entries.iter().map(|(id, go)| entry(id, go)).collect();
            format!("{GOOD}{more}")
        };
        assert!(parse(&file(&[("a", "b"), ("b", "hours"), ("c", "b")])).is_ok());
        for (entries, expected) in [
            (
                &[("a", "b"), ("b", "a")][..],
                "line 15, faq[1].go: the answers lead in a circle: faq:a \u{2192} faq:b \u{2192} faq:a;",
            ),
            (
                &[("in", "a"), ("a", "b"), ("b", "a")][..],
                "line 20, faq[2].go: the answers lead in a circle: faq:a \u{2192} faq:b \u{2192} faq:a;",
            ),
            (
                &[("a", "a")][..],
                "line 15, faq[1].go: the answers lead in a circle: faq:a \u{2192} faq:a;",
            ),
        ] {
            let faults = faults(&file(entries));
            assert_eq!(faults.len(), 1, "{faults:#?}");
            assert!(faults[0].starts_with(expected), "{expected}: {faults:#?}");
        }
    }

    #[test]
    fn a_text_that_fits_into_no_message_is_a_fault() {
        let answer = |count: usize| GOOD.replace("We are {open}.", &"\u{e4}".repeat(count));
        assert!(parse(&answer(TEXT_LIMIT)).is_ok());
        let faults = faults(&answer(TEXT_LIMIT + 1));
        assert_eq!(
            faults,
            ["line 10, faq[0].answer: expected at most 32000 characters; a message holds no more"]
        );
    }

    #[test]
    fn what_is_no_file_names_line_and_field_too() {
        for (text, begin) in [
            (GOOD.replace("question =", "qestion ="), "line 9, faq[0]"),
            (
                GOOD.replace("\"main\"\n[[menu]]", "7\n[[menu]]"),
                "line 2, start: ",
            ),
            (GOOD.replace("start = ", "start "), "line 2, (file): "),
            (
                GOOD.replace("\"We are {open}.\"", "[1]"),
                "line 10, faq[0].answer: ",
            ),
        ] {
            let faults = faults(&text);
            assert!(faults[0].starts_with(begin), "{begin}: {faults:?}");
        }
    }

    #[test]
    fn what_would_go_unnoticed_is_a_fault() {
        let more = |more: &str| format!("{GOOD}\n{more}");
        let menu =
            "[[menu]]\nid = \"ID\"\ntext = \"x\"\nchoices = [{ label = \"a\", go = \"home\" }]";
        let form = "[[form]]\nid = \"f\"\ndone = \"ok\"\nfields = [{ name = \"n\", ask = \"?\", kind = \"choice\" }]";
        for (text, part) in [
            (
                more(&menu.replace("ID", "main")),
                "has the id \"main\" already",
            ),
            (
                more(&menu.replace("ID", "lost")),
                "nothing leads to the menu",
            ),
            (more(&menu.replace("ID", "a b")), "menu[1].id"),
            (more(form), "nothing leads to the form"),
            (more(form), "two options at least"),
            (
                more("[hours]\nzone = \"Europe/Atlantis\"\nmonday = [\"9-5\"]"),
                "hours.zone",
            ),
            (
                more("[hours]\nzone = \"UTC\"\nmonday = [\"9-5\"]"),
                "line 14, hours.monday",
            ),
            (more("[texts]\nfalback = \"x\""), "texts.falback"),
            (more("[words]\nhme = [\"x\"]"), "words.hme"),
            (
                format!("languages = [\"en\", \"fr\"]\n{GOOD}"),
                "texts.fallback: missing",
            ),
            (
                GOOD.replace("\"We are {open}.\"", "{ de = \"x\" }"),
                "\"en\" is missing",
            ),
        ] {
            let faults = faults(&text);
            assert!(
                faults.iter().any(|fault| fault.contains(part)),
                "{part}: {faults:#?}"
            );
        }
    }
}
