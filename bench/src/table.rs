//! Which rows are measured, and in which order.

use std::path::{Path, PathBuf};

use crate::ceilings::{Place, Question};
use crate::failure::{Result, failed};
use crate::http::Operation;
use crate::measure::Effort;
use crate::progress::Progress;
use crate::raw::Schema;
use crate::report::{Figure, Report};
use crate::stored::{Size, Stored};
use crate::warm::read_through;
use crate::{end_to_end, http, ingest, start};

/// The callers of the rows of ingest.
const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// The chats of the row from end to end.
const CHATS: usize = 64;
/// How much longer the last page of the longest conversation may take than that of one that is a
/// hundred times shorter.
const LONGER: f64 = 1.25;

const END_TO_END: &str = "update to sendMessage";

/// The rows that were asked for.
pub(crate) struct Plan {
    start: bool,
    memory: bool,
    end_to_end: bool,
    small: Rows,
    large: Rows,
    ceilings: Vec<Question>,
    large_ceilings: Vec<Question>,
}

#[derive(Default)]
struct Rows {
    callers: Vec<usize>,
    operations: Vec<Operation>,
}

impl Rows {
    fn new(size: Option<Size>, operations: &[Operation], wants: impl Fn(&str) -> bool) -> Self {
        let large = if size.is_some() { " at size" } else { "" };
        let callers = CALLERS.into_iter();
        let operations = operations.iter().copied();
        Self {
            callers: callers
                .filter(|count| wants(&format!("ingest {count}{large}")))
                .collect(),
            operations: operations
                .filter(|operation| wants(&format!("{}{large}", operation.name(size))))
                .collect(),
        }
    }

    fn count(&self) -> usize {
        self.callers.len() + self.operations.len()
    }
}

impl Plan {
    /// Of the rows whose name is wanted; with `size`, those at that size too. Ceilings must be named.
    pub(crate) fn new(
        wants: impl Fn(&str) -> bool,
        named: &[String],
        size: Option<Size>,
    ) -> Result<Self> {
        let ceilings = |at: &str| {
            let wanted = |question: &Question| {
                let name = format!("{}{at}", question.name());
                let of = |part: &String| part.starts_with("ceilings") && name.contains(part);
                named.iter().any(of)
            };
            Question::ALL.into_iter().filter(wanted).collect()
        };
        let plan = Self {
            start: wants("start"),
            memory: wants("memory"),
            end_to_end: wants(END_TO_END),
            small: Rows::new(None, &Operation::ALL, &wants),
            large: size.map_or_else(Rows::default, |size| {
                Rows::new(Some(size), &Operation::at_size(size), &wants)
            }),
            ceilings: ceilings(""),
            large_ceilings: size.map_or_else(Vec::new, |_| {
                let mut large: Vec<Question> = ceilings(" at size");
                large.retain(|question| question.at_size());
                large
            }),
        };
        if plan.count() == 0 {
            return failed("--rows: no row has such a name; see bench/README.md");
        }
        Ok(plan)
    }

    /// Steps of the progress.
    pub(crate) fn count(&self) -> usize {
        let others = [self.start, self.memory, self.end_to_end];
        self.small.count()
            + self.large.count()
            + self.ceilings.len()
            + self.large_ceilings.len()
            + others.iter().filter(|one| **one).count()
    }

    /// Whether anything is measured at size.
    pub(crate) fn at_size(&self) -> bool {
        self.large.count() + self.large_ceilings.len() > 0
    }

    /// Makes what it needs beside the server's own database.
    pub(crate) fn load(&self, stored: &Stored) -> Result<()> {
        if !self.large.callers.is_empty() {
            stored.minimal(Schema::Integer)?;
        }
        for question in &self.large_ceilings {
            question.files(stored)?;
        }
        Ok(())
    }
}

/// The table as it comes about.
pub(crate) struct Table {
    pub(crate) report: Report,
    pub(crate) progress: Progress,
    pub(crate) program: PathBuf,
    pub(crate) effort: Effort,
    /// Whether files are measured as they lie.
    pub(crate) cold: bool,
}

impl Table {
    /// With little stored before.
    pub(crate) async fn small(&mut self, folder: &Path, plan: &Plan) -> Result<()> {
        // Before anything else leaves the machine busy with its writes.
        if plan.start {
            self.progress.begin("start");
            let figure = start::cold(&self.program, self.effort)?;
            self.report.figures.push(figure);
        }
        if plan.memory {
            self.progress.begin("memory");
            let figure = start::rest(&self.program, self.effort).await?;
            self.report.figures.push(figure);
        }
        if !plan.small.callers.is_empty() {
            let bench = ingest::Bench::open(folder).await?;
            self.ingest(bench, &plan.small.callers, "").await?;
        }
        if !plan.small.operations.is_empty() {
            let mut bench = http::Bench::open(folder, &self.program, self.effort).await?;
            for operation in &plan.small.operations {
                self.progress.begin(&operation.name(None));
                let row = bench.row(*operation, self.effort).await?;
                self.report.rows.push(row);
            }
            if plan.memory {
                let figure = start::during("the rows over HTTP", bench.server.pid())?;
                self.report.figures.push(figure);
            }
        }
        if plan.end_to_end {
            self.progress.begin(END_TO_END);
            let folder = tempfile::tempdir_in(folder)?;
            let row = end_to_end::row(folder.path(), &self.program, CHATS, self.effort).await?;
            self.report.rows.push(row);
        }
        for question in &plan.ceilings {
            self.progress.begin(question.name());
            let folder = tempfile::tempdir_in(folder)?;
            self.ceilings(*question, &Place::New(folder.path())).await?;
        }
        Ok(())
    }

    /// With much.
    pub(crate) async fn large(&mut self, stored: &Stored, plan: &Plan) -> Result<()> {
        for question in &plan.large_ceilings {
            self.warm(question.files(stored)?)?;
            self.progress.begin(&format!("{} at size", question.name()));
            self.ceilings(*question, &Place::Stored(stored)).await?;
        }
        if !plan.large.callers.is_empty() {
            self.warm([stored.database(), stored.minimal(Schema::Integer)?])?;
            let bench = ingest::Bench::at_size(stored).await?;
            self.ingest(bench, &plan.large.callers, " at size").await?;
        }
        if plan.large.operations.is_empty() {
            return Ok(());
        }
        self.warm([stored.database()])?;
        let mut bench = http::Bench::at_size(stored, &self.program)?;
        let figure = start::during("the start at size", bench.server.pid())?;
        self.report.figures.push(figure);
        let mut pages = Vec::new();
        for operation in &plan.large.operations {
            let name = operation.name(Some(stored.size));
            self.progress.begin(&format!("{name} at size"));
            let mut row = bench.row(*operation, self.effort).await?;
            row.at_size = true;
            if matches!(operation, Operation::List(_)) {
                pages.push(row.ours.p50);
            }
            self.report.rows.push(row);
            let figure = start::during(&format!("{name} at size"), bench.server.pid())?;
            self.report.figures.push(figure);
        }
        // Of the shortest one there is no whole page.
        if let [_, short, long] = pages[..] {
            self.report.figures.push(Figure {
                name: "last page of 100 000, beside that of 1 000".to_owned(),
                value: long / short,
                unit: "times",
                note: "of the medians".to_owned(),
                goal: Some(LONGER),
            });
        }
        Ok(())
    }

    fn warm(&self, files: impl IntoIterator<Item = PathBuf>) -> Result<()> {
        if self.cold {
            return Ok(());
        }
        files.into_iter().try_for_each(|path| read_through(&path))
    }

    async fn ceilings(&mut self, question: Question, place: &Place<'_>) -> Result<()> {
        let ways = question.rows(place, &self.program, self.effort).await?;
        self.report.ceilings.extend(ways);
        Ok(())
    }

    async fn ingest(
        &mut self,
        mut bench: ingest::Bench,
        callers: &[usize],
        at: &str,
    ) -> Result<()> {
        for count in callers {
            self.progress.begin(&format!("ingest, {count} callers{at}"));
            let mut row = bench.row(*count, self.effort).await?;
            row.at_size = !at.is_empty();
            self.report.rows.push(row);
        }
        bench.close().await
    }
}
