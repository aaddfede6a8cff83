//! Letters as a print house makes them anew: it reads how many pages a PDF has, and writes one of as many.

use std::fmt::Write;

/// Pages of a PDF whose objects stand in it openly, as in those that Duly writes.
pub(crate) fn count_pages(pdf: &[u8]) -> usize {
    const PAGE: &[u8] = b"/Type/Page";
    let bare: Vec<u8> = pdf.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let begins = bare.windows(PAGE.len() + 1).filter(|part| part.starts_with(PAGE));
    begins.filter(|part| part.last().is_some_and(|b| !b.is_ascii_alphanumeric())).count()
}

/// A PDF of so many empty pages, A4.
pub(crate) fn paper(pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|n| format!("{} 0 R", n + 3)).collect();
    let mut objects =
        vec!["<</Type/Catalog/Pages 2 0 R>>".to_owned(), format!("<</Type/Pages/Count {pages}/Kids[{}]>>", kids.join(" "))];
    objects.extend((0..pages).map(|_| "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>".to_owned()));
    let (mut pdf, mut places) = ("%PDF-1.4\n".to_owned(), String::new());
    for (n, object) in (1..).zip(&objects) {
        let place = pdf.len();
        // Writing into a text cannot fail.
        writeln!(places, "{place:010} 00000 n ").unwrap_or_default();
        write!(pdf, "{n} 0 obj\n{object}\nendobj\n").unwrap_or_default();
    }
    let (size, place) = (objects.len() + 1, pdf.len());
    pdf += &format!(
        "xref\n0 {size}\n0000000000 65535 f \n{places}trailer\n<</Root 1 0 R/Size {size}>>\nstartxref\n{place}\n%%EOF\n"
    );
    pdf.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_has_as_many_pages_as_it_was_made_with() {
        for pages in [1, 2, 11] {
            assert_eq!(count_pages(&paper(pages)), pages);
        }
    }
}
