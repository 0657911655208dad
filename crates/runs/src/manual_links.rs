//! Links from accounts to identities that people make, as a file: read, checked, and written again.
//!
//! The file is the uncorrelated accounts report with its `userName` column filled in, so that the way from the report
//! to its cure is one edit. Further columns of that report are passed over. Cells are written unchanged, without the
//! guard against formulas: a link that is read again from the file must name the same account.

use futures_util::future::BoxFuture;
use muster_engine::Engine;
use muster_reports::SnapshotManifest;
use muster_reports::error::{Error, Result};
use muster_reports::ids::SourceId;
use muster_reports::ports::{ManualLink, RegisteredSource};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row that was refused.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RefusedLink {
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// The result of reading a file of links.
#[derive(Debug, Default)]
pub struct ManualLinks {
    /// The links.
    pub links: Vec<ManualLink>,
    /// The line of each link.
    lines: Vec<u64>,
    /// Rows without a `userName`, whose accounts are not linked yet.
    pub open: u64,
    /// Rows that were refused, by line.
    pub refused: Vec<RefusedLink>,
}

impl ManualLinks {
    /// Refuses links to accounts or identities that the snapshot does not have.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn refuse_by<'a>(
        &'a mut self,
        engine: &'a Arc<Engine>,
        snapshot: Arc<SnapshotManifest>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let reasons = engine.refused_links(snapshot, self.links.clone()).await?;
            self.refuse(&reasons);
            Ok(())
        })
    }

    /// Refuses the links at these places.
    fn refuse(&mut self, reasons: &BTreeMap<usize, String>) {
        let lines = std::mem::take(&mut self.lines);
        let made = std::mem::take(&mut self.links);
        for (at, (line, link)) in lines.into_iter().zip(made).enumerate() {
            match reasons.get(&at) {
                Some(reason) => self.refused.push(RefusedLink { line, reason: reason.clone() }),
                None => {
                    self.lines.push(line);
                    self.links.push(link);
                }
            }
        }
        self.refused.sort_by_key(|refused| refused.line);
    }
}

/// The links of a file, and the rows that were refused; these keep no other row out.
///
/// # Errors
/// Says why it is not a file of links.
pub fn read_links(bytes: &[u8], sources: &[RegisteredSource]) -> std::result::Result<ManualLinks, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        header.iter().position(|title| title.trim() == name).ok_or_else(|| {
            format!("line 1: there is no column {name:?}: expected account, displayName, userName and type")
        })
    };
    let (account, user, kind) = (column("account")?, column("userName")?, column("type")?);
    let mut links = ManualLinks::default();
    let mut seen = BTreeMap::new();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    for row in reader.records() {
        let (line, row) = match row {
            Ok(row) => (lines.of(row.position()), row),
            Err(error) => {
                let line = lines.of(error.position());
                links.refused.push(RefusedLink { line, reason: "expected text in UTF-8".into() });
                continue;
            }
        };
        let mut refuse = |reason: String| links.refused.push(RefusedLink { line, reason });
        if row.len() != header.len() {
            refuse(format!("{} fields: expected {}, as in the header", row.len(), header.len()));
            continue;
        }
        // A native identity is compared unchanged. Names that people typed may have spaces around them.
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

/// The text of a file of these links. It has no display names, which are not known here and not needed for reading the
/// file.
///
/// # Errors
/// When the source of a link is not among `sources`.
pub fn written_links(links: &[ManualLink], sources: &[RegisteredSource]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["account", "displayName", "userName", "type"]).map_err(unwritten)?;
    for link in links {
        let source = sources.iter().find(|source| source.id == link.source).ok_or_else(|| {
            Error::invalid(format!(
                "account {:?} is linked on source {}, which is not registered",
                link.native_identity, link.source
            ))
        })?;
        let row = [link.native_identity.as_str(), "", &link.identity_name, &source.name];
        writer.write_record(row).map_err(unwritten)?;
    }
    let bytes = writer.into_inner().map_err(|error| unwritten(error.into_error()))?;
    String::from_utf8(bytes).map_err(unwritten)
}

fn unwritten(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the links cannot be written", error)
}

/// Lines of records, counted by their ends. The reader's own count is too low by one where lines end in `\r\n`.
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

    fn parsed(text: &str) -> std::result::Result<ManualLinks, String> {
        read_links(text.as_bytes(), &[registered_source("5", "Directory"), registered_source("6", "Payroll")])
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
        let text = written_links(&links, &sources).unwrap();
        assert_eq!(
            text,
            "account,displayName,userName,type\r\n\
             \"cn=\"\"Ada\"\", ou=x\",,ada,Directory\r\n\
             =1+1,,@bob,Directory\r\n\
             \" two\nlines \",,cy,\"Pay, roll\"\r\n"
        );
        let again = read_links(text.as_bytes(), &sources).unwrap();
        assert_eq!((again.links, again.refused.len()), (links, 0));
        let unknown = written_links(&[link("7", "x", "y")], &sources).unwrap_err();
        assert!(unknown.to_string().contains("source 7"), "{unknown}");
    }
}
