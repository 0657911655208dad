//! The paths that a source file names, read without a compiler: enough to know which files need which.

/// Paths of a file's code without its tests, each as its segments. `crate`, `self` and `super` are segments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// Paths of `use`, and those of expressions and types that begin with `crate`, `self` or `super`.
    pub paths: Vec<Vec<String>>,
    /// What `pub use` shows: the name, and the path that it stands for.
    pub shown: Vec<(String, Vec<String>)>,
}

impl Imports {
    /// Reads a file.
    pub fn read(source: &str) -> Self {
        let tokens = tokens(source);
        let mut reader =
            Reader { tokens: &tokens, at: 0, depth: 0, inner: Vec::new(), read: Self::default() };
        reader.run();
        reader.read
    }
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
    depth: usize,
    /// The inline modules that are open: their names, and their depths.
    inner: Vec<(&'a str, usize)>,
    read: Imports,
}

impl<'a> Reader<'a> {
    fn token(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).copied().unwrap_or_default()
    }

    fn run(&mut self) {
        while self.at < self.tokens.len() {
            match self.token(0) {
                "#" if self.begins(&["#", "[", "cfg", "(", "test", ")", "]", "mod"]) => self.skip_tests(),
                // Where an item is visible is not an import.
                "pub" if self.begins(&["pub", "(", "in"]) => {
                    while !matches!(self.token(0), ")" | "") {
                        self.at += 1;
                    }
                }
                // Not the `use<'a>` of a type.
                "use" if self.token(1) != "<" => self.read_use(),
                "mod" if self.token(2) == "{" => {
                    self.depth += 1;
                    self.inner.push((self.token(1), self.depth));
                    self.at += 3;
                }
                "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                "}" => {
                    self.inner.pop_if(|(_, depth)| *depth == self.depth);
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                "crate" | "self" | "super" if self.token(1) == "::" => self.read_path(),
                _ => self.at += 1,
            }
        }
    }

    fn follows(&self, token: &str) -> bool {
        self.at > 0 && self.tokens[self.at - 1] == token
    }

    fn begins(&self, tokens: &[&str]) -> bool {
        self.tokens[self.at..].starts_with(tokens)
    }

    /// Passes over `#[cfg(test)] mod name` and its block.
    fn skip_tests(&mut self) {
        self.at += 9;
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn read_path(&mut self) {
        let mut path = vec![self.token(0)];
        self.at += 1;
        while self.token(0) == "::" && is_word(self.token(1)) {
            path.push(self.token(1));
            self.at += 2;
        }
        let path = self.at_top_of_file(&path);
        self.read.paths.push(path);
    }

    fn read_use(&mut self) {
        let is_shown = self.follows("pub") || self.follows(")");
        self.at += 1;
        let mut found = Vec::new();
        self.read_tree(Vec::new(), &mut found);
        for (name, path) in found {
            let path = self.at_top_of_file(&path);
            if is_shown {
                self.read.shown.push((name.to_owned(), path));
            } else {
                self.read.paths.push(path);
            }
        }
    }

    /// One tree of a `use`, up to the comma, brace or semicolon that ends it.
    fn read_tree(&mut self, mut path: Vec<&'a str>, found: &mut Vec<(&'a str, Vec<&'a str>)>) {
        loop {
            let token = self.token(0);
            match token {
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | ";" | "") {
                        self.read_tree(path.clone(), found);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    found.push((self.token(1), path));
                    self.at += 2;
                    return;
                }
                "," | ";" | "}" | "" => {
                    path.pop_if(|last| *last == "self");
                    found.extend(path.last().copied().map(|name| (name, path)));
                    return;
                }
                "::" => self.at += 1,
                _ => {
                    path.push(token);
                    self.at += 1;
                }
            }
        }
    }

    /// A path inside inline modules, as it would be at the top of the file.
    fn at_top_of_file(&self, path: &[&str]) -> Vec<String> {
        let inner: Vec<&str> = self.inner.iter().map(|(name, _)| *name).collect();
        let supers = path.iter().take_while(|part| **part == "super").count();
        let parts = match inner.len().checked_sub(supers) {
            _ if inner.is_empty() => path.to_vec(),
            Some(_) if path[0] == "self" => [&["self"][..], &inner[..], &path[1..]].concat(),
            Some(_) if supers == 0 => path.to_vec(),
            Some(kept) => [&["self"][..], &inner[..kept], &path[supers..]].concat(),
            None => path[inner.len()..].to_vec(),
        };
        parts.into_iter().map(str::to_owned).collect()
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other character by itself; without comments, texts and numbers.
fn tokens(source: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word_length = || rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (length, counts) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), false)
        } else if let Some(length) = text_length(rest) {
            (length, false)
        } else if first == '\'' {
            (quote_length(rest), false)
        } else if is_word(rest) || first.is_ascii_digit() {
            (word_length(), is_word(rest))
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (token, behind) = rest.split_at(length);
        tokens.extend(counts.then_some(token));
        rest = behind;
    }
    tokens
}

/// How long the text is that begins here, with its prefix and quotes; `None` where none begins.
fn text_length(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    let hashes = rest[prefix..].find(|c| c != '#')?;
    let start = prefix + hashes;
    if prefix > 2 || !rest[start..].starts_with('"') || hashes > 0 && !rest[..prefix].ends_with('r') {
        return None;
    }
    let body = &rest[start + 1..];
    if rest[..prefix].ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(start + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()));
    }
    let mut is_escaped = false;
    let end = body.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    Some(start + 1 + end.map_or(body.len(), |at| at + 1))
}

/// How long the character or lifetime is that begins with this quote.
fn quote_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            characters.find(|(_, c)| *c == '\'').map_or(rest.len(), |(at, _)| at + 1)
        }
        // A lifetime's name is a word by itself, which is the beginning of no path.
        Some(_) => characters.next().filter(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        Imports::read(source).paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_of_use_are_taken_apart() {
        let source = "use crate::{a::{self, B as C}, d::*};\nuse super::e;\npub(in super::super) struct F;";
        assert_eq!(paths(source), ["crate::a", "crate::a::B", "crate::d::*", "super::e"]);
    }

    #[test]
    fn what_is_shown_has_a_name() {
        let read = Imports::read("pub use a::{B, C as D};\npub(crate) use super::e;");
        let shown: Vec<_> =
            read.shown.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
        assert_eq!(shown, ["B=a::B", "D=a::C", "e=super::e"]);
        assert_eq!(read.paths, Vec::<Vec<String>>::new());
    }

    #[test]
    fn comments_texts_and_characters_have_no_paths() {
        let source = r##"
            // use a::A;
            /* crate::b::B */
            const C: &str = "crate::C \" crate::D"; const E: &[u8] = br#"crate::"E"#; const F: char = '"'; const G: char = '\'';
            fn h<'a>(i: &'a super::I) { self::k::<L>(); $crate::m::n!() }
        "##;
        assert_eq!(paths(source), ["super::I", "self::k", "crate::m::n"]);
    }

    #[test]
    fn inline_modules_are_of_their_file() {
        let source = "mod a { use super::b::B; mod c { use super::super::d; use super::e; } } use f::g;";
        assert_eq!(paths(source), ["self::b::B", "self::d", "self::a::e", "f::g"]);
    }
}
