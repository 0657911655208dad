//! The directory's export.

use std::io;
use std::path::Path;

use crate::draw::Draw;
use crate::people::{Person, Population, stream};
use crate::table::{Encoding, Form, Table};
use crate::{Fate, SourceSummary, Summary, definitions};

const GROUPS: [&str; 6] = ["vpn", "wiki-editors", "build-farm", "travel", "on-call", "reports"];

/// What an account has that differs from one kind of account to another.
#[derive(Default)]
struct Entry<'a> {
    login: &'a str,
    unit: &'a str,
    display: &'a str,
    first: &'a str,
    last: &'a str,
    mail: &'a str,
    phone: &'a str,
    employee_number: &'a str,
    status: &'a str,
    service: bool,
    admin: bool,
    groups: &'a str,
}

pub(crate) fn write(dir: &Path, population: Population, summary: &mut Summary) -> io::Result<()> {
    std::fs::write(dir.join("active-directory.toml"), definitions::DIRECTORY)?;
    let mut source = SourceSummary::new("Active Directory", "active-directory.toml");
    let header = [
        "dn",
        "sAMAccountName",
        "displayName",
        "givenName",
        "sn",
        "mail",
        "telephoneNumber",
        "employeeNumber",
        "accountStatus",
        "accountType",
        "adminCount",
        "objectGUID",
        "memberOf",
    ];
    let form = Form { encoding: Encoding::Utf8Marked, delimiter: ',', line_end: "\r\n" };
    let mut table = Table::create(&dir.join("active-directory.csv"), form, &header)?;
    let seed = population.seed;
    for person in population.people() {
        write_person(&mut table, population, &person, &mut source, summary)?;
    }
    // People whom no authoritative source has had for long; every other account was disabled.
    for number in 0..=source.accounts / 100 {
        let login = format!("former{number}");
        let mail = format!("{login}@example.com");
        let employee_number = (9_000_000_000 + number).to_string();
        let disabled = number % 2 == 1;
        source.account(Fate::Uncorrelated);
        source.disabled += u64::from(disabled);
        let entry = Entry {
            login: &login,
            unit: "Users",
            display: "Former Colleague",
            last: "Colleague",
            mail: &mail,
            employee_number: &employee_number,
            status: if disabled { "disabled" } else { "enabled" },
            groups: "CN=all-users,OU=Groups,DC=example,DC=com",
            ..Entry::default()
        };
        write_entry(&mut table, seed, entry)?;
    }
    for number in 0..=source.accounts / 200 + 1 {
        let login = format!("svc-{number}");
        source.account(Fate::System);
        let entry =
            Entry { login: &login, unit: "Services", status: "enabled", service: true, ..Entry::default() };
        write_entry(&mut table, seed, entry)?;
    }
    // A name in another encoding than the file's, and a flag that is none.
    table.raw_row(b"\"CN=latin,OU=Users,DC=example,DC=com\",latin,M\xfcller,,,,,,enabled,person,0,,")?;
    table.row(&[
        "CN=flag,OU=Users,DC=example,DC=com",
        "flag",
        "",
        "",
        "",
        "",
        "",
        "",
        "enabled",
        "person",
        "?",
        "",
        "",
    ])?;
    source.rejected += 2;
    source.rows = table.rows();
    table.finish()?;
    summary.sources.push(source);
    Ok(())
}

fn write_person(
    table: &mut Table,
    population: Population,
    person: &Person,
    source: &mut SourceSummary,
    summary: &mut Summary,
) -> io::Result<()> {
    let mut draw = Draw::new(population.seed, stream::DIRECTORY, person.index);
    let traits = person.traits;
    let fate = if population.is_gone(person) { Fate::OfRemoved } else { Fate::Linked };
    if person.index % 40 != 39 {
        let status = match person.index % 90 {
            _ if traits.left_enabled => "enabled",
            _ if traits.left => "disabled",
            9 | 54 => "disabled",
            31 => "locked",
            _ => "enabled",
        };
        source.account(fate);
        source.disabled += u64::from(status == "disabled");
        source.locked += u64::from(status == "locked");
        let terminated = traits.left && !population.is_gone(person);
        summary.terminated_enabled += u64::from(terminated && status == "enabled");
        // Some are known by their mail address only, written in another case.
        let by_mail = person.index % 30 == 4 && !traits.no_email;
        let mail = if by_mail { person.email.to_uppercase() } else { person.email.clone() };
        write_entry(
            table,
            population.seed,
            Entry {
                login: &person.login,
                unit: if person.contractor { "External" } else { "Users" },
                display: &person.display,
                first: person.first,
                last: person.last,
                mail: &mail,
                phone: if by_mail { "" } else { &person.phone },
                employee_number: if by_mail { "" } else { &person.number },
                status,
                groups: &groups(&mut draw, person),
                ..Entry::default()
            },
        )?;
    }
    if person.index % 60 == 20 && !traits.left {
        let login = format!("adm-{}", person.login);
        source.account(fate);
        source.privileged += 1;
        let entry = Entry {
            login: &login,
            unit: "Administrators",
            display: &person.display,
            employee_number: &person.number,
            status: "enabled",
            admin: true,
            groups: "CN=Domain Admins,OU=Groups,DC=example,DC=com",
            ..Entry::default()
        };
        write_entry(table, population.seed, entry)?;
    }
    if traits.shares_phone {
        let login = format!("desk-{}", person.index);
        source.account(Fate::Disputed);
        let entry = Entry {
            login: &login,
            unit: "Shared",
            display: "Shared Desk",
            phone: &person.phone,
            status: "enabled",
            ..Entry::default()
        };
        write_entry(table, population.seed, entry)?;
    }
    Ok(())
}

fn groups(draw: &mut Draw, person: &Person) -> String {
    let mut groups = "CN=all-users,OU=Groups,DC=example,DC=com".to_owned();
    for group in GROUPS {
        if draw.chance(250_000) {
            groups += &format!(";CN={group},OU=Groups,DC=example,DC=com");
        }
    }
    groups += &format!("; CN=dept-{},OU=Groups,DC=example,DC=com", person.department.to_lowercase());
    groups
}

fn write_entry(table: &mut Table, seed: u64, entry: Entry<'_>) -> io::Result<()> {
    let dn = format!("CN={},OU={},DC=example,DC=com", entry.login, entry.unit);
    let key =
        entry.login.bytes().fold(0, |key: u64, byte| key.wrapping_mul(257).wrapping_add(u64::from(byte)));
    let mut draw = Draw::new(seed, stream::DIRECTORY, key);
    let (high, low) = (draw.next(), draw.next());
    let guid = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    table.row(&[
        &dn,
        entry.login,
        entry.display,
        entry.first,
        entry.last,
        entry.mail,
        entry.phone,
        entry.employee_number,
        entry.status,
        if entry.service { "service" } else { "person" },
        if entry.admin { "1" } else { "0" },
        &guid,
        entry.groups,
    ])
}
