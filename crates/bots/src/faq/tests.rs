//! Whole conversations, without a server.

use switchboard_model::{
    ConversationId, Direction, Json, Message, MessageId, Tags, Timestamp, UserId, ids::Ulid,
};

use super::dialog::Turn;
use super::memory::Memory;
use super::script::Script;

const FILE: &str = r#"
languages = ["en", "de"]
start = "main"
greeting = { en = "Hello {name}, this is {shop}.", de = "Hallo {name}, hier ist {shop}." }
[variables]
shop = "Corner Shop"
[handover]
quiet_hours = 2
[hours]
zone = "Europe/Berlin"
monday = ["09:00-18:00"]
[[menu]]
id = "main"
text = { en = "What now?", de = "Was nun?" }
choices = [
  { label = { en = "Opening hours", de = "Öffnungszeiten" }, go = "faq:hours" },
  { label = "More", go = "menu:more" },
  { label = { en = "Deutsch", de = "English" }, go = "language:de" },
]
[[menu]]
id = "more"
text = "More:"
choices = [{ label = "Order", go = "form:order" }, { label = "Back", go = "back" }]
[[faq]]
id = "hours"
question = { en = "When are you open?", de = "Wann habt ihr geöffnet?" }
phrases = { en = ["opening hours"], de = ["Öffnungszeiten"] }
answer = "{open}"
[[faq]]
id = "refund"
question = "How do I get a refund?"
answer = "By post."
[[faq]]
id = "delivery"
question = "How long does delivery take?"
answer = "Two days."
[[form]]
id = "order"
intro = "Two questions."
fields = [
  { name = "number", ask = "Which number?", kind = "number", min = 1 },
  { name = "mail", ask = "Your e-mail for {number}?", kind = "email" },
]
done = "Thank you {name}: {number}, {mail}."
"#;

/// Monday, 1 June 2026, 12:00 in Berlin.
const NOON: i64 = 1_780_308_000_000;

struct Chat {
    script: Script,
    memory: Memory,
    tags: Tags,
    now: i64,
}

impl Chat {
    fn new() -> Self {
        Self {
            script: Script::parse(FILE).unwrap(),
            memory: Memory::default(),
            tags: Tags::new(),
            now: NOON,
        }
    }

    fn say(&mut self, text: &str) -> Vec<String> {
        self.message("text", &serde_json::json!({ "text": text }).to_string())
    }

    fn message(&mut self, kind: &str, payload: &str) -> Vec<String> {
        let message = Message {
            id: MessageId::new(Ulid(1)),
            conversation: ConversationId::new(Ulid(2)),
            user: UserId::new(Ulid(3)),
            direction: Direction::Incoming,
            kind: kind.to_owned(),
            payload: Json::parse(payload).unwrap(),
            tags: Tags::new(),
            synthetic: false,
            seq: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            delivery: None,
        };
        let (memory, answer) = Turn::new(
            &self.script,
            self.memory.clone(),
            Timestamp::from_millis(self.now),
        )
        .of(Some("Ada"), self.tags.get("handover"))
        .take(&message);
        // As it comes back from the store.
        let stored = Json::from_serialize(&memory).unwrap();
        self.memory = Memory::read(Some(&stored));
        assert_eq!(self.memory, memory);
        self.tags.apply(&answer.tags);
        let texts = answer.replies.iter().map(|reply| {
            let payload: serde_json::Value = reply.payload.read().unwrap();
            payload["text"].as_str().unwrap().to_owned()
        });
        texts.collect()
    }
}

#[test]
fn menus_are_walked_by_number_label_and_button_and_back_again() {
    let mut chat = Chat::new();
    assert_eq!(
        chat.say("/start@shop_bot"),
        ["Hello Ada, this is Corner Shop.", "What now?"]
    );
    assert_eq!(chat.say("2"), ["More:"]);
    assert_eq!(chat.say("back"), ["What now?"]);
    assert_eq!(chat.say("MORE!"), ["More:"]);
    assert_eq!(chat.say("faq:hours"), ["open until 18:00"]);
    assert_eq!(chat.say("2."), ["What now?"]);
    assert_eq!(
        chat.say("7"),
        ["Sorry, I did not understand that.", "What now?"]
    );
    assert_eq!(chat.say("opening huors"), ["open until 18:00"]);
    assert_eq!(
        chat.message("image", r#"{"imageUrl":"x"}"#),
        ["I can only read text."]
    );
}

#[test]
fn a_first_question_is_greeted_and_answered_and_a_vague_one_asked_back() {
    let mut chat = Chat::new();
    assert_eq!(
        chat.say("refund?"),
        ["Hello Ada, this is Corner Shop.", "By post."]
    );
    assert_eq!(chat.say("refund or delivery"), ["By post."]);
    assert_eq!(chat.say("take"), ["Did you mean one of these?"]);
    assert_eq!(chat.say("1"), ["Two days."]);
    assert_eq!(
        chat.say("do you sell bicycles"),
        ["Sorry, I did not understand that.", "What now?"]
    );
}

#[test]
fn a_form_asks_checks_confirms_and_keeps() {
    let mut chat = Chat::new();
    chat.say("/start");
    assert_eq!(chat.say("form:order"), ["Two questions.", "Which number?"]);
    assert_eq!(
        chat.say("zero"),
        ["Please answer with a number.", "Which number?"]
    );
    assert_eq!(
        chat.say("0"),
        ["Please answer with a number.", "Which number?"]
    );
    assert_eq!(chat.say("12"), ["Your e-mail for 12?"]);
    assert_eq!(
        chat.say("ada@example.com"),
        ["Is this right?\nnumber: 12\nmail: ada@example.com"]
    );
    assert_eq!(chat.say("maybe")[0], "Please answer yes or no.");
    assert_eq!(chat.say("no"), ["Which number?"]);
    chat.say("13");
    // What a person writes is not read as a text of the file.
    let asked = chat.say("{name}@example.com");
    assert_eq!(
        asked,
        ["Is this right?\nnumber: 13\nmail: {name}@example.com"]
    );
    assert_eq!(
        chat.say("1"),
        ["Thank you Ada: 13, {name}@example.com.", "What now?"]
    );
    assert_eq!(chat.memory.answers["order"]["number"], "13");
    chat.say("form:order");
    assert_eq!(
        chat.say("cancel"),
        ["Cancelled. Nothing was kept.", "What now?"]
    );
    assert_eq!(chat.memory.answers["order"]["number"], "13");
}

#[test]
fn a_form_that_has_changed_goes_on_or_says_so() {
    let mut chat = Chat::new();
    chat.say("/start");
    chat.say("form:order");
    chat.say("12");
    chat.script = Script::parse(
        &FILE
            .replace("name = \"number\"", "name = \"count\"")
            .replace("{number}", "{count}"),
    )
    .unwrap();
    assert_eq!(
        chat.say("ada@example.com"),
        ["Please answer with a number.", "Which number?"]
    );
    chat.script = Script::parse(
        &FILE
            .replace("\"form:order\"", "\"form:buy\"")
            .replace("\"order\"", "\"buy\""),
    )
    .unwrap();
    assert_eq!(
        chat.say("7")[0],
        "These questions have changed meanwhile; please begin again."
    );
}

#[test]
fn a_person_has_the_word_until_the_time_is_over_the_tag_gone_or_the_bot_asked_for() {
    let mut chat = Chat::new();
    chat.say("/start");
    assert!(chat.say("a person please")[0].starts_with("A person will go on here. "));
    assert_eq!(chat.tags.get("handover"), Some("requested"));
    assert!(chat.say("opening hours").is_empty());
    assert_eq!(chat.say("/bot"), ["I am back.", "What now?"]);
    assert_eq!(chat.tags.get("handover"), None);

    chat.say("person");
    assert!(chat.say("hello?").is_empty());
    chat.now += 2 * 3_600_000;
    assert_eq!(chat.say("opening hours"), ["open until 18:00"]);
    assert_eq!(chat.tags.get("handover"), None);

    chat.now += 12 * 3_600_000;
    let closed = chat.say("person");
    assert!(
        closed[0].contains("closed until Monday 09:00"),
        "{closed:?}"
    );
    chat.tags = Tags::new();
    assert_eq!(chat.say("opening hours"), ["closed until Monday 09:00"]);
    assert_eq!(chat.memory.quiet_until, None);
}

#[test]
fn another_language_is_spoken_once_it_is_chosen() {
    let mut chat = Chat::new();
    chat.say("/start");
    assert_eq!(chat.say("Deutsch"), ["Was nun?"]);
    assert_eq!(chat.say("offnungszeiten"), ["geöffnet bis 18:00"]);
    assert_eq!(
        chat.say("hallo"),
        ["Hallo Ada, hier ist Corner Shop.", "Was nun?"]
    );
}
