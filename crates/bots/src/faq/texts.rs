//! What the bot says of itself, and the words that always work, unless the file says otherwise.

/// Built-in texts: name, English, German.
pub(super) const TEXTS: [(&str, &str, &str); 27] = [
    (
        "fallback",
        "Sorry, I did not understand that.",
        "Das habe ich leider nicht verstanden.",
    ),
    (
        "suggest",
        "Did you mean one of these?",
        "Meinten Sie eines davon?",
    ),
    (
        "not_text",
        "I can only read text.",
        "Ich kann nur Text lesen.",
    ),
    (
        "cancelled",
        "Cancelled. Nothing was kept.",
        "Abgebrochen. Nichts wurde gespeichert.",
    ),
    ("confirm", "Is this right?", "Stimmt das so?"),
    ("yes", "Yes", "Ja"),
    ("no", "No", "Nein"),
    (
        "say_yes_or_no",
        "Please answer yes or no.",
        "Bitte antworten Sie mit ja oder nein.",
    ),
    (
        "bad_text",
        "Please write a little text, not too long.",
        "Bitte schreiben Sie einen kurzen Text.",
    ),
    (
        "bad_number",
        "Please answer with a number.",
        "Bitte antworten Sie mit einer Zahl.",
    ),
    (
        "bad_email",
        "That is no e-mail address, such as ada@example.com.",
        "Das ist keine E-Mail-Adresse wie ada@example.com.",
    ),
    (
        "bad_phone",
        "That is no telephone number, such as +49 30 123456.",
        "Das ist keine Telefonnummer wie +49 30 123456.",
    ),
    (
        "bad_choice",
        "Please choose one of these.",
        "Bitte wählen Sie eines davon.",
    ),
    (
        "form_changed",
        "These questions have changed meanwhile; please begin again.",
        "Diese Fragen haben sich inzwischen geändert; bitte beginnen Sie von vorn.",
    ),
    (
        "handover",
        "A person will go on here. To talk with me again, write /bot.",
        "Hier geht es mit einem Menschen weiter. Um wieder mit mir zu reden, schreiben Sie /bot.",
    ),
    (
        "handover_closed",
        "A person will go on here as soon as we are there: {open}. To talk with me again, write /bot.",
        "Hier geht es mit einem Menschen weiter, sobald wir da sind: {open}. Um wieder mit mir zu reden, schreiben Sie /bot.",
    ),
    ("back_again", "I am back.", "Ich bin wieder da."),
    ("open_until", "open until", "geöffnet bis"),
    ("closed_until", "closed until", "geschlossen bis"),
    ("closed", "closed", "geschlossen"),
    ("monday", "Monday", "Montag"),
    ("tuesday", "Tuesday", "Dienstag"),
    ("wednesday", "Wednesday", "Mittwoch"),
    ("thursday", "Thursday", "Donnerstag"),
    ("friday", "Friday", "Freitag"),
    ("saturday", "Saturday", "Samstag"),
    ("sunday", "Sunday", "Sonntag"),
];

/// The days of a week in `TEXTS`.
pub(super) const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

type List = &'static [&'static str];

/// Words that always work: name, in every language, English, German. The file adds more.
pub(super) const WORDS: [(&str, List, List, List); 7] = [
    (
        "start",
        &["/start"],
        &["hello", "hi", "hey", "good morning"],
        &["hallo", "guten Tag", "guten Morgen", "moin"],
    ),
    (
        "home",
        &["/menu", "0"],
        &["home", "menu", "main menu"],
        &["Anfang", "Menü", "Hauptmenü"],
    ),
    ("back", &["/back"], &["back"], &["zurück"]),
    (
        "cancel",
        &["/cancel"],
        &["cancel", "stop"],
        &["abbrechen", "Abbruch", "stopp"],
    ),
    (
        "person",
        &["/person"],
        &[
            "a person please",
            "person",
            "human",
            "agent",
            "talk to a person",
        ],
        &[
            "ein Mensch bitte",
            "Mensch",
            "Mitarbeiter",
            "mit einem Menschen reden",
        ],
    ),
    ("bot", &["/bot"], &[], &[]),
    (
        "yes",
        &[],
        &["yes", "y", "yep", "ok", "right"],
        &["ja", "j", "ok", "stimmt"],
    ),
];

/// Words for no, which no command needs elsewhere.
pub(super) const NO: (&[&str], &[&str]) = (&["no", "n", "nope", "wrong"], &["nein", "n", "falsch"]);
