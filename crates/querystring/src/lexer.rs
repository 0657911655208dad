//! Text to tokens: the longest match wins, and between two of the same length the one named first in
//! Lucene's classic grammar.
//!
//! There are three states. `^` leads to the state that knows only a number, and the number back; `[` or `{`
//! leads to the state of a range, and `]` or `}` back. The whole text is read at once; what cannot be a token
//! ends the list, so that the parser reports whichever mistake comes first.

use crate::error::Problem;
use crate::token::{Token, TokenKind};
use crate::tree::Span;

/// The white space of the language; every other character may be part of a word.
pub(crate) fn is_white_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

/// What a term cannot begin with unescaped, white space apart. `+` and `-` are ordinary later in a term.
pub(crate) fn is_special(character: char) -> bool {
    matches!(
        character,
        '+' | '-' | '!' | '(' | ')' | ':' | '^' | '[' | ']' | '"' | '{' | '}' | '~' | '*' | '?' | '\\' | '/'
    )
}

/// The tokens of a text. The last is `End` or `Invalid`, and no other is.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, position: 0 };
    let mut tokens = Vec::new();
    let mut in_range = false;
    loop {
        let token = match tokens.last() {
            Some(Token { kind: TokenKind::Caret, .. }) => lexer.number(),
            _ if in_range => lexer.range_token(),
            _ => lexer.default_token(),
        };
        if in_range {
            in_range = !matches!(token.kind, TokenKind::RangeClose { .. });
        } else {
            in_range = matches!(token.kind, TokenKind::RangeOpen { .. });
        }
        let last = matches!(token.kind, TokenKind::End | TokenKind::Invalid(_));
        tokens.push(token);
        if last {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        // `position` only ever moves by the lengths of whole characters.
        self.text.get(self.position..).unwrap_or("")
    }

    /// A token of so many bytes here.
    fn take(&mut self, kind: TokenKind, bytes: usize) -> Token {
        let start = self.position;
        self.position += bytes;
        Token { kind, span: Span { start, end: self.position } }
    }

    fn invalid(&mut self, problem: Problem) -> Token {
        let bytes = self.rest().chars().next().map_or(0, char::len_utf8);
        self.take(TokenKind::Invalid(problem), bytes)
    }

    fn default_token(&mut self) -> Token {
        self.position += white_space(self.rest());
        let rest = self.rest();
        let mut characters = rest.chars();
        let Some(first) = characters.next() else {
            return self.take(TokenKind::End, 0);
        };
        let bare = characters.next().is_some_and(is_white_space);
        match first {
            '+' | '-' | '!' if bare => self.take(TokenKind::BareOperator, 1),
            '+' => self.take(TokenKind::Plus, 1),
            '-' => self.take(TokenKind::Minus, 1),
            '!' => self.take(TokenKind::Not, 1),
            '(' => self.take(TokenKind::OpenParenthesis, 1),
            ')' => self.take(TokenKind::CloseParenthesis, 1),
            ':' => self.take(TokenKind::Colon, 1),
            '^' => self.take(TokenKind::Caret, 1),
            '[' => self.take(TokenKind::RangeOpen { inclusive: true }, 1),
            '{' => self.take(TokenKind::RangeOpen { inclusive: false }, 1),
            ']' | '}' => self.invalid(Problem::Unexpected {
                found: format!("`{first}`"),
                expected: "a range to open with `[` or `{` first; as part of a word it is escaped with `\\`",
            }),
            '~' => self.take(TokenKind::Tilde, 1 + word(&rest[1..], false).bytes),
            '"' => match quoted(rest) {
                Some(bytes) => self.take(TokenKind::Quoted, bytes),
                None => self.invalid(Problem::UnclosedQuote),
            },
            '/' => match delimited(rest, '/') {
                Some(bytes) => self.take(TokenKind::Regex, bytes),
                None => self.invalid(Problem::UnclosedRegex),
            },
            _ => self.word_token(),
        }
    }

    /// A term, one of the words that are operators, or a term with wildcards.
    fn word_token(&mut self) -> Token {
        let rest = self.rest();
        let word = word(rest, true);
        let image = &rest[..word.bytes];
        let kind = match (image, word.wildcards, word.ends_in_star) {
            // A lone backslash at the end of the text is all that is left.
            ("", ..) => return self.invalid(Problem::TrailingEscape),
            ("AND" | "&&", ..) => TokenKind::And,
            ("OR" | "||", ..) => TokenKind::Or,
            ("NOT", ..) => TokenKind::Not,
            ("*", ..) => TokenKind::Star,
            (_, 0, _) => TokenKind::Term,
            (_, 1, true) => TokenKind::Prefix,
            _ => TokenKind::Wildcard,
        };
        self.take(kind, word.bytes)
    }

    /// Directly after a caret; white space is not skipped there.
    fn number(&mut self) -> Token {
        let rest = self.rest();
        let whole = digits(rest);
        if whole == 0 {
            let found = if rest.is_empty() { "the end of the query" } else { "something else" };
            return self.invalid(Problem::Unexpected {
                found: rest.chars().next().map_or_else(|| found.to_owned(), |first| format!("`{first}`")),
                expected: "a number directly after `^`, as in `^2` or `^0.5`; as part of a word `^` is written `\\^`",
            });
        }
        let fraction = rest[whole..].strip_prefix('.').map_or(0, digits);
        let bytes = if fraction == 0 { whole } else { whole + 1 + fraction };
        self.take(TokenKind::Number, bytes)
    }

    /// Between the brackets of a range. A word there is anything up to a space or the closing bracket; other
    /// white space separates only where it is alone, because a word that begins with it is longer.
    fn range_token(&mut self) -> Token {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return self.invalid(Problem::UnclosedRange);
            };
            match first {
                ']' => return self.take(TokenKind::RangeClose { inclusive: true }, 1),
                '}' => return self.take(TokenKind::RangeClose { inclusive: false }, 1),
                _ => {}
            }
            let word = rest.find([' ', ']', '}']).unwrap_or(rest.len());
            if is_white_space(first) && word <= first.len_utf8() {
                self.position += first.len_utf8();
                continue;
            }
            // Two quotes alone are a word: quoted text in a range is not empty.
            let quoted = if first == '"' { delimited(rest, '"').filter(|bytes| *bytes > 2) } else { None };
            return match quoted {
                Some(quoted) if quoted >= word => self.take(TokenKind::RangeQuoted, quoted),
                _ if &rest[..word] == "TO" => self.take(TokenKind::RangeTo, word),
                _ => self.take(TokenKind::RangeWord, word),
            };
        }
    }
}

/// How many bytes of white space the text begins with.
fn white_space(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_white_space).len()
}

/// How many ASCII digits the text begins with.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

struct Word {
    bytes: usize,
    wildcards: usize,
    ends_in_star: bool,
}

/// The longest run of term characters that the text begins with, `*` and `?` among them if asked for.
fn word(text: &str, with_wildcards: bool) -> Word {
    let mut word = Word { bytes: 0, wildcards: 0, ends_in_star: false };
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let mut bytes = character.len_utf8();
        let wildcard = with_wildcards && matches!(character, '*' | '?');
        if character == '\\' {
            match characters.next() {
                Some(escaped) => bytes += escaped.len_utf8(),
                None => break,
            }
        } else if !wildcard
            && !matches!(character, '+' | '-')
            && (is_special(character) || is_white_space(character))
        {
            break;
        }
        word.bytes += bytes;
        word.wildcards += usize::from(wildcard);
        word.ends_in_star = wildcard && character == '*';
    }
    word
}

/// The length of quoted text with both quotes. It ends at the first quote that is not escaped.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (offset, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(offset + 1),
            _ => {}
        }
    }
    None
}

/// The length of a regular expression, or of quoted text in a range, with both delimiters. Such text goes on
/// past a delimiter only where a backslash precedes it (even if that is itself escaped), and goes on as
/// far as there is another to end at: that is what the longest match of Lucene's grammar comes to.
fn delimited(text: &str, delimiter: char) -> Option<usize> {
    let mut end = None;
    let mut before = delimiter;
    for (offset, character) in text.char_indices().skip(1) {
        if character == delimiter {
            end = Some(offset + 1);
            if before != '\\' {
                break;
            }
        }
        before = character;
    }
    end
}
