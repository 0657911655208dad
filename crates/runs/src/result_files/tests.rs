#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn written(files: &ResultFiles, task: &str, epoch: u64, publish: bool) -> Option<PendingFile> {
    let mut file = files.create(&TaskId::new(task), epoch, "report.csv").unwrap();
    file.write_all(b"id\n1\n").unwrap();
    if publish {
        file.publish().unwrap();
        return None;
    }
    Some(file)
}

#[tokio::test]
async fn a_file_is_published_whole_under_a_name_with_its_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path().join("results")).unwrap();
    let folder = dir.path().join("results");
    let mut pending = files.create(&TaskId::new("a1"), 7, "report.csv").unwrap();
    pending.write_all(b"id\n").unwrap();
    pending.write_all(b"1\n").unwrap();
    assert_eq!(names(&folder), ["a1.7.report.csv.tmp"]);
    assert!(files.open_published("a1.7.report.csv", None).is_err());
    assert!(files.open_published("a1.7.report.csv.tmp", None).is_err(), "unpublished files are never opened");

    let stored_name = pending.publish().unwrap();
    assert_eq!(stored_name, "a1.7.report.csv");
    assert_eq!(names(&folder), ["a1.7.report.csv"]);
    let mut text = String::new();
    files.open_published(&stored_name, None).unwrap().content.read_to_string(&mut text).unwrap();
    assert_eq!(text, "id\n1\n");
    assert_eq!((mode(&folder), mode(&folder.join(&stored_name))), (0o700, 0o600));
    assert!(files.create(&TaskId::new("a1"), 7, "report.csv").is_err(), "a published file is not replaced");

    files.remove(&stored_name).await.unwrap();
    files.remove(&stored_name).await.unwrap();
    assert!(names(&folder).is_empty());
}

#[test]
fn a_file_dropped_before_it_is_published_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    let pending = written(&files, "a1", 1, false);
    assert_eq!(names(dir.path()).len(), 1);
    drop(pending);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_file_that_cannot_be_renamed_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    let pending = written(&files, "a1", 1, false).unwrap();
    std::fs::create_dir(dir.path().join("a1.1.report.csv")).unwrap();
    let error = pending.publish().unwrap_err();
    assert!(error.message.contains("a1.1.report.csv"), "{}", error.message);
    assert_eq!(names(dir.path()), ["a1.1.report.csv"], "only the folder that was in the way");
}

#[test]
fn files_are_published_all_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    let pending = |name: &str| {
        let mut file = files.create(&TaskId::new("a1"), 1, name).unwrap();
        file.write_all(b"id\n").unwrap();
        file
    };
    let publish = |files| publish_together(files, &[], std::future::pending());
    publish(vec![pending("report.csv"), pending("report.pdf")]).unwrap();
    let published = ["a1.1.report.csv", "a1.1.report.pdf"];
    assert_eq!(names(dir.path()), published);
    let together = vec![pending("report.ndjson"), pending("report.xlsx")];
    std::fs::create_dir(dir.path().join("a1.1.report.xlsx")).unwrap();
    publish(together).unwrap_err();
    std::fs::remove_dir(dir.path().join("a1.1.report.xlsx")).unwrap();
    assert_eq!(names(dir.path()), published, "the file before it is gone, too");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    for name in [
        "",
        "a",
        "a.csv",
        "../a.1.csv",
        "a.1.",
        "a.1..csv",
        "a.1.b/c",
        "a.x.csv",
        "a.1.é",
        ".1.csv",
        "a.+1.c",
    ] {
        assert!(files.open_published(name, None).is_err(), "{name:?}");
        assert!(files.remove(name).await.is_err(), "{name:?}");
    }
    for (task, file_name) in
        [("a/b", "c.csv"), ("", "c.csv"), ("a", ""), ("a", "../c"), ("a", "c.tmp"), ("a.2", "c")]
    {
        assert!(files.create(&TaskId::new(task), 1, file_name).is_err(), "{task:?} {file_name:?}");
    }
    assert!(names(dir.path()).is_empty());
}

/// Five attempts: committed, live with a temporary file, live with a published one, and two that are over.
#[tokio::test]
async fn a_sweep_takes_away_what_no_record_names_and_no_live_attempt_writes() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    written(&files, "committed", 1, true);
    let _writing = written(&files, "writing", 2, false).unwrap();
    written(&files, "unrecorded", 3, true);
    written(&files, "writing", 1, true);
    let left = written(&files, "killed", 1, false).unwrap();
    std::fs::write(dir.path().join("README"), "not ours").unwrap();

    let survey = files.survey().await.unwrap();
    let _later = written(&files, "later", 1, false).unwrap();
    let live = HashSet::from([("writing".to_owned(), 2), ("unrecorded".to_owned(), 3)]);
    let named = HashSet::from(["committed.1.report.csv".to_owned()]);
    let left_over = survey.left_over(&named, |task, epoch| live.contains(&(task.as_str().to_owned(), epoch)));
    assert_eq!(left_over.unfinished, ["killed.1.report.csv.tmp"]);
    assert_eq!((left_over.published.join(" "), left_over.of), ("writing.1.report.csv".to_owned(), 3));
    let trash = dir.path().join("trash/20261129T061500Z");
    left_over.discard(&trash, DateTime::UNIX_EPOCH, 7).unwrap();
    assert_eq!(names(&trash), ["writing.1.report.csv"], "it can be moved back");
    assert_eq!(
        (mode(&trash), std::fs::read_to_string(trash.join("writing.1.report.csv")).unwrap().len()),
        (0o700, 5)
    );
    assert_eq!(
        names(dir.path()),
        [
            "README",
            "committed.1.report.csv",
            "later.1.report.csv.tmp",
            "trash",
            "unrecorded.3.report.csv",
            "writing.2.report.csv.tmp"
        ]
    );
    drop(left);
}
