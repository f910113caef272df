//! PTX text as statements. What the parser does not know is an error that names the line; nothing is skipped but
//! comments and directives that only inform a debugger or an optimiser.

use super::{
    lex::{is_word, tokens},
    types::{Space, Type},
};

/// A file of PTX.
#[derive(Default)]
pub struct Module<'a> {
    /// `.global` and `.const` variables of the module.
    pub variables: Vec<Variable<'a>>,
    pub functions: Vec<Function<'a>>,
}

/// A `.func` or an `.entry` with its body.
pub struct Function<'a> {
    pub name: &'a str,
    pub is_entry: bool,
    pub returned: Vec<Variable<'a>>,
    pub params: Vec<Variable<'a>>,
    /// The product of `.maxntid` or `.reqntid`.
    pub threads_max: Option<u32>,
    pub body: Vec<Statement<'a>>,
    pub line: u32,
}

/// Memory with a name.
pub struct Variable<'a> {
    pub name: &'a str,
    pub space: Space,
    pub align: usize,
    pub bytes: usize,
    /// The first bytes; zeroes follow.
    pub initial: Vec<u8>,
    pub line: u32,
}

pub enum Statement<'a> {
    /// `{` within a body.
    Open,
    /// `}` within a body.
    Close,
    Label(&'a str, u32),
    /// `.branchtargets` of a label.
    Targets(&'a str, Vec<&'a str>, u32),
    /// `.reg`; with a count for `%r<255>`.
    Register(Type, &'a str, Option<u32>, u32),
    Variable(Variable<'a>),
    Instruction(Instruction<'a>),
}

pub struct Instruction<'a> {
    pub line: u32,
    /// The predicate, and whether it is negated.
    pub guard: Option<(&'a str, bool)>,
    /// The opcode and what follows it behind dots.
    pub parts: Vec<&'a str>,
    pub operands: Vec<Operand<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'a> {
    /// A register, a variable, a label or a function.
    Name(&'a str),
    /// A variable and bytes from its beginning.
    NameAndOffset(&'a str, i64),
    Number(i128),
    /// `!%p1`
    Not(&'a str),
    /// `%p1|%p2`
    Pair(&'a str, &'a str),
    /// `[%rd1+16]`
    Address(&'a str, i64),
    /// `{%r1, %r2}`
    Vector(Vec<Operand<'a>>),
    /// `(param0, param1)`
    Group(Vec<&'a str>),
}

/// Parses a whole file.
pub fn parse(text: &str) -> Result<Module<'_>, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let mut module = Module::default();
    while parser.at < parser.tokens.len() {
        parser.module_item(&mut module)?;
    }
    Ok(module)
}

struct Parser<'a> {
    tokens: Vec<(u32, &'a str)>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |token| token.1)
    }

    fn line(&self) -> u32 {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(0, |token| token.0)
    }

    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("line {}: {what}", self.line()))
    }

    fn next(&mut self) -> Result<&'a str, String> {
        let Some(&(_, text)) = self.tokens.get(self.at) else {
            return self.error("the file ends too early");
        };
        self.at += 1;
        Ok(text)
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.peek() == text;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        match self.accept(text) {
            true => Ok(()),
            false => self.error(&format!("{text:?} expected, not {:?}", self.peek())),
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let name = self.peek();
        match name.as_bytes().first() {
            Some(&first) if is_word(first) && !first.is_ascii_digit() && first != b'.' => {
                self.next()
            }
            _ => self.error(&format!("a name expected, not {name:?}")),
        }
    }

    /// A number with its sign.
    fn number(&mut self) -> Result<i128, String> {
        let negative = self.accept("-");
        let word = self.peek();
        let digits = word.strip_suffix('U').unwrap_or(word);
        let number = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => u64::from_str_radix(&digits[2..], 16),
            [b'0', b'b' | b'B', ..] => u64::from_str_radix(&digits[2..], 2),
            [b'0', _, ..] => u64::from_str_radix(&digits[1..], 8),
            _ => digits.parse(),
        };
        let Ok(number) = number else {
            return self.error(&format!("a whole number expected, not {word:?}"));
        };
        self.at += 1;
        let number = i128::from(number);
        Ok(if negative { -number } else { number })
    }

    fn count(&mut self) -> Result<usize, String> {
        let number = self.number()?;
        match usize::try_from(number) {
            Ok(count) if count <= 1 << 30 => Ok(count),
            _ => self.error(&format!("{number} is out of range")),
        }
    }

    fn module_item(&mut self, module: &mut Module<'a>) -> Result<(), String> {
        match self.peek() {
            ".version" | ".target" => {
                self.at += 2;
                while self.accept(",") {
                    self.next()?;
                }
            }
            ".address_size" => {
                self.at += 1;
                self.expect("64")?;
            }
            ".visible" | ".weak" => self.at += 1,
            ".func" | ".entry" => {
                if let Some(function) = self.function()? {
                    module.functions.push(function);
                }
            }
            ".global" | ".const" => {
                let variable = self.variable()?;
                self.expect(";")?;
                module.variables.push(variable);
            }
            other => return self.error(&format!("the directive {other:?} is not known")),
        }
        Ok(())
    }

    /// None for a declaration without a body.
    fn function(&mut self) -> Result<Option<Function<'a>>, String> {
        let is_entry = self.next()? == ".entry";
        let returned = match self.peek() {
            "(" => self.params()?,
            _ => Vec::new(),
        };
        let line = self.line();
        let name = self.name()?;
        let params = match self.peek() {
            "(" => self.params()?,
            _ => Vec::new(),
        };
        let mut threads_max = None;
        while self.peek() != "{" {
            match self.next()? {
                ".maxntid" | ".reqntid" => {
                    let mut product = self.count()?;
                    while self.accept(",") {
                        product *= self.count()?;
                    }
                    threads_max = Some(product as u32);
                }
                ".minnctapersm" | ".maxnreg" => drop(self.count()?),
                ".noreturn" => (),
                ";" => return Ok(None),
                other => {
                    self.at -= 1;
                    return self.error(&format!("the directive {other:?} is not known"));
                }
            }
        }
        Ok(Some(Function {
            name,
            is_entry,
            returned,
            params,
            threads_max,
            body: self.body()?,
            line,
        }))
    }

    fn params(&mut self) -> Result<Vec<Variable<'a>>, String> {
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.accept(")") {
            if !params.is_empty() {
                self.expect(",")?;
            }
            params.push(self.variable()?);
        }
        Ok(params)
    }

    /// `.const .align 1 .b8 NAME[3] = {1, 2, 3}`, without what ends it.
    fn variable(&mut self) -> Result<Variable<'a>, String> {
        let line = self.line();
        let space = self.next()?;
        let space = Space::named(&space[1..])
            .ok_or_else(|| format!("line {line}: {space:?} is no state space"))?;
        let mut align = None;
        if self.accept(".align") {
            align = Some(self.count()?);
        }
        let ty = self.ty()?;
        if self.accept(".ptr") {
            while [".global", ".const", ".local", ".shared"].contains(&self.peek()) {
                self.at += 1;
            }
            if self.accept(".align") {
                self.count()?;
            }
        }
        let name = self.name()?;
        let mut count = 1;
        while self.accept("[") {
            count *= self.count()?;
            self.expect("]")?;
        }
        let unit = ty.bytes();
        let mut initial = Vec::new();
        if self.accept("=") {
            self.values(ty, &mut initial)?;
        }
        if initial.len() > count * unit {
            return self.error(&format!("{name} has more values than places"));
        }
        Ok(Variable {
            name,
            space,
            align: align.unwrap_or(unit),
            bytes: count * unit,
            initial,
            line,
        })
    }

    /// A number, or numbers in braces.
    fn values(&mut self, ty: Type, bytes: &mut Vec<u8>) -> Result<(), String> {
        if !self.accept("{") {
            let value = self.number()?;
            if !ty.holds(value) {
                return self.error(&format!("{value} is out of range"));
            }
            bytes.extend_from_slice(&value.to_le_bytes()[..ty.bytes()]);
            return Ok(());
        }
        while !self.accept("}") {
            self.values(ty, bytes)?;
            if self.peek() != "}" {
                self.expect(",")?;
            }
        }
        Ok(())
    }

    fn ty(&mut self) -> Result<Type, String> {
        let word = self.peek();
        match word.strip_prefix('.').and_then(Type::named) {
            Some(ty) => {
                self.at += 1;
                Ok(ty)
            }
            None => self.error(&format!("a type expected, not {word:?}")),
        }
    }

    /// Up to the brace that ends the function.
    fn body(&mut self) -> Result<Vec<Statement<'a>>, String> {
        self.expect("{")?;
        let (mut body, mut depth) = (Vec::new(), 0);
        loop {
            let line = self.line();
            match self.peek() {
                "{" => {
                    self.at += 1;
                    depth += 1;
                    body.push(Statement::Open);
                }
                "}" => {
                    self.at += 1;
                    if depth == 0 {
                        return Ok(body);
                    }
                    depth -= 1;
                    body.push(Statement::Close);
                }
                ".reg" => self.registers(&mut body)?,
                ".local" | ".shared" | ".param" => {
                    let variable = self.variable()?;
                    self.expect(";")?;
                    body.push(Statement::Variable(variable));
                }
                ".pragma" => {
                    self.at += 1;
                    if self.next()? != "\"nounroll\"" {
                        return Err(format!("line {line}: this pragma is not known"));
                    }
                    self.expect(";")?;
                }
                _ if self.tokens.get(self.at + 1).is_some_and(|t| t.1 == ":") => {
                    let label = self.name()?;
                    self.at += 1;
                    match self.peek() {
                        ".branchtargets" => body.push(self.targets(label)?),
                        _ => body.push(Statement::Label(label, line)),
                    }
                }
                _ => body.push(Statement::Instruction(self.instruction()?)),
            }
        }
    }

    fn targets(&mut self, label: &'a str) -> Result<Statement<'a>, String> {
        let line = self.line();
        self.at += 1;
        let mut targets = vec![self.name()?];
        while self.accept(",") {
            targets.push(self.name()?);
        }
        self.expect(";")?;
        Ok(Statement::Targets(label, targets, line))
    }

    fn registers(&mut self, body: &mut Vec<Statement<'a>>) -> Result<(), String> {
        let line = self.line();
        self.at += 1;
        let ty = self.ty()?;
        loop {
            let name = self.name()?;
            let mut count = None;
            if self.accept("<") {
                count = Some(self.count()? as u32);
                self.expect(">")?;
            }
            body.push(Statement::Register(ty, name, count, line));
            if self.accept(";") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    fn instruction(&mut self) -> Result<Instruction<'a>, String> {
        let line = self.line();
        let mut guard = None;
        if self.accept("@") {
            let negated = self.accept("!");
            guard = Some((self.name()?, negated));
        }
        let parts: Vec<&str> = self.name()?.split('.').collect();
        let mut operands = Vec::new();
        while !self.accept(";") {
            if !operands.is_empty() {
                self.expect(",")?;
            }
            operands.push(self.operand()?);
        }
        Ok(Instruction {
            line,
            guard,
            parts,
            operands,
        })
    }

    fn operand(&mut self) -> Result<Operand<'a>, String> {
        if self.accept("[") {
            let name = self.name()?;
            let offset = self.offset()?;
            self.expect("]")?;
            return Ok(Operand::Address(name, offset));
        }
        if self.accept("{") {
            let mut members = vec![self.operand()?];
            while self.accept(",") {
                members.push(self.operand()?);
            }
            self.expect("}")?;
            return Ok(Operand::Vector(members));
        }
        if self.accept("(") {
            let mut names = Vec::new();
            while !self.accept(")") {
                if !names.is_empty() {
                    self.expect(",")?;
                }
                names.push(self.name()?);
            }
            return Ok(Operand::Group(names));
        }
        if self.accept("!") {
            return Ok(Operand::Not(self.name()?));
        }
        let first = self.peek().as_bytes().first();
        if self.peek() == "-" || first.is_some_and(u8::is_ascii_digit) {
            return Ok(Operand::Number(self.number()?));
        }
        let name = self.name()?;
        if self.accept("|") {
            return Ok(Operand::Pair(name, self.name()?));
        }
        match self.offset()? {
            0 => Ok(Operand::Name(name)),
            offset => Ok(Operand::NameAndOffset(name, offset)),
        }
    }

    /// `+16`, `+-16`, `-16` or nothing.
    fn offset(&mut self) -> Result<i64, String> {
        if !self.accept("+") && self.peek() != "-" {
            return Ok(0);
        }
        let offset = self.number()?;
        match i32::try_from(offset) {
            Ok(offset) => Ok(i64::from(offset)),
            Err(_) => self.error(&format!("the offset {offset} is out of range")),
        }
    }
}
