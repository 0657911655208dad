//! Regular expressions to automata, by Brzozowski's derivatives: a state is an expression, and a character
//! turns it into the expression of what may follow. That way intersection and complement cost nothing extra.
//!
//! Expressions are kept once each and named by their place; the same alternatives in another order are the same
//! expression, so that there are finitely many.

mod interval;

use std::collections::HashMap;

use super::dfa::{Alphabet, Dfa, STATES_MAX, States, TooComplex, Work};
use crate::regex::RegexNode;

/// The automaton of an expression.
///
/// # Errors
/// It has too many states, or too little work is left.
pub(super) fn automaton(expression: &RegexNode, work: &mut Work) -> Result<Dfa, TooComplex> {
    let mut cuts = Vec::new();
    collect_cuts(expression, &mut cuts);
    work.spend(cuts.len())?;
    let alphabet = Alphabet::of_cuts(cuts)?;
    let mut expressions = Expressions::new(work);
    let start = expressions.expression(expression, &alphabet)?;
    Dfa::build(&mut expressions, start, alphabet)
}

/// The text that everything that matches begins with, and whether that is all of it.
pub(super) fn prefix(expression: &RegexNode) -> (String, bool) {
    match expression {
        RegexNode::Text(text) => (text.clone(), true),
        RegexNode::Class(class) => match class.ranges.as_slice() {
            [(first, last)] if first == last && !class.negated => (first.to_string(), true),
            _ => (String::new(), false),
        },
        RegexNode::Concatenation(nodes) => {
            let mut text = String::new();
            for node in nodes {
                let (more, whole) = prefix(node);
                text.push_str(&more);
                if !whole {
                    return (text, false);
                }
            }
            (text, true)
        }
        RegexNode::Repeat { node, least, most } if *least > 0 => {
            let (text, whole) = prefix(node);
            (text, whole && *least == 1 && *most == Some(1))
        }
        // Whatever one part asks for, the whole does.
        RegexNode::Intersection(nodes) => nodes.first().map_or((String::new(), false), prefix),
        RegexNode::Union(_)
        | RegexNode::Repeat { .. }
        | RegexNode::Complement(_)
        | RegexNode::AnyCharacter
        | RegexNode::AnyText
        | RegexNode::Nothing
        | RegexNode::Interval { .. } => (String::new(), false),
    }
}

/// The characters at which something begins or has ended.
fn collect_cuts(expression: &RegexNode, cuts: &mut Vec<u32>) {
    let mut range = |first: char, last: char| cuts.extend([u32::from(first), u32::from(last) + 1]);
    match expression {
        RegexNode::Text(text) => text.chars().for_each(|character| range(character, character)),
        RegexNode::Class(class) => class.ranges.iter().for_each(|(first, last)| range(*first, *last)),
        RegexNode::Interval { .. } => ('0'..='9').for_each(|digit| range(digit, digit)),
        RegexNode::Union(nodes) | RegexNode::Intersection(nodes) | RegexNode::Concatenation(nodes) => {
            nodes.iter().for_each(|node| collect_cuts(node, cuts));
        }
        RegexNode::Repeat { node, .. } | RegexNode::Complement(node) => collect_cuts(node, cuts),
        RegexNode::AnyCharacter | RegexNode::AnyText | RegexNode::Nothing => {}
    }
}

type Id = u32;

const NOTHING: Id = 0;
const EMPTY: Id = 1;
const ANY_TEXT: Id = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum RegularNode {
    Nothing,
    Empty,
    AnyText,
    /// One character of these classes, which ascend.
    Set(Vec<u16>),
    Concatenation(Id, Id),
    /// Ascending, two at least.
    Union(Vec<Id>),
    /// Ascending, two at least.
    Intersection(Vec<Id>),
    Repeat(Id, u32, Option<u32>),
    Complement(Id),
}

struct Expressions<'a> {
    nodes: Vec<RegularNode>,
    /// Whether each matches the empty text.
    matches_empty: Vec<bool>,
    ids: HashMap<RegularNode, Id>,
    derivatives: HashMap<(Id, usize), Id>,
    work: &'a mut Work,
}

impl<'a> Expressions<'a> {
    fn new(work: &'a mut Work) -> Expressions<'a> {
        let nodes = vec![RegularNode::Nothing, RegularNode::Empty, RegularNode::AnyText];
        let ids = nodes.iter().cloned().zip(0..).collect();
        let matches_empty = vec![false, true, true];
        Expressions { nodes, matches_empty, ids, derivatives: HashMap::new(), work }
    }

    fn works(&mut self, steps: usize) -> Result<(), TooComplex> {
        self.work.spend(steps)
    }

    fn empty(&self, id: Id) -> bool {
        self.matches_empty[id as usize]
    }

    fn id(&mut self, node: RegularNode) -> Result<Id, TooComplex> {
        if let Some(id) = self.ids.get(&node) {
            return Ok(*id);
        }
        self.works(1)?;
        let matches_empty = match &node {
            RegularNode::Nothing | RegularNode::Set(_) => false,
            RegularNode::Empty | RegularNode::AnyText => true,
            RegularNode::Concatenation(first, second) => self.empty(*first) && self.empty(*second),
            RegularNode::Union(parts) => parts.iter().any(|part| self.empty(*part)),
            RegularNode::Intersection(parts) => parts.iter().all(|part| self.empty(*part)),
            RegularNode::Repeat(part, least, _) => *least == 0 || self.empty(*part),
            RegularNode::Complement(part) => !self.empty(*part),
        };
        let id = Id::try_from(self.nodes.len()).map_err(|_| TooComplex)?;
        self.nodes.push(node.clone());
        self.matches_empty.push(matches_empty);
        self.ids.insert(node, id);
        Ok(id)
    }

    fn expression(&mut self, expression: &RegexNode, alphabet: &Alphabet) -> Result<Id, TooComplex> {
        match expression {
            RegexNode::Union(nodes) => {
                let parts = self.all(nodes, alphabet)?;
                self.union(parts)
            }
            RegexNode::Intersection(nodes) => {
                let parts = self.all(nodes, alphabet)?;
                self.intersection(parts)
            }
            RegexNode::Concatenation(nodes) => {
                let parts = self.all(nodes, alphabet)?;
                self.sequence(parts)
            }
            RegexNode::Repeat { node, least, most } => {
                let part = self.expression(node, alphabet)?;
                self.repeat(part, *least, *most)
            }
            RegexNode::Complement(node) => {
                let part = self.expression(node, alphabet)?;
                self.complement(part)
            }
            RegexNode::Text(text) => self.text(text, alphabet),
            RegexNode::Class(class) => {
                let mut inside = vec![class.negated; alphabet.count()];
                for (first, last) in &class.ranges {
                    for of_range in alphabet.classes_between(*first, *last) {
                        inside[of_range] = !class.negated;
                    }
                }
                let classes = (0_u16..).zip(inside).filter(|(_, inside)| *inside);
                self.set(classes.map(|(class, _)| class).collect())
            }
            RegexNode::AnyCharacter => self.set((0_u16..).take(alphabet.count()).collect()),
            RegexNode::AnyText => Ok(ANY_TEXT),
            RegexNode::Nothing => Ok(NOTHING),
            RegexNode::Interval { least, greatest, digits } => {
                self.interval(*least, *greatest, *digits, alphabet)
            }
        }
    }

    fn all(&mut self, nodes: &[RegexNode], alphabet: &Alphabet) -> Result<Vec<Id>, TooComplex> {
        nodes.iter().map(|node| self.expression(node, alphabet)).collect()
    }

    fn set(&mut self, classes: Vec<u16>) -> Result<Id, TooComplex> {
        self.works(classes.len())?;
        if classes.is_empty() { Ok(NOTHING) } else { self.id(RegularNode::Set(classes)) }
    }

    fn text(&mut self, text: &str, alphabet: &Alphabet) -> Result<Id, TooComplex> {
        // As many states as characters; no use in trying.
        if text.len() > 4 * STATES_MAX {
            return Err(TooComplex);
        }
        let parts =
            text.chars().map(|c| self.characters(c, c, alphabet)).collect::<Result<Vec<_>, TooComplex>>()?;
        self.sequence(parts)
    }

    fn characters(&mut self, first: char, last: char, alphabet: &Alphabet) -> Result<Id, TooComplex> {
        let classes = alphabet.classes_between(first, last).filter_map(|class| u16::try_from(class).ok());
        self.set(classes.collect())
    }

    fn sequence(&mut self, parts: Vec<Id>) -> Result<Id, TooComplex> {
        parts.into_iter().rev().try_fold(EMPTY, |rest, part| self.concatenation(part, rest))
    }

    fn concatenation(&mut self, first: Id, second: Id) -> Result<Id, TooComplex> {
        match (first, second) {
            (NOTHING, _) | (_, NOTHING) => Ok(NOTHING),
            (EMPTY, other) | (other, EMPTY) => Ok(other),
            _ => self.id(RegularNode::Concatenation(first, second)),
        }
    }

    fn union(&mut self, parts: Vec<Id>) -> Result<Id, TooComplex> {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.nodes[part as usize] {
                RegularNode::Nothing => {}
                RegularNode::AnyText => return Ok(ANY_TEXT),
                RegularNode::Union(inner) => flat.extend(inner),
                RegularNode::Empty
                | RegularNode::Set(_)
                | RegularNode::Concatenation(..)
                | RegularNode::Intersection(_)
                | RegularNode::Repeat(..)
                | RegularNode::Complement(_) => flat.push(part),
            }
        }
        self.works(flat.len())?;
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => Ok(NOTHING),
            [part] => Ok(*part),
            _ => self.id(RegularNode::Union(flat)),
        }
    }

    fn intersection(&mut self, parts: Vec<Id>) -> Result<Id, TooComplex> {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.nodes[part as usize] {
                RegularNode::Nothing => return Ok(NOTHING),
                RegularNode::AnyText => {}
                RegularNode::Intersection(inner) => flat.extend(inner),
                RegularNode::Empty
                | RegularNode::Set(_)
                | RegularNode::Concatenation(..)
                | RegularNode::Union(_)
                | RegularNode::Repeat(..)
                | RegularNode::Complement(_) => flat.push(part),
            }
        }
        self.works(flat.len())?;
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => Ok(ANY_TEXT),
            [part] => Ok(*part),
            _ => self.id(RegularNode::Intersection(flat)),
        }
    }

    fn complement(&mut self, part: Id) -> Result<Id, TooComplex> {
        match &self.nodes[part as usize] {
            RegularNode::Nothing => Ok(ANY_TEXT),
            RegularNode::AnyText => Ok(NOTHING),
            RegularNode::Complement(inner) => Ok(*inner),
            RegularNode::Empty
            | RegularNode::Set(_)
            | RegularNode::Concatenation(..)
            | RegularNode::Union(_)
            | RegularNode::Intersection(_)
            | RegularNode::Repeat(..) => self.id(RegularNode::Complement(part)),
        }
    }

    fn repeat(&mut self, part: Id, least: u32, most: Option<u32>) -> Result<Id, TooComplex> {
        if most.is_some_and(|most| most < least) {
            return Ok(NOTHING);
        }
        match (part, least, most) {
            (_, _, Some(0)) | (EMPTY, ..) | (NOTHING, 0, _) => return Ok(EMPTY),
            (NOTHING, ..) => return Ok(NOTHING),
            (ANY_TEXT, ..) => return Ok(ANY_TEXT),
            (_, 1, Some(1)) => return Ok(part),
            _ => {}
        }
        // What may be empty need not be there.
        let least = if self.empty(part) { 0 } else { least };
        self.id(RegularNode::Repeat(part, least, most))
    }

    /// The expression of what may follow a character of the class.
    fn derivative(&mut self, id: Id, class: usize) -> Result<Id, TooComplex> {
        if let Some(derivative) = self.derivatives.get(&(id, class)) {
            return Ok(*derivative);
        }
        self.works(1)?;
        let derivative = match self.nodes[id as usize].clone() {
            RegularNode::Nothing | RegularNode::Empty => NOTHING,
            RegularNode::AnyText => ANY_TEXT,
            RegularNode::Set(classes) => {
                let inside = u16::try_from(class).is_ok_and(|class| classes.binary_search(&class).is_ok());
                if inside { EMPTY } else { NOTHING }
            }
            RegularNode::Concatenation(..) => self.derivative_of_sequence(id, class)?,
            RegularNode::Union(parts) => {
                let parts = self.derivatives(&parts, class)?;
                self.union(parts)?
            }
            RegularNode::Intersection(parts) => {
                let parts = self.derivatives(&parts, class)?;
                self.intersection(parts)?
            }
            RegularNode::Repeat(part, least, most) => {
                let first = self.derivative(part, class)?;
                let rest = self.repeat(part, least.saturating_sub(1), most.map(|most| most - 1))?;
                self.concatenation(first, rest)?
            }
            RegularNode::Complement(part) => {
                let part = self.derivative(part, class)?;
                self.complement(part)?
            }
        };
        self.derivatives.insert((id, class), derivative);
        Ok(derivative)
    }

    fn derivatives(&mut self, parts: &[Id], class: usize) -> Result<Vec<Id>, TooComplex> {
        parts.iter().map(|part| self.derivative(*part, class)).collect()
    }

    /// The character belongs to the first part, or to a later one if all before may be empty. A loop, because a
    /// sequence may be long.
    fn derivative_of_sequence(&mut self, sequence: Id, class: usize) -> Result<Id, TooComplex> {
        let mut alternatives = Vec::new();
        let mut rest = sequence;
        while let RegularNode::Concatenation(first, second) = self.nodes[rest as usize] {
            let after_first = self.derivative(first, class)?;
            alternatives.push(self.concatenation(after_first, second)?);
            rest = second;
            if !self.empty(first) {
                return self.union(alternatives);
            }
        }
        alternatives.push(self.derivative(rest, class)?);
        self.union(alternatives)
    }
}

impl States for Expressions<'_> {
    type State = Id;

    fn step(&mut self, state: &Id, class: usize) -> Result<Option<Id>, TooComplex> {
        self.works(1)?;
        Ok(Some(self.derivative(*state, class)?).filter(|derivative| *derivative != NOTHING))
    }

    fn accepts(&self, state: &Id) -> bool {
        self.empty(*state)
    }
}
