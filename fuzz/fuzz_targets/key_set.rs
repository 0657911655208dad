#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muster_http::fuzzing::key_set(data));
