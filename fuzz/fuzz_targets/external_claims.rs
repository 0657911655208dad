#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muster_http::fuzzing::external_claims(data));
