//! `muster audit`: the audit trail, walked and listed.

use crate::cli::AuditCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::output::{Output, count, json, number, print, text};
use muster_reports::audit::{AuditHead, Verification};
use muster_reports::ports::{AuditTrail, RelayLog};
use muster_reports::trace::Trace;
use serde::Serialize;
use serde_json::json;

/// Does what `command` says.
pub async fn run(command: &AuditCommand, settings: &Settings, output: Output) -> Result {
    match command {
        AuditCommand::Verify { noted } => {
            let noted = noted.iter().map(|text| head(text)).collect::<Result<_>>()?;
            let data = DataDir::open(settings).await?;
            verdict(&data.store.verify_audit(&data.tenant, noted).await?, output)
        }
        AuditCommand::List { after, limit } => {
            list(&DataDir::open(settings).await?, *after, *limit, output).await
        }
        AuditCommand::Parked => parked(&DataDir::open(settings).await?, output).await,
    }
}

/// A head as `verify` printed it.
fn head(text: &str) -> Result<AuditHead> {
    let hash = |hash: &&str| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    text.split_once(':')
        .and_then(|(number, rest)| Some((number.parse().ok()?, Some(rest).filter(hash)?)))
        .map(|(sequence, hash)| AuditHead { sequence, hash: hash.into() })
        .ok_or_else(|| {
            Failure::usage(format!("--noted is {text:?}: expected a number, a colon and 64 hex digits"))
        })
}

fn verdict(verification: &Verification, output: Output) -> Result {
    let head = format!("{}:{}", verification.head.sequence, verification.head.hash);
    let found = verification.findings.len() as u64 + verification.more_findings;
    match output {
        Output::Json => json(&json!({
            "holds": verification.is_sound(),
            "events": verification.events,
            "head": head,
            "findings": verification.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "moreFindings": verification.more_findings,
        }))?,
        Output::Table => {
            for finding in &verification.findings {
                print(&format!("fails  {finding}"))?;
            }
            if verification.more_findings > 0 {
                print(&format!("fails  {} more", count(verification.more_findings)))?;
            }
            if verification.is_sound() {
                print(&format!(
                    "holds  {} events: none changed, none missing, none moved; the head is sealed",
                    count(verification.events)
                ))?;
            }
            print(&format!("head   {head}"))?;
        }
    }
    if verification.is_sound() {
        return Ok(());
    }
    Err(Failure::new(format!("the audit trail is not what was recorded (findings: {found})")))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    number: u64,
    at: String,
    operation: &'static str,
    client: String,
    who: String,
    task: String,
    about: String,
    details: String,
    id: String,
    /// `traceparent` of the request; nothing for events from before there were traces.
    trace: Option<String>,
    hash: String,
}

async fn list(data: &DataDir, after: u64, limit: u32, output: Output) -> Result {
    let events = data.store.events(&data.tenant, after, limit).await?;
    let listed: Vec<_> = events
        .into_iter()
        .map(|chained| Listed {
            number: chained.sequence,
            at: chained.event.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            operation: chained.event.operation.name(),
            client: chained.event.caller.client.to_string(),
            who: chained.event.caller.launcher().to_owned(),
            trace: chained.event.caller.trace.as_ref().map(Trace::parent_header),
            task: chained.event.task.to_string(),
            about: chained.event.report,
            details: chained.event.details,
            id: chained.event.id,
            hash: chained.hash,
        })
        .collect();
    let columns = [
        number("number"),
        text("at"),
        text("operation"),
        text("client"),
        text("who"),
        text("task"),
        text("about"),
        text("details"),
    ];
    output.list(&listed, &columns, |event| {
        vec![
            event.number.to_string(),
            event.at.clone(),
            event.operation.into(),
            event.client.clone(),
            event.who.clone(),
            event.task.clone(),
            event.about.clone(),
            event.details.clone(),
        ]
    })
}

#[derive(Serialize)]
struct Parked {
    number: u64,
    id: String,
    reason: String,
}

async fn parked(data: &DataDir, output: Output) -> Result {
    let listed: Vec<_> = data
        .store
        .parked(&data.tenant)
        .await?
        .into_iter()
        .map(|event| Parked { number: event.sequence, id: event.id, reason: event.reason })
        .collect();
    let columns = [number("number"), text("id"), text("reason")];
    output.list(&listed, &columns, |event| {
        vec![event.number.to_string(), event.id.clone(), event.reason.clone()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_head_reads_back() {
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(head(&format!("7:{hash}")).ok(), Some(AuditHead { sequence: 7, hash: hash.clone() }));
        for wrong in ["7".into(), format!("x:{hash}"), format!("7:{hash}0"), format!("7:{}", "G".repeat(64))]
        {
            assert!(head(&wrong).is_err(), "{wrong}");
        }
    }
}
