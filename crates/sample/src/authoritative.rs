//! The two authoritative files.

use std::io;
use std::path::Path;

use crate::people::{Person, Population};
use crate::table::{Encoding, Form, Table};
use crate::{Fate, SourceSummary, Summary, definitions};

/// Broken records stand before the person whose number from the end leaves this after division by 1000.
const BROKEN_TAIL: u64 = 5;

pub(crate) fn write_employees(dir: &Path, population: Population, summary: &mut Summary) -> io::Result<()> {
    let protected = population.protected();
    let line = protected.iter().map(|number| format!("protected = [\"{number}\"]\n")).collect::<String>();
    let definition = definitions::EMPLOYEES.replace("@PROTECTED@\n", &line);
    std::fs::write(dir.join("employees.toml"), definition)?;

    let mut source = SourceSummary::new("Employees", "employees.toml");
    let header = [
        "employeeNumber",
        "uid",
        "firstName",
        "lastName",
        "displayName",
        "email",
        "phone",
        "department",
        "job",
        "site",
        "office",
        "country",
        "manager",
        "status",
        "startDate",
    ];
    let form = Form { encoding: Encoding::Utf8, delimiter: ',', line_end: "\n" };
    let mut table = Table::create(&dir.join("employees.csv"), form, &header)?;
    for index in 0..population.employees {
        if (population.employees - 1 - index) % 1_000 == BROKEN_TAIL {
            write_broken_employees(&mut table, index, &mut source)?;
        }
        let person = population.employee(index);
        if population.is_gone(&person) {
            summary.removed += 1;
            summary.removed_protected += u64::from(protected.as_ref() == Some(&person.number));
            continue;
        }
        source.account(Fate::Linked);
        source.disabled += u64::from(person.traits.left);
        count_identity(&person, summary);
        let status = match index % 50 {
            _ if person.traits.left => "Former employee",
            22 => "On leave",
            _ => "Active",
        };
        let office = match index % 70 {
            10 => format!("Annex \"B\",\nroom {index}"),
            _ => format!("Room {}", index % 400),
        };
        let traits = person.traits;
        table.row(&[
            &person.number,
            &person.uid,
            person.first,
            if traits.no_last_name { "" } else { person.last },
            &person.display,
            if traits.no_email { "" } else { &person.email },
            &person.phone,
            person.department,
            person.job,
            person.site.0,
            &office,
            person.site.1,
            &person.manager,
            status,
            &person.started,
        ])?;
    }
    source.rows = table.rows();
    table.finish()?;
    summary.sources.push(source);
    Ok(())
}

/// Too few fields, twice, too many (a comma without quotes), and one that can be read but has no
/// uid.
fn write_broken_employees(table: &mut Table, index: u64, source: &mut SourceSummary) -> io::Result<()> {
    let number = format!("B{index}");
    let uid = format!("broken{index}");
    // One without a number could be anybody, and then nobody would be missing.
    table.row(&[&format!("N{index}"), &uid])?;
    table.row(&[&number, "cut", "Off", "Short"])?;
    table.row(&[
        &number,
        &uid,
        "Extra",
        "Comma",
        "",
        "",
        "",
        "",
        "",
        "",
        "Room 1",
        " 2nd floor",
        "",
        "",
        "Active",
        "",
    ])?;
    source.rejected += 3;
    table.row(&[&number, "", "No", "Login", "No Login", "", "", "", "", "", "", "", "", "Active", ""])?;
    source.accounts += 1;
    source.without_uid += 1;
    Ok(())
}

pub(crate) fn write_contractors(dir: &Path, population: Population, summary: &mut Summary) -> io::Result<()> {
    std::fs::write(dir.join("contractors.toml"), definitions::CONTRACTORS)?;
    let mut source = SourceSummary::new("Contractors", "contractors.toml");
    let header = [
        "number",
        "login",
        "givenName",
        "familyName",
        "mail",
        "phone",
        "department",
        "contact",
        "state",
        "from",
        "employedAs",
    ];
    let form = Form { encoding: Encoding::Latin1, delimiter: ';', line_end: "\r\n" };
    let mut table = Table::create(&dir.join("contractors.csv"), form, &header)?;
    for index in 0..population.contractors {
        let person = population.contractor(index);
        let traits = person.traits;
        source.account(Fate::Linked);
        count_identity(&person, summary);
        table.row(&[
            &person.number,
            &person.login,
            person.first,
            if traits.no_last_name { "" } else { person.last },
            if traits.no_email { "" } else { &person.email },
            &person.phone,
            person.department,
            &person.manager,
            if traits.left { "ended" } else { "running" },
            &person.started,
            "",
        ])?;
    }
    for index in 0..population.employees {
        let person = population.employee(index);
        if !person.traits.also_contractor {
            continue;
        }
        source.account(Fate::Linked);
        summary.in_both += 1;
        let number = format!("XE{index}");
        // The employee's name may have no form in this file's encoding.
        let (first, last) = ("see", "HR");
        table.row(&[&number, &person.login, first, last, "", "", "", "", "ended", "", &person.number])?;
    }
    let rows = (table.rows() + 1).to_string();
    table.row(&["End of export", &rows])?;
    source.rejected += 1;
    source.rows = table.rows();
    table.finish()?;
    summary.sources.push(source);
    Ok(())
}

fn count_identity(person: &Person, summary: &mut Summary) {
    let traits = person.traits;
    summary.identities += 1;
    summary.terminated += u64::from(traits.left);
    summary.without_last_name += u64::from(traits.no_last_name);
    summary.without_email += u64::from(traits.no_email);
    summary.uid_pairs += u64::from(traits.takes_uid);
    summary.manager_unresolved += u64::from(traits.manager_unknown);
    summary.transform_failed += u64::from(traits.job_without_code);
}
