//! docs/commands.md, written from the declarations of the commands.

use super::{GLOBAL, command};
use clap::{Arg, ArgAction, Command};
use std::fmt::Write;

const HEAD: &str = "\
# Commands

`cargo xtask docs` writes this page from the declarations of the commands; change those, not this page. \
`--help` of a command says the same. [command-line.md](command-line.md) has what holds for all commands: statuses, forms of \
results, and how a service is reached.

";

/// The page.
fn page() -> String {
    let mut program = command();
    program.build();
    let mut page = HEAD.to_owned();
    page.push_str("## Global options\n\nEvery command has them.\n\n");
    page.push_str(&table(program.get_arguments().filter(|argument| is_global(argument))));
    for command in shown(&program) {
        add(&mut page, command, "muster", 2);
    }
    format!("{}\n", page.trim_end())
}

/// The commands in it that help lists.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

fn is_global(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(GLOBAL)
}

/// The section of a command, and those of the commands in it.
fn add(page: &mut String, command: &Command, above: &str, level: usize) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(|about| prose(&about.to_string())).unwrap_or_default();
    let end = if about.ends_with(['.', '\n']) { "" } else { "." };
    let written = write!(page, "{} `{name}`\n\n{about}{end}\n\n", "#".repeat(level));
    written.expect("a text takes everything");
    let own: Vec<&Arg> = command.get_arguments().filter(|argument| is_own(argument)).collect();
    if !own.is_empty() {
        page.push_str(&table(own.into_iter()));
    }
    if let Some(help) = command.get_after_help() {
        let help = help.to_string();
        write!(page, "```text\n{}\n```\n\n", help.trim()).expect("a text takes everything");
    }
    for inner in shown(command) {
        add(page, inner, &name, level + 1);
    }
}

fn is_own(argument: &Arg) -> bool {
    let is_built_in = matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    !is_global(argument) && !argument.is_hide_set() && !is_built_in
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = arguments
        .map(|argument| {
            let meaning = argument.get_long_help().or(argument.get_help());
            let mut meaning = meaning.map(|help| prose(&help.to_string())).unwrap_or_default();
            let values = argument.get_possible_values();
            let words: Vec<String> = values
                .iter()
                .filter(|value| !value.is_hide_set())
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            if !words.is_empty() && argument.get_action().takes_values() {
                meaning.push_str(&format!("; one of {}", words.join(", ")));
            }
            let defaults: Vec<String> = argument
                .get_default_values()
                .iter()
                .filter(|value| !value.is_empty())
                .map(|value| format!("`{}`", value.to_string_lossy()))
                .collect();
            if !defaults.is_empty() && argument.get_action().takes_values() {
                meaning.push_str(&format!(" [default: {}]", defaults.join(", ")));
            }
            let required = if argument.is_required_set() { "yes" } else { "" };
            format!("| {} | {required} | {} |\n", typed(argument), meaning.replace('|', "\\|"))
        })
        .collect();
    format!("| argument | required | meaning |\n|---|---|---|\n{rows}\n")
}

/// How an argument is typed.
fn typed(argument: &Arg) -> String {
    let names: Vec<String> = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let value = names.join(" ");
    match (argument.get_short(), argument.get_long()) {
        (_, None) if argument.is_positional() => format!("`{value}`"),
        (short, long) => {
            let short = short.map(|short| format!("-{short}"));
            let long = long.map(|long| format!("--{long}"));
            let flags: Vec<String> = short.into_iter().chain(long).collect();
            format!("`{}`", format!("{} {value}", flags.join(", ")).trim_end())
        }
    }
}

/// Text of help as a paragraph: lines are joined, and signs that Markdown would take for HTML are escaped.
fn prose(text: &str) -> String {
    let lines: Vec<&str> = text.split_whitespace().collect();
    lines.join(" ").replace('<', "\\<")
}

#[test]
fn the_page_of_commands() {
    muster_testkit::generated_docs::check("docs/commands.md", &page());
}
