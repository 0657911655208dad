//! How somebody who holds the document checks it, in words.

use std::io::Write;

use muster_reports::cover::Cover;

use super::super::error::PdfError;
use super::super::flow::Flow;
use crate::chart::numbers::grouped;

pub(super) fn write<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    flow.heading("How to verify", 60.0)?;
    for (number, step) in (1..).zip(steps(cover)) {
        flow.paragraph(&format!("{number}. {step}"))?;
    }
    Ok(())
}

fn steps(cover: &Cover) -> Vec<String> {
    let (task, reconciliation) = (cover.task_id.as_str(), &cover.reconciliation);
    let reported = grouped(reconciliation.reported);
    let mut steps = Vec::new();
    let csv = cover.files.iter().find(|file| file.format == "CSV");
    if let Some(csv) = csv {
        steps.push(format!(
            "Fetch the CSV file of this result with \u{201c}muster report get {task} --format csv\u{201d}, or ask those who \
             run the service for the CSV file of task {task}."
        ));
        steps.push(format!(
            "Compute the SHA-256 of that file: \u{201c}sha256sum FILE\u{201d} on Linux, \u{201c}shasum -a 256 \
             FILE\u{201d} on macOS, \u{201c}Get-FileHash FILE\u{201d} in PowerShell. It must be {}.",
            csv.sha256
        ));
        steps.push(format!(
            "Count the records of that file without its header. They must be {reported}, as many as the rows of the table \
             in this document."
        ));
    }
    steps.push(arithmetic(cover, &reported));
    steps.push(format!(
        "A document cannot hold its own SHA-256. \u{201c}muster report result {task}\u{201d} prints that of this one, as the \
         service has recorded it. Compute it as above and compare."
    ));
    steps.push(format!(
        "\u{201c}muster report evidence {task}\u{201d} fetches a package with all files of this result, the origin of its \
         data and its audit events under one signature. The file VERIFY.md in it says how to check all of it with other \
         programs."
    ));
    steps
}

/// What the reconciliation must add up to.
fn arithmetic(cover: &Cover, reported: &str) -> String {
    let reconciliation = &cover.reconciliation;
    let sum = |counts: &[muster_reports::cover::Count]| counts.iter().map(|count| count.rows).sum::<u64>();
    let added = match sum(&reconciliation.added) {
        0 => String::new(),
        added => format!(", plus {} that were added", grouped(added)),
    };
    format!(
        "Check the reconciliation: the population of {}, which a second query counted, less {} that were left out{added}, \
         must be the {reported} rows reported.",
        grouped(reconciliation.population),
        grouped(sum(&reconciliation.excluded))
    )
}
