//! What holds for every input.

use muster_sources::DelimitedSettings;
use proptest::prelude::*;

use crate::support::read_bytes;

/// Cells with what is hard in them more often than chance would have it.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \"',;\r\n\t]{0,12}",
        any::<String>().prop_map(|text| text.chars().filter(|character| *character != '\u{feff}').collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_csv_crate_writes_reads_back_the_same(
        rows in prop::collection::vec(prop::collection::vec(cell(), 3), 0..20),
        crlf in any::<bool>(),
        tabs in any::<bool>(),
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let delimiter = if tabs { '\t' } else { ',' };
        let mut writer =
            csv::WriterBuilder::new().terminator(terminator).delimiter(delimiter as u8).from_writer(Vec::new());
        writer.write_record(["id", "a", "b", "c"]).unwrap();
        for (number, row) in rows.iter().enumerate() {
            let number = number.to_string();
            writer.write_record(std::iter::once(&number).chain(row)).unwrap();
        }
        let outcome = read_bytes(&writer.into_inner().unwrap(), |settings| settings.delimiter = delimiter).unwrap();
        prop_assert_eq!(outcome.rejection_texts(), Vec::<String>::new());
        prop_assert!(outcome.summary.complete);
        let mut line = 2;
        for (number, row) in rows.iter().enumerate() {
            let attributes: String = ["a", "b", "c"].iter().zip(row)
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(name, cell)| format!(", {name}={cell}"))
                .collect();
            prop_assert_eq!(&outcome.records[number], &format!("{line} {number} {{id={number}{attributes}}}"));
            let joined: String = row.iter().map(|cell| format!("{cell}|")).collect();
            line += 1 + joined.replace("\r\n", "\n").chars().filter(|character| "\r\n".contains(*character)).count();
        }
        prop_assert_eq!(outcome.records.len(), rows.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            prop::collection::vec(prop::sample::select(b"a,\"\r\n\xff\xc3\xa9;1".to_vec()), 0..400),
        ],
        header in prop::sample::select(vec!["", "id\n", "id,a,b\r\n", "\u{feff}id,a\r"]),
        encoding in prop::sample::select(vec!["utf-8", "utf-16le", "shift_jis", "windows-1252", "gb18030"]),
    ) {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(body);
        let length = bytes.len() as u64;
        // That read = accepted + rejected is checked for every read.
        let result = read_bytes(&bytes, |settings: &mut DelimitedSettings| settings.encoding = encoding.to_owned());
        if let Ok(outcome) = result {
            prop_assert_eq!(outcome.summary.bytes, length);
        }
    }
}
