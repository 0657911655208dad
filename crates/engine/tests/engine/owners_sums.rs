//! The owner's sum through a refresh: what of it was read, refused and loaded, and what the reports and the next snapshot say.
//! Every number was added up by hand.

use crate::installation::{HR, Installation, Ran};

const PAY: &str = r#"
name = "Pay"
kind = "delimited"
refused_max_percent = 100
delete_threshold_percent = 100
never_kept = ["hours"]
[delimited]
path = "pay.csv"
native_identity = "login"
[total]
trailer = "TRL,{count},{sum}"
sum_of = "hours"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

/// 10.5 of Ada, 20 and 2.25 under one native identity with two owners, 7 without a native identity, and twice the same record.
const RECORDS: &str = "login,emp,hours\na,1,10.5\nb,2,20\nb,1,2.25\n,2,7\nc,2,0.125\nc,2,0.125\nTRL,6,40\n";

fn sums(installation: &Installation) -> [Option<String>; 5] {
    let run = installation.manifest().sources.iter().find(|run| run.name == "Pay").unwrap();
    let sum = run.sum.clone().unwrap();
    [Some(sum.column), sum.stated, Some(sum.read), Some(sum.refused), sum.loaded]
}

fn is(texts: [&str; 5]) -> [Option<String>; 5] {
    texts.map(|text| Some(text.to_owned()))
}

fn told(ran: &Ran) -> Vec<[String; 6]> {
    let names = ["sourceName", "sumOf", "sumStated", "sumRead", "sumRefused", "sumLoaded"];
    (0..ran.rows.len()).map(|row| names.map(|name| ran.column(name)[row].to_owned())).collect()
}

#[test]
fn a_sum_is_that_of_the_refused_and_the_loaded_records() {
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name,mail\n1,Ada,Ada\n2,Bob,Bob\n");
    installation.source(PAY, "pay.csv", RECORDS);
    let outcome = installation.refresh();
    let run = &outcome.sources.iter().find(|source| source.run.name == "Pay").unwrap().run;
    // The records of `b` are refused, because nobody knows which is right. Those of `c` are one account.
    assert_eq!((run.read, run.rejected, run.loaded, run.complete), (6, 3, 2, true));
    assert_eq!(sums(&installation), is(["hours", "40", "40", "29.25", "10.75"]));
    let fresh = told(&installation.report("SOURCE_FRESHNESS", &[]));
    let expected = [["HR", "", "", "", "", ""], ["Pay", "hours", "40", "40", "29.25", "10.75"]];
    assert_eq!(fresh, expected.map(|row| row.map(str::to_owned)));

    // A source that did not change is not read again, and its sums stay.
    installation.refresh();
    assert_eq!(sums(&installation), is(["hours", "40", "40", "29.25", "10.75"]));

    // Another sum is read than the owner's; what is refused and loaded still adds up to what was read.
    installation.source(PAY, "pay.csv", &RECORDS.replace("0.125", "0.25"));
    installation.publish_incomplete = true;
    installation.refresh();
    assert_eq!(sums(&installation), is(["hours", "40", "40.25", "29.25", "11"]));
    let remark = installation.manifest().sources.iter().find_map(|run| run.remark.clone()).unwrap();
    assert!(remark.contains("the owner's sum of \"hours\" is 40, and 40.25 was read"), "{remark}");

    // Where records with one native identity are merged, all of them are loaded: 33 and the 7 that are refused.
    let merging = PAY.replace("[delimited]", "[delimited]\nmerge_rows = true");
    installation.source(&merging, "pay.csv", RECORDS);
    installation.refresh();
    assert_eq!(sums(&installation), is(["hours", "40", "40", "7", "33"]));
}
