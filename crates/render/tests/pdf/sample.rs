//! Rows, covers and charts to be printed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use muster_render::ColumnFormat;
use muster_render::chart::{Chart, ChartKind, Series};
use muster_reports::caller::CallerKind;
use muster_reports::cover::{
    Breakdown, Count, Cover, CoverColumn, CoverFile, CoverReport, CoverRequester, CoverSnapshot,
    Reconciliation,
};
use muster_reports::ids::{SourceId, TaskId};
use muster_reports::message::Message;
use muster_reports::snapshot::{AggregationMode, SourceRun};

/// Named rows.
pub struct Rows {
    pub name: String,
    batch: RecordBatch,
}

impl Rows {
    pub fn new(name: &str, columns: &[(&str, Vec<Option<&str>>)]) -> Self {
        let array = |values: &Vec<Option<&str>>| Arc::new(StringArray::from(values.clone())) as ArrayRef;
        let columns = columns.iter().map(|(name, values)| (*name, array(values), true));
        Self { name: name.to_owned(), batch: RecordBatch::try_from_iter_with_nullable(columns).unwrap() }
    }

    /// Columns of texts, then one of lists.
    pub fn lists(name: &str, columns: &[(&str, &[&str])], (list, values): (&str, &[&[String]])) -> Self {
        let mut builder = ListBuilder::new(StringBuilder::new());
        for items in values {
            items.iter().for_each(|item| builder.values().append_value(item));
            builder.append(true);
        }
        let texts = columns.iter().map(|(name, texts)| {
            (*name, Arc::new(StringArray::from_iter_values(texts.iter())) as ArrayRef, true)
        });
        let list = [(list, Arc::new(builder.finish()) as ArrayRef, true)];
        let batch = RecordBatch::try_from_iter_with_nullable(texts.chain(list)).unwrap();
        Self { name: name.to_owned(), batch }
    }

    pub fn len(&self) -> u64 {
        self.batch.num_rows() as u64
    }

    pub fn formats(&self) -> Vec<ColumnFormat> {
        let label = |name: &str| {
            let mut label = String::new();
            for character in name.chars() {
                if character.is_uppercase() {
                    label.push(' ');
                }
                label.push(if label.is_empty() { character.to_ascii_uppercase() } else { character });
            }
            label
        };
        let schema = self.batch.schema();
        schema
            .fields()
            .iter()
            .map(|field| ColumnFormat { name: field.name().clone(), label: label(field.name()) })
            .collect()
    }

    pub fn batches(&self, rows: usize) -> Vec<RecordBatch> {
        let count = self.batch.num_rows();
        (0..count).step_by(rows).map(|start| self.batch.slice(start, rows.min(count - start))).collect()
    }

    /// The texts of the text columns.
    pub fn texts(&self) -> Vec<String> {
        let columns =
            self.batch.columns().iter().filter_map(|column| column.as_any().downcast_ref::<StringArray>());
        columns.flat_map(|column| column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

/// People as an identity report has them, eight columns.
pub fn people(count: i64) -> Rows {
    let first = ["Åse", "Zoë", "José", "Łukasz", "Ирина", "Νίκος", "Anna-Lena", "Søren", "Chloé", "Nguyễn"];
    let last = [
        "Ødegård",
        "Müller",
        "García Márquez",
        "Wiśniewski",
        "Петрова",
        "Παπαδόπουλος",
        "Schmidt",
        "Đorđević",
    ];
    let departments = ["Finance", "Human Resources", "Research & Development", "IT Operations", "Legal"];
    let pick = |list: &[&str], row: i64| list[usize::try_from(row).unwrap() % list.len()].to_owned();
    let texts = |text: &dyn Fn(i64) -> Option<String>| {
        Arc::new(StringArray::from_iter((0..count).map(text))) as ArrayRef
    };
    let mut groups = ListBuilder::new(StringBuilder::new());
    for row in 0..count {
        for group in 0..row % 5 {
            groups.values().append_value(format!("cn=group-{group},ou=groups"));
        }
        groups.append(true);
    }
    let times = (0..count).map(|row| 1_700_000_000_000_000 + row * 1_234_567_891);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", texts(&|row| Some(format!("{:032x}", 0x5bd1_e995_i128 * i128::from(row + 1)))), true),
        ("displayName", texts(&|row| Some(format!("{} {}", pick(&first, row), pick(&last, row / 3)))), true),
        ("email", texts(&|row| Some(format!("person{row:06}@example.org"))), true),
        ("department", texts(&|row| (row % 7 != 0).then(|| pick(&departments, row / 2))), true),
        (
            "lifecycleState",
            texts(&|row| Some(if row % 11 == 0 { "inactive" } else { "active" }.to_owned())),
            true,
        ),
        ("accountCount", Arc::new(Int64Array::from_iter_values((0..count).map(|row| row % 9))), true),
        ("groups", Arc::new(groups.finish()), true),
        ("created", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")), true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    Rows { name: format!("people-{count}"), batch }
}

/// As many columns as the largest report has, some cells far too long.
pub fn wide() -> Rows {
    let names = [
        "id",
        "name",
        "displayName",
        "firstName",
        "lastName",
        "email",
        "identityProfile",
        "authoritativeSource",
        "lifecycleState",
        "status",
        "correlated",
        "managerName",
        "accountCount",
        "sourceId",
        "sourceName",
        "accountId",
        "accountName",
        "nativeIdentity",
        "accountDisabled",
        "accountLocked",
        "privileged",
        "manuallyCorrelated",
        "accountCreated",
        "accountModified",
    ];
    let values = [
        "5bd1e9955bd1e9955bd1e9955bd1e995",
        "amuster",
        "Anna-Lena García Márquez",
        "Anna-Lena",
        "García Márquez",
        "anna-lena.garcia-marquez@example.org",
        "Employees",
        "Workday",
        "active",
        "ACTIVE",
        "true",
        "Zoë Wiśniewski",
        "3",
        "0a994d0fb7c2a1e00a994d0fb7c2a1e0",
        "Active Directory",
        "7642d8c8c81f677642d8c8c81f677642",
        "AMUSTER",
        "CN=Anna-Lena García Márquez,OU=Finance,OU=People,DC=example,DC=org",
        "false",
        "false",
        "true",
        "false",
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:20.000Z",
    ];
    let mut columns: Vec<(&str, ArrayRef, bool)> = Vec::new();
    for (name, value) in names.iter().zip(values) {
        columns.push((*name, Arc::new(StringArray::from(vec![value; 12])), true));
    }
    let mut entitlements = ListBuilder::new(StringBuilder::new());
    for row in 0..12 {
        for entitlement in 0..row * row * 8 {
            entitlements.values().append_value(format!("role;{entitlement}"));
        }
        entitlements.append(true);
    }
    columns.push(("entitlements", Arc::new(entitlements.finish()), true));
    Rows { name: "wide".to_owned(), batch: RecordBatch::try_from_iter_with_nullable(columns).unwrap() }
}

/// What is hard: scripts, directions, marks, long words, things that are not letters.
pub fn torture() -> Rows {
    // Arabic vowel signs are left out: pdftotext puts them before their letter, though other readers do not.
    let long = "x".repeat(180);
    let values = [
        ("Latin", "Ærøskøbing, Škoda, Ħal Għaxaq, Ðặng Thị Ngọc, İstanbul, ﬁnance"),
        ("Greek", "Αλέξανδρος Παπαδιαμάντης, Ἀχιλλεύς"),
        ("Cyrillic", "Александр Солженицын, Їжакевич, Љубица Ђорђевић"),
        ("Combining", "e\u{301}le\u{300}ve Z\u{30c}iz\u{30c}ek o\u{302}\u{301} n\u{303}"),
        ("Arabic", "محمد بن عبد الله"),
        ("Arabic ligature", "الإسلام لا إله"),
        ("Persian", "فارسی گچپژ"),
        ("Hebrew", "דוד בן־גוריון"),
        ("Mixed directions", "Sara שרה Cohen"),
        ("Thai", "กรุงเทพมหานคร น้ำใจ"),
        ("Devanagari", "हिन्दी राजेन्द्र प्रसाद कृष्ण"),
        ("Chinese", "王小明 张伟 東京國際"),
        ("Japanese", "山田太郎 ヤマダ さくら"),
        ("Korean", "김철수 대한민국"),
        ("Armenian, Georgian", "Հայաստան საქართველო"),
        ("Formula", "=cmd|'/c calc'!A1"),
        ("Distinguished name", "uid=hmuster,ou=People,ou=Very Long Organisational Unit,dc=example,dc=org"),
        ("Quotes", "say \"hi\" (a\\b) <c> [d] {e} % #"),
        ("Long word", &long),
        ("Emoji", "party 🎉 time"),
        ("Lines", "first\nsecond\r\nthird\tafter a tab"),
    ];
    let kinds = values.iter().map(|(kind, _)| Some(*kind)).collect();
    let texts = values.iter().map(|(_, text)| Some(*text)).collect();
    Rows::new("torture", &[("kind", kinds), ("text", texts), ("nothing", vec![None; values.len()])])
}

pub fn without_spaces(text: &str) -> String {
    // Directional marks are invisible, and readers add them of their own.
    let kept = |character: &char| {
        !character.is_whitespace()
            && !character.is_control()
            && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    text.chars().filter(kept).collect()
}

/// The common names in the directory file next to the repository, decoded.
pub fn directory_names() -> Option<Vec<String>> {
    use std::collections::BTreeSet;
    let folder = std::env::current_dir().ok()?;
    let found = folder
        .ancestors()
        .map(|folder| folder.join("shared/data/ldif/European.ldif"))
        .find(|path| path.exists())?;
    let bytes = std::fs::read(found).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace("\n ", "");
    let mut names = BTreeSet::new();
    for line in text.lines() {
        for name in ["cn", "sn", "givenName", "givenname", "displayName", "o", "ou"] {
            if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) {
                names.insert(value.trim().to_owned());
            } else if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(":: ")) {
                names.insert(decode(value.trim())?);
            }
        }
    }
    names.remove("");
    Some(names.into_iter().collect())
}

/// Base64 of UTF-8.
fn decode(text: &str) -> Option<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

pub fn chart(kind: ChartKind) -> Chart {
    let moments = kind == ChartKind::Line;
    let names = [
        "Workday",
        "Active Directory Emea",
        "SAP S/4HANA",
        "Salesforce",
        "GitHub",
        "ServiceNow",
        "Legacy HR (مصادر)",
    ];
    let categories: Vec<String> = if moments {
        (1..=24).map(|day| format!("2026-09-{day:02}")).collect()
    } else {
        names.map(str::to_owned).to_vec()
    };
    let value = |index: usize, factor: f64| {
        (f64::from(u32::try_from(index).unwrap()) * factor).sin().abs() * 900.0 + 40.0
    };
    let series = ["Correlated", "Uncorrelated", "Disputed"].iter().enumerate().map(|(place, name)| Series {
        name: (*name).to_owned(),
        values: (0..categories.len())
            .map(|index| {
                (value(index + 1, 0.7 + f64::from(u32::try_from(place).unwrap()))
                    / f64::from(1 + 2 * u32::try_from(place).unwrap()))
                .round()
            })
            .collect(),
    });
    Chart {
        title: match kind {
            ChartKind::Bars => "Accounts by source",
            ChartKind::StackedBars => "Accounts by source and state",
            ChartKind::Share => "Share of uncorrelated accounts by source",
            ChartKind::Line => "Accounts over the last snapshots",
        }
        .to_owned(),
        description: "Accounts of seven sources; Workday has the most.".to_owned(),
        unit: "accounts".to_owned(),
        series: series.collect(),
        kind,
        accent: if kind == ChartKind::Line { Vec::new() } else { vec!["Uncorrelated".to_owned()] },
        categories,
    }
}

pub fn cover(rows: u64) -> Cover {
    let completed: DateTime<Utc> = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let run = |name: &str, complete: bool| SourceRun {
        id: SourceId::new(format!("source-{}", name.to_lowercase().replace(" ", "-"))),
        name: name.to_owned(),
        kind: "delimited".to_owned(),
        authoritative: name == "Workday",
        profile: (name == "Workday").then(|| "Employees".to_owned()),
        mode: AggregationMode::Full,
        started: completed - TimeDelta::minutes(200),
        ended: completed - TimeDelta::minutes(190),
        complete,
        remark: (!complete).then(|| "the server closed the connection after page 14".to_owned()),
        reported_total: complete.then_some(48_211),
        sum: None,
        read: 48_211,
        rejected: 3,
        loaded: 48_208,
        created: 12,
        updated: 90,
        unchanged: 48_106,
        missing: 4,
        stale: 0,
        as_of: None,
        input_digest: None,
        attributes: Vec::new(),
        cursor: None,
        warnings: Vec::new(),
        documents: Vec::new(),
        refused_values: Vec::new(),
        settings_digest: None,
    };
    let count = |label: &str, rows: u64| Count { label: label.to_owned(), rows };
    let column = |name: &str, label: &str, meaning: &str| CoverColumn {
        name: name.to_owned(),
        label: label.to_owned(),
        meaning: meaning.to_owned(),
        origin: "definition".to_owned(),
    };
    Cover {
        cover_version: 1,
        task_id: TaskId::new("7f3d2c1b0a994d0fb7c2a1e0d9c8b7a6"),
        report: CoverReport {
            id: "IDENTITIES".to_owned(),
            name: "Identities Report".to_owned(),
            version: 1,
            digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            built_in: true,
            norms: Vec::new(),
        },
        tenant: "Musterfirma GmbH".to_owned(),
        requester: CoverRequester {
            name: "anna.muster".to_owned(),
            identity_id: Some("2c9180867624cbd7017642d8c8c81f67".to_owned()),
            credential: CallerKind::User,
            client_id: "c4a2f3b1".to_owned(),
            data_scope: "all rows".to_owned(),
        },
        submitted: completed - TimeDelta::minutes(3),
        started: completed - TimeDelta::minutes(2),
        completed,
        product_version: "0.1.0".to_owned(),
        arguments: serde_json::json!({"correlatedOnly": true, "sourceName": "Workday"}),
        effective_query: "SELECT id, name, display_name, email FROM identities WHERE correlated ORDER BY name, id".to_owned(),
        earlier: Vec::new(),
        snapshot: CoverSnapshot {
            id: "snapshot-000042".to_owned(),
            created: completed - TimeDelta::minutes(180),
            age_seconds: 177 * 60,
            sources: vec![run("Workday", true), run("Active Directory", false), run("GitHub", true)],
        },
        reconciliation: Reconciliation {
            added: Vec::new(),
            population: rows + 300,
            excluded: vec![count("not correlated", 280), count("protected", 20)],
            expected: rows,
            reported: rows,
            subtotals: vec![Breakdown {
                by: "lifecycle state".to_owned(),
                parts: vec![count("active", rows - rows / 10), count("inactive", rows / 10)],
            }],
        },
        parts: Vec::new(),
        columns: vec![
            column("id", "Id", "The identity's id; it never changes."),
            column("displayName", "Display Name", "The name that people see."),
            column("email", "Email", "The work address."),
            column("groups", "Groups", "The groups of all accounts of the identity, each once, in alphabetical order."),
        ],
        messages: vec![Message::warn(
            "source_incomplete",
            "Source Active Directory was not read to its end on 20 September 2026; accounts may be missing.",
        )],
        files: vec![CoverFile {
            name: "Identities Report.csv".to_owned(),
            format: "CSV".to_owned(),
            bytes: 12_345_678,
            rows,
            sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
        }],
        counted_by: Vec::new(),
        csv_formula_guard: Some(true),
        how_to_verify: "Compute the SHA-256 of each file (sha256sum FILE) and compare it with the list above. The number of \
                        rows is the number of lines less one for the header, where no cell holds a line end."
            .to_owned(),
    }
}
