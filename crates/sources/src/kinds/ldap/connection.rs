//! Opens, secures and binds a connection.

use std::path::Path;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};

use super::LdapSettings;
use crate::reader::ReadError;
use crate::secret::Secret;
use crate::tls;

/// The server's code for credentials that are wrong.
const INVALID_CREDENTIALS: u32 = 49;
/// The server's codes for a connection or a way to bind that is not safe enough for it.
const STRONGER_AUTH_REQUIRED: u32 = 8;
const CONFIDENTIALITY_REQUIRED: u32 = 13;

/// A bound connection; it is driven by a task of the current runtime and closed when the handle is dropped.
pub(super) async fn connect(
    settings: &LdapSettings,
    base_dir: &Path,
    password: Option<&Secret>,
) -> Result<Ldap, ReadError> {
    let time_limit = Duration::from_secs(settings.connect_timeout_s);
    match tokio::time::timeout(time_limit, connect_and_bind(settings, base_dir, password)).await {
        Ok(connected) => connected,
        Err(_) => Err(failed(
            settings,
            format!("no bound connection within {} seconds", settings.connect_timeout_s),
        )),
    }
}

async fn connect_and_bind(
    settings: &LdapSettings,
    base_dir: &Path,
    password: Option<&Secret>,
) -> Result<Ldap, ReadError> {
    let mut options = LdapConnSettings::new();
    if settings.is_secured() {
        let ca_file = settings.ca_file.as_ref().map(|file| base_dir.join(file));
        options = options.set_config(tls::client_config(ca_file.as_deref())?).set_starttls(settings.starttls);
    }
    let (connection, mut ldap) = LdapConnAsync::with_settings(options, &settings.url)
        .await
        .map_err(|error| failed(settings, format!("no connection: {error}")))?;
    // It ends with the connection, and with the runtime of this read at the latest.
    tokio::spawn(async move { connection.drive().await });
    let name = settings.bind_dn.as_deref().unwrap_or_default();
    let bound = ldap
        .simple_bind(name, password.map_or("", Secret::reveal))
        .await
        .map_err(|error| failed(settings, format!("the bind had no answer: {error}")))?;
    let refused = match bound.rc {
        0 => return Ok(ldap),
        INVALID_CREDENTIALS => "name or password is wrong",
        STRONGER_AUTH_REQUIRED | CONFIDENTIALITY_REQUIRED => "the server wants a secured connection",
        _ => "the server does not accept it",
    };
    let text = super::search::server_text(&bound);
    let text = password.map_or_else(|| text.clone(), |password| password.hidden_in(&text));
    Err(failed(settings, format!("bind as {name:?} refused: {refused} ({text})")))
}

pub(super) fn failed(settings: &LdapSettings, reason: String) -> ReadError {
    ReadError::Remote { place: settings.url.clone(), reason }
}
