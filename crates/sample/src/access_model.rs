//! The access model: access profiles made of the sources' entitlements, and roles made of those, as search
//! documents.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use muster_sources::SourceDefinition;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::people::{Person, Population};
use crate::{DocumentsSummary, definitions};

/// An access profile: its name, its source's name, and the entitlements' attribute and values.
type AccessProfile = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ACCESS_PROFILES: [AccessProfile; 6] = [
    (
        "Build Engineer",
        "Active Directory",
        "memberOf",
        &["CN=build-farm,OU=Groups,DC=example,DC=com", "CN=on-call,OU=Groups,DC=example,DC=com"],
    ),
    (
        "Remote Work",
        "Active Directory",
        "memberOf",
        &["CN=vpn,OU=Groups,DC=example,DC=com", "CN=travel,OU=Groups,DC=example,DC=com"],
    ),
    ("Finance Clerk", "SAP ERP", "AGR_NAMES", &["Z_FI_CLERK", "Z_CO_REPORTS"]),
    ("Purchasing", "SAP ERP", "AGR_NAMES", &["Z_MM_BUYER"]),
    ("Sales Campaigns", "Salesforce", "PermissionSets", &["Campaigns", "Forecasts"]),
    ("Warehouse Analyst", "Data Warehouse", "GRANTED_ROLES", &["ANALYST", "FINANCE_READ"]),
];

/// A role: its name, what it is for, whether it can be given, and its access profiles.
type Role = (&'static str, &'static str, bool, &'static [&'static str]);

const ROLES: [Role; 4] = [
    ("Engineering", "Builds and runs the products", true, &["Build Engineer", "Remote Work"]),
    ("Finance", "Keeps the books and reports on them", true, &["Finance Clerk", "Warehouse Analyst"]),
    ("Procurement", "Buys; Finance is to take it over", false, &["Purchasing"]),
    ("Sales", "Sells, also from abroad", true, &["Sales Campaigns", "Remote Work"]),
];

/// When everything in the model was made: time comes from nowhere else.
const CREATED: &str = "2024-01-15T09:00:00.000Z";

/// The fields that access profiles and roles share.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, Rest> {
    #[serde(rename = "_type")]
    kind: &'static str,
    id: String,
    name: &'static str,
    description: String,
    created: &'static str,
    modified: &'static str,
    enabled: bool,
    requestable: bool,
    owner: Owner<'a>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
struct Owner<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    email: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessProfileRest {
    source: Reference,
    entitlements: Vec<Entitlement>,
    entitlement_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleRest {
    access_profiles: Vec<Reference>,
    access_profile_count: usize,
}

#[derive(Serialize)]
struct Reference {
    id: String,
    name: &'static str,
}

#[derive(Serialize)]
struct Entitlement {
    id: String,
    name: &'static str,
    attribute: &'static str,
    value: &'static str,
}

/// Writes the model; the first employee owns all of it.
pub(crate) fn write(dir: &Path, population: Population) -> io::Result<DocumentsSummary> {
    std::fs::write(dir.join("access-model.toml"), definitions::ACCESS_MODEL)?;
    let mut file = BufWriter::new(File::create(dir.join("access-model.ndjson"))?);
    let owner = population.employee(0);
    for (name, source, attribute, values) in ACCESS_PROFILES {
        let entitlements: Vec<_> = values
            .iter()
            .map(|value| Entitlement {
                id: entitlement_id(&source_id(source), attribute, value),
                name: short(value),
                attribute,
                value,
            })
            .collect();
        let rest = AccessProfileRest {
            source: Reference { id: source_id(source), name: source },
            entitlement_count: entitlements.len(),
            entitlements,
        };
        let description = format!("{name} on {source}");
        line(&mut file, &document("accessprofile", name, description, true, &owner, rest))?;
    }
    for (name, description, enabled, profiles) in ROLES {
        let access_profiles: Vec<_> =
            profiles.iter().map(|name| Reference { id: id("accessprofile", name), name }).collect();
        let rest = RoleRest { access_profile_count: access_profiles.len(), access_profiles };
        line(&mut file, &document("role", name, description.to_owned(), enabled, &owner, rest))?;
    }
    file.flush()?;
    Ok(DocumentsSummary {
        name: "Access Model".to_owned(),
        definition: "access-model.toml".to_owned(),
        access_profiles: ACCESS_PROFILES.len() as u64,
        roles: ROLES.len() as u64,
    })
}

fn document<'a, Rest>(
    kind: &'static str,
    name: &'static str,
    description: String,
    enabled: bool,
    owner: &'a Person,
    rest: Rest,
) -> Document<'a, Rest> {
    Document {
        kind,
        id: id(kind, name),
        name,
        description,
        created: CREATED,
        modified: CREATED,
        enabled,
        requestable: enabled,
        owner: Owner { kind: "IDENTITY", name: &owner.login, email: &owner.email },
        rest,
    }
}

fn line(file: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, document)?;
    file.write_all(b"\n")
}

/// The id that refresh gives the entitlement: 32 hex digits of SHA-256 over its parts, each with its length before
/// it.
fn entitlement_id(source: &str, attribute: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["entitlement", source, attribute, value] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(32);
    text
}

/// 32 hex digits that follow from kind and name, as those of sources do.
fn id(kind: &str, name: &str) -> String {
    let mut text = hex::encode(Sha256::digest(format!("{kind}:{name}")));
    text.truncate(32);
    text
}

/// The id of a source of the organisation; the directory's definition gives its own.
fn source_id(name: &str) -> String {
    if name == "Active Directory" {
        definitions::DIRECTORY_ID.to_owned()
    } else {
        SourceDefinition::derived_id(name)
    }
}

/// A group by its common name, anything else as it is.
fn short(value: &'static str) -> &'static str {
    value.strip_prefix("CN=").and_then(|name| name.split(',').next()).unwrap_or(value)
}
