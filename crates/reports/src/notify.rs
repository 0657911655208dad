//! Who wants to be told how a run ended: the entries of a `notify` list.
//!
//! Why here: schedules, starts of reports and scheduled searches have the same entries. What is sent follows from them in
//! [`crate::notification`].
//!
//! Invariants:
//! - A [`Notify`] has one recipient, whose address has the form that its way of delivery needs.
//! - Whether the service may send to it is asked of a [`NotifyPolicy`], because the settings decide that.

use crate::error::{Error, Result, shown};
use crate::ids::ClientId;
use crate::kind::FileFormat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Most entries of one list.
pub const NOTIFY_MAX: usize = 100;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1).
const EMAIL_MAX: usize = 254;
/// Longest part before the `@`, in bytes.
const LOCAL_PART_MAX: usize = 64;
/// Longest address of a webhook, in bytes.
const URL_MAX: usize = 2_048;

/// An end of a run of which somebody wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// It has its files, or its snapshot, and nothing is to be remarked.
    Success,
    /// It has its files, and something that a reader must know.
    Warning,
    /// It failed, or nothing was run.
    Failure,
    /// It has its files, and their rows differ from those of the run before, or there was none.
    Change,
}

impl Occasion {
    /// All occasions.
    pub const ALL: [Self; 4] = [Self::Success, Self::Warning, Self::Failure, Self::Change];

    /// The name that lists have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::Change => "change",
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Occasion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|occasion| occasion.as_str() == text).ok_or_else(|| {
            format!("on has {}: expected some of {}", shown(text), Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// An e-mail address.
    Email(String),
    /// An address that takes a POST.
    Webhook(String),
}

impl Recipient {
    /// The owner of an e-mail address.
    ///
    /// # Errors
    /// `Invalid` for a text that is no plain address: one `@`, ASCII, without spaces and quotes.
    pub fn email(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '<' | '>' | '"' | ',' | ';' | '\\');
        let label =
            |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let is_address = text.len() <= EMAIL_MAX
            && text.split_once('@').is_some_and(|(local, domain)| {
                (1..=LOCAL_PART_MAX).contains(&local.len())
                    && local.chars().all(plain)
                    && !local.split('.').any(str::is_empty)
                    && domain.split('.').all(label)
            });
        match is_address {
            true => Ok(Self::Email(text.to_owned())),
            false => Err(Error::invalid(format!(
                "email is {}: expected one address such as ada@example.com, in ASCII",
                shown(text)
            ))),
        }
    }

    /// A webhook at an address.
    ///
    /// # Errors
    /// `Invalid` for a text that is no `https` or `http` address of a host, or that has a user, a password or a fragment.
    pub fn webhook(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_address = text.len() <= URL_MAX
            && text.chars().all(|c| c.is_ascii_graphic() && c != '#' && c != '\\')
            && rest.is_some_and(|rest| {
                let authority = rest.split(['/', '?']).next().unwrap_or_default();
                let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
                !host.is_empty() && !authority.contains('@')
            });
        match is_address {
            true => Ok(Self::Webhook(text.to_owned())),
            // The text may have a password in it, so it is not repeated.
            false => Err(Error::invalid(
                "webhook is not an address: expected https://host/path without a user, a password and a fragment",
            )),
        }
    }

    /// The recipient of a way of delivery and an address that were kept.
    pub fn kept(channel: &str, address: String) -> Option<Self> {
        match channel {
            "email" => Some(Self::Email(address)),
            "webhook" => Some(Self::Webhook(address)),
            _ => None,
        }
    }

    /// The way of delivery: `email` or `webhook`.
    pub fn channel(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
        }
    }

    /// The e-mail address, or the webhook's.
    pub fn address(&self) -> &str {
        match self {
            Self::Email(address) | Self::Webhook(address) => address,
        }
    }

    /// The address as lists, logs and the audit trail show it: of a webhook without its path and query, which may have a
    /// secret.
    pub fn shown(&self) -> &str {
        match self {
            Self::Email(address) => address,
            Self::Webhook(url) => {
                let start = url.find("://").map_or(0, |at| at + 3);
                let end = url.get(start..).and_then(|rest| rest.find(['/', '?']));
                end.and_then(|end| url.get(..start + end)).unwrap_or(url)
            }
        }
    }
}

/// One entry of a `notify` list: who is told of which ends, and what the notification has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NotifyForm", into = "NotifyForm")]
pub struct Notify {
    /// Who is told.
    pub to: Recipient,
    /// Of which ends; never empty.
    pub on: BTreeSet<Occasion>,
    /// Whether it is sent of a result without rows (`emailEmptyResults` of scheduled searches).
    pub empty_results: bool,
    /// Whether it has the report's arguments, such as its query (`displayQueryDetails` of scheduled searches).
    pub query_details: bool,
    /// The file that is attached, where the settings allow it and it is small. Otherwise there is a link only.
    pub attach: Option<FileFormat>,
}

impl Notify {
    /// An entry that tells of successes, warnings and failures, with a link.
    pub fn of(to: Recipient) -> Self {
        let on = [Occasion::Success, Occasion::Warning, Occasion::Failure].into();
        Self { to, on, empty_results: true, query_details: false, attach: None }
    }
}

/// An entry as people write it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotifyForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty_results: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query_details: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attach: Option<String>,
}

impl TryFrom<NotifyForm> for Notify {
    type Error = Error;

    fn try_from(form: NotifyForm) -> Result<Self> {
        let to = match (&form.email, &form.webhook) {
            (Some(email), None) => Recipient::email(email)?,
            (None, Some(webhook)) => Recipient::webhook(webhook)?,
            (Some(_), Some(_)) => return Err(Error::invalid("expected `email` or `webhook`, not both")),
            (None, None) => return Err(Error::invalid("expected `email` or `webhook`")),
        };
        let usual = Self::of(to);
        let on = match form.on {
            None => usual.on,
            Some(names) if names.is_empty() => {
                let names = Occasion::ALL.map(Occasion::as_str).join(", ");
                return Err(Error::invalid(format!("on is empty: expected some of {names}")));
            }
            Some(names) => {
                names.iter().map(|name| name.parse().map_err(Error::invalid)).collect::<Result<_>>()?
            }
        };
        let attach = form.attach.map(|name| attached(&name)).transpose()?;
        if let (Recipient::Webhook(_), Some(_)) = (&usual.to, attach) {
            return Err(Error::invalid("attach is given for a webhook: expected it for an e-mail only"));
        }
        Ok(Self {
            on,
            empty_results: form.empty_results.unwrap_or(usual.empty_results),
            query_details: form.query_details.unwrap_or(usual.query_details),
            attach,
            to: usual.to,
        })
    }
}

/// Whether the files that are to be attached are among those that a run writes.
///
/// # Errors
/// `Invalid` with the entry and what the run writes.
pub fn check_attached(notify: &[Notify], written: &[FileFormat]) -> Result<()> {
    for (at, format) in notify.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.attach?))) {
        if !written.contains(&format) {
            let names: Vec<_> = written.iter().map(|format| format.as_str()).collect();
            return Err(Error::invalid(format!(
                "notify[{at}]: attach is {format}, which the report is not written in: expected one of {}",
                names.join(", ")
            )));
        }
    }
    Ok(())
}

fn attached(name: &str) -> Result<FileFormat> {
    name.parse().map_err(|_| {
        let names: Vec<_> =
            FileFormat::PUBLISHED.into_iter().chain(FileFormat::EXTRA).map(FileFormat::as_str).collect();
        Error::invalid(format!("attach is {}: expected one of {}", shown(name), names.join(", ")))
    })
}

impl From<Notify> for NotifyForm {
    fn from(notify: Notify) -> Self {
        let Notify { to, on, empty_results, query_details, attach } = notify;
        let (email, webhook) = match to {
            Recipient::Email(address) => (Some(address), None),
            Recipient::Webhook(address) => (None, Some(address)),
        };
        Self {
            email,
            webhook,
            on: Some(on.into_iter().map(|occasion| occasion.as_str().to_owned()).collect()),
            empty_results: Some(empty_results),
            query_details: Some(query_details),
            attach: attach.map(|format| format.as_str().to_owned()),
        }
    }
}

/// An entry, and the client that asked for it: the notification is that client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The client.
    pub client: ClientId,
    /// The entry.
    pub notify: Notify,
}

/// Which notifications the settings allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifyPolicy {
    /// Whether there is a mail server.
    pub email: bool,
    /// The domains of e-mail addresses; none for any.
    pub domains: Vec<String>,
    /// Largest file that is attached, in bytes; 0 for none.
    pub attachment_bytes_max: u64,
    /// Whether webhooks may be at addresses of internal networks, and have plain HTTP.
    pub internal_networks: bool,
}

impl NotifyPolicy {
    /// Whether all entries of a list could be delivered, as far as the settings decide it.
    ///
    /// # Errors
    /// `Invalid` with the place of the first entry that could not, and for too many entries or a recipient that is named
    /// twice.
    pub fn check(&self, notify: &[Notify]) -> Result<()> {
        if notify.len() > NOTIFY_MAX {
            return Err(Error::invalid(format!(
                "notify has {} entries: expected at most {NOTIFY_MAX}",
                notify.len()
            )));
        }
        let mut seen = BTreeSet::new();
        for (at, entry) in notify.iter().enumerate() {
            if let Some(fault) = self.fault(entry) {
                return Err(Error::invalid(format!("notify[{at}]: {fault}")));
            }
            if !seen.insert(&entry.to) {
                return Err(Error::invalid(format!(
                    "notify[{at}]: {} has an entry already: expected one for each recipient",
                    entry.to.shown()
                )));
            }
        }
        Ok(())
    }

    /// Why an entry cannot be delivered, as far as the settings decide it.
    pub fn fault(&self, entry: &Notify) -> Option<String> {
        match &entry.to {
            Recipient::Email(_) if !self.email => {
                Some("there is no mail server: expected the setting mail.server".into())
            }
            Recipient::Email(address) if !self.has_domain_of(address) => Some(format!(
                "{} is at none of the domains that mail may go to: expected one of the setting mail.domains",
                shown(address)
            )),
            Recipient::Email(_) if entry.attach.is_some() && self.attachment_bytes_max == 0 => Some(
                "files are not attached: expected no `attach`, or a size for the setting mail.attachment_max"
                    .into(),
            ),
            Recipient::Webhook(url) if url.starts_with("http://") && !self.internal_networks => Some(
                "the webhook has plain HTTP: expected https, or the setting notifications.internal_networks"
                    .into(),
            ),
            Recipient::Email(_) | Recipient::Webhook(_) => None,
        }
    }

    fn has_domain_of(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.domains.is_empty() || self.domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> Result<Notify, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_is_read_and_written_alike() {
        let entry = read(r#"{"email":"ada@example.com"}"#).unwrap();
        assert_eq!(entry, Notify::of(Recipient::Email("ada@example.com".into())));
        let text = r#"{"webhook":"https://example.com:8443/a?b","on":["failure","change"],"emptyResults":false,"queryDetails":true}"#;
        let entry = read(text).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
        assert_eq!(read(r#"{"email":"a@b","attach":"csv"}"#).unwrap().attach, Some(FileFormat::Csv));
    }

    #[test]
    fn a_wrong_entry_is_refused_with_what_was_expected() {
        for (text, says) in [
            ("{}", "expected `email` or `webhook`"),
            (r#"{"email":"a@b","webhook":"https://c"}"#, "not both"),
            (r#"{"email":"a b@c"}"#, "expected one address such as"),
            (r#"{"email":"a@b@c"}"#, "expected one address such as"),
            (r#"{"email":"a@b\r\nBcc: x@y"}"#, "expected one address such as"),
            (r#"{"email":"a..b@c"}"#, "expected one address such as"),
            (r#"{"webhook":"ftp://c"}"#, "expected https://host/path"),
            (r#"{"webhook":"https://u:secret@c"}"#, "expected https://host/path"),
            (r#"{"webhook":"https:///path"}"#, "expected https://host/path"),
            (r#"{"email":"a@b","on":[]}"#, "on is empty: expected some of success, warning, failure, change"),
            (r#"{"email":"a@b","on":["sucess"]}"#, "on has \"sucess\": expected some of"),
            (r#"{"email":"a@b","attach":"doc"}"#, "attach is \"doc\": expected one of CSV, PDF, XLSX"),
            (r#"{"webhook":"https://c","attach":"CSV"}"#, "expected it for an e-mail only"),
            (r#"{"email":"a@b","colour":"red"}"#, "unknown field `colour`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_settings_decide_who_is_told() {
        let email = |address: &str| Notify::of(Recipient::email(address).unwrap());
        let hook = |url: &str| Notify::of(Recipient::webhook(url).unwrap());
        let check = |policy: &NotifyPolicy, entry: &Notify| {
            policy.check(std::slice::from_ref(entry)).map_err(|error| error.message)
        };
        let none = NotifyPolicy::default();
        assert!(check(&none, &email("a@b")).unwrap_err().contains("notify[0]: there is no mail server"));
        assert_eq!(check(&none, &hook("https://b")), Ok(()));
        assert!(check(&none, &hook("http://b")).unwrap_err().contains("plain HTTP"));
        let some = NotifyPolicy {
            email: true,
            domains: vec!["example.com".into()],
            attachment_bytes_max: 0,
            internal_networks: true,
        };
        assert_eq!(check(&some, &email("ada@EXAMPLE.com")), Ok(()));
        assert!(check(&some, &email("ada@example.com.evil")).unwrap_err().contains("mail.domains"));
        assert_eq!(check(&some, &hook("http://b")), Ok(()));
        let attached = Notify { attach: Some(FileFormat::Csv), ..email("ada@example.com") };
        assert!(check(&some, &attached).unwrap_err().contains("mail.attachment_max"));
        let twice = [email("ada@example.com"), email("ada@example.com")];
        assert!(
            some.check(&twice).unwrap_err().message.starts_with("notify[1]: ada@example.com has an entry")
        );
    }

    #[test]
    fn a_file_that_is_not_written_is_not_attached() {
        let entry = |attach| Notify { attach, ..Notify::of(Recipient::email("ada@example.com").unwrap()) };
        let told = [entry(None), entry(Some(FileFormat::Csv)), entry(Some(FileFormat::Xlsx))];
        check_attached(&told, &[FileFormat::Csv, FileFormat::Xlsx]).unwrap();
        let refused = check_attached(&told, &[FileFormat::Csv, FileFormat::Pdf]).unwrap_err().message;
        let words = "attach is XLSX, which the report is not written in: expected one of CSV, PDF";
        assert_eq!(refused, format!("notify[2]: {words}"));
    }

    #[test]
    fn a_webhook_is_shown_without_its_path() {
        let shown = |url: &str| Recipient::webhook(url).unwrap().shown().to_owned();
        assert_eq!(shown("https://example.com:8443/services/T0/secret?x"), "https://example.com:8443");
        assert_eq!(shown("https://example.com?token=secret"), "https://example.com");
        assert_eq!(shown("https://example.com"), "https://example.com");
    }
}
