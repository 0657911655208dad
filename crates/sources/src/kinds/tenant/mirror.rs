//! A whole tenant as source definitions: one for each of its sources, with the identity profile that rests on it, and
//! one for each search index whose documents are wanted.
//!
//! Links are the tenant's own: each account says whose it is (`tenant.identityId`), each identity keeps that id as an
//! attribute, and the one correlation rule compares the two. So what the tenant linked by rules that cannot be expressed
//! here, or by hand, is linked here, and what it left open is open.
//!
//! Invariants: everything is read before anything is given, and a list that is not whole fails it all; what a definition
//! cannot say is named in [`TenantMirror::left_out`], never dropped in silence; the same tenant gives the same
//! definitions, under the same ids.

mod changes;
mod left_out;
mod profile;
mod tenant_source;
mod transform;

pub use changes::{SourceChange, SourceChangeKind, mirror_changes};
pub use left_out::LeftOut;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use self::left_out::Notes;
use self::profile::Profiles;
use self::tenant_source::TenantSource;
use super::list::{List, Pages};
use super::service::{Refusal, Request, Service};
use super::source::{self, AccountSchema};
use super::{TenantObjects, TenantSettings, values};
use crate::columns::AccountColumns;
use crate::definition::{
    CorrelationRule, DEFAULT_DELETE_THRESHOLD_PERCENT, DEFAULT_REFUSED_MAX_PERCENT, SourceDefinition,
};
use crate::documents::DocumentType;
use crate::kinds::ReaderSettings;
use crate::reader::ReadError;
use crate::secret::Environment;

/// Sources, or identity profiles, of a tenant that are read.
const OBJECTS_MAX: usize = 10_000;
/// The identity attribute that holds the tenant's id of the identity, unless the tenant has one of that name.
const TENANT_ID: &str = "tenantId";

/// What is mirrored, and what is known already.
#[derive(Clone, Copy, Debug)]
pub struct MirrorRequest<'a> {
    /// How the tenant is reached; each definition has it. What it says of sources and attributes does not count.
    pub settings: &'a TenantSettings,
    /// Names what is not called by a name of the tenant's: its documents.
    pub name: &'a str,
    /// Search indices whose documents are wanted.
    pub documents: &'a [DocumentType],
    /// The sources that are registered. One that reads the same from the same tenant keeps its id.
    pub registered: &'a [SourceDefinition],
}

/// A tenant as source definitions.
#[derive(Debug)]
pub struct TenantMirror {
    /// In the order of the tenant's ids, documents last; names and ids differ.
    pub definitions: Vec<SourceDefinition>,
    /// What could not be taken over.
    pub left_out: Vec<LeftOut>,
    /// Registered sources of accounts of this tenant that it has no more.
    pub gone: Vec<SourceDefinition>,
    /// Identities of the tenant, where it says how many.
    pub identities: Option<u64>,
    /// Of them those that the tenant calls correlated.
    pub identities_correlated: Option<u64>,
}

/// Reads what a tenant has, and gives the definitions that read it. Keeps nothing. Blocks; may be called from anywhere.
///
/// # Errors
/// [`ReadError`] when anything could not be read to its end.
pub fn mirror(
    request: MirrorRequest<'_>,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<TenantMirror, ReadError> {
    let place = &request.settings.url;
    let failed = |reason| ReadError::Remote { place: place.clone(), reason };
    let settings = reached(request.settings, TenantObjects::Identities);
    let mut service = Service::connect(&settings, base_dir, environment)?;
    let time_limit = Duration::from_secs(request.settings.total_timeout_s);
    let start = |source| ReadError::Io { action: "start the read of", path: place.clone(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
    // A thread of its own, so that a caller within a runtime is served, too.
    let ended = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let ended = runtime.block_on(async {
                let work = tokio::time::timeout(time_limit, gather(&mut service, &request));
                work.await.unwrap_or_else(|_| {
                    let seconds = time_limit.as_secs();
                    Err(format!("the read was not finished within {seconds} seconds"))
                })
            });
            runtime.shutdown_background();
            ended
        });
        thread.join()
    });
    let ended = ended.map_err(|_| failed("the reader stopped at a defect of its own".to_owned()))?;
    let gathered = ended.map_err(failed)?;
    Ok(gathered.definitions(&request))
}

/// What the tenant has.
struct Gathered {
    sources: Vec<TenantSource>,
    profiles: Profiles,
    identities: Option<u64>,
    identities_correlated: Option<u64>,
}

async fn gather(service: &mut Service, request: &MirrorRequest<'_>) -> Result<Gathered, String> {
    let root = format!("/{}", request.settings.version);
    let page_size = request.settings.page_size;
    let mut sources = Vec::new();
    for object in objects(service, format!("{root}/sources"), page_size, "sources").await? {
        let text =
            |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let (Some(id), Some(name)) = (text("id"), text("name")) else {
            return Err("a source of the tenant has no id or no name".to_owned());
        };
        let schema = source::account_schema(service, &root, id)
            .await
            .map_err(|reason| format!("source {name:?}: {reason}"))?;
        sources.push(TenantSource { id: id.to_owned(), name: name.to_owned(), schema, object });
    }
    let listed =
        objects(service, format!("{root}/identity-profiles"), page_size, "identity profiles").await?;
    let profiles = Profiles::read(service, &root, listed).await?;
    let identities = count_identities(service, &root, "NONE").await?;
    let identities_correlated = count_identities(service, &root, "CORRELATED_ONLY").await?;
    Ok(Gathered { sources, profiles, identities, identities_correlated })
}

/// All objects of a list, which must be whole.
async fn objects(
    service: &mut Service,
    path: String,
    page_size: u16,
    what: &str,
) -> Result<Vec<Value>, String> {
    let failed = |reason| format!("the {what} could not be read: {reason}");
    let mut pages = Pages::new(List::Path { path, query: Vec::new(), sorters: "id" }, page_size);
    let mut objects = Vec::new();
    while let Some(page) = pages.next(service).await.map_err(failed)? {
        objects.extend(page);
        if objects.len() > OBJECTS_MAX {
            return Err(failed(format!("the tenant has more than {OBJECTS_MAX}")));
        }
    }
    pages.end(service).await.map_err(failed)?;
    Ok(objects)
}

async fn count_identities(
    service: &mut Service,
    root: &str,
    filter: &'static str,
) -> Result<Option<u64>, String> {
    let query =
        vec![("defaultFilter", filter.to_owned()), ("count", "true".to_owned()), ("limit", "1".to_owned())];
    let request = Request { path: format!("{root}/identities"), query, body: None };
    let answer = service.ask(&request).await;
    let failed = |refusal: Refusal| format!("the identities could not be counted: {}", refusal.reason());
    Ok(answer.map_err(failed)?.total)
}

impl Gathered {
    fn definitions(mut self, request: &MirrorRequest<'_>) -> TenantMirror {
        let mut left_out = Vec::new();
        let own = Own::of(request);
        let mut names = Names::new(request, &self.sources, &own);
        let tenant_id = self.profiles.free_name(TENANT_ID);
        let mut definitions = Vec::new();
        for source in &self.sources {
            let mut notes = Notes { source: &source.name, left_out: &mut left_out };
            let Some(schema) = &source.schema else {
                notes.add("accounts", "the source has no account schema");
                continue;
            };
            let known = own.accounts(source);
            let id =
                known.map_or_else(|| source_id(&request.settings.url, &source.id), |known| known.id.clone());
            let name = names.take(&source.name, &id, &mut notes);
            let mut settings = reached(request.settings, TenantObjects::Accounts);
            settings.source = Some(source.id.clone());
            let made = self.profiles.of(source, schema, &tenant_id, &mut notes);
            if made.as_ref().is_some_and(|made| made.needs_name) {
                settings.attributes = Some(all_attributes(schema));
                settings.entitlements = Some(schema.entitlements.clone());
            }
            let (profile, lifecycle) = made.map_or((None, None), |made| (Some(made.profile), made.lifecycle));
            let mut definition = SourceDefinition {
                id,
                name,
                owner: None,
                delete_threshold_percent: threshold(&source.object, &mut notes),
                refused_max_percent: DEFAULT_REFUSED_MAX_PERCENT,
                accounts_missing_max: None,
                reader: settings.into(),
                profile,
                correlation: vec![CorrelationRule {
                    identity_attribute: tenant_id.clone(),
                    account_attribute: values::IDENTITY_ID.to_owned(),
                    ignore_case: false,
                }],
                lifecycle,
                optional: Vec::new(),
                total: None,
                never_kept: Vec::new(),
                columns: AccountColumns::default(),
            };
            // A mapping of the tenant may name what its account schema lacks: there it gives nothing, and so it does here.
            let known = all_attributes(schema);
            let named = definition.account_attributes().into_iter().map(|(_, name)| name.to_owned());
            definition.optional =
                named.filter(|name| !values::is_ours(name) && !known.contains(name)).collect();
            definition.optional.dedup();
            definitions.push(definition);
        }
        self.profiles.of_no_source(&self.sources, &mut left_out);
        for index in request.documents {
            definitions.push(documents(*index, request, &own, &mut names, &mut left_out));
        }
        left_out.sort();
        let gone = own.gone(&self.sources).cloned().collect();
        let (identities, identities_correlated) = (self.identities, self.identities_correlated);
        TenantMirror { definitions, left_out, gone, identities, identities_correlated }
    }
}

fn documents(
    index: DocumentType,
    request: &MirrorRequest<'_>,
    own: &Own<'_>,
    names: &mut Names,
    left_out: &mut Vec<LeftOut>,
) -> SourceDefinition {
    let known = own.documents(index);
    let wanted = format!("{} {}", request.name, index.index_name());
    let url = &request.settings.url;
    let id = known.map_or_else(
        || SourceDefinition::derived_id(&format!("{url}/{}", index.index_name())),
        |known| known.id.clone(),
    );
    let mut notes = Notes { source: &wanted, left_out };
    let name = match known {
        Some(known) => known.name.clone(),
        None => names.take(&wanted, &id, &mut notes),
    };
    let mut settings = reached(request.settings, TenantObjects::Documents);
    settings.index = Some(index);
    SourceDefinition {
        id,
        name,
        owner: None,
        delete_threshold_percent: DEFAULT_DELETE_THRESHOLD_PERCENT,
        refused_max_percent: DEFAULT_REFUSED_MAX_PERCENT,
        accounts_missing_max: None,
        reader: settings.into(),
        profile: None,
        correlation: Vec::new(),
        lifecycle: None,
        optional: Vec::new(),
        total: None,
        never_kept: Vec::new(),
        columns: AccountColumns::default(),
    }
}

/// Only how the tenant is reached.
fn reached(settings: &TenantSettings, objects: TenantObjects) -> TenantSettings {
    TenantSettings {
        objects,
        source: None,
        index: None,
        attributes: None,
        entitlements: None,
        privileged: None,
        ..settings.clone()
    }
}

/// The id of a source here: the tenant's own, where it is 32 hex digits.
fn source_id(url: &str, id: &str) -> String {
    let digits: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let is_id = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { digits } else { SourceDefinition::derived_id(&format!("{url}/{id}")) }
}

/// What a read keeps when the definition says nothing, and the account's name.
fn all_attributes(schema: &AccountSchema) -> Vec<String> {
    let own = values::ACCOUNT_FIELDS.into_iter().chain([values::NAME]);
    schema.attributes.iter().cloned().chain(own.map(str::to_owned)).collect()
}

fn threshold(source: &Value, notes: &mut Notes<'_>) -> u8 {
    let found = source.get("deleteThreshold").filter(|found| !found.is_null());
    let percent = found.and_then(Value::as_u64).and_then(|number| u8::try_from(number).ok());
    match (found, percent.filter(|percent| *percent <= 100)) {
        (None, _) => DEFAULT_DELETE_THRESHOLD_PERCENT,
        (Some(_), Some(percent)) => percent,
        (Some(found), None) => {
            let reason = format!("{found}: expected 0 to 100; {DEFAULT_DELETE_THRESHOLD_PERCENT} is taken");
            notes.add("delete threshold", reason);
            DEFAULT_DELETE_THRESHOLD_PERCENT
        }
    }
}

/// The registered sources that read this tenant.
struct Own<'a>(Vec<(&'a SourceDefinition, &'a TenantSettings)>);

impl<'a> Own<'a> {
    fn of(request: &MirrorRequest<'a>) -> Self {
        let url = |settings: &TenantSettings| settings.url.trim_end_matches('/').to_owned();
        let wanted = url(request.settings);
        let own = request.registered.iter().filter_map(|definition| {
            let ReaderSettings::Tenant(settings) = &definition.reader else { return None };
            (url(settings) == wanted).then_some((definition, settings.as_ref()))
        });
        Self(own.collect())
    }

    /// The one that reads the accounts of a source, by its id or, written by hand, by its name.
    fn accounts(&self, source: &TenantSource) -> Option<&'a SourceDefinition> {
        let by = |wanted: &str| {
            let mut accounts =
                self.0.iter().filter(|(_, settings)| settings.objects == TenantObjects::Accounts);
            accounts.find(|(_, settings)| settings.source.as_deref() == Some(wanted))
        };
        by(&source.id).or_else(|| by(&source.name)).map(|(definition, _)| *definition)
    }

    fn documents(&self, index: DocumentType) -> Option<&'a SourceDefinition> {
        let found = self.0.iter().find(|(_, settings)| {
            settings.objects == TenantObjects::Documents && settings.index == Some(index)
        });
        found.map(|(definition, _)| *definition)
    }

    /// Those whose source the tenant does not have.
    fn gone<'b>(&'b self, sources: &'b [TenantSource]) -> impl Iterator<Item = &'a SourceDefinition> + 'b {
        let is_there =
            |wanted: &str| sources.iter().any(|source| source.id == wanted || source.name == wanted);
        let accounts = self.0.iter().filter(|(_, settings)| settings.objects == TenantObjects::Accounts);
        accounts
            .filter(move |(_, settings)| !settings.source.as_deref().is_some_and(is_there))
            .map(|(definition, _)| *definition)
    }
}

/// The names that are taken, each by the source with an id.
struct Names {
    taken: BTreeMap<String, String>,
    mirror: String,
}

impl Names {
    /// The names of registered sources that keep them.
    fn new(request: &MirrorRequest<'_>, sources: &[TenantSource], own: &Own<'_>) -> Self {
        let renamed = sources.iter().filter_map(|source| own.accounts(source));
        let renamed: BTreeSet<&str> = renamed.map(|known| known.id.as_str()).collect();
        let others = request.registered.iter().filter(|other| !renamed.contains(other.id.as_str()));
        let taken = others.map(|other| (other.name.clone(), other.id.clone())).collect();
        Self { taken, mirror: request.name.to_owned() }
    }

    /// The name wanted, or one that is free.
    fn take(&mut self, wanted: &str, id: &str, notes: &mut Notes<'_>) -> String {
        let candidates =
            [wanted.to_owned(), format!("{wanted} ({})", self.mirror), format!("{wanted} ({id})")];
        let [_, _, last] = &candidates;
        let free = candidates.iter().find(|name| self.taken.get(*name).is_none_or(|owner| owner == id));
        let name = free.unwrap_or(last).clone();
        if name != wanted {
            notes.add("name", format!("another source has it: {name:?} is taken"));
        }
        self.taken.insert(name.clone(), id.to_owned());
        name
    }
}
