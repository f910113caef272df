//! Pictures of several rows as one: SVG, or PNG.

use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg,
};

use super::SIZE;
use crate::chem::draw::Pictures;

/// Pixels between a parent and its product.
const ARROW: u32 = 28;
/// Pixels of a bitmap for each of a picture.
const SCALE: u32 = 2;
/// Most pixels of a bitmap.
const BITMAP_PIXELS_MAX: u64 = 64 << 20;

/// Pictures side by side.
pub struct Grid {
    cells: Vec<Pictures>,
    columns: usize,
}

impl Grid {
    /// So many rows beside each other.
    pub fn new(cells: Vec<Pictures>, columns: usize) -> Self {
        let columns = columns.clamp(1, cells.len().max(1));
        Self { cells, columns }
    }

    /// Width and height, in pixels.
    fn size(&self) -> (u32, u32) {
        let rows = self.cells.len().div_ceil(self.columns).max(1) as u32;
        let (width, height) = self.cell();
        (self.columns as u32 * width, rows * height)
    }

    /// Of a cell.
    fn cell(&self) -> (u32, u32) {
        let (width, height) = (u32::from(SIZE.width), u32::from(SIZE.height));
        match self.cells.iter().any(|cell| cell.parent.is_some()) {
            true => (2 * width + ARROW, height),
            false => (width, height),
        }
    }

    /// As SVG.
    pub fn svg(&self) -> String {
        let (width, height) = self.size();
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}'>\n\
             <rect width='{width}' height='{height}' fill='#fff'/>\n"
        );
        let (cell_width, cell_height) = self.cell();
        for (number, cell) in self.cells.iter().enumerate() {
            let x = (number % self.columns) as u32 * cell_width;
            let y = (number / self.columns) as u32 * cell_height;
            let mut product_x = x;
            if let Some(parent) = &cell.parent {
                svg += &placed(parent, x, y);
                svg += &arrow(x + u32::from(SIZE.width), y + cell_height / 2);
                product_x += u32::from(SIZE.width) + ARROW;
            }
            svg += &placed(&cell.product, product_x, y);
        }
        svg + "</svg>\n"
    }

    /// As PNG. `None`: there are too many pictures for one.
    pub fn png(&self) -> Option<Vec<u8>> {
        let (width, height) = self.size();
        let (width, height) = (width * SCALE, height * SCALE);
        if u64::from(width) * u64::from(height) > BITMAP_PIXELS_MAX {
            return None;
        }
        let tree = usvg::Tree::from_str(&self.svg(), &usvg::Options::default()).ok()?;
        let mut bitmap = Pixmap::new(width, height)?;
        bitmap.fill(Color::WHITE);
        let scale = Transform::from_scale(SCALE as f32, SCALE as f32);
        resvg::render(&tree, scale, &mut bitmap.as_mut());
        bitmap.encode_png().ok()
    }
}

/// A picture within another one.
fn placed(svg: &str, x: u32, y: u32) -> String {
    svg.replacen("<svg", &format!("<svg x='{x}' y='{y}'"), 1)
}

/// An arrow of the width that there is for one.
fn arrow(x: u32, y: u32) -> String {
    let (begin, end) = (x + 4, x + ARROW - 4);
    let head = end - 6;
    format!(
        "<path d='M {begin},{y} L {end},{y} M {head},{} L {end},{y} L {head},{}' fill='none' stroke='#555' \
         stroke-width='1.5'/>\n",
        y - 5,
        y + 5,
    )
}
