//! Numbers as Java's `Float.valueOf` reads them, which is what Lucene gives the text after a `~`.
//!
//! Hexadecimal floats are left out: nobody writes them, and they are not read here as something else.

/// The number, `None` where the text is none. Decimal digits with an optional sign, point, exponent and one of
/// the suffixes `f`, `F`, `d`, `D`; or `NaN` and `Infinity`.
pub(crate) fn java_float(text: &str) -> Option<f32> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "NaN" || unsigned == "Infinity" {
        return text.parse().ok();
    }
    let decimal = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    // Rust's own spellings (`inf`, `nan`, `infinity` in any case) are not Java's.
    if decimal.chars().all(|c| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')) {
        decimal.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::java_float;

    #[test]
    fn reads_what_java_reads() {
        for (text, number) in [
            ("2", 2.0),
            ("-1", -1.0),
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1E-1", 0.1),
            ("2f", 2.0),
            ("2.5D", 2.5),
            ("Infinity", f32::INFINITY),
        ] {
            assert_eq!(java_float(text), Some(number), "{text}");
        }
        assert!(java_float("NaN").is_some_and(f32::is_nan));
        for text in ["", "-", ".", "e1", "f", "inf", "nan", "infinity", "1_0", "AUTO", "2ff", "0x10"] {
            assert_eq!(java_float(text), None, "{text}");
        }
    }
}
