//! What Active Directory means by its attributes, and Samba with it.

use super::entry::Entry;

/// Attributes from which flags are made.
pub(super) const FLAGS: [&str; 3] =
    ["userAccountControl", "lockoutTime", "msDS-User-Account-Control-Computed"];

/// Attributes that hold a time as a count of 100 nanoseconds since 1601.
const TIMES: [&str; 9] = [
    "accountexpires",
    "badpasswordtime",
    "lastlogoff",
    "lastlogon",
    "lastlogontimestamp",
    "lockouttime",
    "ms-mcs-admpwdexpirationtime",
    "msds-userpasswordexpirytimecomputed",
    "pwdlastset",
];

/// ADS_UF_ACCOUNTDISABLE of `userAccountControl`.
const ACCOUNT_DISABLED: i64 = 0x2;
/// ADS_UF_LOCKOUT, which only the computed attribute tells truly.
const LOCKED_OUT: i64 = 0x10;
/// Seconds from 1601 to 1970.
const EPOCH_OFFSET_SECONDS: i64 = 11_644_473_600;
const TICKS_PER_SECOND: i64 = 10_000_000;
/// The value that stands for a time that never comes.
pub(super) const NEVER: &str = "never";

/// Disabled, locked, system, privileged.
pub(super) fn flags(entry: &Entry) -> [bool; 4] {
    let has = |name, bit| entry.number(name).map(|bits| bits & bit != 0);
    let disabled = has("userAccountControl", ACCOUNT_DISABLED).unwrap_or(false);
    // The computed value knows when a lock has run out; a plain lockoutTime only that there was one.
    let locked = has("msDS-User-Account-Control-Computed", LOCKED_OUT)
        .unwrap_or_else(|| entry.number("lockoutTime").is_some_and(|time| time > 0));
    [disabled, locked, false, false]
}

/// Whether an attribute holds times that [`time_text`] reads.
pub(super) fn is_time(description: &str) -> bool {
    TIMES.contains(&description.to_ascii_lowercase().as_str())
}

/// A FILETIME in RFC 3339, to the second; 0 and the greatest value are [`NEVER`]. `None` for anything else.
pub(super) fn time_text(value: &str) -> Option<String> {
    let ticks: i64 = value.trim().parse().ok()?;
    if ticks == 0 || ticks == i64::MAX {
        return Some(NEVER.to_owned());
    }
    if ticks < 0 {
        return None;
    }
    let time = chrono::DateTime::from_timestamp(ticks / TICKS_PER_SECOND - EPOCH_OFFSET_SECONDS, 0)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// The security identifier of an account's primary group: the account's own with the group's last part.
pub(super) fn primary_group_sid(account_sid: &str, group: &str) -> Option<String> {
    let number: u32 = group.trim().parse().ok()?;
    let (domain, _) = account_sid.rsplit_once('-')?;
    Some(format!("{domain}-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &str)]) -> Entry {
        let attribute = |&(name, value): &(&str, &str)| (name.to_owned(), vec![value.as_bytes().to_vec()]);
        Entry { dn: None, attributes: attributes.iter().map(attribute).collect() }
    }

    #[test]
    fn flags_of_user_account_control() {
        let cases = [
            (vec![("userAccountControl", "512")], [false, false]),
            (vec![("userAccountControl", "514")], [true, false]),
            (vec![("useraccountcontrol", "66050"), ("lockoutTime", "133500000000000000")], [true, true]),
            (vec![("lockoutTime", "0")], [false, false]),
            // The lock has run out.
            (
                vec![("lockoutTime", "133500000000000000"), ("msDS-User-Account-Control-Computed", "0")],
                [false, false],
            ),
            (vec![("msDS-User-Account-Control-Computed", "8388624")], [false, true]),
        ];
        for (attributes, [disabled, locked]) in cases {
            assert_eq!(flags(&entry(&attributes)), [disabled, locked, false, false], "{attributes:?}");
        }
    }

    #[test]
    fn times_since_1601() {
        // In Python: (datetime(2024, 1, 15, 8, 30) - datetime(1601, 1, 1)).total_seconds() * 10**7
        assert_eq!(time_text("133497810000000000").as_deref(), Some("2024-01-15T08:30:00Z"));
        assert_eq!(time_text("116444736000000000").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(time_text("9223372036854775807").as_deref(), Some("never"));
        assert_eq!(time_text("0").as_deref(), Some("never"));
        assert_eq!(time_text("-1"), None);
        assert_eq!(time_text("soon"), None);
    }

    #[test]
    fn primary_groups() {
        let sid = primary_group_sid("S-1-5-21-1-2-3-1104", "513");
        assert_eq!(sid.as_deref(), Some("S-1-5-21-1-2-3-513"));
    }
}
