//! The mark that a database and the folder of its files have in common.
//!
//! Why: what no record names is taken for left over. A service over an empty or another database would take everything
//! in the folder for that.

use super::{folder, keys};
use crate::failure::{Context, Failure, Result};
use muster_reports::ids::hex;
use muster_runs::trash;
use muster_store::Store;
use std::io::ErrorKind;
use std::path::Path;

/// The file of the folder's mark.
pub const MARK: &str = "installation";

/// Sees to it that database and folder belong together; gives both a mark where neither has one yet. With `adopt` the
/// database gets the folder's mark whatever it had.
///
/// # Errors
/// When they do not belong together: the text says which of them is what, and the way out.
pub async fn pair(store: &Store, shared: &Path, adopt: bool) -> Result {
    let database = store.installation().await?;
    let kept = read(shared)?;
    if !adopt {
        refuse_strangers(&database, kept.as_deref(), shared)?;
    }
    let mark = match kept {
        Some(mark) => mark,
        None => {
            keys::put_once(shared, MARK, &hex(&keys::fresh()[..16]))?;
            read(shared)?.ok_or_else(|| Failure::new("the mark of the folder has gone away"))?
        }
    };
    // Another process may have been first.
    if database.id.as_ref() != Some(&mark) && store.mark_installation(&mark, adopt).await? != mark {
        return Err(strangers(shared));
    }
    Ok(())
}

fn refuse_strangers(database: &muster_store::Installation, kept: Option<&str>, shared: &Path) -> Result {
    let folder = shared.display();
    match (database.id.as_deref(), kept) {
        (Some(database), Some(folder)) if database == folder => Ok(()),
        (Some(_), Some(_)) => Err(strangers(shared)),
        (Some(_), None) => Err(Failure::new(format!(
            "the database belongs to an installation whose folder is another than {folder}: {EXPECTED}"
        ))),
        (None, Some(_)) if !database.is_empty => Err(strangers(shared)),
        (None, _) if database.is_empty && has_files(shared)? => Err(Failure::new(format!(
            "the database is empty, and {folder} has the tables or results of another one: {EXPECTED}"
        ))),
        (None, _) => Ok(()),
    }
}

const EXPECTED: &str = "expected the two that belong together (settings store.url, data.dir and data.shared; a backup has \
                        both); `muster serve --adopt` joins them all the same";

fn strangers(shared: &Path) -> Failure {
    Failure::new(format!(
        "the database and the folder {} belong to different installations: {EXPECTED}",
        shared.display()
    ))
}

fn read(shared: &Path) -> Result<Option<String>> {
    let path = shared.join(MARK);
    let Some(text) = folder::secret(&path)? else { return Ok(None) };
    let mark = text.trim_end();
    if mark.len() != 32 || !mark.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(format!("{} is damaged: expected 32 hex digits", path.display())));
    }
    Ok(Some(mark.to_owned()))
}

/// Whether the folder has files that only a record's name keeps.
fn has_files(shared: &Path) -> Result<bool> {
    for name in ["results", "tables"] {
        let folder = shared.join(name);
        let unreadable = || format!("folder {} cannot be listed", folder.display());
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.context(unreadable)?,
        };
        for entry in entries {
            if entry.context(unreadable)?.file_name() != trash::FOLDER {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_store::{Place, Settings};
    use muster_testkit::{acts, build};
    use std::path::PathBuf;

    /// A temporary folder for databases and the folders that belong to them.
    struct TestFolders(tempfile::TempDir);

    impl TestFolders {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        async fn database(&self, name: &str) -> Store {
            Store::open(&Place::Sqlite(self.0.path().join(name)), Settings::default()).await.unwrap()
        }

        /// A folder with one result in it, or none.
        fn folder(&self, name: &str, used: bool) -> PathBuf {
            let folder = self.0.path().join(name);
            std::fs::create_dir_all(folder.join("results")).unwrap();
            if used {
                std::fs::write(folder.join("results/a.1.report.csv"), "id\n").unwrap();
            }
            folder
        }
    }

    async fn use_it(store: &Store) {
        acts::create(store, &build::credential("one", build::start_of_time())).await.unwrap();
    }

    async fn refused(store: &Store, folder: &Path, part: &str) {
        let refusal = pair(store, folder, false).await.unwrap_err().to_string();
        assert!(refusal.contains(part) && refusal.contains("--adopt"), "{refusal}");
    }

    #[tokio::test]
    async fn a_pair_finds_itself_again_and_refuses_others() {
        let folders = TestFolders::new();
        let (one, two) = (folders.database("one.db").await, folders.database("two.db").await);
        let (first, second) = (folders.folder("first", false), folders.folder("second", false));
        pair(&one, &first, false).await.unwrap();
        pair(&two, &second, false).await.unwrap();
        use_it(&one).await;
        use_it(&two).await;
        folders.folder("first", true);
        pair(&one, &first, false).await.unwrap();
        refused(&one, &second, "belong to different installations").await;
        refused(&two, &first, "belong to different installations").await;
        refused(&one, &folders.folder("third", false), "belongs to an installation whose folder is another")
            .await;
        pair(&two, &first, true).await.unwrap();
        pair(&two, &first, false).await.unwrap();
        refused(&two, &second, "belong to different installations").await;
    }

    #[tokio::test]
    async fn an_empty_database_for_a_folder_with_files_is_refused() {
        let folders = TestFolders::new();
        let lost = folders.database("lost.db").await;
        let folder = folders.folder("used", true);
        refused(&lost, &folder, "the database is empty").await;
        assert!(!folder.join(MARK).exists(), "nothing was written");
        // A first start that ended between the two marks.
        let begun = folders.folder("begun", false);
        keys::put_once(&begun, MARK, "0123456789abcdef0123456789abcdef").unwrap();
        pair(&lost, &begun, false).await.unwrap();
        assert_eq!(lost.installation().await.unwrap().id.unwrap(), "0123456789abcdef0123456789abcdef");
    }

    /// A database and a folder of the version before there were marks.
    #[tokio::test]
    async fn what_has_no_mark_yet_gets_one() {
        let folders = TestFolders::new();
        let store = folders.database("one.db").await;
        use_it(&store).await;
        let folder = folders.folder("used", true);
        pair(&store, &folder, false).await.unwrap();
        let mark = std::fs::read_to_string(folder.join(MARK)).unwrap();
        assert_eq!(store.installation().await.unwrap().id.as_deref(), Some(mark.trim_end()));
        // A database from before, restored for a folder that has its mark.
        let older = folders.database("older.db").await;
        use_it(&older).await;
        refused(&older, &folder, "belong to different installations").await;
    }
}
