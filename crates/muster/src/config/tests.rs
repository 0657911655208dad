#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

/// A data directory with this `muster.toml`, loaded with these variables and flags.
fn load(
    file: Option<&str>,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &'static str, &str)],
) -> (Result<Effective, ConfigError>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(dir.path().join("muster.toml"), text).unwrap();
    }
    let mut given = Given::default();
    given.flag("--data", "data.dir", Some(dir.path().display()));
    for (flag, key, value) in flags {
        given.flag(flag, key, Some(value));
    }
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    (Effective::load(&given, variables), dir)
}

fn refusal(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    let (loaded, dir) = load(file, variables, &[]);
    loaded.unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\ngrace_ms = 7\n[worker]\ncount = 5\n";
    let variables = [("MUSTER__SERVER__LISTEN", "127.0.0.1:2"), ("MUSTER__WORKER__COUNT", "6")];
    let (loaded, dir) = load(Some(file), &variables, &[("--listen", "server.listen", "127.0.0.1:3")]);
    let loaded = loaded.unwrap();
    assert_eq!(loaded.settings.server.listen.port(), 3);
    assert_eq!(loaded.settings.worker.count, 6);
    assert_eq!(loaded.settings.server.grace_ms, 7);
    assert_eq!(loaded.settings.worker.lease_ms, 30_000);
    assert_eq!(loaded.origin("server.listen"), "--listen");
    assert_eq!(loaded.origin("worker.count"), "MUSTER__WORKER__COUNT");
    assert_eq!(loaded.origin("server.grace_ms"), dir.path().join("muster.toml").display().to_string());
    assert_eq!(loaded.origin("worker.lease_ms"), "default");
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    assert_eq!(
        refusal(Some("[csv]\ncolour = 1\n"), &[]),
        "DIR/muster.toml: unknown key csv.colour: expected one of bom, formula_guard, header"
    );
    assert_eq!(
        refusal(None, &[("MUSTER__CSV__COLOUR", "1")]),
        "MUSTER__CSV__COLOUR: unknown key csv.colour: expected one of bom, formula_guard, header"
    );
    assert!(refusal(Some("[colours]\n"), &[]).starts_with("DIR/muster.toml: unknown section \"colours\""));
    assert_eq!(refusal(None, &[("MUSTER__CSV", "1")]), "MUSTER__CSV: expected MUSTER__SECTION__KEY");
}

#[test]
fn a_table_of_settings_is_set_key_by_key() {
    let file = "[refresh.guards]\nidentities_lost = 7\norphans_gained = \"2.5 %\"\n";
    let variables = [
        ("MUSTER__REFRESH__GUARDS__ORPHANS_GAINED", "none"),
        ("MUSTER__REFRESH__GUARDS__ALWAYS_ALLOWED", "3"),
    ];
    let (loaded, dir) = load(Some(file), &variables, &[]);
    let loaded = loaded.unwrap();
    let rows = loaded.rows();
    let shown = |key: &str| {
        let row = rows.iter().find(|row| row.key == format!("refresh.guards.{key}")).unwrap();
        (row.value.to_string(), row.origin.clone())
    };
    let file = dir.path().join("muster.toml").display().to_string();
    assert_eq!(shown("identities_lost"), ("7".to_owned(), file));
    assert_eq!(shown("orphans_gained"), ("\"none\"".to_owned(), variables[0].0.to_owned()));
    assert_eq!(shown("accounts_missing"), ("\"20 %\"".to_owned(), "default".to_owned()));
    assert_eq!(shown("always_allowed"), ("3".to_owned(), variables[1].0.to_owned()));
    let known = "expected one of accounts_missing, always_allowed, identities_lost, orphans_gained";
    assert_eq!(
        refusal(Some("[refresh.guards]\nlost = 7\n"), &[]),
        format!("DIR/muster.toml: unknown key refresh.guards.lost: {known}")
    );
    assert_eq!(
        refusal(None, &[("MUSTER__REFRESH__GUARDS__LOST", "7")]),
        format!("MUSTER__REFRESH__GUARDS__LOST: unknown key refresh.guards.lost: {known}")
    );
    assert!(refusal(None, &[("MUSTER__CSV__BOM__X", "1")]).ends_with("csv.bom is no table of settings"));
    let wrong = refusal(None, &[("MUSTER__REFRESH__GUARDS__IDENTITIES_LOST", "101 %")]);
    assert!(wrong.starts_with("MUSTER__REFRESH__GUARDS__IDENTITIES_LOST: refresh.guards.identities_lost: \"101 %\": expected a number"), "{wrong}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_place() {
    assert_eq!(
        refusal(Some("[worker]\ncount = \"two\"\n"), &[]),
        "DIR/muster.toml: worker.count: invalid type: found string \"two\", expected usize"
    );
    assert!(
        refusal(None, &[("MUSTER__SERVER__LISTEN", "everywhere")])
            .starts_with("MUSTER__SERVER__LISTEN: server.listen: ")
    );
    assert!(refusal(Some("[csv]\nheader = \"title\"\n"), &[]).starts_with("DIR/muster.toml: csv.header: "));
    assert!(refusal(Some("[csv\n"), &[]).starts_with("DIR/muster.toml: line 1: "));
}

#[test]
fn an_address_that_others_reach_needs_a_proxy() {
    let open = ("MUSTER__SERVER__LISTEN", "0.0.0.0:8080");
    assert!(
        refusal(None, &[open])
            .starts_with("MUSTER__SERVER__LISTEN: server.listen: 0.0.0.0:8080 can be reached")
    );
    assert!(load(None, &[open, ("MUSTER__SERVER__BEHIND_PROXY", "true")], &[]).0.is_ok());
    assert!(load(None, &[("MUSTER__SERVER__LISTEN", "[::1]:8080")], &[]).0.is_ok());
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    assert_eq!(
        refusal(Some("[worker]\nlease_ms = 1000\nheartbeat_ms = 400\n"), &[]),
        "DIR/muster.toml: worker.heartbeat_ms: 400: expected at most a third of worker.lease_ms, which is 1000"
    );
    assert_eq!(
        refusal(None, &[("MUSTER__RATE_LIMIT__REQUESTS", "0")]),
        "MUSTER__RATE_LIMIT__REQUESTS: rate_limit.requests: 0: expected at least 1"
    );
}

#[test]
fn the_password_of_the_database_is_not_shown() {
    let url = ("MUSTER__STORE__URL", "postgres://muster:s3cret@db.example/reports");
    let (loaded, _dir) = load(None, &[url, ("MUSTER__DATA__SHARED", "/srv/muster")], &[]);
    let rows = loaded.unwrap().rows();
    let row = rows.iter().find(|row| row.key == "store.url").unwrap();
    assert_eq!(row.value, "postgres://muster@db.example:5432/reports");
    assert_eq!(row.origin, "MUSTER__STORE__URL");
    assert!(!format!("{rows:?}").contains("s3cret"));
    let wrong = refusal(None, &[("MUSTER__STORE__URL", "postgres://muster:s3cret@db.example:x/reports")]);
    assert!(wrong.starts_with("MUSTER__STORE__URL: store.url: the URL of a PostgreSQL database"), "{wrong}");
    assert!(!wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn a_shared_folder_needs_a_shared_database() {
    assert_eq!(
        refusal(Some("[data]\nshared = \"/srv/muster\"\n"), &[]),
        "DIR/muster.toml: data.shared: set without store.url: expected it only where processes share a \
         PostgreSQL database"
    );
}

#[test]
fn text_settings_stay_text() {
    let (loaded, _dir) = load(None, &[("MUSTER__TENANT__ORG", "007")], &[]);
    assert_eq!(loaded.unwrap().settings.tenant.org, "007");
}

#[test]
fn the_file_of_the_data_directory_cannot_name_another() {
    assert!(refusal(Some("[data]\ndir = \"elsewhere\"\n"), &[]).starts_with("DIR/muster.toml: data.dir: "));
}

#[test]
fn a_named_file_must_be_there() {
    let given = Given { config: Some("/nowhere/muster.toml".into()), flags: Vec::new() };
    let error = Effective::load(&given, []).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/muster.toml: cannot be read: "), "{error}");
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let (loaded, _dir) = load(None, &[], &[]);
    let rows = loaded.unwrap().rows();
    let shown = |key: &str| rows.iter().find(|row| row.key == key).unwrap().value.clone();
    assert_eq!(shown("engine.memory_limit"), "0B");
    assert_eq!(shown("csv.header"), "name");
    assert_eq!(rows.iter().find(|row| row.key == "data.dir").unwrap().origin, "--data");
}

#[test]
fn bytes_are_read_and_written() {
    for (text, bytes, written) in
        [("512MiB", 512 << 20, "512MiB"), ("2GiB", 2 << 30, "2GiB"), ("1536", 1536, "1536B"), ("0", 0, "0B")]
    {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!(size, ByteSize(bytes), "{text}");
        assert_eq!(size.to_string(), written);
    }
    for text in ["", "GiB", "1GB", "-1", "99999999999GiB", "1.5GiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

const ISSUER: &str = r#"
[[auth.issuers]]
name = "corp"
issuer = "https://login.example.org/"
audience = ["muster"]
algorithms = ["RS256", "EdDSA"]
jwks_url = "https://login.example.org/keys"
"#;

#[test]
fn issuers_have_defaults() {
    let (loaded, _dir) = load(Some(ISSUER), &[], &[]);
    let loaded = loaded.unwrap();
    let [issuer] = loaded.settings.auth.issuers.as_slice() else { panic!("one issuer is set") };
    assert_eq!((issuer.leeway_s, issuer.keys_floor_s, issuer.callers), (30, 30, Callers::Subject));
    assert_eq!(issuer.client_claims, ["client_id", "azp"]);
    assert_eq!(loaded.settings.auth.token_lifetime_s, 43_200);
    assert!(load(None, &[], &[]).0.unwrap().settings.auth.issuers.is_empty());
}

#[test]
fn issuers_that_trust_too_much_or_too_little_are_refused() {
    for (changed, expected) in [
        (ISSUER.replace("RS256", "HS256"), "unknown variant: found `HS256`, expected"),
        (ISSUER.replace("RS256", "none"), "unknown variant: found `none`, expected"),
        (format!("{ISSUER}colour = 1\n"), "unknown field: found `colour`"),
        (ISSUER.replace("audience", "# audience"), "auth.issuers: \"corp\": audience: missing"),
        (ISSUER.replace("jwks_url", "# jwks_url"), "auth.issuers: \"corp\": jwks_url: missing"),
        (format!("{ISSUER}jwks_file = \"k\"\n"), "auth.issuers: \"corp\": jwks_file: jwks_url is there too"),
        (format!("{ISSUER}leeway_s = 301\n"), "leeway_s: 301: expected at most 300"),
        (format!("{ISSUER}keys_floor_s = 0\n"), "keys_floor_s"),
        (format!("{ISSUER}keys_refresh_s = 4000\n"), "keys_refresh_s"),
        (format!("{ISSUER}tenant = \"x\"\n"), "\"x\": expected \"default\""),
        (format!("{ISSUER}tenants = {{ a = \"x\" }}\n"), "\"x\": expected \"default\""),
        (format!("{ISSUER}callers = \"claim\"\n"), "callers: claim: expected application_claim"),
        (format!("{ISSUER}application_claim = \"a\"\n"), "it counts only with callers"),
        (format!("{ISSUER}sign_in_secret_file = \"a\"\n"), "it counts only with sign_in_client"),
        (
            format!("{ISSUER}sign_in_client = \"a\"\nsign_in_scopes = [\"profile\"]\n"),
            "sign_in_scopes: openid is missing",
        ),
        (
            format!("{ISSUER}sign_in_client = \"a\"\nsign_in_token = \"identity\"\n"),
            "sign_in_token: identity: expected sign_in_client among audience",
        ),
    ] {
        let refusal = refusal(Some(&changed), &[]);
        assert!(refusal.starts_with("DIR/muster.toml: auth.issuers"), "{refusal}");
        assert!(refusal.contains(expected), "{expected}: {refusal}");
    }
}

#[test]
fn signing_in_needs_an_address_to_come_back_to() {
    let with = |url: &str| format!("{ISSUER}sign_in_client = \"muster\"\n{url}");
    let absent = refusal(Some(&with("")), &[]);
    assert!(
        absent.contains("console.public_url: absent: expected it, because people sign in at \"corp\""),
        "{absent}"
    );
    for url in ["muster.example.com", "https://", "https://muster.example.com/", "https://a@b"] {
        let refused = refusal(Some(&with(&format!("[console]\npublic_url = \"{url}\"\n"))), &[]);
        assert!(
            refused.contains("console.public_url") && refused.contains("expected https://host"),
            "{refused}"
        );
    }
    for url in ["https://muster.example.com", "http://127.0.0.1:8080"] {
        let (loaded, _dir) = load(Some(&with(&format!("[console]\npublic_url = \"{url}\"\n"))), &[], &[]);
        assert_eq!(loaded.unwrap().settings.console.public_url.as_deref(), Some(url));
    }
}

/// A line of each target at `info`, through the filter that is in force unless one is set.
#[test]
fn libraries_are_logged_from_warnings_on_and_the_service_from_what_it_does() {
    use std::sync::{Arc, Mutex};
    let lines = Arc::new(Mutex::new(Vec::<u8>::new()));
    let written = lines.clone();
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(Settings::default().log.filter))
        .with_writer(move || Lines(written.clone()))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(target: "delta_kernel::log_segment", "one");
        tracing::warn!(target: "delta_kernel::log_segment", "two");
        tracing::info!(target: "muster_http::request_log", "three");
        tracing::info!(target: "muster::serve", "four");
        tracing::debug!(target: "muster_http::access", "five");
    });
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    let last: Vec<_> = text.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(last, ["two", "three", "four"]);
}

/// A key without a default is of the type that its text can be.
#[test]
fn a_number_without_a_default_is_read_from_a_variable() {
    let variables = [
        ("MUSTER__RESULTS__KEEP_DAYS", "30"),
        ("MUSTER__MAIL__PORT", "2525"),
        ("MUSTER__MAIL__SERVER", "127"),
        ("MUSTER__MAIL__FROM", "a@b"),
    ];
    let (loaded, _dir) = load(None, &variables, &[]);
    let settings = loaded.unwrap().settings;
    assert_eq!((settings.results.keep_days, settings.mail.port), (Some(30), Some(2525)));
    assert_eq!(settings.mail.server.as_deref(), Some("127"));
    let refused = refusal(None, &[("MUSTER__RESULTS__KEEP_DAYS", "many")]);
    assert!(refused.starts_with("MUSTER__RESULTS__KEEP_DAYS: results.keep_days: "), "{refused}");
}
