#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use muster_reports::ids::SnapshotId;
use muster_reports::snapshot::TableFile;

/// A data directory with a database, a table of two versions and a snapshot of the first, and a copy of the database.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        for (path, content) in [
            ("data/tables/accounts/a.parquet", "accounts"),
            ("data/tables/accounts/later.parquet", "later"),
            ("data/tables/accounts/_delta_log/00000000000000000000.json", "first"),
            ("data/tables/accounts/_delta_log/00000000000000000001.json", "second"),
            ("data/tables/accounts/_delta_log/_last_checkpoint", "hint"),
            ("data/results/r.csv", "id\n"),
            ("data/installation", "mark"),
            ("copy.db", "database"),
        ] {
            house.write(path, content);
        }
        house
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn parts(&self) -> BackupParts {
        let file = |content: &str| TableFile {
            bytes: content.len() as u64,
            sha256: hex(Sha256::digest(content)),
            sums: BTreeMap::new(),
        };
        let files = BTreeMap::from([("a.parquet".to_owned(), file("accounts"))]);
        BackupParts {
            database: self.0.path().join("copy.db"),
            snapshots: vec![SnapshotManifest {
                id: SnapshotId::new("s1"),
                created: DateTime::UNIX_EPOCH,
                versions: BTreeMap::from([("accounts".to_owned(), 0)]),
                identity_attributes: Vec::new(),
                sources: Vec::new(),
                rows: BTreeMap::new(),
                last_event: None,
                files: BTreeMap::from([("accounts".to_owned(), files)]),
            }],
            results: Vec::new(),
            files: ResultFiles::open(self.0.path().join("data/results")).unwrap(),
            data: self.0.path().join("data"),
            schema: None,
            others: vec![("installation".to_owned(), self.0.path().join("data/installation"))],
            taken: DateTime::UNIX_EPOCH,
            made_by: "test".to_owned(),
            with_keys: false,
            audit_head: "0:0".to_owned(),
        }
    }

    fn backups(&self) -> PathBuf {
        self.0.path().join("backups")
    }

    fn place(&self) -> BackupPlace {
        BackupPlace::Folder(self.backups())
    }

    fn take(&self, parts: &BackupParts) -> Result<Taken> {
        // A folder has its own drafts.
        BackupFolder::to_write(&self.place(), Path::new("/nowhere"))?.take(parts)
    }
}

fn whole(taken: Taken) -> Summary {
    match taken {
        Taken::Whole(summary) => summary,
        Taken::Gone(path) => panic!("{path} went away"),
    }
}

#[test]
fn a_backup_has_what_the_database_names_and_the_log_up_to_it() {
    let house = House::new();
    let summary = whole(house.take(&house.parts()).unwrap());
    let folder = BackupFolder::open(&house.place()).unwrap();
    assert_eq!(folder.find(None).unwrap(), summary.name);
    let list = folder.list(&summary.name).unwrap();
    let paths: Vec<_> = list.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "muster.db",
            "tables/accounts/a.parquet",
            "tables/accounts/_delta_log/00000000000000000000.json",
            "installation"
        ]
    );
    assert_eq!((summary.files, summary.copied_files, summary.bytes), (4, 4, 8 + 8 + 5 + 4));
    for file in &list.files {
        assert_eq!(folder.fault(file).unwrap(), None);
    }
    let to = house.0.path().join("out/deep/a.parquet");
    folder.copy_out(&list.files[1], &to).unwrap();
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "accounts");
}

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let house = House::new();
    whole(house.take(&house.parts()).unwrap());
    house.write("copy.db", "another database");
    let mut parts = house.parts();
    parts.taken = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1);
    let second = whole(house.take(&parts).unwrap());
    assert_eq!((second.files, second.copied_files, second.copied_bytes), (4, 1, 16));
    let folder = BackupFolder::open(&house.place()).unwrap();
    let names = folder.names().unwrap();
    assert_eq!((names.len(), folder.find(Some("19700102")).unwrap()), (2, second.name.clone()));
    assert_eq!(names[1], second.name);
    let error = folder.find(Some("1970")).unwrap_err().to_string();
    assert!(error.contains("begins the names of 2 backups"), "{error}");
    assert!(folder.find(Some("2026")).unwrap_err().to_string().contains("no backup whose name begins with"));
}

/// What is cut off in the folder is written again by the next backup, whether or not its digest is recorded.
#[test]
fn a_content_of_another_size_is_written_again() {
    let house = House::new();
    let first = whole(house.take(&house.parts()).unwrap());
    let folder = BackupFolder::open(&house.place()).unwrap();
    let list = folder.list(&first.name).unwrap();
    for path in ["tables/accounts/a.parquet", "installation"] {
        let file = list.files.iter().find(|file| file.path == path).unwrap();
        let object = house.backups().join("objects").join(&file.sha256[..2]).join(&file.sha256);
        std::fs::write(&object, "a").unwrap();
    }
    let second = whole(house.take(&house.parts()).unwrap());
    assert_eq!((second.copied_files, second.copied_bytes), (2, 8 + 4));
    assert!(list.files.iter().all(|file| folder.fault(file).unwrap().is_none()));
}

#[test]
fn a_file_that_is_gone_or_damaged_leaves_no_backup() {
    let house = House::new();
    std::fs::remove_file(house.0.path().join("data/tables/accounts/a.parquet")).unwrap();
    assert_eq!(house.take(&house.parts()).unwrap(), Taken::Gone("tables/accounts/a.parquet".to_owned()));
    house.write("data/tables/accounts/a.parquet", "accoants");
    let error = muster_reports::error::error_chain(&house.take(&house.parts()).unwrap_err());
    assert!(
        error.contains("a file is not what was recorded") && error.contains("a.parquet has 8 bytes"),
        "{error}"
    );
    let folder = BackupFolder::open(&house.place()).unwrap();
    assert_eq!(folder.names().unwrap(), Vec::<String>::new());
    assert!(folder.find(None).unwrap_err().to_string().contains("has no complete backup"));
}

#[test]
fn damage_in_the_folder_is_found() {
    let house = House::new();
    let summary = whole(house.take(&house.parts()).unwrap());
    let folder = BackupFolder::open(&house.place()).unwrap();
    let list = folder.list(&summary.name).unwrap();
    let digest = &list.files[1].sha256;
    let object = house.backups().join("objects").join(&digest[..2]).join(digest);
    std::fs::write(&object, "accoants").unwrap();
    assert!(
        folder.fault(&list.files[1]).unwrap().unwrap().contains("expected 8 bytes with the one in its name")
    );
    let to = house.0.path().join("out");
    assert!(folder.copy_out(&list.files[1], &to).is_err() && !to.exists());
    std::fs::remove_file(&object).unwrap();
    assert!(folder.fault(&list.files[1]).unwrap().unwrap().ends_with("is missing"));

    let path = house.backups().join("backups").join(format!("{}.json", summary.name));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"bytes\": 8", "\"bytes\": 9")).unwrap();
    assert!(
        folder.list(&summary.name).unwrap_err().to_string().contains("the list of the backup is damaged")
    );
}

#[test]
fn a_list_cannot_lead_out_of_the_data_directory() {
    let sha256 = "0".repeat(64);
    let file = |path: &str| BackupFile { path: path.to_owned(), sha256: sha256.clone(), bytes: 1 };
    for path in ["../a", "/a", "a/../../b", "a//b", "", "a\nb", "."] {
        assert!(check_place(&file(path)).is_err(), "{path:?}");
    }
    assert!(check_place(&file("tables/a/b.parquet")).is_ok());
    assert!(check_place(&BackupFile { sha256: "../../x".into(), ..file("a") }).is_err());
}

#[test]
fn a_folder_with_other_files_is_not_written_to() {
    let house = House::new();
    house.write("backups/mine.txt", "mine");
    let error = house.take(&house.parts()).unwrap_err().to_string();
    assert!(error.contains("has files and is not a folder of backups"), "{error}");
    assert!(BackupFolder::open(&house.place()).is_err());
}
