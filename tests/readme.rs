//! The promise: what the documentation shows is so.

use std::path::Path;

use crate::support::program;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).expect(path)
}

#[test]
fn the_readme_shows_the_example_that_is_run() {
    let example = read("examples/bot.py");
    assert!(
        read("README.md").contains(&format!("```python\n{example}```")),
        "README.md shows another bot than examples/bot.py"
    );
}

#[tokio::test]
async fn every_setting_is_in_the_contract_and_the_other_way_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    let help = program::run(command.arg("--help"), "").await;
    let variables = |text: &str| {
        let mut found: Vec<String> = text
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|word| word.starts_with("SWITCHBOARD_") && !word.ends_with('_'))
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(variables(help.ok()), variables(&read("docs/automation.md")));
}

#[tokio::test]
async fn every_command_is_in_the_list_of_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = read("docs/cli.md");
    let commands = async |arguments: &[&str]| {
        let mut command = program::bare(folder.path());
        let help = program::run(command.args(arguments).arg("--help"), "").await;
        let text = help.ok().to_owned();
        let section = text
            .split_once("\nCommands:\n")
            .map_or("", |(_, rest)| rest);
        let names: Vec<String> = section
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect();
        names
    };
    for command in commands(&[]).await {
        let actions = commands(&[&command]).await;
        if actions.is_empty() {
            assert!(list.contains(&format!("`{command}")), "{command}");
        }
        for action in actions {
            let whole = format!("`{command} {action}");
            assert!(list.contains(&whole), "{whole}");
        }
    }
}
