//! Help: commands in the order of an incident, the help of each, and the words.

use super::output::{fold, seen};
use super::{Cli, Context, Failure, Refusal, words};
use clap::builder::StyledStr;
use clap::{Args, CommandFactory};

/// Every command under what it is for, in the order in which an incident needs them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Set up", &["init", "user", "controller", "incident", "provider", "settings", "migrate"]),
    ("Prepare", &["list", "job", "quarantine", "template", "plan"]),
    ("Look and decide", &["status", "person", "task", "message", "unknown", "batch", "hold", "audit"]),
    ("Prove", &["pack", "report", "verify", "log"]),
    ("Run", &["serve", "restore", "key", "sandbox", "demo"]),
    ("Help", &["help"]),
];

const AFTER: &str = "\
A first incident:
  duly init --name 'Ann Price' --key ann.key
  export DULY_USER_KEY=ann.key
  duly controller add northmere --name 'Northmere Police' --sms-sender NORTHMERE --address 'PO Box 118'
  duly incident add cards-2026 --controller northmere --texts texts.toml
  duly list import affected.csv --incident cards-2026
  duly plan prepare --incident cards-2026 --route sms-then-letter,letter,sms

Exit codes: 0 fine; 1 checked, and it is bad; 2 could not check, or wrong use.";

/// Widest line of help, columns.
const WIDTH: usize = 80;
/// Where a command's meaning begins in the list of all.
const MEANING: usize = 14;

/// `duly help`.
#[derive(Args)]
#[command(after_help = "Examples:\n  duly help plan approve\n  duly help words")]
pub struct Help {
    /// A command, or `words`
    topic: Vec<String>,
}

/// The whole command line, its commands grouped.
pub fn command() -> clap::Command {
    let command = fitted(Cli::command()).max_term_width(WIDTH);
    let (commands, after) = (grouped(&command), folded(AFTER));
    let heading = heading("For every command");
    command.help_template(StyledStr::from(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{commands}{heading}\n{{options}}\n\n{after}\n"
    )))
}

/// The examples of every command, in lines that a terminal shows whole.
fn fitted(command: clap::Command) -> clap::Command {
    let after = command.get_after_help().map(|text| folded(&text.to_string()));
    let command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    command.mut_subcommands(fitted)
}

/// Sentences go on below; an example goes on as a shell would read it, and what it says beside it stands below it.
fn folded(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("  ").filter(|_| seen(line) > WIDTH) {
        None => fold(line, WIDTH),
        Some(example) => match example.split_once("   ") {
            Some((command, beside)) => format!("{}\n      {}", folded_example(command), beside.trim_start()),
            None => folded_example(example),
        },
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Breaks between words, and never inside quotes.
fn folded_example(example: &str) -> String {
    let (mut text, mut column) = ("  ".to_owned(), 2);
    for (i, word) in shell_words(example).iter().enumerate() {
        if i > 0 && column + 1 + seen(word) + 2 > WIDTH {
            text.push_str(" \\\n     ");
            column = 5;
        }
        if i > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += seen(word);
    }
    text
}

/// What a shell takes as one word, quotes and all.
fn shell_words(example: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (Vec::<String>::new(), false);
    for part in example.split(' ') {
        match words.last_mut().filter(|_| is_quoted) {
            Some(word) => word.push_str(&format!(" {part}")),
            None => words.push(part.to_owned()),
        }
        is_quoted ^= part.matches('\'').count() % 2 == 1;
    }
    words
}

fn heading(text: &str) -> String {
    format!("\u{1b}[1m\u{1b}[4m{text}:\u{1b}[0m")
}

fn grouped(command: &clap::Command) -> String {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        text.push_str(&format!("{}\n", self::heading(heading)));
        for name in *names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about).map(ToString::to_string);
            let about = fold(&about.unwrap_or_default(), WIDTH - MEANING - 2).replace('\n', &format!("\n{:MEANING$}", ""));
            text.push_str(&format!("  \u{1b}[1m{name:<11}\u{1b}[0m {about}\n"));
        }
        text.push('\n');
    }
    text
}

/// Prints help.
pub fn run(context: &Context, args: &Help) -> Result<(), Failure> {
    if args.topic == ["words"] {
        context.print(&words::as_json(), &words::as_text());
        return Ok(());
    }
    let mut found = command();
    found.build();
    for name in &args.topic {
        let inner = found.find_subcommand(name).cloned();
        found = inner.ok_or_else(|| {
            Refusal::of(format!("there is no command `{}`", args.topic.join(" ")), "`duly help` lists the commands")
        })?;
    }
    // Help of a help page goes where the data goes, so that it can be paged.
    Ok(found.print_long_help()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_exactly_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let mut commands: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        commands.sort_unstable();

        assert_eq!(grouped, commands);
    }

    #[test]
    fn no_line_of_any_help_is_wider_than_80_columns() {
        fn walk(command: &mut clap::Command, path: &str) {
            let help = command.render_long_help().to_string();
            // The line of usage is clap's own, and clap folds it nowhere.
            let wide: Vec<&str> = help.lines().filter(|line| seen(line) > WIDTH && !line.starts_with("Usage:")).collect();
            assert!(wide.is_empty(), "{path}: {wide:#?}");
            for inner in command.get_subcommands_mut() {
                let path = format!("{path} {}", inner.get_name());
                walk(inner, &path);
            }
        }
        let mut whole = command();
        whole.build();
        walk(&mut whole, "duly");
        assert!(words::as_text().lines().all(|line| seen(line) <= WIDTH), "duly help words");
    }

    #[test]
    fn an_example_goes_on_as_a_shell_reads_it_and_never_breaks_inside_quotes() {
        let long = "Example:\n  duly person exempt --incident cards-2026 --person p_0f6c --reason 'the card was never issued to anybody'";
        let folded = folded(long);
        assert_eq!(folded.replace(" \\\n     ", ""), long);
        assert!(folded.lines().nth(2).unwrap().contains("'the card was never issued to anybody'"), "{folded}");
    }

    #[test]
    fn the_overview_names_every_command_of_a_group() {
        for group in Cli::command().get_subcommands().filter(|command| command.has_subcommands()) {
            let about = group.get_about().map(ToString::to_string).unwrap_or_default();
            let said: Vec<&str> = about.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
            let missing: Vec<&str> =
                group.get_subcommands().map(clap::Command::get_name).filter(|name| !said.contains(name)).collect();
            assert!(missing.is_empty(), "{}: {missing:?} in `{about}`", group.get_name());
        }
    }

    #[test]
    fn the_help_of_every_command_ends_with_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            for inner in command.get_subcommands() {
                let path = format!("{path} {}", inner.get_name());
                let after = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    inner.has_subcommands() || after.contains(&format!("  {path}")) || after.contains("  duly "),
                    "{path}: {after}"
                );
                assert!(inner.get_about().is_some(), "{path}");
                walk(inner, &path);
            }
        }
        walk(&command(), "duly");
    }
}
