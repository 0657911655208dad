//! Lists the reports that wait or run, and cancels those that nobody seems to wait for:
//!
//! ```sh
//! cargo run --example tasks -- 'Identities Report'
//! ```

use futures_util::TryStreamExt;
use muster_client::wire::TaskStatus;
use muster_client::{Client, Configuration, Error, TaskFilter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(Configuration::from_env()?)?;
    for task in live(&client).await? {
        println!("{}  {}  {} %", task.id, task.unique_name, task.percent_complete);
    }
    if let Some(name) = std::env::args().nth(1) {
        println!("{} cancelled", cancel(&client, &name).await?);
    }
    Ok(())
}

/// The tasks that wait or run.
pub async fn live(client: &Client) -> Result<Vec<TaskStatus>, Error> {
    let filter = TaskFilter { live: true, ..TaskFilter::default() };
    client.tasks().stream(&filter)?.try_collect().await
}

/// Cancels the live tasks of a report, and says how many there were.
pub async fn cancel(client: &Client, name: &str) -> Result<usize, Error> {
    let mut cancelled = 0;
    for task in live(client).await?.into_iter().filter(|task| task.unique_name == name) {
        match client.tasks().terminate(&task.id).await {
            Ok(_) => cancelled += 1,
            // It has ended meanwhile.
            Err(Error::Refused(refusal)) if refusal.status == 400 => {
                eprintln!("{}: {}", task.id, refusal.text)
            }
            Err(error) => return Err(error),
        }
    }
    Ok(cancelled)
}
