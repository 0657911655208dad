//! An access review from its creation to the proof of its revokes, with every command a process of its own.

use crate::mirror::Serving;
use crate::{fails, json, muster, succeeds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HR: &str = r#"
name = "HR"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
attributes = [{ name = "uid", from = "id" }, { name = "manager", from = "boss" }]
"#;

const APP: &str = r#"
name = "App"
kind = "delimited"
[delimited]
path = "app.csv"
native_identity = "login"
multi_valued = ["rights"]
multi_value_separator = "|"
entitlements = ["rights"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "person"
"#;

/// Fills in the sheets of an archive, as a person with a spreadsheet program would: what it needs of the formats it reads
/// and writes by itself. Arguments: the archive, a folder, and a file with decision and comment by item.
const FILL: &str = r#"
import csv, io, json, os, sys, zipfile
import xml.etree.ElementTree as ET
archive, folder, wanted = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
def column(place):
    number = 0
    for letter in place:
        if letter.isalpha(): number = number * 26 + ord(letter) - 64
    return number
def letters(number):
    text = ""
    while number: number, rest = divmod(number - 1, 26); text = chr(65 + rest) + text
    return text
def fill_csv(data):
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    header, out = rows[0], io.StringIO()
    for row in rows[1:]:
        if row[header.index("item")] in wanted:
            row[header.index("decision")], row[header.index("comment")] = wanted[row[header.index("item")]]
    csv.writer(out, delimiter=";", lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
def fill_xlsx(data):
    book = zipfile.ZipFile(io.BytesIO(data))
    name = "xl/worksheets/sheet1.xml"
    sheet = ET.fromstring(book.read(name))
    header = None
    for row in sheet.find(NS + "sheetData"):
        cells = {column(cell.get("r")): cell for cell in row}
        texts = {at: "".join(cell.itertext()) for at, cell in cells.items()}
        if header is None:
            header = {text: at for at, text in texts.items()}
            continue
        item = texts[header["item"]]
        if item not in wanted: continue
        for title, text in zip(["decision", "comment"], wanted[item]):
            if not text: continue
            cell = ET.Element(NS + "c", {"r": letters(header[title]) + row.get("r"), "t": "inlineStr"})
            ET.SubElement(ET.SubElement(cell, NS + "is"), NS + "t").text = text
            cells[header[title]] = cell
        for cell in list(row): row.remove(cell)
        for at in sorted(cells): row.append(cells[at])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as filled:
        for member in book.namelist():
            filled.writestr(member, ET.tostring(sheet) if member == name else book.read(member))
    return out.getvalue()
os.makedirs(folder)
for name in zipfile.ZipFile(archive).namelist():
    data = zipfile.ZipFile(archive).read(name)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(fill_csv(data) if name.endswith(".csv") else fill_xlsx(data))
"#;

/// 100 people: `p000` is above `p001` to `p004`, and these are above the others, each of 24. Everybody has an account in HR,
/// and one in the application with four rights: 500 items.
struct Company {
    dir: tempfile::TempDir,
    data: PathBuf,
    /// The credential of the administrator.
    root: Value,
    service: Serving,
}

fn hr() -> String {
    let boss = |n: usize| match n {
        0 => String::new(),
        1..=4 => "p000".to_owned(),
        n => format!("p{:03}", n % 4 + 1),
    };
    let rows: String = (0..100).map(|n| format!("p{n:03},{}\n", boss(n))).collect();
    format!("id,boss\n{rows}")
}

/// The application, where these people have lost the right A.
fn app(without: impl Fn(usize) -> bool) -> String {
    let rights = |n| if without(n) { "B|C|=D()" } else { "A|B|C|=D()" };
    let rows: String = (0..100).map(|n| format!("login{n:03},p{n:03},{}\n", rights(n))).collect();
    format!("login,person,rights\n{rows}")
}

impl Company {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("hr.csv", &hr());
        write("hr.toml", HR);
        write("app.csv", &app(|_| false));
        write("app.toml", APP);
        write("fill.py", FILL);
        for name in ["hr.toml", "app.toml"] {
            succeeds(&muster(&data, &["source", "add", dir.path().join(name).to_str().unwrap()]));
        }
        succeeds(&muster(&data, &["refresh"]));
        // No snapshot is kept by its age or its place.
        write("data/muster.toml", "[snapshots]\nkeep_last = 1\nkeep_days = 0\n");
        let client = client_of(&data, "root", &["--level", "CERT_ADMIN"]);
        let service = Serving::start(&data, &client, 2);
        Self { dir, data, root: client, service }
    }

    /// A command of the administrator.
    fn call(&self, arguments: &[&str]) -> Output {
        let client: Vec<&str> = self.service.client.iter().map(String::as_str).collect();
        muster(&self.data, &[arguments, &client].concat())
    }

    /// A command of somebody else.
    fn call_as(&self, client: &Value, arguments: &[&str]) -> Output {
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        let named = ["--client-id".to_owned(), text("id"), "--client-secret".into(), text("secret")];
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        muster(&self.data, &[arguments, &["--base-url", &self.service.client[1]], &named].concat())
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn refresh(&self, without: impl Fn(usize) -> bool) {
        std::fs::write(self.path("app.csv"), app(without)).unwrap();
        succeeds(&muster(&self.data, &["refresh"]));
    }

    fn create(&self, name: &str, more: &[&str]) -> Value {
        let create = ["review", "create", name, "--output", "json"];
        json(&self.call(&[&create, more].concat()))
    }

    fn items(&self, id: &str) -> Vec<Value> {
        json(&self.call(&["review", "show", id, "--output", "json"])).as_array().unwrap().clone()
    }

    /// Exports the sheets, fills them in, and gives their paths.
    fn filled(&self, id: &str, format: &str, wanted: &BTreeMap<String, (String, String)>) -> Vec<String> {
        let (archive, folder) = (self.path(&format!("{format}.zip")), self.path(&format!("sheets-{format}")));
        succeeds(&self.call(&["review", "export", id, "--format", format, "--to", &archive]));
        std::fs::write(self.path("wanted.json"), serde_json::to_string(wanted).unwrap()).unwrap();
        let python = Command::new("python3")
            .args([&self.path("fill.py"), &archive, &folder, &self.path("wanted.json")])
            .output()
            .unwrap();
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.map(|path| path.to_str().unwrap().to_owned()).collect();
        files.sort();
        files
    }

    /// The rows of a report of the review.
    fn report(&self, kind: &str, id: &str, more: &[&str]) -> (String, Vec<BTreeMap<String, String>>) {
        let review = format!("review={id}");
        let run = ["report", "run", kind, "--argument", &review, "--wait", "--output", "json"];
        let task = json(&self.call(&[&run, more].concat()))["id"].as_str().unwrap().to_owned();
        let text = succeeds(&self.call(&["report", "get", &task, "--to", "-"]));
        let mut rows = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        (task, rows.deserialize().map(Result::unwrap).collect())
    }
}

fn client_of(data: &Path, name: &str, more: &[&str]) -> Value {
    let create = ["client", "create", "--kind", "user", "--name", name, "--scope", "sp:scopes:all"];
    json(&muster(data, &[&create, more].concat()))
}

/// Whether an item is the right A of one of the forty: `p005` to `p044`.
fn is_revoked(item: &Value) -> bool {
    let person: usize = item["identity"].as_str().unwrap()[1..].parse().unwrap();
    item["entitlement"] == "A" && (5..=44).contains(&person)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn of_forty_revokes_thirty_seven_are_gone_and_three_are_listed() {
    let company = Company::new();
    let review = company.create(
        "Spring",
        &["--reviewers", "manager", "--fallback", "p001", "--comment-required", "--due-days", "7"],
    );
    let id = text(&review, "id");
    // By hand: p000 reviews the five items of each of four, each of these reviews the items of 24 people, or of 23 of 95;
    // and p001 those of p000, too, who has no manager.
    let numbers: Vec<_> = review["progress"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (text(of, "reviewer"), of["items"].as_u64().unwrap()))
        .collect();
    assert_eq!(numbers, [("p000", 20), ("p001", 120), ("p002", 120), ("p003", 120), ("p004", 120)]);
    assert_eq!((&review["total"]["items"], &review["total"]["undecided"]), (&500.into(), &500.into()));

    // The data goes on, and the review does not: p099 loses a right, and every snapshot but the newest may expire.
    let frozen = company.items(id);
    company.refresh(|n| n == 99);
    company.refresh(|n| n == 98 || n == 99);
    assert_eq!(company.items(id), frozen);
    let snapshots = json(&muster(&company.data, &["snapshot", "list", "--output", "json"]));
    let kept: Vec<_> = snapshots.as_array().unwrap().iter().filter(|one| one["expired"].is_null()).collect();
    assert_eq!((kept.len(), &kept[1]["id"]), (2, &review["snapshotId"]));
    company.refresh(|_| false);

    // Four reviewers get spreadsheets, one gets CSV.
    let decision = |item: &Value| match is_revoked(item) {
        true => ("revoke".to_owned(), "=moved; \"left\"".to_owned()),
        false => ("KEEP".to_owned(), String::new()),
    };
    let wanted: BTreeMap<_, _> =
        frozen.iter().map(|item| (item["item"].to_string(), decision(item))).collect();
    let sheets = company.filled(id, "xlsx", &wanted);
    let names: Vec<_> = sheets.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["p000.xlsx", "p001.xlsx", "p002.xlsx", "p003.xlsx", "p004.xlsx"]);
    let csv_sheets = company.filled(id, "csv", &wanted);
    let mut import = vec!["review", "import", id];
    import.extend(sheets[..4].iter().map(String::as_str));
    import.push(&csv_sheets[4]);
    let told = succeeds(&company.call(&import));
    assert_eq!(
        told.lines().filter(|line| line.contains(": 120 new, 0 changed, 0 unchanged, 0 undecided")).count(),
        4
    );
    let status = || json(&company.call(&["review", "status", id, "--output", "json"]))["total"].clone();
    let total = status();
    assert_eq!((&total["keep"], &total["revoke"], &total["undecided"]), (&460.into(), &40.into(), &0.into()));
    // The same again, in the other form, changes nothing: neither a decision nor the audit trail.
    let events = || json(&muster(&company.data, &["audit", "list", "--limit", "1000", "--output", "json"]));
    let before = events();
    let again = succeeds(&company.call(&["review", "import", id, &csv_sheets[1], &sheets[4]]));
    assert_eq!(again.lines().filter(|line| line.contains(": 0 new, 0 changed, 120 unchanged")).count(), 2);
    assert_eq!(events(), before);
    let decided: Vec<_> =
        before.as_array().unwrap().iter().filter(|event| event["operation"] == "review_decided").collect();
    assert_eq!(decided.len(), 5, "an event for each sheet");
    assert!(decided.iter().all(|event| text(event, "details").contains("sha-256")));

    let open =
        fails(&company.call(&["report", "run", "REVIEW_REVOKES", "--argument", &format!("review={id}")]), 1);
    assert!(open.contains("which is open: expected a closed one"), "{open}");
    let closed = succeeds(&company.call(&["review", "close", id]));
    assert!(closed.contains("460 items are kept, 40 are revoked, 0 are undecided"), "{closed}");
    let (_, rows) = company.report("REVIEW_REVOKES", id, &[]);
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| row["verdict"] == "OPEN"), "the snapshots so far have all of them");

    // Thirty-seven are taken away: those of p005 to p041.
    company.refresh(|n| (5..=41).contains(&n));
    let (task, rows) = company.report("REVIEW_REVOKES", id, &["--argument", "open=true"]);
    let listed: Vec<_> = rows
        .iter()
        .map(|row| {
            [&row["identityName"], &row["entitlement"], &row["verdict"], &row["comment"]].map(String::as_str)
        })
        .collect();
    // The guard of formulas is a single quote.
    let expected = ["p042", "p043", "p044"].map(|name| [name, "A", "OPEN", "'=moved; \"left\""]);
    assert_eq!(listed, expected);
    let (_, rows) = company.report("REVIEW_REVOKES", id, &[]);
    let mut verdicts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &rows {
        verdicts.entry(&row["verdict"]).or_default().insert(&row["identityName"]);
    }
    let done: BTreeSet<_> = (5..=41).map(|n| format!("p{n:03}")).collect();
    assert_eq!(verdicts["DONE"], done.iter().map(String::as_str).collect());
    assert_eq!((verdicts.len(), verdicts["OPEN"].len()), (2, 3));

    // It is signed, and the package names the review.
    let key = succeeds(&muster(&company.data, &["evidence", "key"]));
    std::fs::write(company.path("public.pem"), key).unwrap();
    let package = company.path("evidence.zip");
    succeeds(&company.call(&["report", "evidence", &task, "--to", &package]));
    let verified =
        succeeds(&muster(&company.data, &["verify", &package, "--key", &company.path("public.pem")]));
    assert!(!verified.contains("fails"), "{verified}");

    let (_, rows) = company.report("REVIEW_DECISIONS", id, &[]);
    assert_eq!(rows.len(), 500);
    let of = |decision: &str| rows.iter().filter(|row| row["decision"] == decision).count();
    assert_eq!((of("KEEP"), of("REVOKE")), (460, 40));
    assert!(rows.iter().all(|row| row["hours"].is_empty() && row["sheet"].len() == 64));
    assert!(rows.iter().all(|row| row["decidedBy"] == row["reviewerName"] && row["sheetGivenBy"] == "root"));
    assert!(rows.iter().all(|row| row["identityName"] != row["decidedBy"]), "nobody reviews their own");
    let late = fails(&company.call(&["review", "import", id, &sheets[0]]), 1);
    assert!(late.contains("was closed by \"root\""), "{late}");
}

/// The service ends while it takes a sheet: before its changes are committed, after that, and at the first ones of all kinds
/// before. Each time the sheet is taken as a whole or not at all, and given again it is taken once.
#[test]
fn a_sheet_is_taken_as_a_whole_whenever_the_service_ends() {
    let mut company = Company::new();
    let review = company.create("Spring", &["--reviewers", "manager", "--fallback", "p001"]);
    let id = text(&review, "id").to_owned();
    let wanted: BTreeMap<_, _> = company
        .items(&id)
        .iter()
        .map(|item| (item["item"].to_string(), ("KEEP".to_owned(), String::new())))
        .collect();
    let sheets = company.filled(&id, "csv", &wanted);
    let (mut interrupted, mut whole) = (0, 0);
    // The first of these acts belong to the start of the service, which then does not come up: such a point is left out.
    let mut points = ["commit-due", "event-inserted", "committed"]
        .into_iter()
        .flat_map(|name| (1..=4).map(move |count| format!("{name}:{count}")));
    for sheet in &sheets {
        let decided = |company: &Company| {
            let total = json(&company.call(&["review", "status", &id, "--output", "json"]))["total"].clone();
            500 - total["undecided"].as_u64().unwrap()
        };
        let before = decided(&company);
        company.service.kill();
        let started = points.find_map(|point| {
            let crash = [("MUSTER_CRASH_AT", point.as_str())];
            Some((Serving::try_start(&company.data, &company.root, 1, &crash)?, point.clone()))
        });
        let Some((service, point)) = started else { break };
        company.service = service;
        let given = company.call(&["review", "import", &id, sheet]);
        if company.service.has_ended() {
            interrupted += 1;
            assert!(!given.status.success(), "{point}: nobody is told that it is taken");
        }
        company.service.kill();
        company.service = Serving::start(&company.data, &company.root, 1);
        let after = decided(&company) - before;
        let rows = if sheet.ends_with("p000.csv") { 20 } else { 120 };
        match after {
            0 => {}
            _ if after == rows => whole += 1,
            other => panic!("{point}: {other} of {rows} rows of a sheet are taken"),
        }
        let again = succeeds(&company.call(&["review", "import", &id, sheet]));
        let [new, unchanged] = if after == 0 { [rows, 0] } else { [0, rows] };
        assert!(
            again.contains(&format!(": {new} new, 0 changed, {unchanged} unchanged")),
            "{point}: {again}"
        );
        let trail = succeeds(&muster(&company.data, &["audit", "verify"]));
        assert!(!trail.contains("broken"), "{trail}");
    }
    assert!(interrupted > 0 && whole > 0, "{interrupted} {whole}");
}

/// Items of p001 are given to p002, who was not their reviewer; what was frozen and what was decided stays.
#[test]
fn items_are_handed_over_with_who_and_why() {
    let company = Company::new();
    let review = company.create("Spring", &["--reviewers", "manager", "--fallback", "p001"]);
    let id = text(&review, "id");
    let before = company.items(id);
    let of = |items: &[Value], name: &str| -> Vec<Value> {
        items.iter().filter(|item| item["reviewer"] == name).cloned().collect()
    };
    let before_first = of(&before, "p001")[0]["item"].clone();
    let first = before_first.to_string();
    succeeds(&company.call(&["review", "decide", id, "--keep", &first]));
    let sheets = company.filled(id, "csv", &BTreeMap::new());
    let over = [
        "review",
        "hand-over",
        id,
        "--from",
        "p001",
        "--to",
        "p003",
        "--reason",
        "on leave",
        "--output",
        "json",
    ];
    let shown = json(&company.call(&over));
    let numbers: Vec<_> = shown["progress"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (text(of, "reviewer").to_owned(), of["items"].as_u64().unwrap()))
        .collect();
    // 120 are p001's, of which one is decided; none of them is access of p003.
    let expected = [("p000", 20), ("p001", 1), ("p002", 120), ("p003", 239), ("p004", 120)];
    assert_eq!(numbers, expected.map(|(name, items)| (name.to_owned(), items)));
    let after = company.items(id);
    let digests = |items: &[Value]| items.iter().map(|item| item["digest"].clone()).collect::<Vec<_>>();
    assert_eq!(digests(&after), digests(&before), "what was frozen stays");
    let moved = after.iter().find(|item| text(item, "assigned").starts_with("handed over")).unwrap();
    assert!(
        text(moved, "assigned").contains("handed over by root at ")
            && text(moved, "assigned").contains(": on leave; before that p001: "),
        "{moved}"
    );
    let decided = after.iter().find(|item| item["item"] == before_first).unwrap();
    assert_eq!((&decided["decision"], &decided["reviewer"]), (&"KEEP".into(), &"p001".into()));
    // The sheet that p001 has at home is not p001's any more.
    let p001 = sheets.iter().find(|path| path.ends_with("p001.csv")).unwrap();
    let refused = company.call(&["review", "import", id, p001]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("was handed over to \"p003\" at 20")
            && told.contains(": expected a sheet that was made after that")
            && told.contains("nothing of them is taken"),
        "{told}"
    );
    let events = json(&muster(&company.data, &["audit", "list", "--limit", "1000", "--output", "json"]));
    let told = events.as_array().unwrap().iter().any(|event| {
        event["operation"] == "review_changed"
            && text(event, "details").ends_with(" of p001 handed over to p003: on leave")
    });
    assert!(told, "{events}");
    // p003 is reviewed by p000, so p003 would get access of their own.
    let own = ["review", "hand-over", id, "--from", "p000", "--to", "p003", "--reason", "why not"];
    let refused = fails(&company.call(&own), 1);
    assert!(refused.contains("nobody reviews their own"), "{refused}");
    let nobody = ["review", "hand-over", id, "--to", "p999", "--reason", "x"];
    assert!(fails(&company.call(&nobody), 5).contains("to is \"p999\""));
    succeeds(&company.call(&["review", "close", id]));
    let late = fails(&company.call(&over[..9]), 1);
    assert!(late.contains("expected an open one"), "{late}");
}

/// Each way in which a sheet can be changed, in both forms. Nothing of such a sheet is taken.
#[test]
fn manipulated_sheets_are_refused_by_line_and_reason() {
    let company = Company::new();
    let review = company.create("Spring", &["--reviewers", "manager", "--source", "App"]);
    let id = text(&review, "id");
    assert_eq!((&review["total"]["items"], &review["progress"][5]["items"]), (&400.into(), &4.into()));
    let other = company.create("Other", &["--reviewers", "manager", "--source", "App"]);
    let wanted: BTreeMap<_, _> =
        (1..=400).map(|item: u32| (item.to_string(), ("KEEP".to_owned(), String::new()))).collect();
    let sheets = company.filled(id, "csv", &wanted);
    let names: Vec<_> = sheets.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["p000.csv", "p001.csv", "p002.csv", "p003.csv", "p004.csv", "without a reviewer.csv"]);
    let good = std::fs::read_to_string(&sheets[2]).unwrap();
    // The guard is in the file: a right that is called =D() opens as text.
    assert!(good.contains(";'=D();"), "{}", &good[..600]);
    let lines: Vec<&str> = good.lines().collect();
    assert_eq!(lines.len(), 1 + 96);
    let joined = |lines: &[&str]| lines.join("\n");
    let with = |at: usize, line: &str| {
        let mut changed = lines.clone();
        changed[at] = line;
        joined(&changed)
    };
    let item = |line: &str| line.split(';').next().unwrap().to_owned();
    let third = item(lines[3]);
    let cases = [
        (with(3, &lines[3].replace(";B;", ";ALL;")), "line 4: entitlement is \"ALL\": expected "),
        (with(3, &lines[3].replacen(&third, "9999", 1)), "line 4: item is \"9999\": expected the number"),
        (
            joined(&[&lines[..3], &lines[4..]].concat()),
            "1 of the rows that were sent to \"p002\" are missing",
        ),
        (joined(&[&lines[..], &lines[3..4]].concat()), "line 98: item "),
        (with(3, &lines[3].replace(";KEEP;", ";PERHAPS;")), "line 4: decision is \"PERHAPS\": expected KEEP"),
        (with(3, &lines[3].replace(";p002;", ";p001;")), "line 4: reviewer is \"p001\": expected \"p002\""),
        (good.replace(id, text(&other, "id")), "line 2: it is of review "),
        (with(0, &lines[0].replace("digest", "")), "line 1: there is no column \"digest\""),
        ("item\n1\n".to_owned(), "line 1: there is no column \"reviewer\""),
        (String::new(), "the sheet is empty"),
    ];
    let file = company.path("changed.csv");
    for (changed, reason) in cases {
        std::fs::write(&file, changed).unwrap();
        let refused = company.call(&["review", "import", id, &file]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{reason}: {told}");
        assert!(told.contains(reason), "{reason:?} in {told}");
        assert!(told.contains("1 of 1 sheets are refused, and nothing of them is taken"), "{told}");
    }
    // A row of another's sheet, and a row that nobody reviews.
    let foreign = std::fs::read_to_string(&sheets[1]).unwrap();
    std::fs::write(&file, format!("{good}{}\n", foreign.lines().nth(1).unwrap())).unwrap();
    let refused = company.call(&["review", "import", id, &file]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("line 98: item "), "{refused:?}");
    let nobody = company.call(&["review", "import", id, &sheets[5]]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("has no reviewer"), "{nobody:?}");
    // What is neither form.
    for bytes in [&b"PK\x03\x04 not a spreadsheet"[..], b"\xff\xfe\x00"] {
        std::fs::write(&file, bytes).unwrap();
        let told = fails(&company.call(&["review", "import", id, &file]), 1);
        assert!(told.contains("the sheet cannot be read: "), "{told}");
    }
    let status = json(&company.call(&["review", "status", id, "--output", "json"]));
    assert_eq!(status["total"]["undecided"], 400, "nothing of any of them was taken");
    // Of two files, the good one is taken.
    std::fs::write(&file, with(3, &lines[3].replace(";B;", ";ALL;"))).unwrap();
    let both = company.call(&["review", "import", id, &file, &sheets[3], "--output", "json"]);
    assert_eq!(both.status.code(), Some(1));
    let both: Value = serde_json::from_slice(&both.stdout).unwrap();
    assert_eq!(
        (&both[0]["taken"], &both[0]["refusedCount"], &both[0]["refused"][0]["line"]),
        (&false.into(), &1.into(), &4.into())
    );
    assert_eq!((&both[1]["taken"], &both[1]["new"]), (&true.into(), &96.into()));
}

#[test]
fn reviewers_with_accounts_decide_their_own_items_and_never_their_own_access() {
    let company = Company::new();
    let review =
        company.create("Spring", &["--reviewers", "manager", "--source", "HR", "--comment-required"]);
    let id = text(&review, "id");
    let ann = client_of(&company.data, "p001", &["--level", "USER"]);
    let boss = client_of(&company.data, "p000", &["--level", "CERT_ADMIN"]);
    // p001 leads p008, p012 and so on to p096, whose items are 9, 13 and so on; p005 has the number 5 % 4 + 1 = 2.
    let seen = json(&company.call_as(&ann, &["review", "show", id, "--output", "json"]));
    let seen: Vec<_> = seen.as_array().unwrap().iter().map(|item| item["item"].as_u64().unwrap()).collect();
    assert_eq!((seen.len(), seen[0], seen[23 - 1]), (23, 9, 97));
    let told = succeeds(&company.call_as(&ann, &["review", "decide", id, "--keep", "9,13"]));
    assert_eq!(told, "2 new, 0 changed, 0 unchanged\n");
    let wanted = ["review", "decide", id, "--revoke", "13"];
    assert!(fails(&company.call_as(&ann, &wanted), 1).contains("item 13: comment is missing"));
    let told = succeeds(&company.call_as(&ann, &[&wanted[..], &["--comment", "left"]].concat()));
    assert_eq!(told, "0 new, 1 changed, 0 unchanged\n");
    // Item 2 is her own, item 3 is another's.
    for item in ["2", "3"] {
        let refused = fails(&company.call_as(&ann, &["review", "decide", id, "--keep", item]), 5);
        assert!(refused.contains("expected the number of an item that the caller reviews"), "{refused}");
    }
    for command in [&["review", "close", id][..], &["review", "create", "x", "--reviewers", "manager"]] {
        fails(&company.call_as(&ann, command), 4);
    }
    // Who manages reviews decides for others, and not about access of their own, which has no reviewer.
    let told = succeeds(&company.call_as(&boss, &["review", "decide", id, "--keep", "2-5"]));
    assert_eq!(told, "4 new, 0 changed, 0 unchanged\n");
    let own = fails(&company.call_as(&boss, &["review", "decide", id, "--keep", "1"]), 4);
    assert!(own.contains("item 1 is access of \"p000\" and nobody reviews their own"), "{own}");
    let none = fails(&company.call_as(&boss, &["review", "decide", id, "--keep", "1-3"]), 4);
    assert!(none.contains("item 1"), "{none}");
    let closed = succeeds(&company.call_as(&boss, &["review", "close", id]));
    assert!(closed.contains("5 items are kept, 1 are revoked, 94 are undecided"), "{closed}");
    let (_, rows) = company.report("REVIEW_DECISIONS", id, &[]);
    let of = |item: usize| {
        let row = &rows[item - 1];
        ["decision", "decidedBy", "reviewerName", "comment"].map(|name| row[name].as_str())
    };
    assert_eq!(of(1), ["UNDECIDED", "", "", ""]);
    assert_eq!(of(2), ["KEEP", "p000", "p000", ""]);
    assert_eq!(of(13), ["REVOKE", "p001", "p001", "left"]);
    assert!(rows[12]["hours"].parse::<f64>().unwrap() < 1.0 && rows[0]["hours"].is_empty());
    // Each decision is in the audit trail, the one that was replaced, too.
    let events = json(&muster(&company.data, &["audit", "list", "--limit", "1000", "--output", "json"]));
    let decided: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["operation"] == "review_decided")
        .map(|event| text(event, "details").split(", ").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        decided,
        [
            "decided: REVOKE none; KEEP 9 13",
            "decided: REVOKE 13; KEEP none",
            "decided: REVOKE none; KEEP 2-5"
        ]
    );
}
