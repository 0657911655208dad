//! Searches identities, and reads all that are found, page by page as they are taken:
//!
//! ```sh
//! cargo run --example search -- 'attributes.department:Finance'
//! ```

use futures_util::{StreamExt, TryStreamExt};
use muster_client::wire::SearchIndex;
use muster_client::{Client, Configuration, Error, search_for};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let query = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let client = Client::new(Configuration::from_env()?)?;
    for name in names(&client, &query).await? {
        println!("{name}");
    }
    Ok(())
}

/// The names of all identities that a query finds, in the order of their ids.
pub async fn names(client: &Client, query: &str) -> Result<Vec<String>, Error> {
    let search = search_for([SearchIndex::Identities], query);
    let found = Box::pin(client.search().count(&search)).await?;
    eprintln!("{found} identities are found");
    // Nothing but one page is in memory, however many there are.
    client
        .search()
        .stream(&search)?
        .boxed()
        .map_ok(|document| document.0["name"].as_str().unwrap_or_default().to_owned())
        .try_collect()
        .await
}
