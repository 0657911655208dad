//! Identities that are told by mail how a run ended.

use super::Reports;
use crate::caller::{Caller, DataScope};
use crate::error::{Error, Result, shown};
use crate::notify::{Notify, Recipient};
use crate::search::{DocumentPage, DocumentSearch, FoundDocument, ShownFields};
use crate::search_filter::quoted;
use std::collections::BTreeMap;

/// Identities that one search names.
const IDS_OF_A_SEARCH: usize = 250;

impl Reports {
    /// The e-mail addresses of those identities that have one to which mail may be sent, by id, as the newest snapshot has
    /// them.
    ///
    /// # Errors
    /// `Invalid` where the settings send no mail, or not to these people; `NotFound` before the first snapshot.
    pub(super) async fn known_addresses(
        &self,
        caller: &Caller,
        identities: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let scope = caller.scope_with_rows()?;
        let mut addresses = BTreeMap::new();
        for ids in identities.chunks(IDS_OF_A_SEARCH) {
            for (id, email) in self.emails(caller, &scope, ids).await? {
                let Ok(to) = Recipient::email(&email) else { continue };
                let entry = Notify::of(to);
                if let Some(fault) = self.limits.notify.fault(&entry) {
                    return Err(Error::invalid(format!("reviewers cannot be told: {fault}")));
                }
                self.check_notify(caller, &[entry])?;
                addresses.insert(id, email);
            }
        }
        Ok(addresses)
    }

    /// The e-mail addresses of identities that the caller sees, by id; blank for one without.
    async fn emails(
        &self,
        caller: &Caller,
        scope: &DataScope,
        identities: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let ids: Vec<_> = identities.iter().map(|id| quoted(id)).collect();
        let search = DocumentSearch {
            query: format!("id:({})", ids.join(" OR ")),
            indices: vec!["identities".into()],
            ..DocumentSearch::default()
        };
        self.queries.check(&search.query).await?;
        let fields = ShownFields { includes: vec!["id".into(), "email".into()], ..ShownFields::default() };
        let limit = u32::try_from(identities.len()).unwrap_or(u32::MAX);
        let page = DocumentPage { limit, fields, ..DocumentPage::default() };
        let found = self.documents.page(caller, scope, &search, &page).await?.documents;
        let text = |document: &FoundDocument, name: &str| {
            document.fields.get(name).and_then(|value| value.as_str()).map(str::to_owned)
        };
        let email = |document: &FoundDocument| {
            Some((text(document, "id")?, text(document, "email").unwrap_or_default()))
        };
        Ok(found.iter().filter_map(email).collect())
    }

    /// Who is told how an execution ended: the e-mail addresses of identities, in their order, as the newest snapshot has
    /// them.
    pub(super) async fn recipients(
        &self,
        caller: &Caller,
        identities: &[String],
        empty_results: bool,
        query_details: bool,
    ) -> Result<Vec<Notify>> {
        let addresses = self.addresses(caller, identities).await?;
        let entry = |(id, address): (&String, String)| {
            let wrong =
                |what: &str| Error::invalid(format!("recipient {} cannot be told: {what}", shown(id)));
            let to = Recipient::email(&address).map_err(|error| wrong(&error.message))?;
            let entry = Notify { empty_results, query_details, ..Notify::of(to) };
            match self.limits.notify.fault(&entry) {
                None => Ok(entry),
                Some(fault) => Err(wrong(&fault)),
            }
        };
        let notify: Vec<_> = identities.iter().zip(addresses).map(entry).collect::<Result<_>>()?;
        self.check_notify(caller, &notify)?;
        Ok(notify)
    }

    /// The e-mail addresses of identities, in their order, as the newest snapshot has them.
    async fn addresses(&self, caller: &Caller, identities: &[String]) -> Result<Vec<String>> {
        let scope = caller.scope_with_rows()?;
        let found = self.emails(caller, &scope, identities).await?;
        let address = |id: &String| {
            let email = found.get(id).ok_or_else(|| {
                Error::invalid(format!(
                    "recipient {}: expected the id of an identity that the caller may see",
                    shown(id)
                ))
            })?;
            match email.trim().is_empty() {
                true => Err(Error::invalid(format!(
                    "recipient {} has no e-mail address: expected one",
                    shown(id)
                ))),
                false => Ok(email.clone()),
            }
        };
        identities.iter().map(address).collect()
    }
}
