//! The words: ours of a text, and the tokens that Lucene's `StandardAnalyzer` makes of it.

use muster_querystring::matching::tokens_lower_case;

use super::oracle::{hexadecimal, oracle, text};
use super::random::Random;

/// How many texts are compared.
const TEXTS: usize = 20_000;

/// What texts are made of: every class of characters that word boundaries depend on.
const PIECES: [&str; 91] = [
    "a",
    "B",
    "c",
    "Z",
    "0",
    "9",
    "_",
    ":",
    ",",
    ";",
    ".",
    "'",
    "\"",
    "-",
    " ",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "/",
    "@",
    "#",
    "+",
    "abc",
    "10",
    "2.5",
    "é",
    "É",
    "ß",
    "ẞ",
    "İ",
    "ı",
    "Σ",
    "ς",
    "µ",
    "e\u{301}",
    "\u{300}",
    "\u{ad}",
    "\u{200d}",
    "\u{200b}",
    "\u{feff}",
    "\u{a0}",
    "\u{3000}",
    "·",
    "’",
    "‘",
    "․",
    "‿",
    "＿",
    "Ａ",
    "１",
    "，",
    "日",
    "本",
    "々",
    "〆",
    "ひ",
    "ら",
    "カ",
    "ナ",
    "ー",
    "ｶ",
    "한",
    "글",
    "ᄒ",
    "ไ",
    "ท",
    "ย",
    "ກ",
    "က",
    "ក",
    "א",
    "״",
    "ש",
    "ع",
    "٣",
    "٫",
    "अ",
    "क\u{94d}",
    "₂",
    "½",
    "Ⅳ",
    "①",
    "ª",
    "K",
    "𝒳",
    "𐐀",
    "😀",
    "👍🏽",
    "🇩🇪",
];

#[test]
fn words_are_the_tokens_of_lucene() {
    let Some(oracle) = oracle("MatchOracle") else {
        return;
    };
    let mut random = Random::new(0x0077_6f72_6473);
    let texts: Vec<String> = (0..TEXTS)
        .map(|_| {
            let pieces = 1 + random.below(10);
            (0..pieces).map(|_| random.one(&PIECES)).collect()
        })
        .collect();
    let lines = texts.iter().map(|text| format!("T\t{}\n", hexadecimal(text))).collect();
    let answers = oracle.ask(&["any"], lines);
    assert_eq!(answers.len(), texts.len(), "one answer for each text");

    let (mut disagreements, mut excluded) = (Vec::new(), 0);
    for (of, answer) in texts.iter().zip(&answers) {
        if is_read_otherwise(of) {
            excluded += 1;
            continue;
        }
        let lucene: Vec<String> = answer.split_whitespace().map(text).collect();
        let ours = tokens_lower_case(of);
        if ours != lucene {
            disagreements.push(format!("{of:?}: ours {ours:?}, Lucene {lucene:?}"));
        }
    }
    let compared = texts.len() - excluded;
    println!("compared {compared} texts, {excluded} excluded, {} disagreements", disagreements.len());
    for disagreement in disagreements.iter().take(60) {
        println!("{disagreement}");
    }
    assert!(disagreements.is_empty(), "{} disagreements with Lucene", disagreements.len());
}

/// What Unicode reads otherwise today than in Lucene 8: a joiner holds an emoji to whatever precedes it, and
/// an apostrophe does not hold a digit to a Hebrew letter.
fn is_read_otherwise(text: &str) -> bool {
    let after_joiner = text.split('\u{200d}').skip(1).any(|rest| rest.starts_with(['😀', '👍']));
    let hebrew = ["א'", "ש'"].iter().any(|pair| {
        text.split(pair).skip(1).any(|rest| rest.starts_with(['0', '1', '9', '2', '１', '٣', '٫']))
    });
    after_joiner || hebrew
}
