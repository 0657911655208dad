//! `muster source link`: links from accounts to identities that people made, from a file.
//!
//! The file is the uncorrelated accounts report with its `userName` column filled in, so that the way
//! from the report to its cure is one edit. Further columns of that report are passed over.

use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table};
use muster_reports::audit::AuditOperation;
use muster_reports::ids::SourceId;
use muster_reports::ports::{ManualLink, RegisteredSource, Registry, SnapshotCatalogue};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A row that was refused.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refused {
    line: u64,
    reason: String,
}

/// What a file of links came to.
#[derive(Debug, Default)]
struct Links {
    links: Vec<ManualLink>,
    /// The line of each link.
    lines: Vec<u64>,
    /// Rows without a `userName`: nobody has said yet whose the account is.
    open: u64,
    refused: Vec<Refused>,
}

/// Imports the links of `file`; refused rows keep no other row out.
pub async fn run(file: &Path, data: &DataDir, output: Output) -> Result {
    let bytes = std::fs::read(file).context(|| format!("{} cannot be read", file.display()))?;
    let sources = data.store.sources(&data.tenant).await?;
    let mut links =
        read(&bytes, &sources).map_err(|reason| Failure::new(format!("{}: {reason}", file.display())))?;
    // Before the first snapshot nobody knows who is there.
    if let Some(newest) = data.store.newest(&data.tenant).await? {
        let engine = data.engine(data.catalogue()?)?;
        links.refuse(&engine.tables.refused_links(newest, &links.links).await?);
    }
    let details = format!("{} accounts linked by hand", links.links.len());
    let event = data.event(AuditOperation::ConfigurationChanged, "links", details);
    data.store.register_links(&data.tenant, &links.links, Some(&event)).await?;
    match output {
        Output::Json => json(&serde_json::json!({
            "linked": links.links.len(), "withoutUserName": links.open, "refused": links.refused,
        }))?,
        Output::Table => {
            let row = [links.links.len() as u64, links.open, links.refused.len() as u64].map(count);
            let columns = [number("linked"), number("without userName"), number("refused")];
            print(&table(&columns, std::iter::once(row.to_vec())))?;
            for refused in &links.refused {
                print(&format!("line {}: {}", refused.line, refused.reason))?;
            }
        }
    }
    match links.refused.len() {
        0 => Ok(()),
        rows => Err(Failure::new(format!("{rows} rows of {} were refused", file.display()))),
    }
}

impl Links {
    /// Takes out the links at these places.
    fn refuse(&mut self, reasons: &BTreeMap<usize, String>) {
        let lines = std::mem::take(&mut self.lines);
        let made = std::mem::take(&mut self.links);
        for (at, (line, link)) in lines.into_iter().zip(made).enumerate() {
            match reasons.get(&at) {
                Some(reason) => self.refused.push(Refused { line, reason: reason.clone() }),
                None => {
                    self.lines.push(line);
                    self.links.push(link);
                }
            }
        }
        self.refused.sort_by_key(|refused| refused.line);
    }
}

fn read(bytes: &[u8], sources: &[RegisteredSource]) -> std::result::Result<Links, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        header.iter().position(|title| title.trim() == name).ok_or_else(|| {
            format!("line 1: there is no column {name:?}: expected account, displayName, userName and type")
        })
    };
    let (account, user, kind) = (column("account")?, column("userName")?, column("type")?);
    let mut links = Links::default();
    let mut seen = BTreeMap::new();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    for row in reader.records() {
        let (line, row) = match row {
            Ok(row) => (lines.of(row.position()), row),
            Err(error) => {
                let line = lines.of(error.position());
                links.refused.push(Refused { line, reason: "expected text in UTF-8".into() });
                continue;
            }
        };
        let mut refuse = |reason: String| links.refused.push(Refused { line, reason });
        if row.len() != header.len() {
            refuse(format!("{} fields: expected {}, as in the header", row.len(), header.len()));
            continue;
        }
        // A native identity is compared as it stands; names that people typed may have spaces around them.
        let (account, user, kind) = (&row[account], row[user].trim(), row[kind].trim());
        let Some(source) = sources.iter().find(|source| source.name == kind) else {
            refuse(format!("type is {kind:?}: expected the name of a registered source"));
            continue;
        };
        if account.trim().is_empty() {
            refuse("account is blank: expected a native identity".into());
            continue;
        }
        if user.is_empty() {
            links.open += 1;
            continue;
        }
        let key: (SourceId, String) = (source.id.clone(), account.into());
        if let Some(earlier) = seen.insert(key, line) {
            refuse(format!("line {earlier} links this account already: expected one row for each"));
            continue;
        }
        links.lines.push(line);
        links.links.push(ManualLink {
            source: source.id.clone(),
            native_identity: account.into(),
            identity_name: user.into(),
        });
    }
    Ok(links)
}

/// Lines of records, counted by their ends: the reader's own count is one behind where lines end in `\r\n`.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the record at `position` begins; positions only grow.
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start =
            position.map_or(self.at, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        while self.bytes.get(self.at).is_some_and(|byte| self.at < start || is_end(byte)) {
            self.line += u64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_testkit::build::registered_source;

    fn parsed(text: &str) -> std::result::Result<Links, String> {
        read(text.as_bytes(), &[registered_source("5", "Directory"), registered_source("6", "Payroll")])
    }

    #[test]
    fn good_rows_are_kept_and_bad_ones_named() {
        let links = parsed(
            "\u{feff}account,displayName,userName,type,candidates\r\n\
             \"cn=Ada, ou=x\",Ada,ada,Directory,\r\n\
             7,Bob,bob,Payroll,\r\n\
             8,Cy,,Payroll,\r\n\
             9,Dee,dee,Fax,\r\n\
             ,Eve,eve,Payroll,\r\n\
             7,Bob,robert,Payroll,\r\n\
             10,Flo,flo\r\n",
        )
        .unwrap();
        let made: Vec<_> = links
            .links
            .iter()
            .map(|link| (link.source.as_str(), link.native_identity.as_str(), link.identity_name.as_str()))
            .collect();
        assert_eq!(made, [("5", "cn=Ada, ou=x", "ada"), ("6", "7", "bob")]);
        assert_eq!(links.open, 1);
        let refused: Vec<_> = links.refused.iter().map(|r| (r.line, r.reason.as_str())).collect();
        assert_eq!(
            refused,
            [
                (5, "type is \"Fax\": expected the name of a registered source"),
                (6, "account is blank: expected a native identity"),
                (7, "line 3 links this account already: expected one row for each"),
                (8, "3 fields: expected 5, as in the header"),
            ]
        );
    }

    #[test]
    fn links_of_nobody_are_refused_with_their_lines() {
        let file =
            "account,displayName,userName,type\n7,,bob,Payroll\n,,x,Payroll\n8,,cy,Payroll\n9,,dee,Payroll\n";
        let mut links = parsed(file).unwrap();
        links.refuse(&BTreeMap::from([(1, "nobody is called so".to_owned())]));
        let kept: Vec<_> = links.links.iter().map(|link| link.native_identity.as_str()).collect();
        assert_eq!((kept, &links.lines[..]), (vec!["7", "9"], &[2, 5][..]));
        let refused: Vec<_> = links.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(refused, [3, 4]);
    }

    #[test]
    fn a_file_without_the_columns_is_refused() {
        let reason = parsed("account,userName\n1,ada\n").unwrap_err();
        assert!(reason.starts_with("line 1: there is no column \"type\""), "{reason}");
    }

    #[test]
    fn links_that_were_written_are_read_back() {
        let sources = [registered_source("5", "Directory"), registered_source("6", "Pay, roll")];
        let link = |source: &str, native: &str, name: &str| ManualLink {
            source: SourceId::new(source),
            native_identity: native.into(),
            identity_name: name.into(),
        };
        let links = vec![
            link("5", "cn=\"Ada\", ou=x", "ada"),
            link("5", "=1+1", "@bob"),
            link("6", " two\nlines ", "cy"),
        ];
        let text = super::super::links::written(&links, &sources).unwrap();
        assert_eq!(
            text,
            "account,displayName,userName,type\r\n\
             \"cn=\"\"Ada\"\", ou=x\",,ada,Directory\r\n\
             =1+1,,@bob,Directory\r\n\
             \" two\nlines \",,cy,\"Pay, roll\"\r\n"
        );
        let again = read(text.as_bytes(), &sources).unwrap();
        assert_eq!((again.links, again.refused.len()), (links, 0));
        let unknown = super::super::links::written(&[link("7", "x", "y")], &sources).unwrap_err();
        assert!(unknown.to_string().contains("source 7"), "{unknown}");
    }
}
