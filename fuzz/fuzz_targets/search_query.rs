#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muster_querystring::fuzzing::search_query(data));
