//! The programs that the tests need beside cargo. What is missing is installed from Debian's
//! packages where that is possible; else the text says what to install.

use std::path::Path;

use crate::process::{command, output, run, succeeds};

struct Tool {
    program: &'static str,
    package: &'static str,
    /// What cannot be done without it; `None`: nothing can.
    only_for: Option<&'static str>,
}

const TOOLS: [Tool; 6] = [
    Tool {
        program: "cc",
        package: "build-essential",
        only_for: None,
    },
    Tool {
        program: "node",
        package: "nodejs",
        only_for: None,
    },
    Tool {
        program: "npm",
        package: "npm",
        only_for: None,
    },
    Tool {
        program: "python3",
        package: "python3",
        only_for: None,
    },
    Tool {
        program: "strace",
        package: "strace",
        only_for: Some("the test that traces the sync before the answer"),
    },
    Tool {
        program: "postgres",
        package: "postgresql",
        only_for: Some("all tests of the PostgreSQL store"),
    },
];

const OLDEST_NODE: u32 = 20;

/// Makes sure of all tools.
pub(crate) fn prepare(root: &Path) -> Result<(), String> {
    for component in ["fmt", "clippy"] {
        if !succeeds(&mut command(root, &["cargo", component, "--version"])) {
            return Err(format!(
                "`cargo {component}` is missing: `rustup component add rustfmt clippy`"
            ));
        }
    }
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_there(root, tool)).collect();
    if !missing.is_empty() {
        install(root, &missing);
    }
    for tool in missing {
        match (is_there(root, tool), tool.only_for) {
            (true, _) => println!("{}: installed", tool.program),
            (false, Some(purpose)) => println!(
                "{}: missing, and could not be installed: {purpose} will be skipped \
                 (as root: apt-get install {})",
                tool.program, tool.package
            ),
            (false, None) => {
                return Err(format!(
                    "`{}` is missing: install it (Debian: apt-get install {})",
                    tool.program, tool.package
                ));
            }
        }
    }
    check_node(root)?;
    println!("test runner: {}", Runner::find(root).name());
    Ok(())
}

/// What runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// cargo-nextest: a process a test, several at once.
    Nextest,
    /// What comes with cargo.
    CargoTest,
}

impl Runner {
    pub(crate) fn find(root: &Path) -> Self {
        if succeeds(&mut command(root, &["cargo", "nextest", "--version"])) {
            Self::Nextest
        } else {
            Self::CargoTest
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nextest => "cargo nextest",
            Self::CargoTest => "cargo test (cargo-nextest is not installed)",
        }
    }
}

fn is_there(root: &Path, tool: &Tool) -> bool {
    if tool.program == "postgres" {
        return crate::postgres::programs().is_some();
    }
    let flag = if tool.program == "strace" {
        "-V"
    } else {
        "--version"
    };
    succeeds(&mut command(root, &[tool.program, flag]))
}

fn install(root: &Path, missing: &[&Tool]) {
    let names: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    println!("missing: {}", names.join(", "));
    let is_root = output(&mut command(root, &["id", "-u"])).as_deref() == Some("0");
    if !is_root || !succeeds(&mut command(root, &["apt-get", "--version"])) {
        return;
    }
    println!("installing them from Debian's packages");
    let mut install = vec!["apt-get", "install", "-y", "--no-install-recommends"];
    install.extend(&names);
    let mut update = command(root, &["apt-get", "update", "-q"]);
    let mut install = command(root, &install);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    for step in [&mut update, &mut install] {
        if let Err(error) = run(step) {
            // Whether that matters is decided by what is there afterwards.
            println!("{error}");
        }
    }
}

fn check_node(root: &Path) -> Result<(), String> {
    let version = output(&mut command(root, &["node", "--version"])).unwrap_or_default();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        println!("node {version}");
        Ok(())
    } else {
        Err(format!(
            "node {version} is too old: install Node.js {OLDEST_NODE} or later"
        ))
    }
}
