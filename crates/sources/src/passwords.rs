//! Which attributes hold passwords, by their names.
//!
//! Why here: exports and directories give hashes and passwords with everything else, and reports are files that many
//! people read. What is withheld reaches no batch, and so no table, document or digest of a record.
//!
//! Invariants: a name is known whatever its case, its separators, its options (`;x`) and the schema or the attribute
//! that it is a part of (`urn:...:User:password`, `credentials.password`); only whole names count, so that
//! `passwordLastSet` stays.

use serde_json::Value;

/// Names in lower case and without separators, in order.
const NAMES: [&str; 47] = [
    "authpassword",
    "cryptpassword",
    "currentpassword",
    "dbcspwd",
    "defaultpassword",
    "encryptedpassword",
    "hashedpassword",
    "initialpassword",
    "krbprincipalkey",
    "lmhash",
    "lmpassword",
    "lmpwdhistory",
    "msdsmanagedpassword",
    "mslapsencryptedpassword",
    "mslapsencryptedpasswordhistory",
    "mslapspassword",
    "msmcsadmpwd",
    "newpassword",
    "nthash",
    "ntpassword",
    "ntpwdhistory",
    "oldpassword",
    "passhash",
    "passphrase",
    "passwd",
    "passwdhash",
    "password",
    "passwordencrypted",
    "passwordhash",
    "passwordhistory",
    "passwordsalt",
    "passwordtext",
    "plainpassword",
    "pwd",
    "pwdhash",
    "pwdhistory",
    "sambalmpassword",
    "sambantpassword",
    "sambapasswordhistory",
    "supplementalcredentials",
    "temporarypassword",
    "temppassword",
    "unicodepwd",
    "userpasswd",
    "userpassword",
    "userpkcs12",
    "userpwd",
];

/// Whether the name says that the values are passwords or what passwords can be made of.
pub(crate) fn is_password(name: &str) -> bool {
    let name = name.split(';').next().unwrap_or_default();
    let own = name.rsplit([':', '.']).next().unwrap_or_default();
    let plain: String =
        own.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.binary_search(&plain.as_str()).is_ok()
}

/// Takes passwords out of what is nested in a value.
pub(crate) fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_password(name));
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_known_by_whole_names() {
        assert!(NAMES.is_sorted());
        for name in [
            "password",
            "Password_Hash",
            "user-password",
            "unicodePwd;x",
            "ms-Mcs-AdmPwd",
            "urn:ietf:params:scim:schemas:core:2.0:User:password",
            "credentials.password",
        ] {
            assert!(is_password(name), "{name}");
        }
        for name in ["uid", "passwordLastSet", "pwdLastSet", "badPwdCount", "password.expires", "pass", ""] {
            assert!(!is_password(name), "{name}");
        }
    }

    #[test]
    fn passwords_are_taken_out_at_any_depth() {
        let mut value = serde_json::json!({"a": [{"PASSWORD": 1, "b": {"pwd": "x", "c": 2}}], "d": 3});
        strip(&mut value);
        assert_eq!(value, serde_json::json!({"a": [{"b": {"c": 2}}], "d": 3}));
    }
}
