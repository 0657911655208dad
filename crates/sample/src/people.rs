//! Who is in the organisation: any person is made from the seed and a number, with what is wrong with them.
//!
//! Employees have numbers from 0; every one but the first has a manager among the first eighth. What is wrong
//! with somebody follows from their number counted from the end (`tail`), and only in the later half, so that
//! nobody's manager is concerned and each kind can be counted.

use crate::draw::Draw;
use crate::names::{LANGUAGES, LATIN_1_LANGUAGES};

/// Streams of the seed.
pub(crate) mod stream {
    pub(crate) const EMPLOYEE: u64 = 1;
    pub(crate) const CONTRACTOR: u64 = 2;
    pub(crate) const DIRECTORY: u64 = 3;
    /// The applications have this and the numbers after it.
    pub(crate) const APPLICATION: u64 = 16;
}

/// How many people each manager has.
const REPORTS: u64 = 8;
/// Of each hundred identities, how many are contractors.
const CONTRACTORS_PER_HUNDRED: u64 = 15;

const DEPARTMENTS: [&str; 8] = [
    "Engineering",
    "Sales",
    "Finance",
    "Human Resources",
    "Legal",
    "Operations",
    "Research & Development",
    "Support",
];
const JOBS: [&str; 8] = [
    "101#Analyst",
    "102#Senior Analyst",
    "110#Engineer",
    "111#Engineer, Principal",
    "120#Consultant",
    "130#Team Lead",
    "140#Administrator",
    "150#Specialist",
];
const SITES: [(&str, &str); 6] =
    [("BER", "DE"), ("MTL", "CA"), ("OSA", "JP"), ("PUN", "IN"), ("RIO", "BR"), ("TLV", "IL")];

/// How many people of which kind there are.
#[derive(Clone, Copy)]
pub(crate) struct Population {
    pub(crate) seed: u64,
    pub(crate) employees: u64,
    pub(crate) contractors: u64,
    /// The later generation, in which some leavers are gone from the HR file.
    pub(crate) later: bool,
}

/// What is particular about a person.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// No longer works here, though the HR file still says so.
    pub(crate) left: bool,
    /// Left, and the directory account was not disabled.
    pub(crate) left_enabled: bool,
    /// Left, and in the later generation gone from the HR file.
    pub(crate) removed: bool,
    pub(crate) no_last_name: bool,
    pub(crate) no_email: bool,
    /// Has the uid of the person before.
    pub(crate) takes_uid: bool,
    /// The person whose uid the next one has.
    pub(crate) uid_taken: bool,
    pub(crate) manager_unknown: bool,
    /// The job has no code, so that its title cannot be split off.
    pub(crate) job_without_code: bool,
    /// Has the telephone of the person before.
    pub(crate) shares_phone: bool,
    /// Was a contractor and is still in that file too.
    pub(crate) also_contractor: bool,
}

/// A person as the authoritative file has them.
pub(crate) struct Person {
    /// Place among all people, employees first.
    pub(crate) index: u64,
    pub(crate) contractor: bool,
    pub(crate) traits: Traits,
    pub(crate) number: String,
    /// The uid that the authoritative file gives.
    pub(crate) uid: String,
    /// The login that the person has everywhere else, which nobody shares.
    pub(crate) login: String,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) display: String,
    /// The address that the person has, whether or not the authoritative file knows it.
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) department: &'static str,
    pub(crate) job: &'static str,
    pub(crate) site: (&'static str, &'static str),
    /// The manager's uid; empty at the top.
    pub(crate) manager: String,
    pub(crate) started: String,
}

impl Population {
    pub(crate) fn new(seed: u64, identities: u64, later: bool) -> Self {
        // In two parts, so that no number of identities overflows.
        let contractors =
            identities / 100 * CONTRACTORS_PER_HUNDRED + identities % 100 * CONTRACTORS_PER_HUNDRED / 100;
        Self { seed, employees: identities - contractors, contractors, later }
    }

    /// All people, employees first; those who are gone in the later generation too.
    pub(crate) fn people(self) -> impl Iterator<Item = Person> {
        let employees = (0..self.employees).map(move |index| self.employee(index));
        employees.chain((0..self.contractors).map(move |index| self.contractor(index)))
    }

    /// Whether the authoritative files of this generation lack the person.
    pub(crate) fn is_gone(self, person: &Person) -> bool {
        self.later && person.traits.removed
    }

    pub(crate) fn employee(self, index: u64) -> Person {
        let mut draw = Draw::new(self.seed, stream::EMPLOYEE, index);
        let traits = self.employee_traits(index);
        let language = draw.pick(&LANGUAGES);
        let (first, last) = (draw.pick(language.first), draw.pick(language.last));
        let display = if language.family_first {
            format!("{}{}", last.0, first.0)
        } else {
            format!("{} {}", first.0, last.0)
        };
        let login = uid(first.1, last.1, index);
        let manager = match index {
            _ if traits.manager_unknown => format!("gone{index}"),
            0 => String::new(),
            _ => self.employee_uid((index - 1) / REPORTS),
        };
        Person {
            index,
            contractor: false,
            traits,
            number: employee_number(index),
            uid: if traits.takes_uid { self.employee_uid(index - 1) } else { login.clone() },
            login,
            first: first.0,
            last: last.0,
            display,
            email: format!("{}.{}{index}@example.com", first.1, last.1),
            phone: phone(if traits.shares_phone { index - 1 } else { index }),
            department: draw.pick(&DEPARTMENTS),
            job: if traits.job_without_code { "Advisor" } else { draw.pick(&JOBS) },
            site: draw.pick(&SITES),
            manager,
            started: day(&mut draw),
        }
    }

    pub(crate) fn contractor(self, index: u64) -> Person {
        let mut draw = Draw::new(self.seed, stream::CONTRACTOR, index);
        let tail = self.contractors - 1 - index;
        let traits = if tail < self.contractors / 2 {
            Traits {
                left: tail % 50 == 7,
                left_enabled: tail % 100 == 7,
                no_last_name: tail % 400 == 11,
                no_email: tail % 400 == 21,
                manager_unknown: tail % 400 == 41,
                ..Traits::default()
            }
        } else {
            Traits::default()
        };
        let language = draw.pick(&LANGUAGES[..LATIN_1_LANGUAGES]);
        let (first, last) = (draw.pick(language.first), draw.pick(language.last));
        let login = format!("ext-{}", uid(first.1, last.1, index));
        let manager = if traits.manager_unknown {
            format!("gone{}", self.employees + index)
        } else {
            self.employee_uid(draw.below(self.managers()))
        };
        Person {
            index: self.employees + index,
            contractor: true,
            traits,
            number: format!("X{}", 100_000 + index),
            uid: login.clone(),
            login,
            first: first.0,
            last: last.0,
            display: format!("{} {}", first.0, last.0),
            email: format!("{}.{}{index}@partners.example.com", first.1, last.1),
            phone: phone(self.employees + index),
            department: draw.pick(&DEPARTMENTS),
            job: draw.pick(&JOBS),
            site: draw.pick(&SITES),
            manager,
            started: day(&mut draw),
        }
    }

    /// The first leaver who is gone in the later generation: their identity is protected.
    pub(crate) fn protected(self) -> Option<String> {
        let index = self.employees.checked_sub(1 + REMOVED_TAIL)?;
        self.employee_traits(index).removed.then(|| employee_number(index))
    }

    /// How many employees, from the first, have people under them; the first counts even when alone.
    fn managers(self) -> u64 {
        (self.employees.saturating_sub(1)).div_ceil(REPORTS).max(1)
    }

    fn employee_uid(self, index: u64) -> String {
        let mut draw = Draw::new(self.seed, stream::EMPLOYEE, index);
        let language = draw.pick(&LANGUAGES);
        uid(draw.pick(language.first).1, draw.pick(language.last).1, index)
    }

    /// The numbers are far enough apart that nobody has two faults.
    fn employee_traits(self, index: u64) -> Traits {
        let tail = self.employees - 1 - index;
        let concerned = self.employees / 2;
        // Who comes before in the files comes after when counted from the end.
        let uid_taken = tail > 0 && tail - 1 < concerned && (tail - 1) % 400 == 31;
        if tail >= concerned {
            return Traits { uid_taken, ..Traits::default() };
        }
        Traits {
            left: tail % 50 == 7,
            left_enabled: tail % 100 == 7,
            removed: tail % 200 == REMOVED_TAIL,
            no_last_name: tail % 400 == 11,
            no_email: tail % 400 == 21,
            takes_uid: tail % 400 == 31,
            uid_taken,
            manager_unknown: tail % 400 == 41,
            shares_phone: tail % 400 == 51,
            job_without_code: tail % 400 == 61,
            also_contractor: tail % 250 == 133,
        }
    }
}

/// A leaver is removed when their number from the end leaves this after division by 200.
const REMOVED_TAIL: u64 = 107;

pub(crate) fn employee_number(index: u64) -> String {
    (1_000_000 + index).to_string()
}

/// Telephone numbers differ as the numbers given do.
pub(crate) fn phone(number: u64) -> String {
    format!("+49 30 {:08}", 10_000_000 + number)
}

fn uid(first: &str, last: &str, index: u64) -> String {
    format!("{}{last}{index}", &first[..1])
}

fn day(draw: &mut Draw) -> String {
    format!("{}-{:02}-{:02}", 1998 + draw.below(27), 1 + draw.below(12), 1 + draw.below(28))
}
