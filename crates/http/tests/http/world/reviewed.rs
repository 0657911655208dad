//! What is reviewed in the world, and plain sheets.

use super::*;
use muster_reports::ports::{ReviewPopulations, ReviewSheets, SheetForm};
use muster_reports::review::sheet::{COLUMNS, COMMENT, DECISION, Sheet, cells};
use muster_reports::review::{FrozenAccess, PersonOfSnapshot, Population, Review, ReviewItem, ReviewPlan};

/// Reviews of four items. It remembers the items of the last archive, from which it makes the rows of sheets.
#[derive(Default)]
pub struct Reviewed {
    sent: Mutex<Option<(Review, Vec<ReviewItem>)>>,
}

/// Bob leads ada, and cleo leads bob.
#[async_trait::async_trait]
impl ReviewPopulations for Reviewed {
    async fn population(
        &self,
        _: &Arc<SnapshotManifest>,
        _: &DataScope,
        _: &ReviewPlan,
    ) -> muster_reports::Result<Population> {
        let access = |name: &str, entitlement: &str| FrozenAccess {
            identity_id: Some(format!("id-{name}")),
            identity_name: Some(name.into()),
            source_id: build::SOURCE.into(),
            source_name: "Active Directory".into(),
            account_id: format!("account-of-{name}"),
            native_identity: name.into(),
            entitlement: Some(entitlement.into()),
            ..FrozenAccess::default()
        };
        let person = |name: &str, manager: Option<&str>| PersonOfSnapshot {
            id: format!("id-{name}"),
            name: name.into(),
            manager_id: manager.map(|name| format!("id-{name}")),
            ..PersonOfSnapshot::default()
        };
        Ok(Population {
            access: vec![access("ada", "x"), access("ada", "y"), access("bob", "x"), access("cleo", "x")],
            people: vec![person("ada", Some("bob")), person("bob", Some("cleo")), person("cleo", None)],
            owners: std::collections::BTreeMap::new(),
        })
    }
}

/// An archive says which items it has. A sheet has lines of item, decision and comment.
#[async_trait::async_trait]
impl ReviewSheets for Reviewed {
    async fn archive(
        &self,
        review: &Review,
        items: Vec<ReviewItem>,
        form: SheetForm,
    ) -> muster_reports::Result<MadeFile> {
        let numbers: Vec<_> = items.iter().map(|item| item.number.to_string()).collect();
        let text = format!("{} of items {}\n", form.as_str(), numbers.join(" "));
        *self.sent.lock().unwrap() = Some((review.clone(), items));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let (file, sha256) = (Arc::new(file), hex(Sha256::digest(&text)));
        Ok(MadeFile { file, bytes: text.len() as u64, sha256, held: None })
    }

    async fn read(&self, file: Vec<u8>) -> muster_reports::Result<Sheet> {
        let wrong = || Error::invalid("the sheet cannot be read");
        let text = String::from_utf8(file).map_err(|_| wrong())?;
        let sent = self.sent.lock().unwrap().clone();
        let (review, items) = sent.ok_or_else(wrong)?;
        let at = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
        let mut rows = vec![(1, COLUMNS.map(str::to_owned).to_vec())];
        for (line, text) in (2..).zip(text.lines()) {
            let [number, decision, comment] = text.split(',').collect::<Vec<_>>()[..] else {
                return Err(wrong());
            };
            let item = items.iter().find(|item| item.number.to_string() == number).ok_or_else(wrong)?;
            let mut row = cells(&review, item).to_vec();
            (row[at(DECISION)], row[at(COMMENT)]) = (decision.to_owned(), comment.to_owned());
            rows.push((line, row));
        }
        Ok(Sheet { rows })
    }
}
