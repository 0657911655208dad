//! A page as a surface that charts are drawn on.

use std::cell::RefCell;
use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use super::page::Sheet;
use super::typeset::{Typesetter, Weight, printable};
use crate::chart::draw::FONT_SIZE;

/// Units of the surface for one point.
pub(super) const SCALE: f64 = 20.0;

/// A box on a page.
pub(super) struct Surface<'a> {
    sheet: &'a mut Sheet,
    /// Measuring needs the fonts, which measuring may add to.
    setter: RefCell<&'a mut Typesetter>,
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

impl<'a> Surface<'a> {
    pub(super) fn new(
        sheet: &'a mut Sheet,
        setter: &'a mut Typesetter,
        (left, top): (f32, f32),
        (width, height): (f32, f32),
    ) -> Self {
        Self { sheet, setter: RefCell::new(setter), left, top, width, height }
    }

    fn at(&self, (x, y): BackendCoord) -> (f32, f32) {
        (self.left + points(x), self.top + points(y))
    }
}

fn points(units: i32) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a page is some ten thousand units wide")]
    let points = (f64::from(units) / SCALE) as f32;
    points
}

fn units(points: f32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a page is some hundred points wide"
    )]
    let units = (f64::from(points) * SCALE).round() as u32;
    units
}

fn weight(style: FontStyle) -> Weight {
    match style {
        FontStyle::Bold => Weight::Bold,
        FontStyle::Normal | FontStyle::Oblique | FontStyle::Italic => Weight::Regular,
    }
}

fn size<T: BackendTextStyle>(style: &T) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "some points")]
    let size = (style.size() / FONT_SIZE / SCALE) as f32;
    size
}

fn stroke_width<S: BackendStyle>(style: &S) -> f32 {
    points(i32::try_from(style.stroke_width()).unwrap_or(i32::MAX))
}

type Outcome = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Surface<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (units(self.width), units(self.height))
    }

    fn ensure_prepared(&mut self) -> Outcome {
        Ok(())
    }

    fn present(&mut self) -> Outcome {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Outcome {
        let (x, y) = self.at(point);
        self.sheet.rectangle(x, y, points(1), points(1), color.rgb);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome {
        let (from, to) = (self.at(from), self.at(to));
        self.sheet.line(from, to, style.color().rgb, stroke_width(style));
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Outcome {
        let ((left, top), (right, bottom)) = (self.at(upper_left), self.at(bottom_right));
        if fill {
            self.sheet.rectangle(left, top, right - left, bottom - top, style.color().rgb);
        } else {
            self.sheet.stroke(style.color().rgb, stroke_width(style));
            let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
            self.sheet.path(&corners, false);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Outcome {
        let points: Vec<(f32, f32)> = path.into_iter().map(|point| self.at(point)).collect();
        self.sheet.stroke(style.color().rgb, stroke_width(style));
        self.sheet.path(&points, false);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Outcome {
        let points: Vec<(f32, f32)> = vert.into_iter().map(|point| self.at(point)).collect();
        self.sheet.fill(style.color().rgb);
        self.sheet.path(&points, true);
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, pos: BackendCoord) -> Outcome {
        let (x, y) = self.at(pos);
        let size = size(style);
        let text = printable(text);
        let setter = self.setter.get_mut();
        let lines = setter.set(&text, weight(style.style()), f32::INFINITY);
        let Some(line) = lines.first() else { return Ok(()) };
        let width = line.width * size / 1000.0;
        let anchor = style.anchor();
        let x = match anchor.h_pos {
            HPos::Left => x,
            HPos::Right => x - width,
            HPos::Center => x - width / 2.0,
        };
        // Capitals are 0.7 of the size high.
        let baseline = match anchor.v_pos {
            VPos::Top => y + 0.7 * size,
            VPos::Center => y + 0.36 * size,
            VPos::Bottom => y,
        };
        self.sheet.text(setter, &text, line, size, (x, baseline), style.color().rgb);
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = size(style);
        let (width, _) = self.setter.borrow_mut().measure(&printable(text), weight(style.style()));
        Ok((units(width * size / 1000.0), units(size)))
    }
}
