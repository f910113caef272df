//! The kept rows of a batch: added with its rows, completed with them.

use super::{Kept, ParentBatch, Span, floor_char};
use crate::{
    limits::{KEPT_ROW_BYTES_MAX, TEXT_KEPT_BYTES_MAX},
    reject::RejectCode,
    table::kept::push_fields,
};

impl ParentBatch {
    /// Gives the row that was added last its kept row.
    pub(in crate::table::source) fn push_kept(&mut self, kept: &[u8]) {
        let last = self.rows.len() - 1;
        if kept.len() > KEPT_ROW_BYTES_MAX {
            return self.reject_kept(last, kept.len());
        }
        self.rows[last].kept = Kept::Row(self.append(kept));
    }

    /// Gives the row that was added last its fields in the kept columns, of text; `None` is null.
    pub(in crate::table::source) fn push_kept_fields<'a>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) {
        let (last, begin) = (self.rows.len() - 1, self.arena.len());
        push_fields(&mut self.arena, fields);
        let end = self.arena.len();
        if end - begin > KEPT_ROW_BYTES_MAX {
            self.arena.truncate(begin);
            return self.reject_kept(last, end - begin);
        }
        self.rows[last].kept = Kept::Fields(Span { begin, end });
    }

    /// Makes kept rows of the fields of rows without fault.
    pub(super) fn complete_kept(&mut self) {
        let Some(columns) = self.kept.clone() else {
            return;
        };
        let fields = self.rows.iter().enumerate();
        let fields = fields.filter_map(|(i, entry)| match (entry.kept, entry.fault) {
            (Kept::Fields(span), None) => Some((i, self.bytes(span))),
            _ => None,
        });
        let (rows, texts): (Vec<usize>, Vec<&[u8]>) = fields.unzip();
        if rows.is_empty() {
            return;
        }
        let kept = columns.rows_of_text(&texts);
        let kept = kept.expect("a row of text has a field, or null, for each column");
        for (i, kept) in rows.into_iter().zip(kept.iter()) {
            match kept.data().len() {
                bytes if bytes > KEPT_ROW_BYTES_MAX => self.reject_kept(i, bytes),
                _ => self.rows[i].kept = Kept::Row(self.append(kept.data())),
            }
        }
    }

    /// Gives a row the fault that its kept row is too long, unless it has one.
    fn reject_kept(&mut self, i: usize, bytes: usize) {
        if self.rows[i].fault.is_some() {
            return;
        }
        let reason = format!(
            "the columns to keep take {bytes} bytes, at most {KEPT_ROW_BYTES_MAX} are carried; keep fewer of them"
        );
        let fault_text = self.append(reason.as_bytes());
        let cut = floor_char(self.bytes(self.rows[i].text), TEXT_KEPT_BYTES_MAX);
        let entry = &mut self.rows[i];
        entry.text.end = entry.text.begin + cut;
        (entry.fault, entry.fault_text) = (Some(RejectCode::TooLarge), fault_text);
        entry.kept = Kept::None;
    }
}
