//! Help whose paragraphs are wrapped at the terminal's width, and not where this program's source ends its lines.

use clap::Command;

/// The same command, with paragraphs of one line each in what follows its help. Examples stay as they are.
pub fn flowing(mut command: Command) -> Command {
    if let Some(help) = command.get_after_help().map(ToString::to_string) {
        command = command.after_help(flowed(&help));
    }
    command.mut_subcommands(flowing)
}

/// A line belongs to the paragraph before it unless one of them is empty, is indented, or announces what follows.
fn flowed(text: &str) -> String {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let mut flowed = String::new();
    let mut last = "";
    for line in text.lines() {
        let continues = is_prose(last) && is_prose(line) && !last.ends_with(':');
        if !flowed.is_empty() {
            flowed.push(if continues { ' ' } else { '\n' });
        }
        flowed.push_str(line);
        last = line;
    }
    flowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_one_line_and_examples_stay() {
        let text = "Examples:\n  muster a \\\n      --b\n  muster c\n\nFirst line\nand second.\nThird.\n\nLast\nparagraph.";
        let expected = "Examples:\n  muster a \\\n      --b\n  muster c\n\nFirst line and second. Third.\n\nLast paragraph.";
        assert_eq!(flowed(text), expected);
        assert_eq!(flowed(""), "");
    }

    #[test]
    fn subcommands_flow_too() {
        let inner = Command::new("b").after_help("one\ntwo");
        let outer = flowing(Command::new("a").after_help("x\ny").subcommand(inner));
        let help = |command: &Command| command.get_after_help().map(ToString::to_string);
        assert_eq!(help(&outer).as_deref(), Some("x y"));
        assert_eq!(outer.find_subcommand("b").and_then(help).as_deref(), Some("one two"));
    }
}
