//! `muster env` and `muster login`: services and clients that are kept under names.

use crate::api::Api;
use crate::cli::{EnvCommand, LoginArgs};
use crate::environments::{BASE_URL, Environment, Environments, Reached, file};
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, print, text};
use crate::prompt;
use crate::secret_command::SECRET_MAX;
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Does what `command` says.
pub fn run(command: &EnvCommand, output: Output) -> Result {
    let path = file(variable)?;
    let mut kept = Environments::load(&path)?;
    match command {
        EnvCommand::Add(args) => {
            let environment = wanted(args, kept.environments.get(&args.name))?;
            keep(&mut kept, args, environment, &path)?;
            let used = match kept.active.as_deref() == Some(args.name.as_str()) {
                true => "in use".to_owned(),
                false => format!("`muster env use {}` uses it", args.name),
            };
            print(&format!("service {:?} is kept; {used}", args.name))
        }
        EnvCommand::Use { name } => {
            let url = kept.named(name)?.base_url.clone();
            kept.active = Some(name.clone());
            kept.save(&path)?;
            print(&format!("service {name:?} at {url} is in use"))
        }
        EnvCommand::List => list(&kept, output),
        EnvCommand::Remove { name } => {
            kept.named(name)?;
            kept.environments.remove(name);
            if kept.active.as_ref() == Some(name) {
                kept.active = None;
            }
            kept.save(&path)?;
            print(&format!("service {name:?} is forgotten"))
        }
    }
}

/// Checks a client with its service, keeps both, and uses them from now on.
pub async fn login(args: &LoginArgs) -> Result {
    let path = file(variable)?;
    let mut kept = Environments::load(&path)?;
    let environment = wanted(args, kept.environments.get(&args.name))?;
    let url = environment.base_url.clone();
    let origin = format!("the client {}", environment.client_id);
    Api::of(Reached { environment: environment.clone().with_secret()?, origin })?.authenticate().await?;
    kept.active = Some(args.name.clone());
    keep(&mut kept, args, environment, &path)?;
    print(&format!("{url} accepts the client; it is kept as {:?} and in use", args.name))
}

fn keep(kept: &mut Environments, args: &LoginArgs, environment: Environment, path: &Path) -> Result {
    kept.environments.insert(args.name.clone(), environment);
    kept.active.get_or_insert_with(|| args.name.clone());
    kept.save(path)
}

/// What the flags say, else what is kept under the name, else what the person types. A secret that is kept is not used with
/// another address or client.
fn wanted(args: &LoginArgs, before: Option<&Environment>) -> Result<Environment> {
    if args.name.trim().is_empty() {
        return Err(Failure::usage("the name is blank: expected one, such as production"));
    }
    let base_url = args.base_url.clone().or_else(|| before.map(|kept| kept.base_url.clone()));
    let base_url = base_url.unwrap_or_else(|| BASE_URL.into());
    let same_url = before.filter(|kept| kept.base_url == base_url);
    let client_id = args.client_id.clone().or_else(|| variable("MUSTER_CLIENT_ID"));
    let client_id = match client_id.or_else(|| same_url.map(|kept| kept.client_id.clone())) {
        Some(id) => id,
        None => prompt::asked("client id", "--client-id")?,
    };
    let client_secret = match (&args.secret_command, &args.secret_file, variable("MUSTER_CLIENT_SECRET")) {
        (Some(_), _, _) => String::new(),
        (None, Some(file), _) => secret_in(file)?,
        (None, None, Some(secret)) => secret,
        (None, None, None) => prompt::asked_secretly("client secret", "--secret-file")?,
    };
    let ca_file = match &args.ca_file {
        Some(file) => Some(file.canonicalize().context(|| format!("{} cannot be read", file.display()))?),
        None => same_url.and_then(|kept| kept.ca_file.clone()),
    };
    Ok(Environment {
        base_url,
        client_id,
        client_secret,
        secret_command: args.secret_command.clone(),
        ca_file,
    })
}

fn secret_in(file: &Path) -> Result<String> {
    let wrong = || format!("{} cannot be read", file.display());
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().take(SECRET_MAX).read_to_string(&mut text).context(wrong)?;
    } else {
        let opened = std::fs::File::open(file).context(wrong)?;
        opened.take(SECRET_MAX).read_to_string(&mut text).context(wrong)?;
    }
    match text.trim() {
        "" => Err(Failure::usage(format!("{} is empty: expected a client secret in a line", file.display()))),
        secret => Ok(secret.to_owned()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    name: &'a str,
    active: bool,
    base_url: &'a str,
    client_id: &'a str,
    ca_file: Option<&'a PathBuf>,
}

fn list(kept: &Environments, output: Output) -> Result {
    let listed: Vec<_> = kept
        .environments
        .iter()
        .map(|(name, environment)| Listed {
            name,
            active: kept.active.as_ref() == Some(name),
            base_url: &environment.base_url,
            client_id: &environment.client_id,
            ca_file: environment.ca_file.as_ref(),
        })
        .collect();
    output.list(&listed, &["name", "in use", "base URL", "client id"].map(text), |listed| {
        vec![
            listed.name.into(),
            if listed.active { "yes" } else { "" }.into(),
            listed.base_url.into(),
            listed.client_id.into(),
        ]
    })
}
