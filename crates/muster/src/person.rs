//! Who calls this program, as the operating system has it.
//!
//! Why here: a command needs no credential, and the audit trail still says who gave it.

use muster_reports::caller::UserIdentity;

/// Bytes of a name that are kept.
const NAME_MAX: usize = 64;

/// The effective user of this process. The kernel tells it of a socket's peer, and both ends of this one are ours. To be called on
/// a runtime.
pub fn uid() -> Option<u32> {
    let (one, _other) = tokio::net::UnixStream::pair().ok()?;
    one.peer_cred().ok().map(|peer| peer.uid())
}

/// The name that the machine's list of users has for a number. Users of a directory service are not in it.
pub fn name_of(uid: u32) -> Option<String> {
    name_in(&std::fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    let user = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut named = user.filter(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid));
    named.next().map(|fields| plain(fields[0]))
}

/// The caller, for the audit trail: the number is the system's word. Whom `sudo` worked for is what the environment says.
pub fn caller() -> Option<UserIdentity> {
    let sudo = std::env::var("SUDO_USER").ok();
    uid().map(|uid| described(uid, name_of(uid), sudo.as_deref()))
}

fn described(uid: u32, name: Option<String>, sudo: Option<&str>) -> UserIdentity {
    let name = name.unwrap_or_else(|| format!("#{uid}"));
    let name = match sudo.map(plain).filter(|sudo| !sudo.is_empty()) {
        Some(sudo) => format!("{name} (sudo by {sudo})"),
        None => name,
    };
    UserIdentity { id: format!("uid {uid}"), name, levels: Vec::new(), audit: None }
}

fn plain(name: &str) -> String {
    let is_plain = |character: &char| character.is_alphanumeric() || "-_.@+".contains(*character);
    let mut name: String = name.chars().filter(is_plain).collect();
    name.truncate(name.floor_char_boundary(NAME_MAX));
    name
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_are_found_by_number_and_kept_plain() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000:Ada, L:/srv/ada:/bin/sh\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("ada"));
        assert_eq!((name_in(users, 0).as_deref(), name_in(users, 7)), (Some("root"), None));
        let text = |uid, name: Option<&str>, sudo| {
            let user = described(uid, name.map(str::to_owned), sudo);
            format!("{}: {}", user.id, user.name)
        };
        assert_eq!(text(1000, Some("ada"), None), "uid 1000: ada");
        assert_eq!(text(0, Some("root"), Some("ada\n\"x\"")), "uid 0: root (sudo by adax)");
        assert_eq!(text(7, None, Some("")), "uid 7: #7");
        assert_eq!(plain(&"\u{e9}".repeat(100)).len(), NAME_MAX);
    }

    #[tokio::test]
    async fn the_caller_owns_what_it_makes() {
        use std::os::unix::fs::MetadataExt;
        let made = tempfile::tempdir().unwrap().path().metadata().unwrap();
        assert_eq!(uid(), Some(made.uid()));
    }
}
