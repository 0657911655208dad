//! Who has left, and which accounts went with them:
//!
//! ```sh
//! cargo run --example leavers
//! ```

use futures_util::TryStreamExt;
use muster_client::wire::{AccessItemResponse, AccessItemType, IdentityEvent, IdentityListItem};
use muster_client::{Client, Configuration, Error, EventFilter, IdentityFilter, Paging};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(Configuration::from_env()?)?;
    for (person, accounts) in leavers(&client).await? {
        println!("{person}: {}", accounts.join(", "));
    }
    Ok(())
}

/// Each person who has left, with the accounts that the person has lost.
pub async fn leavers(client: &Client) -> Result<Vec<(String, Vec<String>)>, Error> {
    let history = client.identity_history();
    let left = IdentityFilter { deleted: Some(true), ..IdentityFilter::default() };
    let people: Vec<IdentityListItem> = history.stream(&left)?.try_collect().await?;
    let of_accounts = EventFilter {
        event_types: vec!["AccessItemRemoved".to_owned()],
        access_item_types: vec![AccessItemType::Account],
        ..EventFilter::default()
    };
    let mut leavers = Vec::new();
    for person in people {
        let Some(id) = person.id else { continue };
        let events = history.events(&id, &of_accounts, Paging::first(250)).await?.items;
        let accounts = events.into_iter().filter_map(|event| {
            let IdentityEvent::Removed(lost) = event else { return None };
            let AccessItemResponse::Account(account) = lost.access_item else { return None };
            Some(account.native_identity)
        });
        leavers.push((person.display_name.unwrap_or(id), accounts.collect()));
    }
    Ok(leavers)
}
