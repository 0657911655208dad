//! The applications' exports, each with the habits of its kind.

use std::io;
use std::path::Path;

use crate::draw::Draw;
use crate::people::{Person, Population, phone, stream};
use crate::table::{Encoding, Form, Table};
use crate::{Fate, SourceSummary, Summary, definitions};

/// What writes an application's file; `share` is the part of all people who have an account, in millionths.
type Writer = fn(&Application, &Path, Population, u64) -> io::Result<SourceSummary>;

struct Application {
    name: &'static str,
    /// Name of its files, without the ending.
    file: &'static str,
    /// Stream of the seed.
    stream: u64,
    write: Writer,
}

const fn application(rank: u64, name: &'static str, file: &'static str, write: Writer) -> Application {
    Application { name, file, stream: stream::APPLICATION + rank, write }
}

/// By size.
const APPLICATIONS: [Application; 8] = [
    application(1, "Badge System", "badge-system", write_badges),
    application(2, "SAP ERP", "sap-erp", write_sap),
    application(3, "Salesforce", "salesforce", write_salesforce),
    application(4, "Data Warehouse", "data-warehouse", write_warehouse),
    application(5, "Service Desk", "service-desk", write_plain),
    application(6, "Source Control", "source-control", write_plain),
    application(7, "Payroll Portal", "payroll-portal", write_plain),
    application(8, "Legacy Mainframe", "legacy-mainframe", write_plain),
];

const PLAIN_CSV: Form = Form { encoding: Encoding::Utf8, delimiter: ',', line_end: "\n" };

/// Writes every application so that a person has `per_person` accounts in them, about.
pub(crate) fn write(
    dir: &Path,
    population: Population,
    per_person: f64,
    summary: &mut Summary,
) -> io::Result<()> {
    let scale = scale(per_person.clamp(0.0, APPLICATIONS.len() as f64));
    for (index, application) in APPLICATIONS.iter().enumerate() {
        let share = (share(scale, index) * 1e6) as u64;
        summary.sources.push((application.write)(application, dir, population, share)?);
    }
    Ok(())
}

/// Everybody, or `scale` over the application's rank.
fn share(scale: f64, index: usize) -> f64 {
    (scale / (index as f64 + 1.0)).min(1.0)
}

/// The scale at which the shares of all applications come to `per_person`, by halving.
fn scale(per_person: f64) -> f64 {
    let (mut low, mut high) = (0.0, APPLICATIONS.len() as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let sum: f64 = (0..APPLICATIONS.len()).map(|index| share(middle, index)).sum();
        if sum < per_person { low = middle } else { high = middle }
    }
    high
}

impl Application {
    fn summary(&self) -> SourceSummary {
        SourceSummary::new(self.name, &format!("{}.toml", self.file))
    }

    /// People who have an account, each with the numbers to draw the account from.
    fn users(&self, population: Population, share: u64) -> impl Iterator<Item = (Person, Draw)> {
        let stream = self.stream;
        population.people().filter_map(move |person| {
            let mut draw = Draw::new(population.seed, stream, person.index);
            draw.chance(share).then_some((person, draw))
        })
    }
}

/// How many accounts of nobody an application has that has so many of people.
fn strangers(source: &SourceSummary) -> u64 {
    source.accounts / 100 + 1
}

/// The fate of an account that matches the person wherever the person is in an authoritative source.
fn fate(population: Population, person: &Person) -> Fate {
    if population.is_gone(person) { Fate::OfRemoved } else { Fate::Linked }
}

fn write_badges(
    application: &Application,
    dir: &Path,
    population: Population,
    share: u64,
) -> io::Result<SourceSummary> {
    std::fs::write(dir.join("badge-system.toml"), definitions::BADGES)?;
    let mut source = application.summary();
    let form = Form { encoding: Encoding::Utf8Marked, delimiter: ',', line_end: "\r\n" };
    let header = ["badge", "holder", "personnelNumber", "door", "valid"];
    let mut table = Table::create(&dir.join("badge-system.csv"), form, &header)?;
    for (person, mut draw) in application.users(population, share) {
        let badge = format!("{:08}", person.index);
        let valid = !draw.chance(40_000);
        source.account(fate(population, &person));
        source.disabled += u64::from(!valid);
        let first = draw.below(6);
        for door in first..=first + draw.below(3) {
            let door = format!("{} door {door}", person.site.0);
            table.row(&[&badge, &person.display, &person.number, &door, if valid { "yes" } else { "no" }])?;
        }
    }
    for number in 0..strangers(&source) {
        source.account(Fate::Uncorrelated);
        table.row(&[&format!("V{number:07}"), "Visitor", "", "Lobby", "yes"])?;
    }
    table.row(&["", "Lost badge", "", "Lobby", "no"])?;
    source.rejected += 1;
    source.rows = table.rows();
    table.finish()?;
    Ok(source)
}

fn write_sap(
    application: &Application,
    dir: &Path,
    population: Population,
    share: u64,
) -> io::Result<SourceSummary> {
    const ROLES: [&str; 5] = ["Z_FI_CLERK", "Z_MM_BUYER", "Z_HR_SELF_SERVICE", "Z_SD_ORDERS", "Z_CO_REPORTS"];
    std::fs::write(dir.join("sap-erp.toml"), definitions::SAP)?;
    let mut source = application.summary();
    let form = Form { encoding: Encoding::Utf16Marked, delimiter: '\t', line_end: "\r\n" };
    let header = ["BNAME", "PERNR", "NAME_TEXT", "AGR_NAMES", "UFLAG", "SAP_ALL"];
    let mut table = Table::create(&dir.join("sap-erp.tsv"), form, &header)?;
    for (person, mut draw) in application.users(population, share) {
        let user = format!("U{:08}", person.index);
        let locked = draw.chance(30_000);
        let everything = draw.chance(4_000);
        source.account(fate(population, &person));
        source.locked += u64::from(locked);
        source.privileged += u64::from(everything);
        let roles: Vec<_> = ROLES.into_iter().filter(|_| draw.chance(300_000)).collect();
        let flag = if locked { draw.pick(&["64", "128"]) } else { "0" };
        let everything = if everything { "X" } else { "" };
        table.row(&[&user, &person.number, &person.display, &roles.join("|"), flag, everything])?;
    }
    for number in 0..strangers(&source) {
        source.account(Fate::Uncorrelated);
        let pernr = if number % 2 == 0 { String::new() } else { (9_000_000_000 + number).to_string() };
        table.row(&[&format!("TEMP{number:05}"), &pernr, "Temporary User", "", "0", ""])?;
    }
    // A tab in the name, which the export did not quote.
    table.row(&["U99999999", "", "Two", "Parts", "", "0", ""])?;
    source.rejected += 1;
    source.rows = table.rows();
    table.finish()?;
    Ok(source)
}

fn write_salesforce(
    application: &Application,
    dir: &Path,
    population: Population,
    share: u64,
) -> io::Result<SourceSummary> {
    const PROFILES: [&str; 3] = ["Standard User", "Sales, Inside", "Read Only"];
    std::fs::write(dir.join("salesforce.toml"), definitions::SALESFORCE)?;
    let mut source = application.summary();
    let header = ["Id", "Username", "Name", "Email", "IsActive", "Profile", "PermissionSets"];
    let mut table = Table::create(&dir.join("salesforce.csv"), PLAIN_CSV, &header)?;
    for (person, mut draw) in application.users(population, share) {
        let active = !draw.chance(60_000);
        // An address that the authoritative source does not know matches nobody.
        let unknown = person.traits.no_email;
        source.account(if unknown { Fate::Uncorrelated } else { fate(population, &person) });
        source.disabled += u64::from(!active);
        let id = format!("0058d{:010}", person.index);
        let email = if draw.chance(100_000) { person.email.to_uppercase() } else { person.email.clone() };
        let sets: Vec<_> =
            ["Exports", "Campaigns", "Forecasts"].into_iter().filter(|_| draw.chance(200_000)).collect();
        table.row(&[
            &id,
            &format!("{}.crm", person.email),
            &person.display,
            &email,
            if active { "true" } else { "false" },
            draw.pick(&PROFILES),
            &sets.join(";"),
        ])?;
    }
    for number in 0..strangers(&source) {
        source.account(Fate::Uncorrelated);
        let (id, email) = (format!("0058dX{number:09}"), format!("reseller{number}@partner.example.net"));
        table.row(&[&id, &email, "Reseller", &email, "true", "Read Only", ""])?;
    }
    table.row(&["0058dZZZZ", "cut.off@example.com", "Cut"])?;
    source.rejected += 1;
    source.rows = table.rows();
    table.finish()?;
    Ok(source)
}

fn write_warehouse(
    application: &Application,
    dir: &Path,
    population: Population,
    share: u64,
) -> io::Result<SourceSummary> {
    const ROLES: [&str; 4] = ["ANALYST", "LOADER", "FINANCE_READ", "HR_READ"];
    std::fs::write(dir.join("data-warehouse.toml"), definitions::WAREHOUSE)?;
    let mut source = application.summary();
    let header = ["USER_ID", "USERNAME", "ACCOUNT_STATUS", "GRANTED_ROLES", "CREATED", "PROFILE"];
    let mut table = Table::create(&dir.join("data-warehouse.csv"), PLAIN_CSV, &header)?;
    for (person, mut draw) in application.users(population, share) {
        // A uid that two people have would make more disputes than are meant.
        if person.traits.takes_uid || person.traits.uid_taken {
            continue;
        }
        source.account(fate(population, &person));
        let status = match draw.below(40) {
            0 => "LOCKED",
            1 => "EXPIRED & LOCKED",
            _ => "OPEN",
        };
        source.locked += u64::from(status != "OPEN");
        let roles: Vec<_> = ROLES.into_iter().filter(|_| draw.chance(350_000)).collect();
        table.row(&[
            &(100 + person.index).to_string(),
            &person.login.to_uppercase(),
            status,
            &roles.join(";"),
            &person.started,
            "DEFAULT",
        ])?;
    }
    for number in 0..strangers(&source) {
        source.account(Fate::Uncorrelated);
        let user = format!("ETL_{number}");
        table.row(&[&format!("E{number}"), &user, "OPEN", "LOADER", "2015-01-01", "DEFAULT"])?;
    }
    source.rows = table.rows();
    table.finish()?;
    Ok(source)
}

fn write_plain(
    application: &Application,
    dir: &Path,
    population: Population,
    share: u64,
) -> io::Result<SourceSummary> {
    let file = format!("{}.csv", application.file);
    let definition = definitions::PLAIN.replace("@NAME@", application.name).replace("@FILE@", &file);
    std::fs::write(dir.join(format!("{}.toml", application.file)), definition)?;
    let mut source = application.summary();
    let header = ["login", "fullName", "employeeNumber", "phone", "role", "disabled"];
    let mut table = Table::create(&dir.join(file), PLAIN_CSV, &header)?;
    for (person, mut draw) in application.users(population, share) {
        let disabled = draw.chance(50_000);
        let role =
            if draw.chance(10_000) { "administrator" } else { draw.pick(&["user", "viewer", "approver"]) };
        source.account(fate(population, &person));
        source.disabled += u64::from(disabled);
        source.privileged += u64::from(role == "administrator");
        let flag = draw.pick(if disabled { &["true", "YES", "1"] } else { &["false", "No", ""] });
        table.row(&[&person.login, &person.display, &person.number, &person.phone, role, flag])?;
    }
    for number in 0..strangers(&source) {
        source.account(Fate::Uncorrelated);
        let login = format!("guest{number}");
        table.row(&[&login, "Guest", "", "", "viewer", "no"])?;
    }
    // A hot line's telephone is that of two people.
    let shared = (0..population.employees).filter(|index| population.employee(*index).traits.shares_phone);
    for index in shared {
        source.account(Fate::Disputed);
        table.row(&[&format!("hotline{index}"), "Hot Line", "", &phone(index - 1), "user", "no"])?;
    }
    source.rows = table.rows();
    table.finish()?;
    Ok(source)
}
