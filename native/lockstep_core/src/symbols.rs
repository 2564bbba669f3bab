//! Names as numbers.

use std::collections::BTreeMap;

use crate::ids::Symbol;

/// Interned names, numbered in the order they were first met.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    names: Vec<String>,
    numbers: BTreeMap<String, Symbol>,
}

impl Symbols {
    pub(crate) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.numbers.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), symbol);
        symbol
    }

    pub(crate) fn name(&self, symbol: Symbol) -> &str {
        &self.names[symbol.0 as usize]
    }
}
