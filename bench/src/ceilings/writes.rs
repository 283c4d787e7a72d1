//! Ways to write: raw `SQLite` in one thread.

use super::{Place, Question, Way};
use crate::failure::Result;
use crate::measure::{Effort, Measured};
use crate::raw::{Checkpoints, Ingest, Part, Schema, Settings, Syncs};
use crate::system;

/// Commands in a commit.
const BATCHES: [usize; 4] = [1, 32, 128, 512];
/// The same, where a setting and not the schema is in question.
const FEW: [usize; 2] = [32, 128];
const MANY: [usize; 1] = [128];

struct Choice {
    name: String,
    schema: Schema,
    settings: Settings,
    /// The others are compared with it.
    compared: bool,
    adopted: bool,
}

impl Choice {
    fn schema(schema: Schema) -> Self {
        Self {
            name: schema.name().to_owned(),
            schema,
            settings: Settings::CEILING,
            compared: schema == Schema::Integer,
            adopted: schema == Schema::Own,
        }
    }

    /// A setting, on the store's own schema.
    fn setting(name: String, settings: Settings, adopted: bool) -> Self {
        Self {
            name,
            schema: Schema::Own,
            settings,
            compared: adopted,
            adopted,
        }
    }

    fn part(without: Option<Part>) -> Self {
        let name = match without {
            None => "all of it",
            Some(Part::Tags) => "without the index of messages' tags",
            Some(Part::Delivery) => "without the delivery",
            Some(Part::Indexes) => "without three indexes in order of time",
        };
        let settings = Settings {
            without,
            ..Settings::CEILING
        };
        Self::setting(name.to_owned(), settings, without.is_none())
    }

    fn checkpoints(checkpoints: Checkpoints) -> Self {
        let name = match checkpoints {
            Checkpoints::Thread(pages) => format!("by a second thread, each {pages} pages"),
            Checkpoints::Syncing(pages) => format!("the same, synced by it, each {pages} pages"),
            Checkpoints::Writer(pages) => format!("by the writer, each {pages} pages"),
        };
        let settings = Settings {
            checkpoints,
            ..Settings::CEILING
        };
        Self::setting(
            name,
            settings,
            matches!(checkpoints, Checkpoints::Syncing(_)),
        )
    }

    fn syncs(syncs: Syncs) -> Self {
        let name = match syncs {
            Syncs::Commit => "by the writer, in its commit",
            Syncs::Thread => "by a second thread, while the next is made",
        };
        let settings = Settings {
            syncs,
            ..Settings::CEILING
        };
        Self::setting(name.to_owned(), settings, syncs == Syncs::Thread)
    }

    fn savepoints(savepoints: bool) -> Self {
        let name = if savepoints {
            "one for each command"
        } else {
            "none"
        };
        let settings = Settings {
            savepoints,
            ..Settings::CEILING
        };
        Self::setting(name.to_owned(), settings, !savepoints)
    }

    fn cache(cache_mib: i64) -> Self {
        let settings = Settings {
            cache_mib,
            ..Settings::CEILING
        };
        let adopted = cache_mib == Settings::CEILING.cache_mib;
        Self::setting(format!("{cache_mib} MiB"), settings, adopted)
    }
}

/// What there is to choose from, and with which batches.
fn choices(question: Question) -> (Vec<Choice>, &'static [usize]) {
    match question {
        Question::Schema => {
            let all = [Schema::Text, Schema::Integer, Schema::Own];
            (all.map(Choice::schema).into(), &BATCHES)
        }
        Question::Parts => {
            let parts = [Part::Tags, Part::Delivery, Part::Indexes];
            let all = [None].into_iter().chain(parts.map(Some));
            (all.map(Choice::part).collect(), &MANY)
        }
        Question::Checkpoints => {
            let all = [
                Checkpoints::Writer(1_000),
                Checkpoints::Writer(10_000),
                Checkpoints::Thread(4_000),
                Checkpoints::Thread(10_000),
                Checkpoints::Syncing(10_000),
            ];
            (all.map(Choice::checkpoints).into(), &FEW)
        }
        Question::Syncs => {
            let all = [Syncs::Commit, Syncs::Thread];
            (all.map(Choice::syncs).into(), &FEW)
        }
        Question::Savepoints => ([false, true].map(Choice::savepoints).into(), &MANY),
        Question::Cache => ([8, 32, 64].map(Choice::cache).into(), &MANY),
        Question::Reads => (Vec::new(), &[]),
    }
}

/// The rows of a question.
pub(super) async fn rows(
    question: Question,
    place: &Place<'_>,
    effort: Effort,
) -> Result<Vec<Way>> {
    let (choices, batches) = choices(question);
    let mut rows = Vec::new();
    for (turn, batch) in batches.iter().enumerate() {
        let mut databases = Vec::new();
        for (number, choice) in choices.iter().enumerate() {
            let number = turn * choices.len() + number;
            databases.push(place.database(choice.schema, number).await?);
        }
        let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); choices.len()];
        let mut logs = vec![0; choices.len()];
        for _ in 0..effort.rounds {
            for (at, choice) in choices.iter().enumerate() {
                // Opened anew: the log is cut, and the next has none of it.
                let mut ingest = Ingest::open(
                    &databases[at],
                    choice.schema,
                    choice.settings,
                    place.threads(),
                    system::now() << 10,
                )?;
                measured[at].push(ingest.run(*batch, effort.warm, effort.time)?);
                logs[at] = logs[at].max(ingest.longest_log()?);
            }
        }
        let compared = choices.iter().position(|choice| choice.compared);
        for (at, choice) in choices.iter().enumerate() {
            rows.push(Way {
                question: question.name(),
                name: choice.name.clone(),
                at_once: *batch,
                stored: place.messages(),
                measured: Measured::median(&measured[at]),
                log_mib: Some(logs[at] as f64 / f64::from(1 << 20)),
                ratio: Way::ratio(&measured[at], &measured[compared.unwrap_or(at)]),
                adopted: choice.adopted,
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_has_one_way_that_is_ours_and_one_that_the_others_are_compared_with() {
        for question in Question::ALL {
            let (choices, batches) = choices(question);
            assert_eq!(choices.is_empty(), question == Question::Reads);
            assert_eq!(choices.is_empty(), batches.is_empty());
            if !choices.is_empty() {
                let count = |of: fn(&Choice) -> bool| choices.iter().filter(|one| of(one)).count();
                assert_eq!(count(|one| one.adopted), 1, "{question:?}");
                assert_eq!(count(|one| one.compared), 1, "{question:?}");
            }
        }
    }
}
