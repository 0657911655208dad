//! `muster correlate`: why an account belongs to its identity, or to none.

use crate::cli::CorrelateCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::output::{Output, count, json, number, print, table, text};
use muster_engine::explain::{CorrelationExplanation, is_unseen};
use muster_reports::Category;

/// Does what `command` says.
pub async fn run(command: &CorrelateCommand, settings: &Settings, output: Output) -> Result {
    let CorrelateCommand::Explain { source, native_identity, snapshot } = command;
    let data = DataDir::open(settings).await?;
    let manifest = data.snapshot(snapshot).await?.readable()?;
    let explanation = data.engine()?.explain_correlation(manifest, source, native_identity).await;
    let explanation = explanation.map_err(|error| match muster_reports::Error::from(error) {
        // What is asked about is a source and an account: one of them is not there.
        error if error.category == Category::Invalid => Failure::not_found(error.message),
        error => error.into(),
    })?;
    match output {
        Output::Json => json(&explanation)?,
        Output::Table => print(&shown(&explanation))?,
    }
    if explanation.agrees {
        return Ok(());
    }
    Err(Failure::new("the verdict is not what the refresh wrote"))
}

fn shown(explanation: &CorrelationExplanation) -> String {
    let kind = if explanation.authoritative { "authoritative source" } else { "source" };
    let mut lines = vec![format!(
        "account {:?} of the {kind} {:?}, in snapshot {}",
        explanation.native_identity, explanation.source, explanation.snapshot
    )];
    if let Some(since) = &explanation.missing_since {
        lines.push(format!("missing since {since}: it keeps what it had, and is not correlated any more"));
    }
    if !explanation.rules.is_empty() {
        let columns =
            [text("rule"), text("account's values"), number("found"), text("candidates"), text("decides")];
        let rules = explanation.rules.iter().map(|rule| {
            let mut names: Vec<_> = rule
                .candidates
                .iter()
                .map(|candidate| format!("{} ({})", candidate.name, candidate.id))
                .collect();
            if rule.found > names.len() as u64 {
                names.push("...".into());
            }
            vec![
                rule.rule.clone(),
                rule.values.iter().map(|value| visible(value)).collect::<Vec<_>>().join("; "),
                count(rule.found),
                names.join("; "),
                if rule.decides { "yes" } else { "" }.into(),
            ]
        });
        lines.push(format!("\n{}\n", table(&columns, rules)));
    }
    for rule in &explanation.rules {
        lines.extend(rule.near.iter().map(|near| {
            format!(
                "the rule {:?} misses {} ({}): {} and {} differ in {} only",
                rule.rule,
                near.identity.name,
                near.identity.id,
                visible(&near.account_value),
                visible(&near.identity_value),
                near.differ_in
            )
        }));
    }
    let verdict = &explanation.verdict;
    let whose = match (&explanation.identity_name, &verdict.identity) {
        (Some(name), Some(id)) => format!(" with {name} ({id})"),
        (None, Some(id)) => format!(" with {id}"),
        (_, None) => String::new(),
    };
    lines.push(format!("verdict: {}{whose}, for {}", verdict.situation, explanation.reason));
    lines.push(if explanation.agrees {
        "the refresh wrote the same".to_owned()
    } else {
        let recorded = &explanation.recorded;
        format!(
            "the refresh wrote {} with {}",
            recorded.situation,
            recorded.identity.as_deref().unwrap_or("no identity")
        )
    });
    lines.join("\n")
}

/// A value, with its invisible characters written as escapes.
fn visible(value: &str) -> String {
    let is_plain =
        value.trim() == value && !value.contains("  ") && !value.chars().any(|c| c != ' ' && is_unseen(c));
    if is_plain { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("CN=Ada Müller,O=\"x\""), "CN=Ada Müller,O=\"x\"");
        assert_eq!(visible("E1 "), "\"E1 \"");
        assert_eq!(visible("E1\u{200b}"), "\"E1\\u{200b}\"");
        assert_eq!(visible("E\u{a0}1"), "\"E\\u{a0}1\"");
    }
}
