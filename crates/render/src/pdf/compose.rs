//! A page that was drawn, as the objects of the file: its content, then the page with its structure elements.
//!
//! This needs nothing of the document but the numbers that it has set aside for the page, so any thread can do it.

use std::io::{self, Write as _};

use pdf_writer::Ref;

use super::glyphs::to_u32;
use super::objects::{Deflater, Packed, number};
use super::operators::push_reference;
use super::page::{Parent, Sheet, push_element};

/// The numbers that a page has in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageNumbers {
    /// Its place in the parent tree.
    pub(super) key: usize,
    /// Its node of the page tree.
    pub(super) node: Ref,
    pub(super) resources: Ref,
    pub(super) content: Ref,
    /// The page, its entry of the parent tree, then its elements.
    pub(super) first: Ref,
    /// How many elements there are.
    pub(super) elements: usize,
    /// The object stream that has them.
    pub(super) packed: Ref,
}

impl PageNumbers {
    /// The number of an element of the page.
    pub(super) fn element(&self, place: usize) -> u32 {
        number(self.first) + 2 + to_u32(place)
    }
}

/// The objects of a page.
#[derive(Debug)]
pub(super) struct PageObjects {
    pub(super) content: Vec<u8>,
    pub(super) packed: Vec<u8>,
}

/// The objects of a page of this size. `open` gives the number of an element that continues over pages.
pub(super) fn compose(
    deflater: &mut Deflater,
    sheet: &Sheet,
    numbers: &PageNumbers,
    (width, height): (f32, f32),
    open: impl Fn(usize) -> u32,
) -> io::Result<PageObjects> {
    let content = deflater.stream(numbers.content, &sheet.content, |_| {})?;
    let (first, of) = (number(numbers.first), |place| numbers.element(place));
    let mut group = Packed::default();
    group.begin();
    let out = &mut group.bytes;
    write!(out, "<</Type/Page/Parent {} 0 R/MediaBox[0 0 {width} {height}]", number(numbers.node))?;
    write!(out, "/Resources {} 0 R/Contents {} 0 R", number(numbers.resources), number(numbers.content))?;
    write!(out, "/StructParents {}/Tabs/S>>", numbers.key)?;
    group.begin();
    group.bytes.push(b'[');
    for element in &sheet.marks {
        push_reference(&mut group.bytes, of(*element));
        group.bytes.push(b' ');
    }
    group.bytes.push(b']');
    for (place, element) in sheet.elements.iter().enumerate() {
        let parent = match element.parent {
            Parent::Open(place) => open(place),
            Parent::Here(parent) => of(parent),
        };
        group.begin();
        push_element(&mut group.bytes, element, of(place), parent, first, height, of);
    }
    assert_eq!(sheet.elements.len(), numbers.elements, "an element for each number");
    let packed = deflater.packed(numbers.packed, numbers.first, &group)?;
    Ok(PageObjects { content, packed })
}
