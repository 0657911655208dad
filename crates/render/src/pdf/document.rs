//! The document around the pages: page tree, structure tree, resources, metadata.
//!
//! Pages are written when they are full. The pages of the cover and of the appendix are written after those of the table. The
//! cover is shown first and the appendix last: the page tree decides the order of pages, not the file.

use std::io::Write;
use std::sync::Arc;

use pdf_writer::types::{NumberingStyle, OutputIntentSubtype};
use pdf_writer::{Finish, Name, Rect, Ref, TextStr};

use super::archive;
use super::compose::{PageNumbers, PageObjects, compose};
use super::embed::write_fonts;
use super::error::PdfError;
use super::faces::Weight;
use super::glyphs::to_u32;
use super::objects::{Finished, OBJECTS_MAX, Objects, Packed, number, reference, to_i32};
use super::operators::push_reference;
use super::page::{Parent, Sheet};
use super::settings::PdfSettings;
use super::typeset::Typesetter;

/// Pages under one node of the page tree, and entries under one of the parent tree.
const FAN: usize = 64;

/// An element that goes on over pages, and is written at the end.
#[derive(Debug)]
struct Open {
    id: Ref,
    role: &'static str,
    parent: Option<usize>,
    kids: Vec<Ref>,
}

/// An element that has ended and is to be written.
pub(super) struct Turned {
    element: Ref,
    packed: Ref,
    group: Packed,
}

/// What is kept of a page.
#[derive(Debug, Clone, Copy)]
struct PageRecord {
    page: u32,
    /// Its entry of the parent tree.
    marks: u32,
}

/// Which of the three sequences of pages a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Cover,
    Table,
    Appendix,
}

impl Part {
    /// The name of the form that shows the number of its pages.
    pub(super) fn total(self) -> &'static str {
        match self {
            Self::Cover => "CoverTotal",
            Self::Table => "TableTotal",
            Self::Appendix => "AppendixTotal",
        }
    }
}

#[derive(Debug, Default)]
struct Pages {
    records: Vec<PageRecord>,
    /// Nodes of the page tree, one for every [`FAN`] pages.
    nodes: Vec<Ref>,
}

/// A bookmark.
#[derive(Debug)]
struct Bookmark {
    title: String,
    page: Ref,
    part: Part,
}

/// A PDF being written.
pub(super) struct Document<W: Write> {
    pub(super) objects: Objects<W>,
    pub(super) setter: Typesetter,
    /// Shared with the threads that draw pages.
    pub(super) settings: Arc<PdfSettings>,
    opened: Vec<Open>,
    /// Elements that were opened on the page at hand: how many of its own come before them, and their places.
    begun: Vec<(usize, usize)>,
    cover: Pages,
    table: Pages,
    appendix: Pages,
    size: (f32, f32),
    root: Ref,
    resources: Ref,
    tree_root: Ref,
    bookmarks: Vec<Bookmark>,
    /// Forms by name, for the resources.
    forms: Vec<(&'static str, Ref)>,
}

/// The place of the element that holds everything, of that which holds the whole cover, and of that which holds the table.
pub(super) const DOCUMENT: usize = 0;
pub(super) const COVER: usize = 1;
pub(super) const TABLE: usize = 2;

impl<W: Write> Document<W> {
    pub(super) fn new(sink: W, settings: PdfSettings) -> Self {
        let mut objects = Objects::new(sink);
        let [root, resources, tree_root] = [(); 3].map(|()| objects.allocate());
        let setter = Typesetter::new(settings.fonts.clone());
        let mut document = Self {
            objects,
            setter,
            size: settings.paper.landscape(),
            settings: Arc::new(settings),
            opened: Vec::new(),
            begun: Vec::new(),
            cover: Pages::default(),
            table: Pages::default(),
            appendix: Pages::default(),
            root,
            resources,
            tree_root,
            bookmarks: Vec::new(),
            forms: Vec::new(),
        };
        document.open("Document", None);
        document.open("Part", Some(0));
        document.open("Part", Some(0));
        document
    }

    /// Width and height of a page.
    pub(super) fn size(&self) -> (f32, f32) {
        self.size
    }

    /// Decides the width and height of the pages, before the first of them.
    pub(super) fn set_size(&mut self, size: (f32, f32)) {
        self.size = size;
    }

    /// Opens an element that may continue over pages, after what is on the page so far. Returns its place.
    pub(super) fn open_on(&mut self, sheet: &Sheet, role: &'static str, parent: usize) -> usize {
        let place = self.open(role, None);
        self.opened[place].parent = Some(parent);
        self.begun.push((sheet.elements.len(), place));
        place
    }

    /// Ends an open element and replaces it by a new one of its kind, so that no list grows with the document. The caller
    /// writes what is returned after the pages before.
    pub(super) fn turn(&mut self, place: usize) -> Turned {
        let next = self.objects.allocate();
        let open = &mut self.opened[place];
        let (id, kids) = (std::mem::replace(&mut open.id, next), std::mem::take(&mut open.kids));
        let (role, parent) = (open.role, open.parent);
        let above = parent.map_or(self.tree_root, |parent| self.opened[parent].id);
        let mut group = Packed::default();
        group.begin();
        group.bytes.extend_from_slice(b"<</Type/StructElem/S/");
        group.bytes.extend_from_slice(role.as_bytes());
        group.bytes.extend_from_slice(b"/P ");
        push_reference(&mut group.bytes, number(above));
        group.bytes.extend_from_slice(b"/K[");
        for kid in kids {
            push_reference(&mut group.bytes, number(kid));
            group.bytes.push(b' ');
        }
        group.bytes.extend_from_slice(b"]>>");
        if let Some(parent) = parent {
            self.opened[parent].kids.push(next);
        }
        Turned { element: id, packed: self.objects.allocate(), group }
    }

    /// Writes an element that was turned.
    pub(super) fn write_turned(&mut self, turned: &Turned) -> Result<(), PdfError> {
        let object = self.objects.deflater().packed(turned.packed, turned.element, &turned.group)?;
        self.objects.made_packed(turned.packed, turned.element, turned.group.len(), &object)?;
        Ok(())
    }

    /// Opens an element that may go on over pages; its place.
    pub(super) fn open(&mut self, role: &'static str, parent: Option<usize>) -> usize {
        let id = self.objects.allocate();
        if let Some(parent) = parent {
            self.opened[parent].kids.push(id);
        }
        self.opened.push(Open { id, role, parent, kids: Vec::new() });
        self.opened.len() - 1
    }

    pub(super) fn pages(&self, part: Part) -> usize {
        match part {
            Part::Cover => self.cover.records.len(),
            Part::Table => self.table.records.len(),
            Part::Appendix => self.appendix.records.len(),
        }
    }

    /// The pages of all parts.
    pub(super) fn all_pages(&self) -> usize {
        [Part::Cover, Part::Table, Part::Appendix].into_iter().map(|part| self.pages(part)).sum()
    }

    /// The next page of a part will have a bookmark.
    pub(super) fn bookmark(&mut self, title: &str, part: Part, page: Ref) {
        self.bookmarks.push(Bookmark { title: title.to_owned(), page, part });
    }

    /// Writes a form: something that is drawn on many pages.
    pub(super) fn form(&mut self, name: &'static str, bounds: Rect, content: &[u8]) -> Result<(), PdfError> {
        let id = self.objects.allocate();
        let resources = self.resources;
        self.objects.stream(id, content, |stream| {
            stream.pair(Name(b"Type"), Name(b"XObject"));
            stream.pair(Name(b"Subtype"), Name(b"Form"));
            stream.pair(Name(b"BBox"), bounds);
            stream.pair(Name(b"Resources"), resources);
        })?;
        self.forms.push((name, id));
        Ok(())
    }

    /// Writes a full page and forgets it; the page's number.
    pub(super) fn finish_page(&mut self, part: Part, sheet: &Sheet) -> Result<Ref, PdfError> {
        let numbers = self.begin_page(part, sheet.elements.len())?;
        let mut begun = std::mem::take(&mut self.begun).into_iter().peekable();
        for (place, element) in sheet.elements.iter().enumerate() {
            while let Some((_, open)) = begun.next_if(|(before, _)| *before <= place) {
                self.hang(open);
            }
            if let Parent::Open(open) = element.parent {
                self.opened[open].kids.push(reference(numbers.element(place)));
            }
        }
        begun.for_each(|(_, open)| self.hang(open));
        let (size, opened) = (self.size(), &self.opened);
        let objects =
            compose(self.objects.deflater(), sheet, &numbers, size, |open| number(opened[open].id))?;
        self.write_page(&numbers, &objects)?;
        Ok(numbers.first)
    }

    /// Sets numbers aside for the next page of a part, whose elements are so many.
    pub(super) fn begin_page(&mut self, part: Part, elements: usize) -> Result<PageNumbers, PdfError> {
        let key = self.all_pages();
        let pages = match part {
            Part::Cover => &mut self.cover,
            Part::Table => &mut self.table,
            Part::Appendix => &mut self.appendix,
        };
        if pages.records.len().is_multiple_of(FAN) {
            pages.nodes.push(self.objects.allocate());
        }
        let node = *pages.nodes.last().expect("a node was just made sure of");
        let content = self.objects.allocate();
        let first = self.objects.allocate_many(to_u32(elements) + 2);
        let packed = self.objects.allocate();
        if self.objects.allocated() > OBJECTS_MAX {
            return Err(PdfError::TooManyObjects { max: OBJECTS_MAX });
        }
        // The parent tree is in the order of its keys: `key` counts all parts, in the order of writing.
        pages.records.push(PageRecord { page: number(first), marks: number(first) + 1 });
        Ok(PageNumbers { key, node, resources: self.resources, content, first, elements, packed })
    }

    /// Makes elements of a page, by their places there, the next ones in an open element; the number of that.
    pub(super) fn hang_from(
        &mut self,
        open: usize,
        numbers: &PageNumbers,
        places: impl Iterator<Item = usize>,
    ) -> u32 {
        let open = &mut self.opened[open];
        open.kids.extend(places.map(|place| reference(numbers.element(place))));
        number(open.id)
    }

    /// Writes a page whose objects are made. Pages are written in the order of their numbers.
    pub(super) fn write_page(
        &mut self,
        numbers: &PageNumbers,
        objects: &PageObjects,
    ) -> Result<(), PdfError> {
        self.objects.made_stream(numbers.content, &objects.content)?;
        self.objects.made_packed(numbers.packed, numbers.first, numbers.elements + 2, &objects.packed)?;
        Ok(())
    }

    /// Makes an open element the next one in its parent.
    fn hang(&mut self, place: usize) {
        let Open { id, parent, .. } = self.opened[place];
        if let Some(parent) = parent {
            self.opened[parent].kids.push(id);
        }
    }

    /// Writes what is left: everything that points at the pages.
    pub(super) fn finish(mut self, cover: &muster_reports::cover::Cover) -> Result<Finished, PdfError> {
        self.total(Part::Cover)?;
        self.total(Part::Table)?;
        let has_appendix = self.pages(Part::Appendix) > 0;
        if has_appendix {
            self.total(Part::Appendix)?;
        }
        self.write_page_tree()?;
        self.write_structure()?;
        let fonts = write_fonts(&mut self.objects, &self.setter.faces.loaded)?;
        let (resources, forms) = (self.resources, &self.forms);
        self.objects.object(|chunk| {
            let mut dict = chunk.indirect(resources).dict();
            let mut font_dict = dict.insert(Name(b"Font")).dict();
            for (face, id) in &fonts {
                font_dict.pair(Name(format!("F{face}").as_bytes()), *id);
            }
            font_dict.finish();
            let mut form_dict = dict.insert(Name(b"XObject")).dict();
            for (name, id) in forms {
                form_dict.pair(Name(name.as_bytes()), *id);
            }
        })?;
        let outline = self.write_outline()?;
        let [profile, metadata, catalog, info, cover_label, table_label, appendix_label] =
            [(); 7].map(|()| self.objects.allocate());
        self.objects.object(|chunk| {
            let mut label = chunk.indirect(cover_label).start::<pdf_writer::writers::PageLabel<'_>>();
            label.prefix(TextStr("Cover ")).style(NumberingStyle::Arabic);
        })?;
        // It is there in each document, so that no object is missing from the table of objects.
        self.objects.object(|chunk| {
            let mut label = chunk.indirect(appendix_label).start::<pdf_writer::writers::PageLabel<'_>>();
            label.prefix(TextStr("Appendix ")).style(NumberingStyle::Arabic);
        })?;
        self.objects.object(|chunk| {
            let mut label = chunk.indirect(table_label).start::<pdf_writer::writers::PageLabel<'_>>();
            label.style(NumberingStyle::Arabic);
        })?;
        self.objects.stream(profile, &archive::srgb_profile(), |stream| {
            stream.pair(Name(b"N"), 3);
        })?;
        let packet = archive::metadata(&self.settings, cover);
        self.objects.object(|chunk| {
            chunk.metadata(metadata, packet.as_bytes());
        })?;
        let cover_pages = to_i32(self.cover.records.len());
        let before_appendix = to_i32(self.cover.records.len() + self.table.records.len());
        let (root, tree_root, settings) = (self.root, self.tree_root, &self.settings);
        self.objects.object(|chunk| {
            let mut dict = chunk.indirect(catalog).start::<pdf_writer::writers::Catalog<'_>>();
            dict.pages(root).metadata(metadata).lang(TextStr(&settings.language));
            dict.pair(Name(b"StructTreeRoot"), tree_root);
            dict.mark_info().marked(true);
            dict.viewer_preferences().display_doc_title(true);
            if let Some(outline) = outline {
                dict.outlines(outline);
            }
            let mut labels = dict.page_labels();
            let mut numbers = labels.nums();
            if cover_pages > 0 {
                numbers.insert(0, cover_label);
            }
            if before_appendix > cover_pages {
                numbers.insert(cover_pages, table_label);
            }
            if has_appendix {
                numbers.insert(before_appendix, appendix_label);
            }
            numbers.finish();
            labels.finish();
            let mut intents = dict.output_intents();
            let mut intent = intents.push();
            intent.subtype(OutputIntentSubtype::PDFA).dest_output_profile(profile);
            intent
                .output_condition_identifier(TextStr("sRGB IEC61966-2.1"))
                .info(TextStr("sRGB IEC61966-2.1"));
        })?;
        self.objects.object(|chunk| {
            let mut dict = chunk.indirect(info).start::<pdf_writer::writers::DocumentInfo<'_>>();
            dict.title(TextStr(&settings.title)).producer(TextStr(archive::PRODUCER));
            dict.creator(TextStr(archive::PRODUCER));
            let date = archive::pdf_date(cover.completed);
            dict.creation_date(date).modified_date(date);
        })?;
        let (finished, _) = self.objects.finish(catalog, info)?;
        Ok(finished)
    }

    /// The number of pages of a part, as a form that its pages have drawn already.
    fn total(&mut self, part: Part) -> Result<(), PdfError> {
        let text = self.pages(part).to_string();
        let lines = self.setter.set(&text, Weight::Regular, f32::INFINITY);
        let mut sheet = Sheet::new(0.0);
        let (size, colour) = (super::style::SMALL, super::style::MUTED);
        sheet.text(&mut self.setter, &text, &lines[0], size, (0.0, 0.0), colour);
        self.form(part.total(), Rect::new(0.0, -3.0, 60.0, 10.0), &sheet.content)
    }

    fn write_page_tree(&mut self) -> Result<(), PdfError> {
        let root = self.root;
        let mut all = Vec::new();
        for pages in [&self.cover, &self.table, &self.appendix] {
            for (node, records) in pages.nodes.iter().zip(pages.records.chunks(FAN)) {
                all.push(*node);
                self.objects.object(|chunk| {
                    let mut dict = chunk.pages(*node);
                    dict.parent(root).count(to_i32(records.len()));
                    dict.kids(records.iter().map(|record| reference(record.page)));
                })?;
            }
        }
        let count = to_i32(self.all_pages());
        self.objects.object(|chunk| {
            chunk.pages(root).count(count).kids(all);
        })?;
        Ok(())
    }

    fn write_structure(&mut self) -> Result<(), PdfError> {
        let tree_root = self.tree_root;
        for open in &self.opened {
            let parent = open.parent.map_or(tree_root, |place| self.opened[place].id);
            self.objects.object(|chunk| {
                let mut dict = chunk.indirect(open.id).dict();
                dict.pair(Name(b"Type"), Name(b"StructElem"));
                dict.pair(Name(b"S"), Name(open.role.as_bytes()));
                dict.pair(Name(b"P"), parent);
                dict.insert(Name(b"K")).array().items(open.kids.iter().copied());
            })?;
        }
        // Keys were given out in the order of writing: the table's pages first, then those of the cover and the appendix.
        let pages = self.table.records.iter().chain(&self.cover.records).chain(&self.appendix.records);
        let marks: Vec<u32> = pages.map(|record| record.marks).collect();
        let mut leaves = Vec::new();
        for (leaf, marks) in marks.chunks(FAN).enumerate() {
            let id = self.objects.allocate();
            leaves.push(id);
            let first = leaf * FAN;
            self.objects.object(|chunk| {
                let mut tree = chunk.number_tree::<Ref>(id);
                tree.limits(to_i32(first), to_i32(first + marks.len() - 1));
                let mut nums = tree.nums();
                for (offset, mark) in marks.iter().enumerate() {
                    nums.insert(to_i32(first + offset), reference(*mark));
                }
            })?;
        }
        let (root_element, next) = (self.opened[0].id, to_i32(marks.len()));
        self.objects.object(|chunk| {
            let mut dict = chunk.indirect(tree_root).dict();
            dict.pair(Name(b"Type"), Name(b"StructTreeRoot"));
            dict.pair(Name(b"K"), root_element);
            dict.pair(Name(b"ParentTreeNextKey"), next);
            dict.insert(Name(b"ParentTree")).dict().insert(Name(b"Kids")).array().items(leaves);
        })?;
        Ok(())
    }

    /// The bookmarks: those of the cover, then those of the table, then those of the appendix.
    fn write_outline(&mut self) -> Result<Option<Ref>, PdfError> {
        if self.bookmarks.is_empty() {
            return Ok(None);
        }
        self.bookmarks.sort_by_key(|bookmark| match bookmark.part {
            Part::Cover => 0,
            Part::Table => 1,
            Part::Appendix => 2,
        });
        let root = self.objects.allocate();
        let first = number(self.objects.allocate_many(to_u32(self.bookmarks.len())));
        let of = |place: usize| reference(first + to_u32(place));
        let last = self.bookmarks.len() - 1;
        for (place, bookmark) in self.bookmarks.iter().enumerate() {
            self.objects.object(|chunk| {
                let mut item = chunk.outline_item(of(place));
                item.title(TextStr(&bookmark.title)).parent(root);
                if place > 0 {
                    item.prev(of(place - 1));
                }
                if place < last {
                    item.next(of(place + 1));
                }
                item.dest().page(bookmark.page).fit();
            })?;
        }
        self.objects.object(|chunk| {
            chunk.outline(root).first(of(0)).last(of(last)).count(to_i32(last + 1));
        })?;
        Ok(Some(root))
    }
}
