//! One turn: what is said, and where the conversation stands afterwards. Nothing but values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use switchboard_model::{Json, Message, Tags, Timestamp};

use super::forms;
use super::hours::{Now, clock};
use super::matching::{Meaning, Phrase, meaning, rank};
use super::memory::{Answers, Filling, Memory};
use super::render;
use super::script::{Book, Field, FieldKind, Form, Go, Script};
use super::texts::DAYS;
use super::words::same;
use crate::{BotAnswer, BotReply};

/// The tag's value while a person is asked for.
const REQUESTED: &str = "requested";
/// The most steps that one message may lead on to by itself.
const STEPS: usize = 8;

/// A turn under way.
pub(super) struct Turn<'a> {
    script: &'a Script,
    memory: Memory,
    now: Timestamp,
    name: String,
    tagged: bool,
    answer: BotAnswer,
}

impl<'a> Turn<'a> {
    pub(super) fn new(script: &'a Script, memory: Memory, now: Timestamp) -> Self {
        Self {
            script,
            memory,
            now,
            name: String::new(),
            tagged: false,
            answer: BotAnswer::default(),
        }
    }

    /// Who speaks, and the conversation's hand-over tag.
    pub(super) fn of(mut self, name: Option<&str>, tag: Option<&str>) -> Self {
        name.unwrap_or_default().trim().clone_into(&mut self.name);
        self.tagged = tag.is_some_and(|tag| !tag.is_empty());
        self
    }

    pub(super) fn take(mut self, message: &Message) -> (Memory, BotAnswer) {
        #[derive(Deserialize)]
        struct Text {
            text: String,
        }
        let text = message.payload.read::<Text>().ok().map(|text| text.text);
        let text = text.filter(|text| message.kind == "text" && !text.trim().is_empty());
        let text = text.as_deref().map(str::trim);
        if self.is_quiet() {
            if text.is_some_and(|text| self.is_word("bot", text)) {
                self.speak_again();
                self.say("back_again");
                self.home();
            }
            return (self.memory, self.answer);
        }
        // A person has given the word back, or the time is over.
        if self.memory.quiet_until.is_some() || self.tagged {
            self.speak_again();
        }
        if let Some(text) = text {
            self.heard(text);
        } else {
            self.say("not_text");
            if self.memory.form.is_some() {
                self.ask();
            }
        }
        (self.memory, self.answer)
    }

    fn heard(&mut self, text: &str) {
        let is_new = !std::mem::replace(&mut self.memory.greeted, true);
        let begins =
            self.is_word("start", text) && (self.memory.form.is_none() || text.starts_with('/'));
        if is_new || begins {
            self.memory.form = None;
            self.greet();
            if !begins && self.try_to_answer(text) {
                return;
            }
            return self.home();
        }
        if self.memory.form.is_some() {
            return self.fill(text);
        }
        if !self.try_to_answer(text) {
            self.offer_or_give_up(text);
        }
    }

    /// Commands, choices and questions that are clear. Tells whether it was one.
    fn try_to_answer(&mut self, text: &str) -> bool {
        let go = self
            .command(text)
            .or_else(|| self.chosen(text))
            .or_else(|| match self.meant(text) {
                Meaning::One(go) => Some(go),
                _ => None,
            });
        match go {
            Some(go) => {
                self.go(&go, STEPS);
                true
            }
            None => false,
        }
    }

    fn command(&self, text: &str) -> Option<Go> {
        [
            ("person", Go::Person),
            ("home", Go::Home),
            ("bot", Go::Home),
            ("back", Go::Back),
        ]
        .into_iter()
        .find(|(word, _)| self.is_word(word, text))
        .map(|(_, go)| go)
    }

    /// A number, a button, or a label.
    fn chosen(&self, text: &str) -> Option<Go> {
        let book = self.book();
        let menu = self.memory.menus.last().and_then(|id| book.menus.get(id));
        let choices = menu.map_or(&[] as &[_], |menu| menu.choices.as_slice());
        let number = text.trim_end_matches(['.', ')']).parse::<usize>().ok();
        if let Some(index) = number.and_then(|number| number.checked_sub(1)) {
            if !self.memory.offered.is_empty() {
                return self.memory.offered.get(index).and_then(|go| Go::parse(go));
            }
            return choices.get(index).map(|choice| choice.go.clone());
        }
        // Buttons of an older message still mean what they say.
        if let Some(go) = Go::parse(text).filter(|go| self.exists(go)) {
            return Some(go);
        }
        choices
            .iter()
            .find(|choice| same(&self.fill_in(&choice.label), text))
            .map(|choice| choice.go.clone())
    }

    fn exists(&self, go: &Go) -> bool {
        let book = self.book();
        match go {
            Go::Menu(id) => book.menus.contains_key(id),
            Go::Faq(id) => book.entries.iter().any(|entry| entry.id == *id),
            Go::Form(id) => book.forms.contains_key(id),
            Go::Language(code) => self.script.books.contains_key(code),
            Go::Person | Go::Home | Go::Back => true,
        }
    }

    /// What a text means among the present menu's choices and all questions.
    fn meant(&self, text: &str) -> Meaning<Go> {
        let book = self.book();
        let mut phrases: BTreeMap<Go, Vec<Phrase>> = BTreeMap::new();
        for entry in &book.entries {
            phrases.insert(Go::Faq(entry.id.clone()), entry.phrases.clone());
        }
        let menu = self.memory.menus.last().and_then(|id| book.menus.get(id));
        for choice in menu.into_iter().flat_map(|menu| &menu.choices) {
            let known = phrases.entry(choice.go.clone()).or_default();
            known.extend(choice.phrase.iter().cloned());
        }
        let ranked = rank(
            text,
            phrases.iter().map(|(go, all)| (go.clone(), all.as_slice())),
        );
        meaning(ranked)
    }

    fn offer_or_give_up(&mut self, text: &str) {
        let Meaning::Perhaps(goals) = self.meant(text) else {
            self.say("fallback");
            self.show_menu();
            return;
        };
        let options: Vec<(String, String)> =
            goals.iter().map(|go| (self.label(go), go.text())).collect();
        self.memory.offered = goals.iter().map(Go::text).collect();
        let text = self.own("suggest");
        self.choice(&text, options);
    }

    fn label(&self, go: &Go) -> String {
        let book = self.book();
        if let Go::Faq(id) = go
            && let Some(entry) = book.entries.iter().find(|entry| entry.id == *id)
        {
            return self.fill_in(&entry.question);
        }
        let menus = book.menus.values().flat_map(|menu| &menu.choices);
        let label = menus.into_iter().find(|choice| choice.go == *go);
        label.map_or_else(|| go.text(), |choice| self.fill_in(&choice.label))
    }

    fn go(&mut self, go: &Go, steps: usize) {
        self.memory.offered.clear();
        let mut next = None;
        match go {
            Go::Menu(id) => {
                self.memory.enter(id);
                self.show_menu();
            }
            Go::Home => self.home(),
            Go::Back => {
                self.memory.menus.pop();
                self.show_menu();
            }
            Go::Person => self.hand_over(),
            Go::Language(code) => {
                self.memory.language = Some(code.clone());
                self.show_menu();
            }
            Go::Faq(id) => {
                let book = self.book();
                if let Some(entry) = book.entries.iter().find(|entry| entry.id == *id) {
                    let text = self.fill_in(&entry.answer);
                    self.answer.replies.push(BotReply::text(&text));
                    next.clone_from(&entry.go);
                }
            }
            Go::Form(id) => {
                if let Some(form) = self.book().forms.get(id) {
                    if let Some(intro) = &form.intro {
                        let text = self.fill_in(intro);
                        self.answer.replies.push(BotReply::text(&text));
                    }
                    self.memory.form = Some(Filling {
                        id: id.clone(),
                        answers: Answers::new(),
                    });
                    self.ask();
                }
            }
        }
        // A file may lead round in circles.
        if let Some(next) = next.filter(|_| steps > 0) {
            self.go(&next, steps - 1);
        }
    }

    fn greet(&mut self) {
        if let Some(greeting) = &self.book().greeting {
            let text = self.fill_in(greeting);
            self.answer.replies.push(BotReply::text(&text));
        }
    }

    fn home(&mut self) {
        self.memory.menus.clear();
        self.show_menu();
    }

    /// The present menu; the first, where that is no more.
    fn show_menu(&mut self) {
        let (book, script) = (self.book(), self.script);
        self.memory.offered.clear();
        self.memory.menus.retain(|id| book.menus.contains_key(id));
        if self.memory.menus.is_empty() {
            self.memory.menus.push(script.start.clone());
        }
        let menu = self.memory.menus.last().and_then(|id| book.menus.get(id));
        if let Some(menu) = menu {
            let options = menu.choices.iter();
            let options = options
                .map(|choice| (self.fill_in(&choice.label), choice.go.text()))
                .collect();
            let text = self.fill_in(&menu.text);
            self.choice(&text, options);
        }
    }

    /// The present form and the question that comes next; none when all are answered.
    fn form(&self) -> Option<(&'a Form, Option<&'a Field>)> {
        let filling = self.memory.form.as_ref()?;
        let form = self.book().forms.get(&filling.id)?;
        let open = |field: &&Field| !filling.answers.contains_key(&field.name);
        Some((form, form.fields.iter().find(open)))
    }

    fn ask(&mut self) {
        match self.form() {
            Some((_, Some(field))) => {
                let text = self.fill_in(&field.ask);
                if field.kind == FieldKind::Choice {
                    let options = field.options.iter();
                    let options = options.map(|option| (option.clone(), option.clone()));
                    self.choice(&text, options.collect());
                } else {
                    self.answer.replies.push(BotReply::text(&text));
                }
            }
            Some((form, None)) => {
                let text = form.confirm.as_ref().map(|text| self.fill_in(text));
                let text = text.unwrap_or_else(|| self.summary(form));
                let (yes, no) = (self.own("yes"), self.own("no"));
                self.choice(&text, vec![(yes.clone(), yes), (no.clone(), no)]);
            }
            None => {}
        }
    }

    fn summary(&self, form: &Form) -> String {
        let answers = self.memory.form.as_ref().map(|filling| &filling.answers);
        let mut lines = vec![self.own("confirm")];
        for field in &form.fields {
            let answer = answers.and_then(|answers| answers.get(&field.name));
            let answer = answer.map_or("", String::as_str);
            lines.push(format!("{}: {answer}", field.name));
        }
        lines.join("\n")
    }

    fn fill(&mut self, text: &str) {
        let leaves = text.starts_with('/') && self.command(text).is_some_and(|go| go != Go::Person);
        if leaves || self.is_word("cancel", text) {
            self.memory.form = None;
            self.say("cancelled");
            return self.show_menu();
        }
        if self.is_word("person", text) {
            self.memory.form = None;
            return self.hand_over();
        }
        let Some((form, field)) = self.form() else {
            self.memory.form = None;
            self.say("form_changed");
            return self.show_menu();
        };
        let Some(field) = field else {
            return self.confirm(form, text);
        };
        match forms::check(field, text) {
            Some(value) => {
                if let Some(filling) = &mut self.memory.form {
                    // What the file no longer asks for is not kept.
                    let names: BTreeSet<&String> =
                        form.fields.iter().map(|field| &field.name).collect();
                    filling.answers.retain(|name, _| names.contains(name));
                    filling.answers.insert(field.name.clone(), value);
                }
            }
            None => match &field.invalid {
                Some(text) => {
                    let text = self.fill_in(text);
                    self.answer.replies.push(BotReply::text(&text));
                }
                None => self.say(match field.kind {
                    FieldKind::Text => "bad_text",
                    FieldKind::Number => "bad_number",
                    FieldKind::Email => "bad_email",
                    FieldKind::Phone => "bad_phone",
                    FieldKind::Choice => "bad_choice",
                }),
            },
        }
        self.ask();
    }

    fn confirm(&mut self, form: &Form, text: &str) {
        let is_yes = text == "1" || self.is_word("yes", text) || same(text, &self.own("yes"));
        let is_no = text == "2" || self.is_word("no", text) || same(text, &self.own("no"));
        if is_yes {
            let text = self.fill_in(&form.done);
            if let Some(filling) = self.memory.form.take() {
                self.memory.answers.insert(filling.id, filling.answers);
            }
            self.answer.replies.push(BotReply::text(&text));
            match &form.go {
                Some(go) => self.go(go, STEPS),
                None => self.home(),
            }
        } else if is_no {
            if let Some(filling) = &mut self.memory.form {
                filling.answers.clear();
            }
            self.ask();
        } else {
            self.say("say_yes_or_no");
            self.ask();
        }
    }

    /// Whether a person has the word. The tag says so, and whoever removes it ends it.
    fn is_quiet(&self) -> bool {
        let until = self.memory.quiet_until;
        self.tagged && until.is_none_or(|until| until == 0 || self.now.as_millis() < until)
    }

    fn hand_over(&mut self) {
        let is_open = self.script.is_open(self.now);
        self.say(if is_open {
            "handover"
        } else {
            "handover_closed"
        });
        let until = self.script.quiet_hours.map(|hours| {
            let quiet = Duration::from_secs(u64::from(hours) * 3_600);
            self.now.plus(quiet).as_millis()
        });
        self.memory.quiet_until = Some(until.unwrap_or(0));
        self.answer.tags = Tags::from_iter([(self.script.tag.as_str(), REQUESTED)]);
    }

    fn speak_again(&mut self) {
        self.memory.quiet_until = None;
        if self.tagged {
            self.answer.tags = Tags::from_iter([(self.script.tag.as_str(), "")]);
        }
    }

    fn book(&self) -> &'a Book {
        let chosen = self.memory.language.as_ref();
        let chosen = chosen.and_then(|code| self.script.books.get(code));
        chosen.unwrap_or(&self.script.first)
    }

    /// Whether a text is one of the words that always work.
    fn is_word(&self, name: &str, text: &str) -> bool {
        let words = self.book().words.get(name);
        // In groups a command names its bot: /start@shop_bot. A link may add something: /start x.
        let command = text
            .split_whitespace()
            .next()
            .filter(|word| word.starts_with('/'));
        let command = command.map(|word| word.split('@').next().unwrap_or(word));
        words.into_iter().flatten().any(|word| match command {
            Some(command) => command.eq_ignore_ascii_case(word),
            None => !word.starts_with('/') && same(word, text),
        })
    }

    fn own(&self, name: &str) -> String {
        let text = self.book().texts.get(name).map_or("", String::as_str);
        self.fill_in(text)
    }

    fn say(&mut self, name: &str) {
        let text = self.own(name);
        self.answer.replies.push(BotReply::text(&text));
    }

    fn choice(&mut self, text: &str, options: Vec<(String, String)>) {
        let options: Vec<_> = options
            .into_iter()
            .map(|(label, value)| serde_json::json!({ "label": label, "value": value }))
            .collect();
        let payload = serde_json::json!({ "text": text, "options": options });
        self.answer.replies.push(BotReply {
            kind: "choice".to_owned(),
            payload: Json::from_serialize(&payload).unwrap_or_else(|_| Json::empty()),
        });
    }

    fn fill_in(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let open = self.open();
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in &self.book().variables {
            values.insert(name, value);
        }
        let filling = self.memory.form.as_ref().map(|filling| &filling.answers);
        for (name, value) in filling.into_iter().flatten() {
            values.insert(name, value);
        }
        values.insert("name", &self.name);
        values.insert("open", &open);
        render::fill(text, &values)
    }

    /// "open until 18:00", "closed until Monday 09:00".
    fn open(&self) -> String {
        let Some(hours) = &self.script.hours else {
            return String::new();
        };
        let texts = &self.book().texts;
        let text = |name: &str| texts.get(name).map_or("", String::as_str);
        match hours.at(self.now) {
            Now::Open(until) => format!("{} {}", text("open_until"), clock(until)),
            Now::Closed(None) => text("closed").to_owned(),
            Now::Closed(Some((day, from))) => {
                let day = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
                let day = DAYS.get(day).copied().unwrap_or_default();
                format!("{} {} {}", text("closed_until"), text(day), clock(from))
            }
        }
    }
}
