//! The beginning and the end of a long text, within bounds.

/// Keeps the beginning and the end of the bytes that it receives.
#[derive(Clone, Debug)]
pub struct Excerpt {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// The most bytes of the beginning, and of the end.
    most: usize,
    left_out: usize,
}

/// The text that replaces the part that is left out.
const GAP: &str = "\n[…]\n";

impl Excerpt {
    /// An excerpt of at most so many bytes, half of them from the beginning.
    pub fn new(most: usize) -> Self {
        let most = most.saturating_sub(GAP.len()) / 2;
        Self { head: Vec::new(), tail: Vec::new(), most, left_out: 0 }
    }

    /// An excerpt that keeps only the last bytes.
    pub fn of_end(most: usize) -> Self {
        Self { head: Vec::new(), tail: Vec::new(), most, left_out: 0 }.full_head()
    }

    /// Without a beginning: no mark shows what was left out there.
    fn full_head(mut self) -> Self {
        self.left_out = usize::MAX;
        self
    }

    /// Adds the next part.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if self.left_out == 0 && self.tail.is_empty() && self.head.len() < self.most {
            let (head, rest) = bytes.split_at(bytes.len().min(self.most - self.head.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
        }
        // Bytes that cannot be in the result are not copied.
        let skipped = bytes.len().saturating_sub(self.most);
        self.tail.extend_from_slice(&bytes[skipped..]);
        self.left_out = self.left_out.saturating_add(skipped);
        if self.tail.len() > 2 * self.most {
            let out = self.tail.len() - self.most;
            self.tail.drain(..out);
            self.left_out = self.left_out.saturating_add(out);
        }
    }

    /// The text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        let cut = self.tail.len().saturating_sub(self.most);
        let mut tail = &self.tail[cut..];
        if self.left_out.saturating_add(cut) == 0 {
            return bounded(&[&self.head, tail].concat(), 2 * self.most);
        }
        // A character that was cut in two is left out.
        while let Some((0x80..=0xbf, rest)) = tail.split_first() {
            tail = rest;
        }
        let tail = bounded(tail, self.most);
        if self.head.is_empty() {
            return whole_lines(&tail, self.tail.len() >= self.most).to_owned();
        }
        let mut head = &self.head[..];
        while let Some((0x80..=0xff, rest)) = head.split_last().filter(|_| std::str::from_utf8(head).is_err())
        {
            head = rest;
        }
        let head = bounded(head, self.most);
        format!("{}{GAP}{}", head.trim_end(), whole_lines(&tail, true))
    }
}

/// The bytes as a text of at most so many bytes. A replaced byte takes three of them.
fn bounded(bytes: &[u8], most: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The text without the incomplete line at its beginning.
fn whole_lines(text: &str, is_cut: bool) -> &str {
    match text.split_once('\n') {
        Some((_, rest)) if is_cut && !rest.is_empty() => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_whole_and_a_long_one_has_its_begin_and_its_end() {
        let mut short = Excerpt::new(100);
        short.push(b"a\n");
        short.push(b"b\n");
        assert_eq!(short.text(), "a\nb\n");
        let mut long = Excerpt::new(100);
        (0..1000).for_each(|number| long.push(format!("line {number}\n").as_bytes()));
        let text = long.text();
        assert!(text.len() <= 100 && text.starts_with("line 0\n") && text.ends_with("line 999\n"), "{text}");
        assert!(text.contains("\n[…]\nline "), "{text}");
    }

    #[test]
    fn an_excerpt_of_the_end_begins_with_a_whole_line() {
        let mut end = Excerpt::of_end(20);
        assert_eq!(end.text(), "");
        end.push(b"one\n");
        assert_eq!(end.text(), "one\n");
        (0..100).for_each(|number| end.push(format!("line {number}\n").as_bytes()));
        assert_eq!(end.text(), "line 98\nline 99\n");
        let mut flood = Excerpt::of_end(20);
        flood.push(&vec![b'x'; 1 << 20]);
        assert_eq!(flood.text().len(), 20);
    }
}
