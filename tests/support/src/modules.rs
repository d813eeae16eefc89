//! The modules of a crate, as the compiler finds them: from the root file along its `mod` items. Tests
//! (`#[cfg(test)]`) are left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Item, Meta};

use crate::root;

/// A module with its code. Modules in the same file are modules of their own.
pub struct Module {
    /// The file, from the repository's root.
    pub file: String,
    /// The names of the modules from the crate's root to this one; empty for the root.
    pub path: Vec<String>,
    attributes: TokenStream,
    code: Vec<TokenTree>,
}

/// All modules of the crate with this root file, such as `crates/core/src/lib.rs`.
pub fn modules(root_file: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let file = root().join(root_file);
    let folder = file.parent().expect("a file lies in a folder").to_owned();
    read(&file, &folder, Vec::new(), &mut found);
    found
}

/// Reads a file and the modules that it declares; `children` is the folder of their files.
fn read(file: &Path, children: &Path, path: Vec<String>, found: &mut Vec<Module>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    add(file, children, path, &parsed.attrs, parsed.items, found);
}

fn add(
    file: &Path,
    children: &Path,
    path: Vec<String>,
    attributes: &[Attribute],
    items: Vec<Item>,
    found: &mut Vec<Module>,
) {
    let mut code = TokenStream::new();
    for item in items {
        if is_for_tests(&item) {
            continue;
        }
        let Item::Mod(module) = item else {
            item.to_tokens(&mut code);
            continue;
        };
        // The parent decides whether the module is there.
        for attribute in &module.attrs {
            attribute.to_tokens(&mut code);
        }
        let name = module.ident.to_string();
        let below: Vec<String> = path.iter().chain([&name]).cloned().collect();
        if let Some((_, items)) = module.content {
            add(file, &children.join(&name), below, &[], items, found);
            continue;
        }
        let beside = children.join(format!("{name}.rs"));
        let file = match named_path(&module.attrs) {
            Some(named) => file.with_file_name(named),
            None if beside.is_file() => beside,
            None => children.join(&name).join("mod.rs"),
        };
        read(&file, &children.join(&name), below, found);
    }
    let file = file.strip_prefix(root()).expect("a file of this repository");
    found.push(Module {
        file: file.to_string_lossy().replace('\\', "/"),
        path,
        attributes: attributes.iter().map(quote::ToTokens::to_token_stream).collect(),
        code: code.into_iter().collect(),
    });
}

/// The file that `#[path = "…"]` names.
fn named_path(attributes: &[Attribute]) -> Option<PathBuf> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let Meta::NameValue(named) = &attribute.meta else { return None };
    let literal: syn::LitStr = syn::parse2(named.value.to_token_stream()).ok()?;
    Some(literal.value().into())
}

/// Whether an item is only compiled for tests: `test` stands in its `cfg`.
fn is_for_tests(item: &Item) -> bool {
    let tokens: Vec<TokenTree> = item.to_token_stream().into_iter().collect();
    let attributes = tokens
        .chunks(2)
        .take_while(|pair| matches!(&pair[0], TokenTree::Punct(sign) if sign.as_char() == '#'));
    let mut groups = attributes.filter_map(|pair| match pair.get(1) {
        Some(TokenTree::Group(group)) => Some(group.stream()),
        _ => None,
    });
    groups.any(|attribute| {
        let mut tokens = attribute.into_iter();
        tokens.next().is_some_and(|name| is(&name, &["cfg"])) && tokens.any(|rest| has(&rest, &["test"]))
    })
}

/// Whether a token is one of these words.
fn is(token: &TokenTree, words: &[&str]) -> bool {
    matches!(token, TokenTree::Ident(ident) if words.iter().any(|word| ident == word))
}

/// Whether one of these words stands in a token, however deep.
fn has(token: &TokenTree, words: &[&str]) -> bool {
    match token {
        TokenTree::Group(group) => group.stream().into_iter().any(|token| has(&token, words)),
        other => is(other, words),
    }
}

impl Module {
    /// The modules of the crate's root that this one names: what follows `crate::`, and as many `super::`
    /// as lead to the root, in paths, in `use` with braces, and in what macros are given.
    pub fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        uses(&self.code, self.path.len(), &mut used);
        used
    }

    /// Whether it is compiled differently for different systems, or uses what one kind of system has.
    pub fn tells_systems_apart(&self) -> bool {
        const SYSTEMS: [&str; 5] = ["unix", "windows", "target_os", "target_family", "target_env"];
        let code: TokenStream = self.code.iter().cloned().collect();
        let conditions = after(&code, &["cfg", "cfg_attr", "cfg_if"]);
        conditions.iter().any(|condition| has(condition, &SYSTEMS)) || has_path(&code, &["std", "os"])
    }

    /// The lints that this module allows or expects, without those that it allows only in tests.
    pub fn allowed_lints(&self) -> BTreeSet<String> {
        let code: TokenStream =
            self.attributes.clone().into_iter().chain(self.code.iter().cloned()).collect();
        let mut lints = BTreeSet::new();
        for group in after(&code, &["allow", "expect"]) {
            let TokenTree::Group(group) = group else { continue };
            let text = group.stream().to_string().replace(' ', "");
            let lints_of = text.split(',').filter(|lint| !lint.starts_with("reason="));
            lints.extend(lints_of.map(str::to_owned));
        }
        lints
    }
}

fn uses(tokens: &[TokenTree], depth: usize, used: &mut BTreeSet<String>) {
    let mut at = 0;
    while at < tokens.len() {
        if let TokenTree::Group(group) = &tokens[at] {
            uses(&group.stream().into_iter().collect::<Vec<_>>(), depth, used);
        }
        let mut supers = 0;
        let mut next = at;
        while tokens.get(next).is_some_and(|token| is(token, &["super"])) && is_path_sign(tokens, next + 1) {
            supers += 1;
            next += 3;
        }
        if is(&tokens[at], &["crate"]) && is_path_sign(tokens, at + 1) {
            next = at + 3;
        }
        // A path in the code of a function's own module would need one `super` more; there is none.
        if next > at && (supers == 0 || supers >= depth) {
            first_names(tokens.get(next), used);
        }
        at = next.max(at + 1);
    }
}

/// The first names of a path's rest: one, or those of a list in braces.
fn first_names(token: Option<&TokenTree>, used: &mut BTreeSet<String>) {
    match token {
        Some(TokenTree::Ident(ident)) => {
            used.insert(ident.to_string());
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
            for part in tokens.split(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ','))
            {
                first_names(part.first(), used);
            }
        }
        _ => {}
    }
}

fn is_path_sign(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(sign)) if sign.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}

/// The groups that follow one of these words, with or without a `!`, but not below `cfg_attr(test, …)`.
fn after(code: &TokenStream, words: &[&str]) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let mut before = tokens[..at]
            .iter()
            .rev()
            .skip_while(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == '!'));
        let name = before.next();
        let is_of_tests = name.is_some_and(|name| is(name, &["cfg_attr"]))
            && group.stream().into_iter().next().is_some_and(|token| is(&token, &["test"]));
        if is_of_tests {
            continue;
        }
        if name.is_some_and(|name| is(name, words)) {
            found.push(token.clone());
        }
        found.extend(after(&group.stream(), words));
    }
    found
}

/// Whether these names follow each other in a path.
fn has_path(code: &TokenStream, names: &[&str; 2]) -> bool {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => has_path(&group.stream(), names),
        token if is(token, &names[..1]) && is_path_sign(&tokens, at + 1) => {
            let mut firsts = BTreeSet::new();
            first_names(tokens.get(at + 3), &mut firsts);
            firsts.contains(names[1])
        }
        _ => false,
    })
}
