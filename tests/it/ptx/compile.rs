//! From a parsed module to a [`Program`]: assigns places to registers, variables, parameters and labels.

use std::collections::{HashMap, HashSet};

use super::{
    decode::decode,
    memory::module_address,
    parse::{Function, Module, Statement, Variable},
    program::{
        CONST_BASE, Call, Instr, LOCAL_BASE, Layout, Op, Piece, Program, SHARED_BASE, Special,
    },
    types::{Space, Type},
};

/// The meaning of a name.
#[derive(Clone, Copy)]
pub enum Meant {
    Register(u32, Type),
    /// Registers declared together: `%r<255>` stands for `%r0` to `%r254`.
    Registers(u32, u32, Type),
    /// A variable that has an address.
    Address(u64),
    /// A parameter.
    Param(Piece),
}

/// Compiles one kernel of a module, and every function beside it.
pub fn compile(module: &Module<'_>, kernel: &str) -> Result<Program, String> {
    let find = |function: &&Function<'_>| function.is_entry && function.name == kernel;
    let entry = module.functions.iter().find(find);
    let entry = entry.ok_or_else(|| format!("there is no kernel {kernel}"))?;
    let mut compiler = Compiler::new(kernel, entry.threads_max);
    compiler.module_variables(&module.variables)?;
    let functions = module.functions.iter().filter(|f| !f.is_entry);
    let functions: Vec<_> = functions.chain([entry]).collect();
    for function in &functions {
        compiler.announce(function)?;
    }
    for function in &functions {
        compiler.function(function)?;
    }
    compiler.finish(kernel)
}

/// A function as its callers see it.
struct Signature {
    begin: Option<u32>,
    params: Vec<Piece>,
    returned: Vec<Piece>,
}

pub struct Compiler<'a> {
    pub program: Program,
    scopes: Vec<HashMap<&'a str, Meant>>,
    constants: HashMap<u64, u32>,
    functions: HashMap<&'a str, Signature>,
    /// Labels of the current function, and branches to them.
    labels: HashMap<&'a str, u32>,
    branches: Vec<(usize, &'a str, u32)>,
    tables: HashMap<&'a str, usize>,
    table_targets: Vec<(usize, Vec<&'a str>, u32)>,
    /// Calls by the function that makes them.
    calls: Vec<(&'a str, usize, &'a str, u32)>,
    current: &'a str,
    current_is_entry: bool,
    line: u32,
    pub carry: u32,
}

impl<'a> Compiler<'a> {
    fn new(name: &str, threads_max: Option<u32>) -> Self {
        let program = Program {
            name: name.into(),
            code: Vec::new(),
            lines: Vec::new(),
            entry: 0,
            params: Vec::new(),
            threads_max,
            registers: Vec::new(),
            specials: Vec::new(),
            param_bytes: 0,
            local: Layout::new(LOCAL_BASE),
            shared: Layout::new(SHARED_BASE),
            constant: Layout::new(CONST_BASE),
            constants: Vec::new(),
            calls: Vec::new(),
            tables: Vec::new(),
            lists: Vec::new(),
        };
        let mut compiler = Self {
            program,
            scopes: vec![HashMap::new()],
            constants: HashMap::new(),
            functions: HashMap::new(),
            labels: HashMap::new(),
            branches: Vec::new(),
            tables: HashMap::new(),
            table_targets: Vec::new(),
            calls: Vec::new(),
            current: "",
            current_is_entry: false,
            line: 0,
            carry: 0,
        };
        compiler.carry = compiler.scratch(1);
        compiler
    }

    pub fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("line {}: {what}", self.line))
    }

    fn module_variables(&mut self, variables: &[Variable<'a>]) -> Result<(), String> {
        let mut globals = 0;
        for variable in variables {
            self.line = variable.line;
            let address = match variable.space {
                Space::Const => {
                    let layout = &mut self.program.constant;
                    let address = layout.add(variable.bytes, variable.align);
                    let at = (address - layout.base) as usize;
                    let constants = &mut self.program.constants;
                    constants.resize(layout.bytes, 0);
                    constants[at..at + variable.initial.len()].copy_from_slice(&variable.initial);
                    address
                }
                _ => {
                    globals += 1;
                    module_address(globals - 1)
                }
            };
            self.name(variable.name, Meant::Address(address))?;
        }
        Ok(())
    }

    /// Declares a name in the innermost scope.
    fn name(&mut self, name: &'a str, meant: Meant) -> Result<(), String> {
        let scope = self.scopes.last_mut().expect("the module's scope stays");
        match scope.insert(name, meant) {
            None => Ok(()),
            Some(_) => self.error(&format!("{name} is declared twice")),
        }
    }

    fn announce(&mut self, function: &Function<'a>) -> Result<(), String> {
        self.line = function.line;
        let params = function.params.iter().map(|p| self.param(p)).collect();
        let returned = function.returned.iter().map(|p| self.param(p)).collect();
        let signature = Signature {
            begin: None,
            params,
            returned,
        };
        match self.functions.insert(function.name, signature) {
            None => Ok(()),
            Some(_) => self.error(&format!("{} is defined twice", function.name)),
        }
    }

    /// Allocates a parameter.
    fn param(&mut self, variable: &Variable<'a>) -> Piece {
        let at = self
            .program
            .param_bytes
            .next_multiple_of(variable.align.max(8));
        self.program.param_bytes = at + variable.bytes;
        let bytes = variable.bytes;
        Piece { at, bytes }
    }

    fn function(&mut self, function: &Function<'a>) -> Result<(), String> {
        self.line = function.line;
        self.current = function.name;
        self.current_is_entry = function.is_entry;
        self.labels.clear();
        self.tables.clear();
        self.scopes.push(HashMap::new());
        let begin = self.program.code.len() as u32;
        let signature = self
            .functions
            .get_mut(function.name)
            .expect("it was announced");
        signature.begin = Some(begin);
        let pieces = [signature.params.clone(), signature.returned.clone()].concat();
        if function.is_entry {
            self.program.entry = begin;
            self.program.params = pieces.clone();
        }
        for (variable, piece) in function.params.iter().chain(&function.returned).zip(pieces) {
            self.name(variable.name, Meant::Param(piece))?;
        }
        // Labels of branch tables stand before or behind the branch, so tables are noted first.
        for statement in &function.body {
            if let Statement::Targets(label, targets, line) = statement {
                self.tables.insert(label, self.program.tables.len());
                let table = self.program.tables.len();
                self.table_targets.push((table, targets.clone(), *line));
                self.program.tables.push(Vec::new());
            }
        }
        let depth = self.scopes.len();
        for statement in &function.body {
            self.statement(statement)?;
        }
        if self.scopes.len() != depth {
            return self.error("braces do not match");
        }
        self.scopes.pop();
        // Whoever runs over the end is stopped.
        self.emit(Instr::of(Op::Trap));
        self.resolve_labels()
    }

    fn statement(&mut self, statement: &Statement<'a>) -> Result<(), String> {
        match statement {
            Statement::Open => self.scopes.push(HashMap::new()),
            Statement::Close => drop(self.scopes.pop()),
            Statement::Label(label, line) => {
                self.line = *line;
                let at = self.program.code.len() as u32;
                if self.labels.insert(label, at).is_some() {
                    return self.error(&format!("the label {label} stands twice"));
                }
            }
            Statement::Targets(..) => (),
            Statement::Register(ty, name, count, line) => {
                self.line = *line;
                self.declare(*ty, name, *count)?;
            }
            Statement::Variable(variable) => {
                self.line = variable.line;
                let (bytes, align) = (variable.bytes, variable.align);
                let meant = match variable.space {
                    Space::Local => Meant::Address(self.program.local.add(bytes, align)),
                    Space::Shared => Meant::Address(self.program.shared.add(bytes, align)),
                    _ => Meant::Param(self.param(variable)),
                };
                self.name(variable.name, meant)?;
            }
            Statement::Instruction(instruction) => {
                self.line = instruction.line;
                decode(self, instruction)?;
            }
        }
        Ok(())
    }

    fn declare(&mut self, ty: Type, name: &'a str, count: Option<u32>) -> Result<(), String> {
        if ty.bits == 8 {
            return self.error("a register has at least 16 bits");
        }
        let first = self.program.registers.len() as u32;
        let meant = match count {
            None => Meant::Register(first, ty),
            Some(count) => Meant::Registers(first, count, ty),
        };
        for _ in 0..count.unwrap_or(1) {
            self.scratch(ty.bits);
        }
        self.name(name, meant)
    }

    /// A new register with undefined content.
    pub fn scratch(&mut self, bits: u32) -> u32 {
        let place = self.program.registers.len() as u64;
        let noise = (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.program.registers.push(noise >> (64 - bits));
        place as u32
    }

    /// A register that holds a number.
    pub fn constant(&mut self, value: u64) -> u32 {
        let registers = &mut self.program.registers;
        *self.constants.entry(value).or_insert_with(|| {
            registers.push(value);
            registers.len() as u32 - 1
        })
    }

    /// A register with a value at thread start.
    pub fn special(&mut self, special: Special) -> u32 {
        let specials = &self.program.specials;
        if let Some(&(_, register)) = specials.iter().find(|known| known.0 == special) {
            return register;
        }
        let register = self.scratch(32);
        self.program.specials.push((special, register));
        register
    }

    pub fn look_up(&self, name: &str) -> Option<Meant> {
        let find = |name: &str| self.scopes.iter().rev().find_map(|scope| scope.get(name));
        if let Some(&meant) = find(name) {
            return Some(meant);
        }
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u32 = name[stem.len()..].parse().ok()?;
        match find(stem) {
            Some(&Meant::Registers(first, count, ty)) if number < count => {
                Some(Meant::Register(first + number, ty))
            }
            _ => None,
        }
    }

    pub fn emit(&mut self, instr: Instr) {
        self.program.code.push(instr);
        self.program.lines.push(self.line);
    }

    /// Emits a branch to a label.
    pub fn branch(&mut self, instr: Instr, label: &'a str) {
        self.branches
            .push((self.program.code.len(), label, self.line));
        self.emit(instr);
    }

    pub fn table(&self, label: &str) -> Option<usize> {
        self.tables.get(label).copied()
    }

    pub fn is_in_kernel(&self) -> bool {
        self.current_is_entry
    }

    fn resolve_labels(&mut self) -> Result<(), String> {
        let labels = &self.labels;
        let find = |label: &str, line| {
            let unknown = || format!("line {line}: there is no label {label}");
            labels.get(label).copied().ok_or_else(unknown)
        };
        for (at, label, line) in self.branches.drain(..) {
            self.program.code[at].d = find(label, line)?;
        }
        for (table, targets, line) in self.table_targets.drain(..) {
            for label in targets {
                self.program.tables[table].push(find(label, line)?);
            }
        }
        Ok(())
    }

    /// Emits a call.
    pub fn call(
        &mut self,
        function: &'a str,
        arguments: &[&str],
        results: &[&str],
    ) -> Result<(), String> {
        let Some(signature) = self.functions.get(function) else {
            return self.error(&format!("there is no function {function}"));
        };
        let pieces = |names: &[&str], expected: &[Piece]| {
            let given: Option<Vec<_>> = names
                .iter()
                .map(|name| match self.look_up(name) {
                    Some(Meant::Param(piece)) => Some(piece),
                    _ => None,
                })
                .collect();
            let given = given.filter(|given| {
                let sizes = |pieces: &[Piece]| pieces.iter().map(|p| p.bytes).collect::<Vec<_>>();
                sizes(given) == sizes(expected)
            });
            given.map(|given| given.into_iter().zip(expected.iter().copied()).collect())
        };
        let (Some(arguments), Some(results)) = (
            pieces(arguments, &signature.params),
            pieces(results, &signature.returned),
        ) else {
            return self.error(&format!("{function} takes or gives something else"));
        };
        let call = Call {
            target: 0,
            arguments,
            results,
        };
        let number = self.program.calls.len();
        self.calls.push((self.current, number, function, self.line));
        self.program.calls.push(call);
        let instr = Instr::of(Op::Call);
        self.emit(Instr {
            d: number as u32,
            ..instr
        });
        Ok(())
    }

    fn finish(mut self, kernel: &str) -> Result<Program, String> {
        for &(_, number, function, line) in &self.calls {
            let signature = &self.functions[function];
            let unknown = || format!("line {line}: {function} has no body");
            self.program.calls[number].target = signature.begin.ok_or_else(unknown)?;
        }
        let mut above = HashSet::new();
        self.refuse_recursion(kernel, &mut above)?;
        Ok(self.program)
    }

    /// Registers and local memory have fixed places, so no function may be active twice.
    fn refuse_recursion<'b>(
        &'b self,
        function: &'b str,
        above: &mut HashSet<&'b str>,
    ) -> Result<(), String> {
        if !above.insert(function) {
            return Err(format!("{function} calls itself"));
        }
        let called: HashSet<_> = self
            .calls
            .iter()
            .filter(|call| call.0 == function)
            .map(|call| call.2)
            .collect();
        for callee in called {
            self.refuse_recursion(callee, above)?;
        }
        above.remove(function);
        Ok(())
    }
}

impl Instr {
    /// Without operands.
    pub fn of(op: Op) -> Self {
        Self {
            op,
            shift: 0,
            aux: 0,
            d: 0,
            a: 0,
            b: 0,
            c: 0,
        }
    }
}
