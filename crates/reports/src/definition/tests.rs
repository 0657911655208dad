//! The built-in definitions, and what is refused in others.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::arguments::RawValue;

/// The column lists of docs/reports.md, written out again by hand.
const COLUMNS: [(&str, &str); 7] = [
    (
        "ACCOUNTS",
        "nativeIdentity,name,sourceId,sourceName,identityId,identityName,identityDisplayName,correlated,manuallyCorrelated,situation,disabled,locked,systemAccount,entitlementCount,created,modified",
    ),
    (
        "IDENTITIES",
        "id,name,displayName,firstName,lastName,email,identityProfile,authoritativeSource,lifecycleState,status,correlated,managerName,accountCount,created,modified",
    ),
    (
        "IDENTITIES_DETAILS",
        "id,name,displayName,firstName,lastName,email,identityProfile,authoritativeSource,lifecycleState,status,correlated,managerName,accountCount,sourceId,sourceName,accountId,accountName,nativeIdentity,accountDisabled,accountLocked,privileged,manuallyCorrelated,entitlements,accountCreated,accountModified",
    ),
    (
        "IDENTITY_PROFILE_IDENTITY_ERROR",
        "identityId,identityName,displayName,nativeIdentity,identityProfile,errorCode,attribute,value,message,detected",
    ),
    (
        "ORPHAN_IDENTITIES",
        "id,name,displayName,email,cause,lostSince,lastAuthoritativeSource,accountCount,accounts,created,modified",
    ),
    ("SEARCH_EXPORT", ""),
    (
        "UNCORRELATED_ACCOUNTS",
        "account,displayName,userName,type,sourceId,sourceName,situation,candidates,disabled,created,modified",
    ),
];

#[test]
fn built_in_columns_are_the_documented_ones() {
    let catalogue = Catalogue::built_in();
    for (id, columns) in COLUMNS {
        let definition = catalogue.get(&ReportId::new(id)).unwrap();
        let names: Vec<_> = definition.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.join(","), columns, "{id}");
        assert_eq!(definition.kind.map(ReportKind::as_str), Some(id));
    }
    let published = catalogue.iter().filter(|definition| definition.kind.is_some());
    assert_eq!(published.count(), COLUMNS.len());
}

/// What the program brings besides: none of them is of a published kind, and each says what it serves.
#[test]
fn our_own_reports_are_of_no_published_kind() {
    let catalogue = Catalogue::built_in();
    let own: Vec<_> = catalogue.iter().filter(|definition| definition.kind.is_none()).collect();
    let ids: Vec<_> = own.iter().map(|definition| definition.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "ACCESS",
            "ACCESS_CHANGES",
            "ACCESS_IN_PERIOD",
            "ATTRIBUTE_MAPPINGS",
            "DORMANT_ACCOUNTS",
            "ENTITLEMENTS",
            "IDENTITY_CHANGES",
            "LEAVERS_WITH_ACCESS",
            "MACHINE_ACCOUNTS",
            "MANAGER_REVIEW",
            "PASSWORD_AGE",
            "PRIVILEGED_ACCESS",
            "REFUSED_RECORDS",
            "REVIEW_DECISIONS",
            "REVIEW_REVOKES",
            "SOD_VIOLATIONS",
            "SOURCE_FRESHNESS",
        ]
    );
    for definition in own {
        assert!(definition.built_in && !definition.norms.is_empty(), "{}", definition.id);
        assert!(!definition.key.is_empty() && !definition.pdf.columns.is_empty(), "{}", definition.id);
    }
    assert!(
        catalogue
            .iter()
            .filter(|definition| definition.kind.is_some())
            .all(|definition| definition.norms.is_empty())
    );
}

#[test]
fn every_report_can_be_written_as_csv_alone() {
    let raw = |format: &str| {
        let formats = RawValue::List(vec![RawValue::Text(format.into())]);
        RawArguments::from([("selectedFormats".to_owned(), formats)])
    };
    let catalogue = Catalogue::built_in();
    for definition in catalogue.iter() {
        let named = definition.all_arguments().filter(|spec| spec.name == "selectedFormats");
        assert_eq!(named.count(), 1, "{}", definition.id);
    }
    let identities = catalogue.get(&ReportId::new("IDENTITIES")).unwrap();
    let check = |format: &str| identities.check_arguments(&raw(format), UnknownNames::Refuse);
    let (arguments, messages) = check("CSV").unwrap();
    assert_eq!(arguments.texts("selectedFormats"), Some(&["CSV".to_owned()][..]));
    assert!(messages.is_empty());
    let refused = check("XLS").unwrap_err().message;
    assert!(refused.contains("expected one of CSV, PDF"), "{refused}");
}

#[test]
fn the_formats_are_those_of_the_definition_and_those_asked_for() {
    let catalogue = Catalogue::built_in();
    let orphans = catalogue.get(&ReportId::new("ORPHAN_IDENTITIES")).unwrap();
    for (arguments, formats) in [
        ("{}", &[FileFormat::Csv, FileFormat::Pdf][..]),
        (r#"{"selectedFormats":["PDF"]}"#, &[FileFormat::Pdf]),
        (r#"{"selectedFormats":["CSV"],"extraFormats":["XLSX"]}"#, &[FileFormat::Csv, FileFormat::Xlsx]),
    ] {
        assert_eq!(
            orphans.formats_wanted(&Arguments::from_canonical(arguments).unwrap()),
            formats,
            "{arguments}"
        );
    }
}

/// Each report is asked for each format. A search has CSV files and nothing else, and says so before it runs.
#[test]
fn a_format_that_a_report_lacks_is_refused() {
    let raw = |name: &str, text: &str| {
        let query = ("query".to_owned(), RawValue::Text("*".into()));
        let formats = (name.to_owned(), RawValue::List(vec![RawValue::Text(text.into())]));
        RawArguments::from([query, formats])
    };
    let catalogue = Catalogue::built_in();
    let search = catalogue.get(&ReportId::new("SEARCH_EXPORT")).unwrap();
    for unknown in [UnknownNames::Warn, UnknownNames::Refuse] {
        for name in ["extraFormats", "pdfColumns"] {
            let refused = search.check_arguments(&raw(name, "XLSX"), unknown).unwrap_err().message;
            let words = "SEARCH_EXPORT does not have: it is written as CSV, in a zip archive";
            assert_eq!(refused, format!("argument {name:?} is about formats that {words}"));
        }
        // A client may send what says nothing.
        let mut nothing = raw("extraFormats", "XLSX");
        nothing.insert("extraFormats".to_owned(), RawValue::Null);
        assert!(search.check_arguments(&nothing, unknown).unwrap().1.is_empty());
    }
    for definition in catalogue.iter().filter(|definition| !definition.search) {
        assert_eq!(definition.formats, [FileFormat::Csv, FileFormat::Pdf], "{}", definition.id);
        for format in FileFormat::EXTRA {
            let arguments = format!(r#"{{"extraFormats":["{format}"]}}"#);
            let wanted = definition.formats_wanted(&Arguments::from_canonical(&arguments).unwrap());
            assert_eq!(wanted, [FileFormat::Csv, FileFormat::Pdf, format], "{}", definition.id);
        }
    }
    let mut of_csv = ReportDefinition::clone(&catalogue.get(&ReportId::new("IDENTITIES")).unwrap());
    of_csv.formats = vec![FileFormat::Csv];
    let columns = RawArguments::from([("pdfColumns".to_owned(), RawValue::Text("name".into()))]);
    let refused = of_csv.check_arguments(&columns, UnknownNames::Warn).unwrap_err().message;
    assert_eq!(
        refused,
        "argument \"pdfColumns\" is about formats that IDENTITIES does not have: it is written as CSV"
    );
}

#[test]
fn the_columns_of_a_pdf_can_be_chosen() {
    let catalogue = Catalogue::built_in();
    let check = |id: &str, names: &str| {
        let raw = RawArguments::from([("pdfColumns".to_owned(), RawValue::Text(names.into()))]);
        let definition = catalogue.get(&ReportId::new(id)).unwrap();
        let checked = definition.check_arguments(&raw, UnknownNames::Refuse);
        checked.map(|(arguments, _)| definition.pdf_layout(&arguments).columns)
    };
    assert_eq!(check("ORPHAN_IDENTITIES", "name, cause").unwrap(), ["name", "cause"]);
    let refused = check("ORPHAN_IDENTITIES", "name,colour").unwrap_err().message;
    assert_eq!(refused, "argument \"pdfColumns\" names \"colour\": expected names of the report's columns");
    // An attribute of the schema, which the definition does not know.
    assert_eq!(check("IDENTITIES", "name,colour").unwrap(), ["name", "colour"]);
}

/// Counted by hand in the definitions: what a page has room for.
#[test]
fn built_in_reports_name_eight_to_twelve_columns_of_their_pdf() {
    for (id, expected) in [
        ("ACCOUNTS", 11),
        ("IDENTITIES", 11),
        ("IDENTITIES_DETAILS", 12),
        ("IDENTITY_PROFILE_IDENTITY_ERROR", 8),
        ("ORPHAN_IDENTITIES", 9),
        ("UNCORRELATED_ACCOUNTS", 9),
    ] {
        let catalogue = Catalogue::built_in();
        let definition = catalogue.get(&ReportId::new(id)).unwrap();
        let layout = definition.pdf_layout(&Arguments::default());
        assert_eq!(layout.columns.len() + layout.group.len(), expected, "{id}");
    }
}

#[test]
fn every_query_argument_is_declared() {
    for definition in Catalogue::built_in().iter() {
        for (_, text) in definition.queries() {
            for placeholder in text.split('$').skip(1) {
                let name: String = placeholder.chars().take_while(|c| c.is_alphanumeric()).collect();
                assert!(
                    name == SNAPSHOT_TIME || definition.arguments.iter().any(|a| a.name == name),
                    "{}: ${name} is not an argument",
                    definition.id
                );
            }
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    let error = ReportDefinition::from_toml("id = \"x\"\ncolour = 1\n", "custom.toml").unwrap_err();
    assert!(error.message.contains("custom.toml") && error.message.contains("line 2"), "{}", error.message);
}

#[test]
fn a_built_in_report_is_never_replaced() {
    let mut catalogue = Catalogue::built_in();
    let accounts = ReportDefinition::clone(&catalogue.get(&ReportId::new("ACCOUNTS")).unwrap());
    assert!(catalogue.add(accounts.clone()).is_err());
    assert!(catalogue.replace(accounts).is_err());
}

/// Every clone has what is kept, and a file comes first.
#[test]
fn kept_reports_are_in_every_clone() {
    let mine = |name: &str| {
        let text = format!(
            "id = \"mine\"\nversion = 1\nname = \"{name}\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
             order_by = [\"n\"]\nquery = \"q\"\npopulation = \"p\"\n[[columns]]\nname = \"n\"\nlabel = \"N\"\n\
             meaning = \"m\"\n"
        );
        ReportDefinition::from_toml(&text, "mine.toml").unwrap()
    };
    let id = ReportId::new("mine");
    let catalogue = Catalogue::built_in();
    let clone = catalogue.clone();
    catalogue.keep([Arc::new(mine("One"))]);
    assert_eq!(clone.get(&id).unwrap().name, "One");
    assert_eq!(clone.iter().count(), BUILT_IN.len() + 1);
    catalogue.keep([Arc::new(mine("Two"))]);
    assert_eq!(clone.definition(&id).unwrap().name, "Two");
    let mut with_file = catalogue.clone();
    with_file.add(mine("File")).unwrap();
    assert_eq!(with_file.get(&id).unwrap().name, "File");
    assert!(with_file.is_fixed(&id) && !catalogue.is_fixed(&id));
    catalogue.keep([]);
    assert!(clone.get(&id).is_none());
    assert!(clone.definition(&id).unwrap_err().message.contains("there is no report \"mine\""));
}
