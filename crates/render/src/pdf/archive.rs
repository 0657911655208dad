//! What makes a PDF file an archive's: the metadata packet, the colour profile, dates.

use chrono::{DateTime, Datelike, Timelike, Utc};
use xmp_writer::XmpWriter;
use xmp_writer::pdfa::PdfUAIdDescriptionMode;

use super::settings::PdfSettings;

/// The program that made the file.
pub(super) const PRODUCER: &str = "Muster";

/// The XMP packet: PDF/A-2a and PDF/UA-1, title, language, dates. The second standard's own schema must be described
/// in the packet (ISO 19005-2, 6.6.2.3), because the first one does not know it.
pub(super) fn metadata(settings: &PdfSettings, cover: &muster_reports::cover::Cover) -> String {
    let mut packet = XmpWriter::new();
    let date = cover.completed;
    let number = |value: u32| u8::try_from(value).expect("parts of a date are small");
    let date = xmp_writer::DateTime {
        year: u16::try_from(date.year()).unwrap_or(0),
        month: Some(number(date.month())),
        day: Some(number(date.day())),
        hour: Some(number(date.hour())),
        minute: Some(number(date.minute())),
        second: Some(number(date.second())),
        timezone: Some(xmp_writer::Timezone::Utc),
    };
    packet.title([(None, settings.title.as_str())]);
    packet.language([xmp_writer::LangId(&settings.language)]);
    packet.create_date(date).modify_date(date).creator_tool(PRODUCER).producer(PRODUCER);
    packet.pdfa_part(2).pdfa_conformance("A").pdfua_part(1);
    packet.extension_schemas().pdfua_id().properties().describe_all(PdfUAIdDescriptionMode::UA1);
    packet.finish(None)
}

/// A moment as PDF has it.
pub(super) fn pdf_date(date: DateTime<Utc>) -> pdf_writer::Date {
    let number = |value: u32| u8::try_from(value).expect("parts of a date are small");
    pdf_writer::Date::new(u16::try_from(date.year()).unwrap_or(0))
        .month(number(date.month()))
        .day(number(date.day()))
        .hour(number(date.hour()))
        .minute(number(date.minute()))
        .second(number(date.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

/// An ICC profile (version 2.1, ICC.1:1998-09) of sRGB, from the numbers of IEC 61966-2-1: the primaries adapted to D50
/// by Bradford, and the transfer curve as 1,024 samples.
pub(super) fn srgb_profile() -> Vec<u8> {
    let curve = transfer_curve();
    let tags: [(&[u8; 4], Vec<u8>); 7] = [
        (b"desc", description("sRGB IEC61966-2.1")),
        (b"cprt", text("No copyright, use freely")),
        (b"wtpt", point([0.9642, 1.0, 0.8249])),
        (b"rXYZ", point([0.436_065_67, 0.222_488_4, 0.013_916_02])),
        (b"gXYZ", point([0.385_147_1, 0.716_873_17, 0.097_076_42])),
        (b"bXYZ", point([0.143_066_41, 0.060_607_91, 0.714_096_07])),
        (b"rTRC", curve),
    ];
    // The three curves are one.
    let shared: [&[u8; 4]; 2] = [b"gTRC", b"bTRC"];
    let count = tags.len() + shared.len();
    let mut table = Vec::new();
    let mut data = Vec::new();
    let base = 128 + 4 + 12 * count;
    let mut entry = |name: &[u8; 4], offset: usize, length: usize| {
        table.extend_from_slice(name);
        table.extend_from_slice(&word(base + offset));
        table.extend_from_slice(&word(length));
    };
    let (mut offset, mut length) = (0, 0);
    for (name, content) in &tags {
        (offset, length) = (data.len(), content.len());
        entry(name, offset, length);
        data.extend_from_slice(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    for name in shared {
        entry(name, offset, length);
    }
    let mut profile = Vec::with_capacity(base + data.len());
    profile.extend_from_slice(&word(base + data.len()));
    profile.extend_from_slice(b"\0\0\0\0\x02\x10\0\0mntrRGB XYZ ");
    // 1 January 2000, 00:00:00: a profile must have a date.
    profile.extend_from_slice(&[0x07, 0xd0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    profile.extend_from_slice(b"acsp");
    profile.resize(68, 0);
    profile.extend_from_slice(&point([0.9642, 1.0, 0.8249])[8..]);
    profile.resize(128, 0);
    profile.extend_from_slice(&word(count));
    profile.extend_from_slice(&table);
    profile.extend_from_slice(&data);
    profile
}

fn word(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("the profile is small").to_be_bytes()
}

fn point(values: [f64; 3]) -> Vec<u8> {
    let mut out = b"XYZ \0\0\0\0".to_vec();
    for value in values {
        #[expect(clippy::cast_possible_truncation, reason = "the values are below 2")]
        let fixed = (value * 65_536.0).round() as i32;
        out.extend_from_slice(&fixed.to_be_bytes());
    }
    out
}

fn text(value: &str) -> Vec<u8> {
    let mut out = b"text\0\0\0\0".to_vec();
    out.extend_from_slice(value.as_bytes());
    out.push(0);
    out
}

fn description(value: &str) -> Vec<u8> {
    let mut out = b"desc\0\0\0\0".to_vec();
    out.extend_from_slice(&word(value.len() + 1));
    out.extend_from_slice(value.as_bytes());
    // The end of the text, then no Unicode form and no Macintosh form: 4 + 4 bytes, 2 + 1 + 67 bytes.
    out.resize(out.len() + 1 + 8 + 70, 0);
    out
}

fn transfer_curve() -> Vec<u8> {
    const SAMPLES: u16 = 1024;
    let mut out = b"curv\0\0\0\0".to_vec();
    out.extend_from_slice(&u32::from(SAMPLES).to_be_bytes());
    for sample in 0..SAMPLES {
        let value = f64::from(sample) / f64::from(SAMPLES - 1);
        let linear = if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 65,535")]
        let fixed = (linear * 65_535.0).round() as u16;
        out.extend_from_slice(&fixed.to_be_bytes());
    }
    out
}
