//! Exports that nobody here made. The counts are those of `wc`, `cut` and `sort`, and of reading the files.

use std::path::Path;

use muster_sources::{DelimitedSettings, SourceDefinition};

use crate::support::{definition, read, real_data};

#[test]
fn an_hr_export_of_fifty_people() {
    let Some(folder) = real_data("hris") else { return };
    let text = r##"
name = "HR"
kind = "delimited"
[delimited]
path = "people.csv"
native_identity = "empnum"
[delimited.disabled]
column = "status"
values = ["former EMPLOYEE"]
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "empnum"
[[profile.attributes]]
name = "jobTitle"
from = "job"
transforms = [{ split = "#", index = 1 }]
"##;
    let source = SourceDefinition::from_toml(text, Path::new("hr.toml")).unwrap();
    let outcome = read(&source, &folder).unwrap();
    assert_eq!((outcome.records.len(), outcome.rejections.len()), (50, 0));
    assert!(outcome.summary.complete);
    assert_eq!(outcome.summary.warnings, [""; 0]);
    assert_eq!(outcome.records.iter().filter(|record| record.contains(" [d] ")).count(), 2);
    let expected = "2 1001 {empnum=1001, firstname=Geena, surname=Green, emptype=FTE, job=124#CEO, \
                    status=Active, locality=Hot Lava City, country=_loc:Rocky State}";
    assert_eq!(outcome.records[0], expected);
}

#[test]
fn a_directory_export_with_groups() {
    let Some(folder) = real_data("hris") else { return };
    let mut settings = DelimitedSettings::new("directory.csv", "dn");
    settings.name_column = Some("uid".to_owned());
    settings.display_name = Some("displayName".to_owned());
    settings.multi_valued = vec!["memberOf".to_owned()];
    settings.entitlements = vec!["memberOf".to_owned()];
    let outcome = read(&definition(settings), &folder).unwrap();
    assert_eq!((outcome.records.len(), outcome.rejections.len()), (43, 0));
    assert!(outcome.summary.complete);
    let first = &outcome.records[0];
    assert!(
        first.starts_with("2 uid=afreeman,ou=users,dc=example,dc=com afreeman/Alex Freeman/- {dn="),
        "{first}"
    );
    let groups = "cn=all-users,ou=groups,dc=example,dc=com|cn=app:customer-conversion:specialists,\
                  ou=appgroups,dc=example,dc=com|cn=app:example-life-insurance:advisors,ou=appgroups,\
                  dc=example,dc=com|cn=app:project-xx26:users,ou=appgroups,dc=example,dc=com|\
                  cn=app:project-xx26:stage2-users,ou=appgroups,dc=example,dc=com";
    assert!(first.ends_with(&format!("memberOf={groups}}} {groups}")), "{first}");
}

#[test]
fn an_hr_export_of_another_system() {
    let Some(folder) = real_data("webinar") else { return };
    let outcome = read(&definition(DelimitedSettings::new("hr.csv", "empNo")), &folder).unwrap();
    assert_eq!((outcome.records.len(), outcome.rejections.len()), (250, 0));
    assert_eq!(outcome.summary.schema, ["empNo", "firstName", "lastName", "department", "phone"]);
}
