//! Keeps a policy for separation of duties, reports who violates it, and fetches the list as a zip archive:
//!
//! ```sh
//! cargo run --example separation_of_duties -- 'department:Finance AND NOT @access(name:"SOX training")' violations.zip
//! ```

use muster_client::wire::{SodPolicy, SodPolicyType};
use muster_client::{Client, Configuration, Error, Paging, succeeded};
use std::time::Duration;

const NAME: &str = "Finance without training";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(query), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("expected a query and the name of a file".into());
    };
    let client = Client::new(Configuration::from_env()?)?;
    let id = kept(&client, NAME, &query).await?;
    let (rows, archive) = violations(&client, &id).await?;
    tokio::fs::write(&file, archive).await?;
    println!("{rows} violations of {NAME:?}: {file}");
    Ok(())
}

/// The id of a policy with this name and query, which is made or changed if it has to be.
pub async fn kept(client: &Client, name: &str, query: &str) -> Result<String, Error> {
    let policies = client.sod_policies();
    let wanted = SodPolicy {
        name: Some(name.to_owned()),
        kind: Some(SodPolicyType::General),
        policy_query: Some(query.to_owned()),
        ..SodPolicy::default()
    };
    let filter = format!("name eq \"{name}\"");
    let found = policies.list(Some(&filter), Paging::first(1)).await?.items;
    let policy = match found.first().and_then(|policy| policy.id.as_deref()) {
        Some(id) => policies.replace(id, &wanted).await?,
        None => policies.create(&wanted).await?,
    };
    policy.id.ok_or_else(|| Error::Answer("the policy has no id".into()))
}

/// Rows of the report of a policy, and its archive.
pub async fn violations(client: &Client, policy: &str) -> Result<(i64, Vec<u8>), Error> {
    let report = client.sod_policies().run(policy).await?;
    let id = report.id.ok_or_else(|| Error::Answer("the report has no id".into()))?;
    // A report of violations is a report: its id is that of a task result.
    let result = client.reports().wait(&id, Duration::from_millis(200), Duration::from_secs(600)).await?;
    let rows = succeeded(result)?.rows.unwrap_or_default();
    let mut archive = Vec::new();
    client.sod_policies().download(&id, None, &mut archive).await?;
    Ok((rows, archive))
}
