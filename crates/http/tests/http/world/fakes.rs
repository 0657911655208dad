//! What stands for files, evidence, searches and histories in the world.

use super::*;
use muster_reports::ports::OpenedFile;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::Duration;

pub(super) struct Folder(pub(super) std::path::PathBuf);

#[async_trait::async_trait]
impl FileOpener for Folder {
    fn open(&self, stored_name: &str, range: Option<Range<u64>>) -> muster_reports::Result<OpenedFile> {
        let open = || {
            let mut file = fs::File::open(self.0.join(stored_name))?;
            let bytes = file.metadata()?.len();
            let range = range.unwrap_or(0..bytes);
            file.seek(SeekFrom::Start(range.start))?;
            Ok(OpenedFile { bytes, content: Box::new(file.take(range.end - range.start)) })
        };
        open().map_err(|error: io::Error| muster_reports::Error::internal("there is no such file", error))
    }

    /// As of a bucket. A folder has no addresses, but only settings for a bucket ask for them.
    async fn signed_address(&self, name: &str, lifetime: Duration) -> muster_reports::Result<Option<String>> {
        if !self.0.join(name).exists() {
            return Ok(None);
        }
        Ok(Some(format!("https://bucket.example.com/{name}?expires={}", lifetime.as_secs())))
    }
}

/// What [`Maker`] says its key is.
pub const KEY_PEM: &str = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";

/// Makes packages that name their task, and counts them.
#[derive(Default)]
pub struct Maker {
    pub made: AtomicUsize,
    /// It says this many bytes more than there are.
    pub bytes_more: AtomicUsize,
    pub refuses: AtomicBool,
    /// What was asked last of the history of an identity, and for which data.
    pub span: Mutex<Option<(DataScope, Span)>>,
}

fn made(file: std::fs::File, bytes: usize, text: &str) -> MadeFile {
    let (file, sha256) = (Arc::new(file), hex(Sha256::digest(text)));
    MadeFile { file, bytes: bytes as u64, sha256, held: None }
}

/// What a package of this task holds.
pub fn package_of(id: &str) -> String {
    format!("the package of {id}\n")
}

#[async_trait::async_trait]
impl EvidenceMaker for Maker {
    async fn package(&self, _: &ClientId, task: &Task) -> muster_reports::Result<MadeFile> {
        self.made.fetch_add(1, Ordering::SeqCst);
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the time-stamping authority does not answer"));
        }
        let text = package_of(task.id.as_str());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let bytes = text.len() + self.bytes_more.load(Ordering::SeqCst);
        Ok(made(file, bytes, &text))
    }

    async fn archive(
        &self,
        _: &ClientId,
        file: &PublishedFile,
        name: &str,
    ) -> muster_reports::Result<MadeFile> {
        let text = format!("{name} of {}\n", file.stored_name);
        let mut archive = tempfile::tempfile().unwrap();
        archive.write_all(text.as_bytes()).unwrap();
        Ok(made(archive, text.len(), &text))
    }

    fn public_key_pem(&self) -> String {
        KEY_PEM.into()
    }
}

/// Explains the account `ada` of any source, and finds one changed account between any two snapshots.
#[async_trait::async_trait]
impl SnapshotInspector for Maker {
    async fn explain(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &str,
        native_identity: &str,
    ) -> muster_reports::Result<CorrelationExplanation> {
        if native_identity != "ada" {
            return Err(Error::invalid(format!("source {source:?} has no account {native_identity:?}")));
        }
        let ada = Candidate { id: "i1".into(), name: "ada.lovelace".into() };
        let near = Near {
            identity: ada.clone(),
            account_value: "E1".into(),
            identity_value: "e1".into(),
            differ_in: "case",
        };
        let outcome = |rule: &str, candidates: &[Candidate], near: Vec<Near>| RuleOutcome {
            rule: rule.into(),
            values: vec!["E1".into()],
            candidates: candidates.to_vec(),
            found: candidates.len() as u64,
            near,
            decides: !candidates.is_empty(),
        };
        let verdict = Verdict {
            situation: "LINKED".into(),
            identity: Some("i1".into()),
            rule: Some("uid = login".into()),
        };
        Ok(CorrelationExplanation {
            snapshot: snapshot.id.clone(),
            source: snapshot.source(source).unwrap().name.clone(),
            native_identity: native_identity.into(),
            authoritative: false,
            missing_since: None,
            manual_link: None,
            rules: vec![
                outcome("number = employee", &[], vec![near]),
                outcome("uid = login", &[ada], Vec::new()),
            ],
            recorded: verdict.clone(),
            verdict,
            reason: "the rule finds one identity".into(),
            identity_name: Some("ada.lovelace".into()),
            agrees: true,
        })
    }

    async fn differences(
        &self,
        _: Arc<SnapshotManifest>,
        _: Arc<SnapshotManifest>,
    ) -> muster_reports::Result<Vec<CountedDifference>> {
        let counted = |attribute: Option<&str>| CountedDifference {
            object: "account".into(),
            change: "changed".into(),
            attribute: attribute.map(str::to_owned),
            count: 1,
        };
        Ok(vec![counted(None), counted(Some("department"))])
    }

    /// The third record, without a name, and the fifth.
    async fn refused(
        &self,
        _: Arc<SnapshotManifest>,
        source: &SourceId,
        limit: u32,
    ) -> muster_reports::Result<Vec<RefusedRecord>> {
        let record = |line, native_identity: Option<&str>| RefusedRecord {
            line,
            native_identity: native_identity.map(str::to_owned),
            reason: format!("of {source}"),
        };
        Ok([record(3, None), record(5, Some("ada"))].into_iter().take(limit as usize).collect())
    }
}

#[async_trait::async_trait]
impl InstallationFacts for Maker {
    async fn facts(&self) -> muster_reports::Result<ServiceFacts> {
        Ok(ServiceFacts {
            version: "1.2.3",
            database: "SQLite",
            disks: vec![DiskRoom { folder: "data", free_bytes: 7 }],
            keys: vec![KeyAge {
                purpose: "access tokens",
                since: build::start_of_time(),
                previous_until: None,
            }],
            limits: vec![SetLimit { setting: "rate_limit.requests", value: 100, unit: "requests" }],
            issuers: vec![("corp".into(), true)],
        })
    }
}

/// Finds documents that repeat what was asked, and says that it finds 7.
#[async_trait::async_trait]
impl DocumentSearcher for Maker {
    async fn page(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
    ) -> muster_reports::Result<FoundPage> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::unavailable("too many searches run"));
        }
        let fields = json!({
            "id": "i1", "name": "ann", "email": "ann@example.com", "caller": caller.client.as_str(), "scope": scope.to_string(),
            "search": format!("{search:?}"), "page": format!("{page:?}"),
        });
        let person = FoundDocument { type_name: "identity", fields: fields.as_object().unwrap().clone() };
        let event = json!({"id": "v1", "type": "AUTH"});
        let event = FoundDocument { type_name: "event", fields: event.as_object().unwrap().clone() };
        Ok(FoundPage { documents: vec![person, event], total: page.counted.then_some(7) })
    }

    /// A bucket for each of the aggregations, which says what was asked, and the documents of a page.
    async fn aggregate(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
        aggregations: &[Aggregation],
    ) -> muster_reports::Result<(FoundPage, Vec<(String, Aggregated)>)> {
        let found = self.page(caller, scope, search, page).await?;
        let key = |aggregation: &Aggregation| BucketKey::Text(format!("{:?}", aggregation.kind));
        let buckets = |aggregation: &Aggregation| Aggregated::Buckets {
            buckets: vec![Bucket {
                key: key(aggregation),
                objects: 3,
                inner: vec![
                    ("average".into(), Aggregated::Number(Some(1.5))),
                    ("nested".into(), Aggregated::Objects { objects: 2, inner: Vec::new() }),
                ],
            }],
            other_objects: 4,
        };
        let aggregated =
            aggregations.iter().map(|aggregation| (aggregation.name.clone(), buckets(aggregation)));
        Ok((found, aggregated.collect()))
    }

    fn csv(
        &self,
        aggregations: &[Aggregation],
        found: &[(String, Aggregated)],
    ) -> muster_reports::Result<String> {
        assert_eq!(aggregations.len(), found.len());
        Ok("a,b\r\n".into())
    }

    /// What was asked.
    async fn values_ahead(
        &self,
        _: &Caller,
        _: &DataScope,
        search: &DocumentSearch,
        ahead: &TypeAhead,
    ) -> muster_reports::Result<Vec<String>> {
        Ok(vec![format!("{search:?}"), format!("{ahead:?}")])
    }

    async fn fields(&self, _: &Caller, scope: &DataScope) -> muster_reports::Result<Vec<IndexFields>> {
        Ok(vec![IndexFields { index: "identities", fields: vec!["name".into(), scope.to_string()] }])
    }

    async fn count(&self, _: &Caller, _: &DataScope, _: &DocumentSearch) -> muster_reports::Result<u64> {
        Ok(7)
    }

    /// The only one is `i1` of the identities.
    async fn document(
        &self,
        _: &Caller,
        _: &DataScope,
        index: &str,
        id: &str,
    ) -> muster_reports::Result<Option<FoundDocument>> {
        let fields = json!({"id": "i1", "name": "ann"});
        let found = FoundDocument { type_name: "identity", fields: fields.as_object().unwrap().clone() };
        Ok((index == "identities" && id == "i1").then_some(found))
    }
}

/// Lists an identity that repeats what was asked, and knows the history of `i1` ([`crate::history::states`]). A snapshot
/// shows no other identity.
#[async_trait::async_trait]
impl IdentityHistory for Maker {
    async fn people(
        &self,
        tenant: &TenantId,
        scope: &DataScope,
        query: &PeopleQuery,
    ) -> muster_reports::Result<Vec<ListedIdentity>> {
        let listed = ListedIdentity {
            id: "i1".into(),
            display_name: Some(format!("{query:?}")),
            first_name: Some(format!("{tenant} {scope}")),
            last_name: None,
            active: false,
            deleted: Some("2026-03-01T09:00:00.123456Z".parse().unwrap()),
        };
        Ok(vec![listed])
    }

    async fn states(
        &self,
        _: &TenantId,
        scope: &DataScope,
        id: &str,
        span: Span,
    ) -> muster_reports::Result<Vec<SnapshotState>> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::unavailable("too many requests run"));
        }
        *self.span.lock().unwrap() = Some((scope.clone(), span));
        Ok(crate::history::states(id, span))
    }
}

/// What a browser may do with a page of [`Maker`].
pub const PAGE_POLICY: &str = "default-src 'none'";

/// Finds nothing wrong with queries.
pub(super) struct AnyDefinition {
    pub(super) store: Arc<MemoryStore>,
    pub(super) catalogue: Catalogue,
}

#[async_trait::async_trait]
impl CustomReports for AnyDefinition {
    async fn check(&self, text: &str) -> Result<(Option<ReportDefinition>, Vec<DefinitionFault>), Error> {
        Ok(match ReportDefinition::with_faults(text) {
            Ok((definition, faults)) => (Some(definition), faults),
            Err(fault) => (None, vec![fault]),
        })
    }

    async fn reload(&self) -> Result<(), Error> {
        let kept = self.store.definitions(&build::tenant()).await?;
        let read = |kept: KeptDefinition| ReportDefinition::from_toml(&kept.text, "kept").unwrap();
        self.catalogue.keep(kept.into_iter().map(read).map(Arc::new));
        Ok(())
    }
}

/// Says what it was asked to compare, and counts.
#[async_trait::async_trait]
impl Comparer for Maker {
    async fn compare(
        &self,
        _: &ClientId,
        old: &Download,
        new: &Download,
        keys: Vec<String>,
        form: ComparisonForm,
    ) -> muster_reports::Result<Compared> {
        self.made.fetch_add(1, Ordering::SeqCst);
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::invalid("too many rows"));
        }
        let file = (form != ComparisonForm::Counts).then(|| {
            let text = comparison_of(old.task.id.as_str(), new.task.id.as_str(), &keys, form);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let bytes = text.len() + self.bytes_more.load(Ordering::SeqCst);
            made(file, bytes, &text)
        });
        let counts = ComparisonCounts { keys, added: 7, ..ComparisonCounts::default() };
        Ok(Compared { counts, file })
    }

    fn page_policy(&self) -> &'static str {
        PAGE_POLICY
    }
}

/// What [`Maker`] makes of a comparison.
pub fn comparison_of(old: &str, new: &str, keys: &[String], form: ComparisonForm) -> String {
    format!("{form:?} of {old} and {new} by {}\n", keys.join("+"))
}

/// Ready, not ready, or broken, as told.
#[derive(Default)]
pub struct Mood {
    pub drains: AtomicBool,
    pub panics: AtomicBool,
}

#[async_trait::async_trait]
impl Readiness for Mood {
    async fn ready(&self) -> muster_reports::Result<()> {
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        match self.drains.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("the service is draining")),
            false => Ok(()),
        }
    }
}
