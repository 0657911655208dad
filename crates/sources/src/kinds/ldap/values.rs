//! Bytes to text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Attributes whose values are bytes even where they happen to be readable.
const BINARY: [&str; 7] = [
    "audio",
    "cacertificate",
    "jpegphoto",
    "msexchmailboxguid",
    "photo",
    "thumbnailphoto",
    "usercertificate",
];

/// The name of an attribute description, without options, in lower case.
fn base_name(description: &str) -> String {
    description.split(';').next().unwrap_or_default().to_ascii_lowercase()
}

/// The values of an attribute as text: ids as they are usually written, other bytes in base64, and that for all
/// values of an attribute as soon as one is not text.
pub(super) fn texts(description: &str, values: Vec<Vec<u8>>) -> Vec<String> {
    let name = base_name(description);
    let ids: Option<Vec<String>> = match name.as_str() {
        "objectguid" | "ms-ds-consistencyguid" => values.iter().map(|value| guid(value)).collect(),
        "objectsid" | "sidhistory" => values.iter().map(|value| sid(value)).collect(),
        _ => None,
    };
    if let Some(ids) = ids {
        return ids;
    }
    let is_binary = BINARY.contains(&name.as_str())
        || description.split(';').skip(1).any(|option| option.eq_ignore_ascii_case("binary"))
        || values.iter().any(|value| value.contains(&0) || std::str::from_utf8(value).is_err());
    let text = |value: Vec<u8>| {
        if is_binary { STANDARD.encode(value) } else { String::from_utf8_lossy(&value).into_owned() }
    };
    values.into_iter().map(text).collect()
}

/// A GUID in the directory's order of bytes, in its canonical text; `None` unless it has 16 bytes.
fn guid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let [a3, a2, a1, a0, b1, b0, c1, c0, rest @ ..] = bytes;
    let ordered: Vec<u8> = [a0, a1, a2, a3, b0, b1, c0, c1].into_iter().chain(rest).collect();
    let hex = crate::reader::hex(&ordered);
    Some(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// A security identifier in its text; `None` when its length does not fit its count.
fn sid(bytes: &[u8]) -> Option<String> {
    let [revision, count, authority @ ..] = bytes else { return None };
    let (authority, rest) = authority.split_at_checked(6)?;
    let (parts, []) = rest.as_chunks::<4>() else { return None };
    if parts.len() != usize::from(*count) {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let parts = parts.iter().map(|part| format!("-{}", u32::from_le_bytes(*part)));
    Some(format!("S-{revision}-{authority}{}", parts.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_and_security_identifiers() {
        // The builtin administrators' group, and an example GUID whose first three parts are swapped.
        let administrators = vec![1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0];
        assert_eq!(texts("objectSid", vec![administrators.clone()]), ["S-1-5-32-544"]);
        let bytes = vec![
            0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
        ];
        assert_eq!(texts("objectGUID", vec![bytes]), ["00112233-4455-6677-8899-aabbccddeeff"]);
        // One byte short: bytes like any other.
        assert_eq!(texts("objectSid", vec![administrators[..15].to_vec()]), ["AQIAAAAAAAUgAAAAIAIA"]);
    }

    #[test]
    fn text_or_base64_for_the_whole_attribute() {
        assert_eq!(texts("cn", vec!["Müller".into(), "x".into()]), ["Müller", "x"]);
        assert_eq!(texts("x", vec![vec![0xff], b"a".to_vec()]), ["/w==", "YQ=="]);
        assert_eq!(texts("userCertificate;binary", vec![b"a".to_vec()]), ["YQ=="]);
    }
}
