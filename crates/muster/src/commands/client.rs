//! `muster client`: credentials of the token endpoint.

use crate::cli::{ClientCommand, ClientCreateArgs, ClientKind};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::ids::{SystemIds, fresh_secret};
use crate::output::{Output, json, print, text};
use muster_http::hmac_secret;
use muster_reports::Catalogue;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{
    AuditorLimits, Caller, CallerKind, DataScope, Period, Scope, UserIdentity, UserLevel,
};
use muster_reports::ids::{ClientId, ReportId};
use muster_reports::nearest;
use muster_reports::ports::{Clock, Credential, Credentials, Ids, Registry, SnapshotCatalogue};
use serde::Serialize;

/// Does what `command` says.
pub async fn run(command: &ClientCommand, settings: &Settings, output: Output) -> Result {
    match command {
        ClientCommand::Create(args) => {
            let data = DataDir::open_or_make(settings).await?;
            let sources = sources(&data, &args.sources).await?;
            let catalogue = data.catalogue()?;
            json(&create(&data, NewClient::from_args(args, &sources, &catalogue)?).await?)
        }
        ClientCommand::List => list(&DataDir::open(settings).await?, output).await,
        ClientCommand::Disable { id } => disable(&DataDir::open(settings).await?, id).await,
    }
}

/// A credential to create.
pub struct NewClient {
    /// The user, for a personal access token.
    pub user: Option<UserIdentity>,
    /// What it grants.
    pub scopes: Vec<Scope>,
    /// The rows it may see.
    pub data_scope: DataScope,
    /// What it is for.
    pub description: String,
    /// How long its tokens are valid, in seconds; `None` means as long as the settings say.
    pub token_lifetime_s: Option<u32>,
}

/// A new credential. Its secret is shown only now.
#[derive(Serialize)]
pub struct Created {
    /// Client id.
    pub id: String,
    /// Client secret; it is kept as a keyed hash only.
    pub secret: String,
    /// Kind of credential.
    pub kind: CallerKind,
    /// The user's name, or what the application is for.
    pub name: String,
    /// What it grants.
    pub scopes: Vec<Scope>,
    /// How long its tokens are valid, in seconds.
    #[serde(rename = "accessTokenValiditySeconds")]
    pub token_lifetime_s: u64,
}

/// The ids of the sources that a person gave by name or id. An unknown source is refused, because the client would see
/// nothing.
pub async fn sources(data: &DataDir, named: &[String]) -> Result<Vec<String>> {
    let mut known: Vec<(String, String)> = Vec::new();
    if !named.is_empty() {
        let registered = data.store.sources(&data.tenant).await?;
        known.extend(registered.into_iter().map(|source| (source.id.to_string(), source.name)));
        // A source that was removed is still in reports until the next refresh.
        if let Some(newest) = data.store.newest(&data.tenant).await? {
            known.extend(newest.sources.iter().map(|source| (source.id.to_string(), source.name.clone())));
        }
    }
    let found =
        named.iter().map(|name| nearest::source(name, &known, |(id, name)| (id.as_str(), name.as_str())));
    let ids: Result<_, _> = found.map(|found| found.map(|(id, _)| id.clone())).collect();
    ids.map_err(|unknown| Failure::usage(format!("--source: {unknown}")))
}

impl NewClient {
    fn from_args(args: &ClientCreateArgs, sources: &[String], catalogue: &Catalogue) -> Result<Self> {
        if args.name.trim().is_empty() {
            return Err(Failure::usage("--name is blank: expected a name"));
        }
        let audit = limits(args, catalogue)?;
        let user = match args.kind {
            Some(ClientKind::User) | None => Some(UserIdentity {
                id: args.identity_id.clone().unwrap_or_else(|| SystemIds.fresh()),
                name: args.name.clone(),
                levels: if args.levels.is_empty() { vec![UserLevel::User] } else { args.levels.clone() },
                audit,
            }),
            Some(ClientKind::Application) if !args.levels.is_empty() || args.identity_id.is_some() => {
                return Err(Failure::usage(
                    "--level and --identity-id are a user's: expected --kind user with them",
                ));
            }
            Some(ClientKind::Application) => None,
        };
        let description = match (&user, args.description.is_empty()) {
            (None, true) => args.name.clone(),
            (None, false) => format!("{}: {}", args.name, args.description),
            (Some(_), _) => args.description.clone(),
        };
        let data_scope = match sources {
            [] if user.as_ref().is_some_and(UserIdentity::is_source_administrator) => {
                return Err(Failure::usage(
                    "a source administrator sees rows of named sources only: expected --source with the level",
                ));
            }
            [] => DataScope::Everything,
            ids => DataScope::of_sources(ids.iter().map(String::as_str))
                .map_err(|error| Failure::usage(format!("--source: {}", error.message)))?,
        };
        let is_auditor = user.as_ref().is_some_and(UserIdentity::is_auditor);
        let scopes = match &args.scopes[..] {
            [] if is_auditor => vec![Scope::ReportRead],
            [] => return Err(Failure::usage("--scope is missing: expected one or more scopes")),
            scopes => scopes.to_vec(),
        };
        let token_lifetime_s = args.token_lifetime;
        Ok(Self { user, scopes, data_scope, description, token_lifetime_s })
    }
}

/// The limits of an auditor; none for others.
fn limits(args: &ClientCreateArgs, catalogue: &Catalogue) -> Result<Option<Box<AuditorLimits>>> {
    if !args.levels.contains(&UserLevel::Auditor) {
        let given = args.from.or(args.to).or(args.ends);
        if given.is_some() || !args.reports.is_empty() {
            return Err(Failure::usage(
                "--from, --to, --reports and --ends are an auditor's: expected --level auditor with them",
            ));
        }
        return Ok(None);
    }
    if args.levels.iter().any(|level| *level != UserLevel::Auditor) {
        return Err(Failure::usage("an auditor has other levels: expected --level auditor alone"));
    }
    let (Some(from), Some(to), Some(ends), false) = (args.from, args.to, args.ends, args.reports.is_empty())
    else {
        return Err(Failure::usage(
            "an auditor needs limits: expected all of --from, --to, --reports and --ends",
        ));
    };
    if ends <= SystemClock.now() {
        return Err(Failure::usage(format!("--ends {}: expected a time to come", ends.to_rfc3339())));
    }
    let reports = args.reports.iter().map(|named| {
        let report = catalogue.definition(&ReportId::new(named.trim()));
        report
            .map(|found| found.id.clone())
            .map_err(|error| Failure::usage(format!("--reports: {}", error.message)))
    });
    let reports = reports.collect::<Result<Vec<_>>>()?;
    let limits = AuditorLimits::new(Period { from, to }, reports, ends);
    Ok(Some(Box::new(limits.map_err(|error| Failure::usage(error.message))?)))
}

/// Creates a credential.
pub async fn create(data: &DataDir, new: NewClient) -> Result<Created> {
    let (id, secret) = (SystemIds.fresh(), fresh_secret());
    let caller = Caller {
        tenant: data.tenant.clone(),
        client: ClientId::new(&id),
        user: new.user,
        scopes: new.scopes,
        data_scope: new.data_scope,
        trace: None,
    };
    let credential = Credential {
        secret_hmac: hmac_secret(&data.secret_key()?, &secret),
        enabled: true,
        token_lifetime_s: new.token_lifetime_s,
        created: SystemClock.now(),
        description: new.description,
        caller,
    };
    let details = credential_text(&credential.caller);
    let event = data.event(AuditOperation::CredentialCreated, &id, details);
    data.store.create(&credential, &event).await?;
    let kind = credential.caller.kind();
    let name = credential.caller.user.map_or(credential.description, |user| user.name);
    let token_lifetime_s = lifetime_s(data, credential.token_lifetime_s);
    Ok(Created { id, secret, kind, name, scopes: credential.caller.scopes, token_lifetime_s })
}

fn lifetime_s(data: &DataDir, own: Option<u32>) -> u64 {
    own.map_or(data.settings.auth.token_lifetime_s, u64::from)
}

/// What a credential grants, for the audit trail.
fn credential_text(caller: &Caller) -> String {
    let scopes: Vec<_> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
    let rows = &caller.data_scope;
    match &caller.user {
        Some(user) => {
            let levels: Vec<_> = user.levels.iter().map(|level| level.as_str()).collect();
            let limits =
                user.audit.as_ref().map(|limits| format!(", auditor of {limits}")).unwrap_or_default();
            format!(
                "user {:?}, levels {}, scopes {}, rows {rows}{limits}",
                user.name,
                levels.join(" "),
                scopes.join(" ")
            )
        }
        None => format!("application, scopes {}, rows {rows}", scopes.join(" ")),
    }
}

#[derive(Serialize)]
struct Listed {
    id: String,
    kind: CallerKind,
    name: String,
    levels: Vec<UserLevel>,
    scopes: Vec<Scope>,
    rows: String,
    /// Of an auditor: period, reports and end.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<String>,
    #[serde(rename = "accessTokenValiditySeconds")]
    token_lifetime_s: u64,
    enabled: bool,
    created: String,
    description: String,
}

async fn list(data: &DataDir, output: Output) -> Result {
    let listed: Vec<_> = data
        .store
        .credentials(&data.tenant)
        .await?
        .into_iter()
        .map(|credential| {
            let kind = credential.caller.kind();
            let limits = credential.caller.auditor().map(ToString::to_string);
            let user = credential.caller.user;
            Listed {
                id: credential.caller.client.to_string(),
                kind,
                levels: user.as_ref().map(|user| user.levels.clone()).unwrap_or_default(),
                limits,
                name: user.map(|user| user.name).unwrap_or_default(),
                rows: credential.caller.data_scope.to_string(),
                scopes: credential.caller.scopes,
                token_lifetime_s: lifetime_s(data, credential.token_lifetime_s),
                enabled: credential.enabled,
                created: credential.created.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                description: credential.description,
            }
        })
        .collect();
    let columns =
        ["id", "kind", "name", "levels", "scopes", "rows", "enabled", "created", "description"].map(text);
    output.list(&listed, &columns, |client| {
        let kind = match client.kind {
            CallerKind::User => "user",
            CallerKind::Application => "application",
        };
        vec![
            client.id.clone(),
            kind.into(),
            client.name.clone(),
            client.levels.iter().map(|level| level.as_str()).collect::<Vec<_>>().join(", "),
            client.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
            match &client.limits {
                None => client.rows.clone(),
                Some(limits) => format!("{}; {limits}", client.rows),
            },
            if client.enabled { "yes" } else { "no" }.into(),
            client.created.clone(),
            client.description.clone(),
        ]
    })
}

/// The client that a person named: by its id, or by the name of its user or what an application is for, where one that is
/// not disabled has it.
///
/// # Errors
/// When there is none, or the name is that of several.
pub async fn named(data: &DataDir, named: &str) -> Result<Credential> {
    let all = data.store.credentials(&data.tenant).await?;
    if let Some(found) = all.iter().find(|credential| credential.caller.client.as_str() == named) {
        return Ok(found.clone());
    }
    let name = |credential: &Credential| {
        credential
            .caller
            .user
            .as_ref()
            .map_or_else(|| credential.description.clone(), |user| user.name.clone())
    };
    let found: Vec<_> =
        all.iter().filter(|credential| credential.enabled && name(credential) == named).collect();
    match found[..] {
        [found] => Ok(found.clone()),
        [] => {
            let names: Vec<_> = all.iter().map(name).collect();
            let near = nearest::hint(named, names.iter().map(String::as_str));
            Err(Failure::not_found(format!(
                "there is no client {named:?}{near}; `muster client list` lists them"
            )))
        }
        [_, _, ..] => {
            let ids: Vec<_> = found.iter().map(|credential| credential.caller.client.as_str()).collect();
            Err(Failure::usage(format!(
                "{named:?} is the name of several clients: expected one of the ids {}",
                ids.join(", ")
            )))
        }
    }
}

async fn disable(data: &DataDir, client: &str) -> Result {
    let client = named(data, client).await?.caller.client;
    let id = client.as_str();
    let event = data.event(AuditOperation::CredentialDisabled, id, String::new());
    if !data.store.disable(&client, &event).await? {
        return Err(Failure::not_found(format!("there is no client {id:?}")));
    }
    print(&format!("client {id} is disabled"))
}
