//! Any text parses or is refused with a place in it; what parses prints as text that prints the same again.
//!
//! Run with `cargo +nightly fuzz run parse` in the crate's folder.

#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_querystring::parse;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(query) => {
            let printed = query.to_string();
            // Escapes may make a long text longer than is read.
            if printed.len() <= muster_querystring::TEXT_BYTES_MAX {
                let again = parse(&printed).expect("a printed query parses");
                assert_eq!(again.to_string(), printed);
            }
        }
        Err(error) => assert!(text.is_char_boundary(error.offset)),
    }
});
