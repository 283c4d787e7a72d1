//! Steps, one after the other, with progress.

use std::time::{Duration, Instant};

/// One step: what it is called, what to do when it fails, and what it does.
pub(crate) struct Step<'a> {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) work: Box<dyn FnMut() -> Result<(), String> + 'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        name: &'static str,
        help: &'static str,
        work: impl FnMut() -> Result<(), String> + 'a,
    ) -> Self {
        Self {
            name,
            help,
            work: Box::new(work),
        }
    }
}

/// Runs steps until one fails.
pub(crate) fn run(steps: Vec<Step<'_>>) -> Result<(), ()> {
    let start = Instant::now();
    let count = steps.len();
    for (index, mut step) in steps.into_iter().enumerate() {
        let number = index + 1;
        println!("\n==> step {number} of {count}: {}", step.name);
        let begun = Instant::now();
        let result = (step.work)();
        let took = seconds(begun.elapsed());
        match result {
            Ok(()) => println!("==> step {number} of {count}: {}: ok, {took}", step.name),
            Err(error) => {
                println!(
                    "==> step {number} of {count}: {}: FAILED after {took}",
                    step.name
                );
                println!("    {error}");
                println!("    What to do: {}", step.help);
                return Err(());
            }
        }
    }
    println!("\nall {count} steps in {}", seconds(start.elapsed()));
    Ok(())
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}
