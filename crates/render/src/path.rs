//! Which paths an archive may have: paths that every system unpacks to the same place below its folder.

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 1_024;

/// Checks the path of a member: parts with `/` between them, none of them empty, `.` or `..`, without a backslash,
/// a colon or a control character.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > PATH_BYTES_MAX {
        return Err("it is longer than 1024 bytes");
    }
    if name.starts_with('/') {
        return Err("it is absolute");
    }
    if name.contains('\\') {
        return Err("it has a backslash");
    }
    if name.contains(':') {
        return Err("it has a colon");
    }
    if name.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    for part in name.split('/') {
        match part {
            "" => return Err("it has an empty part"),
            "." | ".." => return Err("it has a part that leads elsewhere"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths() {
        for good in ["a.csv", "data/a b.csv", "data/.hidden", "daten/ä…漢.csv", "a..b"] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
        let bad = [
            ("", "it is empty"),
            ("/etc/passwd", "it is absolute"),
            ("a/../b", "it has a part that leads elsewhere"),
            ("..", "it has a part that leads elsewhere"),
            ("./a", "it has a part that leads elsewhere"),
            ("a//b", "it has an empty part"),
            ("a/", "it has an empty part"),
            ("a\\b", "it has a backslash"),
            ("C:a", "it has a colon"),
            ("a\nb", "it has a control character"),
        ];
        for (name, reason) in bad {
            assert_eq!(check_name(name), Err(reason), "{name:?}");
        }
        assert_eq!(check_name(&"x".repeat(1_025)), Err("it is longer than 1024 bytes"));
    }
}
