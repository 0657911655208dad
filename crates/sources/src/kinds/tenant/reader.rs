//! The read of a tenant: a list of accounts or identities to account records.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::documents::IndexRead;
use super::list::{List, Pages};
use super::service::Service;
use super::source::{self, AccountSchema};
use super::{TenantObjects, TenantSettings, values};
use crate::account::{AccountSink, Record};
use crate::documents::DocumentReader;
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader, shown};
use crate::remote::{Feed, RemoteReader, Stop};
use crate::source_kind::{Opening, SourceKind};

/// Names of attributes that a warning lists.
const NAMES_SHOWN: usize = 10;

impl SourceKind for TenantSettings {
    /// Opens a tenant for one full read.
    ///
    /// # Errors
    /// The settings are faulty or the secret cannot be had; all else comes with the first batch.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        let mut service = Service::connect(self, opening.base_dir, opening.environment)?;
        let sink = AccountSink::new(self.account_settings(), named.clone());
        let settings = self.clone();
        let time_limit = Duration::from_secs(self.total_timeout_s);
        RemoteReader::start(self.url.clone(), time_limit, sink, async move |feed| {
            read(&settings, &mut service, named, feed).await
        })
    }

    fn open_documents(&self, opening: &Opening<'_>) -> Result<Option<DocumentReader>, ReadError> {
        match self.objects {
            TenantObjects::Documents => {
                let index = IndexRead::start(self, opening.base_dir, opening.environment)?;
                Ok(Some(DocumentReader::new(Box::new(index), self.index)))
            }
            TenantObjects::Accounts | TenantObjects::Identities => Ok(None),
        }
    }
}

async fn read(
    settings: &TenantSettings,
    service: &mut Service,
    named: NamedColumns,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let failed = |reason| Stop::Failed(ReadError::Remote { place: settings.url.clone(), reason });
    let root = format!("/{}", settings.version);
    let mut known = None;
    let list = match settings.objects {
        TenantObjects::Accounts => {
            let wanted = settings.source.as_deref().unwrap_or_default();
            let id = source::find(service, &root, wanted).await.map_err(failed)?;
            let schema = source::account_schema(service, &root, &id).await.map_err(failed)?;
            (feed.sink, known) = prepare(settings, schema, named).map_err(failed)?;
            let filters = format!("sourceId eq {}", source::quoted(&id));
            let query = vec![("filters", filters), ("detailLevel", "FULL".to_owned())];
            List::Path { path: format!("{root}/accounts"), query, sorters: "id" }
        }
        TenantObjects::Identities => {
            // Without this the uncorrelated ones are left out.
            let query = vec![("defaultFilter", "NONE".to_owned())];
            List::Path { path: format!("{root}/identities"), query, sorters: "alias" }
        }
        TenantObjects::Documents => {
            let reason = "holds search documents: expected a source of accounts";
            return Err(failed(reason.to_owned()));
        }
    };
    let mut pages = Pages::new(list, settings.page_size);
    let mut making = Making::new(settings.objects, known);
    loop {
        let page = match pages.next(service).await {
            Ok(page) => page,
            Err(reason) if pages.has_begun() => return Err(Stop::Incomplete(reason)),
            Err(reason) => return Err(failed(reason)),
        };
        feed.sink.reported_total = pages.total;
        let Some(elements) = page else { break };
        for element in elements {
            match making.record(element) {
                Some(record) => feed.push(record)?,
                None => feed.sink.reject(0, None, "the element is not a JSON object".to_owned()),
            }
        }
    }
    making.warnings().for_each(|warning| feed.sink.warn(warning));
    pages.end(service).await.map_err(Stop::Incomplete)
}

/// Makes records of a list's elements, and notes which attributes are left out.
pub(super) struct Making {
    objects: TenantObjects,
    /// Names that are not left out; `None` where the definition lists them.
    known: Option<BTreeSet<String>>,
    unlisted: BTreeSet<String>,
    disguised: BTreeSet<String>,
}

impl Making {
    pub(super) fn new(objects: TenantObjects, known: Option<BTreeSet<String>>) -> Self {
        Self { objects, known, unlisted: BTreeSet::new(), disguised: BTreeSet::new() }
    }

    /// The record of an element; `None` when it is not an object.
    pub(super) fn record(&mut self, element: Value) -> Option<Record> {
        let Value::Object(object) = element else { return None };
        let (record, left_out) = match self.objects {
            TenantObjects::Accounts => values::account(object),
            TenantObjects::Identities | TenantObjects::Documents => values::identity(object),
        };
        for name in left_out {
            note(&mut self.disguised, &name);
        }
        if let Some(known) = &self.known {
            let names = record.fields.iter().map(|(name, _)| name);
            names.filter(|name| !known.contains(*name)).for_each(|name| note(&mut self.unlisted, name));
        }
        Some(record)
    }

    /// What the reader of a report must know of what was left out.
    pub(super) fn warnings(self) -> impl Iterator<Item = String> {
        let kinds = [
            (self.unlisted, "attributes that the source's account schema does not list"),
            (self.disguised, "attributes with names of the tenant's own"),
        ];
        kinds.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, what)| {
            let names: Vec<_> = names.iter().map(|name| shown(name)).collect();
            format!("{what} are left out: {}", names.join(", "))
        })
    }
}

fn note(names: &mut BTreeSet<String>, name: &str) {
    if names.len() < NAMES_SHOWN && !names.contains(name) {
        names.insert(name.to_owned());
    }
}

/// A sink that knows what the account schema says, and the names of the fields that are then known; `None` when the
/// definition lists what is kept.
pub(super) fn prepare(
    settings: &TenantSettings,
    schema: Option<AccountSchema>,
    named: NamedColumns,
) -> Result<(AccountSink, Option<BTreeSet<String>>), String> {
    let mut account = settings.account_settings();
    let listed = account.attributes.is_some();
    let schema = match schema {
        Some(schema) => schema,
        None if listed => AccountSchema::default(),
        None => {
            let wanted = "expected one, or the attributes to keep in the definition";
            return Err(format!("the source has no account schema: {wanted}"));
        }
    };
    let own = values::ACCOUNT_FIELDS.map(str::to_owned);
    let mut attributes = schema.attributes;
    attributes.extend(own);
    if settings.entitlements.is_none() {
        account.entitlements = schema.entitlements;
    }
    let columns = [values::NATIVE_IDENTITY, values::NAME, values::DISPLAY_NAME, values::UUID];
    let mut known = attributes.clone();
    known.extend(columns.map(str::to_owned));
    if !listed {
        account.attributes = Some(attributes);
    }
    // A condition may look at what the schema does not list.
    known.extend(account.privileged.iter().map(|condition| condition.attribute.clone()));
    let mut sink = AccountSink::new(account, named);
    sink.know(&known);
    Ok((sink, (!listed).then(|| known.into_iter().collect())))
}
