//! Reports of one's own: written, checked and run by the commands.

use super::{fails, json, muster, path, succeeds};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A definition among the examples of the documents.
pub fn example(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("docs/definitions").join(name).to_str().unwrap().to_owned()
}

/// Four people, of whom Bob has left and Di has gone from the file's second version, and their accounts on CRM:
/// Ada's and Bob's are enabled, Cy's is not, Di's is, and one belongs to nobody.
fn organisation(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let hr = |di: &str| format!("id,name,boss,state\n1,Ada,,A\n2,Bob,1,T\n3,Cy,1,A\n{di}");
    write("hr.csv", &hr("4,Di,1,A\n"));
    write(
        "hr.toml",
        "id = \"00000000000000000000000000000001\"\nname = \"HR\"\nkind = \"delimited\"\ndelete_threshold_percent = 100\n\
         [delimited]\npath = \"hr.csv\"\nnative_identity = \"id\"\n[profile]\nname = \"Staff\"\npriority = 1\n\
         [profile.manager]\nattribute = \"manager\"\n[[profile.attributes]]\nname = \"uid\"\nfrom = \"id\"\n\
         [[profile.attributes]]\nname = \"displayName\"\nfrom = \"name\"\n[[profile.attributes]]\nname = \"manager\"\n\
         from = \"boss\"\n[lifecycle]\nattribute = \"state\"\n[lifecycle.states]\nA = \"active\"\nT = \"terminated\"\n",
    );
    write(
        "crm.csv",
        "login,person,off,roles\nada,1,no,read;write\nbob,2,no,read\ncy,3,yes,read\ndi,4,no,\nx,9,no,write;audit\n",
    );
    write(
        "crm.toml",
        "id = \"00000000000000000000000000000002\"\nname = \"CRM\"\nkind = \"delimited\"\n[delimited]\npath = \"crm.csv\"\n\
         native_identity = \"login\"\nmulti_valued = [\"roles\"]\nentitlements = [\"roles\"]\n\
         [delimited.disabled]\ncolumn = \"off\"\n[[correlation]]\nidentity_attribute = \"uid\"\n\
         account_attribute = \"person\"\n",
    );
    for file in ["hr.toml", "crm.toml"] {
        succeeds(&muster(&data, &["source", "add", dir.join(file).to_str().unwrap()]));
    }
    succeeds(&muster(&data, &["refresh"]));
    write("hr.csv", &hr(""));
    succeeds(&muster(&data, &["refresh"]));
    data
}

/// The rows of a CSV text without its first column, which is an id.
fn rows(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
}

#[test]
fn the_examples_of_the_documents_are_sound_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let data = organisation(dir.path());
    for name in ["leavers-with-accounts.toml", "accounts-of-a-source.toml", "holders-of-rights.toml"] {
        let told = succeeds(&muster(&data, &["definition", "check", &example(name)]));
        assert!(told.contains("version 1 can be run"), "{told}");
    }
    let run = |name: &str, more: &[&str]| {
        let file = example(name);
        succeeds(&muster(&data, &[&["definition", "run", &file][..], more].concat()))
    };
    // By hand: Bob has left, and Di is gone; Ada and Cy work here, x belongs to nobody.
    let leavers = run("leavers-with-accounts.toml", &[]);
    assert_eq!(
        leavers.lines().next().unwrap(),
        "accountId,person,displayName,lifecycleState,sourceName,account,privileged"
    );
    assert_eq!(rows(&leavers), ["2,Bob,terminated,CRM,bob,false", "4,Di,active,CRM,di,false"]);

    let crm = "source=00000000000000000000000000000002";
    let owners = run("accounts-of-a-source.toml", &["--argument", crm]);
    assert_eq!(
        rows(&owners),
        [
            "ada,LINKED,Ada,",
            "bob,LINKED,Bob,1",
            "cy,LINKED,Cy,1",
            "di,PLACEHOLDER_OWNER,Di,1",
            "x,UNMATCHED,,"
        ]
    );
    let rights = run("holders-of-rights.toml", &[]);
    assert_eq!(rows(&rights), ["CRM,audit,1,0", "CRM,read,3,3", "CRM,write,2,1"]);
    // Whoever sees only HR sees no account of CRM, whatever the query says.
    let hr = "00000000000000000000000000000001";
    assert_eq!(rows(&run("holders-of-rights.toml", &["--data-scope", hr])), [""; 0]);

    let to = path(&dir, "");
    succeeds(&muster(&data, &["definition", "run", &example("holders-of-rights.toml"), "--to", &to]));
    assert_eq!(std::fs::read_to_string(dir.path().join("HOLDERS_OF_RIGHTS.csv")).unwrap(), rights);
    assert!(std::fs::read(dir.path().join("HOLDERS_OF_RIGHTS.pdf")).unwrap().starts_with(b"%PDF-"));
    let again = muster(&data, &["definition", "run", &example("holders-of-rights.toml"), "--to", &to]);
    assert!(fails(&again, 1).contains("is there already: expected --force"));
    let missing = fails(&muster(&data, &["definition", "run", &example("accounts-of-a-source.toml")]), 1);
    assert!(missing.contains("argument \"source\" is missing"), "{missing}");
}

#[test]
fn the_template_is_a_report_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let data = organisation(dir.path());
    let file = path(&dir, "mine.toml");
    succeeds(&muster(&data, &["definition", "new", "MINE", "--to", &file]));
    assert!(
        fails(&muster(&data, &["definition", "new", "MINE", "--to", &file]), 1).contains("is there already")
    );
    assert!(
        fails(&muster(&data, &["definition", "new", "M INE"]), 2)
            .contains("expected letters, digits, _ and -")
    );
    succeeds(&muster(&data, &["definition", "check", &file]));
    // Ada has no manager; Di has one and is not there.
    assert_eq!(rows(&succeeds(&muster(&data, &["definition", "run", &file]))), ["1,Ada,,Staff"]);
}

#[test]
fn a_check_says_everything_with_its_line_and_needs_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = path(&dir, "wrong.toml");
    let text = std::fs::read_to_string(example("accounts-of-a-source.toml")).unwrap();
    let wrong = text
        .replace("id = \"ACCOUNTS_AND_OWNERS\"", "id = \"ACCOUNTS\"")
        .replace("AS \"manager\"", "AS \"boss\"")
        .replace("population = \"SELECT count(*)", "population = \"SELECT count(*), 1")
        .replace("SELECT situation, count(*)", "SELECT situation");
    std::fs::write(&file, wrong).unwrap();
    let checked = muster(&data, &["definition", "check", &file, "--output", "json"]);
    assert!(fails(&checked, 1).contains("wrong.toml has 4 faults"));
    let found: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let places: Vec<_> =
        found["faults"].as_array().unwrap().iter().map(|fault| (&fault["key"], &fault["line"])).collect();
    // Counted in the file.
    let expected = [("id", 2), ("query", 11), ("population", 18), ("subtotals[0].query", 22)];
    let expected: Vec<_> = expected.iter().map(|(key, line)| (json!(key), json!(line))).collect();
    assert_eq!(places, expected.iter().map(|(key, line)| (key, line)).collect::<Vec<_>>(), "{found}");
    let run = fails(&muster(&data, &["definition", "run", &file]), 1);
    assert!(run.contains("line 2: id: ") && run.contains("`muster definition check` lists 3 more"), "{run}");
    std::fs::write(&file, "id = \"A\"\nversion = one\n").unwrap();
    let parsed = muster(&data, &["definition", "check", &file]);
    fails(&parsed, 1);
    assert!(String::from_utf8_lossy(&parsed.stdout).contains("wrong.toml: line 2: "));
    assert!(!data.exists());
    let sound = json(&muster(
        &data,
        &["definition", "check", &example("accounts-of-a-source.toml"), "--output", "json"],
    ));
    assert_eq!((&sound["id"], &sound["faults"]), (&json!("ACCOUNTS_AND_OWNERS"), &json!([])));
}

#[test]
fn definitions_are_kept_with_their_versions() {
    let dir = tempfile::tempdir().unwrap();
    let data = organisation(dir.path());
    let file = path(&dir, "rights.toml");
    let first = std::fs::read_to_string(example("holders-of-rights.toml")).unwrap();
    std::fs::write(&file, &first).unwrap();
    let add = || muster(&data, &["definition", "add", &file]);
    assert_eq!(succeeds(&add()), "report HOLDERS_OF_RIGHTS version 1 added\n");
    assert_eq!(succeeds(&add()), "report HOLDERS_OF_RIGHTS version 1 is there already\n");
    let second = first.replace("name = \"Holders Of Rights\"", "name = \"Who Has What\"");
    std::fs::write(&file, &second).unwrap();
    assert!(fails(&add(), 1).contains("has version 1 already, and this is another text with version 1"));
    let second = second.replace("version = 1", "version = 2");
    std::fs::write(&file, &second).unwrap();
    succeeds(&add());

    let listed = json(&muster(&data, &["definition", "list", "--output", "json"]));
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["version"], &listed[0]["name"]),
        (1, &json!(2), &json!("Who Has What"))
    );
    let show =
        |more: &[&str]| muster(&data, &[&["definition", "show", "HOLDERS_OF_RIGHTS"][..], more].concat());
    assert_eq!(succeeds(&show(&[])), second);
    assert_eq!(succeeds(&show(&["--version", "1"])), first);
    assert!(fails(&show(&["--version", "3"]), 5).contains("expected one of 2, 1"));
    let versions = json(&show(&["--versions", "--output", "json"]));
    assert_eq!((versions.as_array().unwrap().len(), &versions[1]["version"]), (2, &json!(1)));

    succeeds(&muster(&data, &["definition", "remove", "HOLDERS_OF_RIGHTS"]));
    assert_eq!(json(&muster(&data, &["definition", "list", "--output", "json"])), json!([]));
    fails(&muster(&data, &["definition", "remove", "HOLDERS_OF_RIGHTS"]), 5);
    assert_eq!(
        succeeds(&show(&["--version", "1"])),
        first,
        "what reports of the past were made of can be read"
    );
    assert_eq!(succeeds(&add()), "report HOLDERS_OF_RIGHTS version 2 is there again\n");
    fails(&muster(&data, &["definition", "show", "PETS"]), 5);

    let events = json(&muster(&data, &["audit", "list", "--output", "json"]));
    let of_report = events.as_array().unwrap().iter().filter(|event| event["about"] == "HOLDERS_OF_RIGHTS");
    let details: Vec<_> = of_report.map(|event| event["details"].as_str().unwrap().to_owned()).collect();
    assert_eq!(details.len(), 4, "{details:?}");
    assert!(details[1].starts_with("definition added, version 2, sha-256 "), "{details:?}");
    assert_eq!(details[2], "definition removed");
    std::fs::write(&file, first.replace("id = \"HOLDERS_OF_RIGHTS\"", "id = \"IDENTITIES\"")).unwrap();
    assert!(fails(&add(), 1).contains("line 2: id: "));
}
