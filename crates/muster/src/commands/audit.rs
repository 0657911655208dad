//! `muster audit`: checks and lists the audit trail.

use crate::cli::AuditCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, text};
use muster_reports::Caller;
use muster_reports::audit::{AuditHead, AuditOperation, Findings, ResealDetails, Resealed, Verification};
use muster_reports::ports::{AuditTrail, RelayLog};
use muster_reports::trace::Trace;
use serde::Serialize;
use serde_json::{Value, json};

/// Does what `command` says.
pub async fn run(command: &AuditCommand, settings: &Settings, output: Output) -> Result {
    match command {
        AuditCommand::Verify { noted } => {
            let noted = noted.iter().map(|text| head(text)).collect::<Result<_>>()?;
            let data = DataDir::open(settings).await?;
            verdict(&data.store.verify_audit(&data.tenant, noted).await?, output)
        }
        AuditCommand::Reseal { reason, confirm } => {
            Box::pin(reseal(&DataDir::open(settings).await?, reason, *confirm, output)).await
        }
        AuditCommand::List { after, limit } => {
            list(&DataDir::open(settings).await?, *after, *limit, output).await
        }
        AuditCommand::Parked => parked(&DataDir::open(settings).await?, output).await,
    }
}

/// A head as `verify` printed it.
pub fn head(text: &str) -> Result<AuditHead> {
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
    let resealed = verification.resealed.as_ref();
    match output {
        Output::Json => json(&json!({
            "holds": verification.is_sound() && resealed.is_none(),
            "events": verification.events,
            "head": head,
            "findings": texts(&verification.findings),
            "moreFindings": verification.findings.more,
            "resealed": resealed.map(|resealed| json!({
                "holdsSince": verification.is_sound(),
                "number": resealed.record.sequence,
                "at": resealed_at(resealed),
                "by": resealed_by(resealed),
                "details": serde_json::from_str::<Value>(&resealed.record.details).unwrap_or_default(),
                "events": resealed.events,
                "findingsBefore": texts(&resealed.before),
                "moreFindingsBefore": resealed.before.more,
            })),
        }))?,
        Output::Table => {
            tell("fails", &verification.findings)?;
            match resealed {
                _ if !verification.is_sound() => {}
                None => print(&format!(
                    "holds  {} events: none changed, none missing, none moved; the head is sealed",
                    count(verification.events)
                ))?,
                Some(resealed) => print(&format!(
                    "holds  {} events since the reseal at event {}: none changed, none missing, none moved; the head is \
                     sealed",
                    count(resealed.events),
                    resealed.record.sequence
                ))?,
            }
            if let Some(resealed) = resealed {
                tell_of(resealed)?;
            }
            print(&format!("head   {head}"))?;
        }
    }
    match (verification.is_sound(), resealed) {
        (true, None) => Ok(()),
        (true, Some(resealed)) => Err(Failure::mended(format!(
            "the audit trail holds since event {} only, where it was resealed",
            resealed.record.sequence
        ))),
        (false, _) => Err(Failure::new(format!(
            "the audit trail is not what was recorded (findings: {})",
            verification.findings.count()
        ))),
    }
}

fn texts(findings: &Findings) -> Vec<String> {
    findings.told.iter().map(ToString::to_string).collect()
}

fn tell(word: &str, findings: &Findings) -> Result {
    for finding in &findings.told {
        print(&format!("{word:<6} {finding}"))?;
    }
    if findings.more > 0 {
        print(&format!("{word:<6} {} more", count(findings.more)))?;
    }
    Ok(())
}

fn resealed_at(resealed: &Resealed) -> String {
    let at = chrono::DateTime::from_timestamp_micros(resealed.record.at_micros).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn resealed_by(resealed: &Resealed) -> String {
    let caller = serde_json::from_str::<Caller>(&resealed.record.caller);
    caller.map_or_else(|_| resealed.record.caller.clone(), |caller| caller.launcher().to_owned())
}

/// Who let the trail continue, why, what was wrong then, and what a check finds of it now.
fn tell_of(resealed: &Resealed) -> Result {
    let details = serde_json::from_str::<ResealDetails>(&resealed.record.details)
        .context(|| "the details of the reseal cannot be read".into())?;
    print(&format!(
        "reseal event {}, {}, by {}: {}",
        resealed.record.sequence,
        resealed_at(resealed),
        resealed_by(resealed),
        details.reason
    ))?;
    for fault in &details.faults {
        print(&format!("was    {fault}"))?;
    }
    if details.more_faults > 0 {
        print(&format!("was    {} more", count(details.more_faults)))?;
    }
    tell("before", &resealed.before)
}

/// Lets a broken trail continue, or says what is wrong with it.
async fn reseal(data: &DataDir, reason: &str, confirm: bool, output: Output) -> Result {
    if confirm {
        let event = data.event(AuditOperation::Resealed, "audit trail", reason.trim().to_owned());
        data.store.reseal_audit(&event).await?;
    }
    let verification = data.store.verify_audit(&data.tenant, Vec::new()).await?;
    if !confirm && verification.is_sound() {
        return Err(Failure::new("nothing is wrong with the audit trail: expected one that is broken"));
    }
    let told = verdict(&verification, output);
    match (confirm, verification.is_sound()) {
        (true, true) => Ok(()),
        (true, false) => told,
        (false, _) => Err(Failure::usage(
            "nothing was done: expected --confirm, once it is known what happened to the trail",
        )),
    }
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
    /// `traceparent` of the request; `None` for events of versions without traces.
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
