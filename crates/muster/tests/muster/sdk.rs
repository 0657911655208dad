//! The examples of the Rust SDK, against a real service.

use crate::reports::Installation;
use crate::{muster, path, succeeds};
use muster_client::{Client, Configuration, Credentials};

/// An example as strangers read it. Its `main` takes address and credential from the environment.
macro_rules! example {
    ($name:ident, $file:literal) => {
        #[expect(dead_code, reason = "its main is not called")]
        #[path = $file]
        mod $name;
    };
}

example!(leavers, "../../../client/examples/leavers.rs");
example!(run_report, "../../../client/examples/run_report.rs");
example!(search, "../../../client/examples/search.rs");
example!(separation_of_duties, "../../../client/examples/separation_of_duties.rs");
example!(tasks, "../../../client/examples/tasks.rs");

fn client(installation: &Installation) -> Client {
    let [_, base_url, _, id, _, secret] = &installation.service.client[..] else { panic!("three arguments") };
    Client::new(Configuration::new(base_url, Credentials::client(id, secret))).unwrap()
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let installation = Installation::new(2);
    let client = client(&installation);

    let file = installation.dir.path().join("identities.csv");
    let download = run_report::fetch_identities(&client, &file).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(download.verified && download.bytes == text.len() as u64, "{download:?}");
    assert!(text.contains("Ada") && text.contains("Cy"), "{text}");
    assert!(tasks::live(&client).await.unwrap().is_empty());

    let mut names = search::names(&client, "*").await.unwrap();
    names.sort();
    assert_eq!(names, ["Ada", "Cy"]);
    assert_eq!(search::names(&client, "name:Ada").await.unwrap(), ["Ada"]);

    let policy = separation_of_duties::kept(&client, "Nobody is Ada", "name:Ada").await.unwrap();
    let (rows, archive) = separation_of_duties::violations(&client, &policy).await.unwrap();
    assert_eq!((rows, &archive[..2]), (1, &b"PK"[..]));
    // The same policy again, with another query.
    assert_eq!(separation_of_duties::kept(&client, "Nobody is Ada", "name:Nobody").await.unwrap(), policy);
    assert_eq!(separation_of_duties::violations(&client, &policy).await.unwrap().0, 0);

    assert!(leavers::leavers(&client).await.unwrap().is_empty());
    std::fs::write(path(&installation.dir, "people.csv"), "id,name\n1,Ada\n").unwrap();
    succeeds(&muster(&installation.data, &["refresh", "--accept-losses", "--accept-missing", "People"]));
    assert_eq!(leavers::leavers(&client).await.unwrap(), [("Cy".to_owned(), vec!["3".to_owned()])]);
}

/// No worker: the report waits until the example cancels it.
#[tokio::test]
async fn an_example_cancels_what_waits() {
    let installation = Installation::new(0);
    let client = client(&installation);
    succeeds(&installation.report(&["run", "IDENTITIES"]));
    let [task] = &tasks::live(&client).await.unwrap()[..] else { panic!("one task") };
    let name = task.unique_name.clone();
    assert_eq!(tasks::cancel(&client, "another").await.unwrap(), 0);
    assert_eq!(tasks::cancel(&client, &name).await.unwrap(), 1);
    assert!(tasks::live(&client).await.unwrap().is_empty());
}
